"""What upstream's distros share, on real hosts: prepared, given back, and routes that follow the cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from mk8s.cluster import Cluster, Login, Node
from mk8s.connect import make_transports
from mk8s.distros.base import Situation
from mk8s.distros.upstream import host, network
from mk8s.executor import Executor, StepsReport
from mk8s.facts import gather
from mk8s.lab import Lab
from mk8s.needs import pretend
from mk8s.steps import Step
from tests.e2e.labs import LabMaker

pytestmark = pytest.mark.e2e

Edge = Callable[[Situation], list[Step]]
SNAPSHOT = """\
find /etc -xdev \\( -type f -o -type l \\) -printf '%p %m %u %l ' -exec sh -c '
  [ -h "$1" ] || sha256sum <"$1"' sh {} \\; -printf '\\n'
sysctl net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables
while read -r file kind size _; do echo "$file $kind $size"; done </proc/swaps
ls /var/lib/mk8s 2>/dev/null
exit 0
"""


def swaps() -> bool:
    """Whether this machine swaps: swap is the kernel's, so a lab's host would turn off the machine's own."""
    return len(Path("/proc/swaps").read_text().splitlines()) > 1


def cluster_of(lab: Lab, *others: str) -> Cluster:
    """The lab's first host as a cluster, with other nodes that need not be there."""
    login = Login("root", key_path=lab.key)
    nodes = [Node("first", "primary", lab.hosts[0].address, "amd64", login)]
    nodes += [Node(f"other-{number}", "agent", ip, "amd64", login) for number, ip in enumerate(others)]
    return Cluster(
        name="shared",
        distro="kubeadm",
        version="v1.20.2",
        airgap=True,
        nodes=tuple(nodes),
        artifacts={},
        artifacts_dir=lab.folder,
        known_hosts=lab.known_hosts,
        swap="refuse" if swaps() else "disable",
        hosts_entries=True,
    )


def work(lab: Lab, cluster: Cluster, *edges: Edge) -> StepsReport:
    """Run steps on the first host, over SSH, as a run does."""

    async def main() -> StepsReport:
        transports = make_transports(cluster, lab.known_hosts)
        executor = Executor(transports)
        try:
            facts = await gather(lambda command: executor.ask("first", command), "first")
            s = Situation(cluster, cluster.primary, facts, {}, "", pretend(network.needs(cluster)))
            return await executor.run_steps("first", [step for edge in edges for step in edge(s)])
        finally:
            await transports["first"].close()

    return anyio.run(main, backend="trio")


def output(lab: Lab, script: str) -> list[str]:
    return lab.run(1, script).stdout.splitlines()


def routes(lab: Lab) -> list[str]:
    return [line.partition(" dev")[0] for line in output(lab, "ip -4 route show proto 109")]


def neighbour(lab: Lab, last: int) -> str:
    """An address in the hosts' own network."""
    return f"{lab.hosts[0].address.rpartition('.')[0]}.{last}"


def test_a_prepared_host_is_given_back_as_it_was(lab: LabMaker) -> None:
    """Files below /etc with modes and owners, kernel values and names: compared before and after."""
    one = lab.fresh(1)
    one.run(1, "echo '/dev/none none swap sw 0 0' >>/etc/fstab; printf '10.1.1.1 no-newline' >>/etc/hosts")
    before = output(one, SNAPSHOT)
    cluster = cluster_of(one, neighbour(one, 77))

    prepared = work(one, cluster, host.prepare)
    assert work(one, cluster, host.prepare).changed == 0
    during = output(one, SNAPSHOT)
    taken_back = work(one, cluster, host.unprepare)
    assert work(one, cluster, host.unprepare).changed == 0

    assert prepared.changed > 4
    assert taken_back.changed > 3
    assert "net.ipv4.ip_forward = 1" in during
    assert during != before
    assert set(output(one, SNAPSHOT)) ^ set(before) == set()


def test_names_of_nodes_can_be_looked_up(lab: LabMaker) -> None:
    one = lab(1)
    work(one, cluster_of(one, neighbour(one, 77)), host.prepare)

    assert output(one, "getent hosts other-0")[0].split() == [neighbour(one, 77), "other-0"]


def test_routes_follow_the_cluster_and_outlive_a_power_loss(lab: LabMaker) -> None:
    """They grow with it, shrink with it, and nothing but their own unit is started anew."""
    one = lab(1)
    two, three = neighbour(one, 77), neighbour(one, 78)
    work(one, cluster_of(one, two), host.prepare, network.install)
    assert routes(one) == [f"10.244.1.0/24 via {two}"]

    grown = cluster_of(one, two, three)
    assert work(one, grown, network.refresh).changed == 3
    assert work(one, grown, network.refresh).changed == 0
    one.kill(1)
    one.heal(1)
    after_the_loss = routes(one)
    assert work(one, grown, host.prepare, network.refresh).changed == 0

    assert after_the_loss == [f"10.244.1.0/24 via {two}", f"10.244.2.0/24 via {three}"]
    work(one, cluster_of(one, two), network.refresh)
    assert routes(one) == [f"10.244.1.0/24 via {two}"]


def test_a_route_that_somebody_removed_is_noticed_and_set_again(lab: LabMaker) -> None:
    one = lab(1)
    cluster = cluster_of(one, neighbour(one, 77))
    work(one, cluster, host.prepare, network.install)
    one.run(1, f"ip route del 10.244.1.0/24 via {neighbour(one, 77)}")

    assert work(one, cluster, network.refresh).titles == ("set the routes to the other nodes' pods",)
    assert routes(one) == [f"10.244.1.0/24 via {neighbour(one, 77)}"]
