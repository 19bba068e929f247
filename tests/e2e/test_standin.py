"""The stand-in release on real hosts: does it behave as RKE2 is known to?

Each test begins with new hosts.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mk8s.standin import build_release
from tests.e2e.labs import LabMaker
from tests.e2e.standin_hosts import TOKEN, StandinHosts, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

READY_WITH_CERTIFICATE = """cd /var/lib/rancher/rke2/server/tls
curl -s --cacert server-ca.crt --cert client-kube-apiserver.crt --key client-kube-apiserver.key \\
  https://127.0.0.1:6443/readyz"""


@pytest.fixture(scope="module")
def small_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(tmp_path_factory.mktemp("standin") / "release", images_size=100_000)


@pytest.fixture
def hosts(lab: LabMaker, small_release: Path) -> StandinHosts:
    return StandinHosts(lab.fresh(4), small_release)


def test_a_first_server_becomes_ready(hosts: StandinHosts) -> None:
    """Unit active, the API ready, the node Ready in its roles and version."""
    hosts.first()
    hosts.wait_ready(1, 1)
    assert hosts.kubectl(1, "get --raw /readyz").stdout == "ok"
    node = json.loads(hosts.kubectl(1, f"get node {hosts.name(1)} -o json").stdout)
    assert node["metadata"]["labels"]["node-role.kubernetes.io/etcd"] == "true"
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.33.4+rke2r1"


def test_the_ports_answer_as_the_real_ones(hosts: StandinHosts) -> None:
    """Open: ping and cacerts. By token: readyz of the supervisor. By client certificate: the API."""
    hosts.first()
    supervisor, api = "curl -sk https://127.0.0.1:9345", "curl -sk -o /dev/null -w %{http_code}"
    assert hosts.sh(1, f"{supervisor}/ping") == "pong"
    assert hosts.sh(1, f"{supervisor}/cacerts").startswith("-----BEGIN CERTIFICATE-----")
    assert hosts.sh(1, f"{supervisor}/v1-rke2/readyz -u node:{TOKEN}") == "ok"
    assert hosts.sh(1, f"{api} https://127.0.0.1:9345/v1-rke2/readyz -u node:wrong") == "401"
    assert hosts.sh(1, f"{api} https://127.0.0.1:6443/readyz") == "401"
    assert hosts.sh(1, READY_WITH_CERTIFICATE) == "ok"


def test_the_files_of_a_server_are_in_their_places(hosts: StandinHosts) -> None:
    """The token in its secure form with the CA's hash; kubeconfig and token are root's alone."""
    hosts.first()
    assert (
        hosts.sh(1, "stat -c %a /etc/rancher/rke2/rke2.yaml /var/lib/rancher/rke2/server/token")
        == "600\n600\n"
    )
    token = hosts.sh(1, "cat /var/lib/rancher/rke2/server/node-token").strip()
    ca = hosts.sh(1, "sha256sum < /var/lib/rancher/rke2/server/tls/server-ca.crt")[:64]
    assert token == f"K10{ca}::server:{TOKEN}"


def test_servers_that_join_one_after_another_do_not_overlap(hosts: StandinHosts) -> None:
    """Three servers, one cluster, no join inside another's, none refused."""
    hosts.first()
    for i in (2, 3):
        hosts.begin(i, server=hosts.url(1))
        hosts.wait_active(i)
    hosts.wait_ready(3, 1, 2, 3)
    assert [len(hosts.when(i, "cluster-init")) for i in (1, 2, 3)] == [1, 0, 0]
    assert hosts.when(2, "join-promoted")[0] < hosts.when(3, "join-begin")[0]
    assert not hosts.when(2, "join-refused") + hosts.when(3, "join-refused")


def test_a_second_server_that_joins_meanwhile_hears_of_the_learner(hosts: StandinHosts) -> None:
    """etcd takes one learner at a time: the other one is told so, tries again and gets in."""
    hosts.first(settings={"PROMOTE_SECONDS": 3})
    hosts.freeze_at(2, "join-learner")
    hosts.begin(2, server=hosts.url(1))
    hosts.wait_frozen(2)
    hosts.begin(3, server=hosts.url(1))
    hosts.wait_said(3, "etcdserver: too many learner members in cluster")
    hosts.thaw(2)
    hosts.wait_active(2)
    hosts.wait_active(3)
    assert [i for i in (2, 3) if hosts.when(i, "join-refused")] == [3]
    hosts.wait_ready(1, 1, 2, 3)


def test_an_older_engine_fails_where_a_learner_is_in_its_way(hosts: StandinHosts) -> None:
    """STANDIN_LEARNER_CONFLICT=fatal: `ETCD join failed`, and systemd starts it again after 5 s."""
    hosts.first(settings={"PROMOTE_SECONDS": 3})
    hosts.freeze_at(2, "join-learner")
    hosts.begin(2, server=hosts.url(1))
    hosts.wait_frozen(2)
    hosts.begin(3, settings={"LEARNER_CONFLICT": "fatal"}, server=hosts.url(1))
    hosts.wait_said(3, "ETCD join failed: etcdserver: too many learner members in cluster")
    hosts.thaw(2)
    hosts.wait_active(3)
    hosts.wait_ready(1, 1, 2, 3)


def test_an_agent_waits_for_its_server_and_joins(hosts: StandinHosts) -> None:
    """It says so every 2 s and does not exit; then it registers and becomes Ready, without a role."""
    hosts.begin(2, "agent", server=hosts.url(1))
    hosts.wait_said(2, "Failed to validate connection to cluster at", "agent")
    hosts.wait_said(2, "connection refused", "agent")
    hosts.first()
    hosts.wait_active(2, "agent")
    hosts.wait_ready(1, 1, 2)
    assert re.search(rf"{hosts.name(2)}\s+Ready\s+<none>", hosts.kubectl(1, "get nodes").stdout)
    assert hosts.sh(2, "systemctl show rke2-agent -p NRestarts --value").strip() == "0"


def test_a_server_with_a_wrong_token_fails_and_is_started_again(hosts: StandinHosts) -> None:
    """A fatal line, exit 1, and systemd's restart; the cluster does not get to know it."""
    hosts.first()
    hosts.begin(2, server=hosts.url(1), token="wrong")
    hosts.wait_said(2, "/v1-rke2/server-bootstrap: 401 Unauthorized")
    restarts = "systemctl show rke2-server -p NRestarts --value"
    eventually(lambda: int(hosts.sh(2, restarts)) > 0, "systemd starts it again")
    assert hosts.name(2) not in hosts.conditions(1)


def test_an_agent_with_a_wrong_token_goes_on_asking(hosts: StandinHosts) -> None:
    """Agents do not exit: the unit stays activating."""
    hosts.first()
    hosts.begin(2, "agent", server=hosts.url(1), token="wrong")
    hosts.wait_said(2, "401 Unauthorized", "agent")
    assert hosts.run(2, "systemctl is-active rke2-agent").stdout.strip() == "activating"


def test_a_token_of_another_cluster_is_refused(hosts: StandinHosts) -> None:
    """The secure form names the CA, and that of this cluster is another."""
    hosts.first()
    hosts.begin(2, server=hosts.url(1), token=f"K10{'0' * 64}::server:{TOKEN}")
    hosts.wait_said(2, "token CA hash does not match the Cluster CA certificate hash")


def test_a_server_whose_first_server_is_away_says_so(hosts: StandinHosts) -> None:
    """`failed to get CA certs`: joining servers do not wait, systemd repeats them."""
    hosts.begin(2, server=hosts.url(1))
    hosts.wait_said(2, "failed to get CA certs: Get")
    hosts.wait_said(2, "connect: connection refused")


def test_servers_with_different_networks_do_not_join(hosts: StandinHosts) -> None:
    """Some keys have to be the same on all servers."""
    hosts.first()
    hosts.begin(2, server=hosts.url(1), cluster_cidr="10.99.0.0/16")
    hosts.wait_said(2, "critical configuration value mismatch between servers: cluster-cidr")


def test_a_restart_resumes_the_same_member(hosts: StandinHosts) -> None:
    """No second init, no second join; `server:` is not used any more."""
    hosts.first()
    hosts.begin(2, server=hosts.url(1))
    hosts.wait_active(2)
    hosts.configure(2, server="https://192.0.2.1:9345", token=TOKEN)
    for i in (1, 2):
        hosts.sh(i, "systemctl restart rke2-server")
    hosts.wait_ready(2, 1, 2)
    starts = [line for i in (1, 2) for line in hosts.evidence(i) if line["event"] == "ready"]
    assert [line["how"] for line in starts] == ["init", "resume", "join", "resume"]
    assert len({line["cluster"] for line in starts}) == 1


def test_a_reboot_and_a_power_cut_resume_the_same_member(hosts: StandinHosts) -> None:
    """The unit is enabled and the data are on the disk."""
    hosts.first()
    hosts.lab.reboot(1)
    hosts.wait_active(1)
    hosts.lab.kill(1)
    hosts.lab.heal(1)
    hosts.wait_active(1)
    hosts.wait_ready(1, 1)
    assert len(hosts.when(1, "cluster-init")) == 1
    assert len({line["boot"] for line in hosts.evidence(1) if line["event"] == "start"}) == 3


def test_the_others_go_on_while_the_first_server_is_away(hosts: StandinHosts) -> None:
    """A restarted server serves from its copy, takes an agent in, and says who is away."""
    quick = {"NODE_GRACE_SECONDS": 3}
    hosts.first(settings=quick)
    for i in (2, 3):
        hosts.begin(i, settings=quick, server=hosts.url(1))
        hosts.wait_active(i)
    hosts.wait_ready(2, 1, 2, 3)
    hosts.lab.kill(1)
    hosts.sh(2, "systemctl restart rke2-server")
    hosts.begin(4, "agent", server=hosts.url(2))
    wanted = {hosts.name(1): "Unknown", **{hosts.name(i): "True" for i in (2, 3, 4)}}
    eventually(lambda: hosts.conditions(3) == wanted, "host 3 sees host 1 away and host 4 Ready")
    hosts.lab.heal(1)
    hosts.wait_ready(1, 1, 2, 3, 4)


def test_a_learner_whose_power_is_cut_bars_the_way_until_it_is_back(hosts: StandinHosts) -> None:
    """It is not promoted while it is away; healed, it goes on as the same member."""
    hosts.first(settings={"PROMOTE_SECONDS": 3})
    hosts.freeze_at(2, "join-learner")
    hosts.begin(2, server=hosts.url(1))
    hosts.wait_frozen(2)
    hosts.lab.kill(2)
    hosts.begin(3, server=hosts.url(1))
    hosts.wait_said(3, "too many learner members in cluster")
    hosts.lab.heal(2)
    for i in (2, 3):
        hosts.wait_active(i)
    hosts.wait_ready(1, 1, 2, 3)


def test_a_learner_without_progress_is_removed(hosts: StandinHosts) -> None:
    """After STANDIN_LEARNER_TIMEOUT; the way is free again."""
    hosts.first(settings={"LEARNER_TIMEOUT": 3, "PROMOTE_SECONDS": 3})
    hosts.freeze_at(2, "join-learner")
    hosts.begin(2, server=hosts.url(1))
    hosts.wait_frozen(2)
    hosts.lab.kill(2)
    hosts.wait_said(1, "Removing etcd learner")
    hosts.begin(3, server=hosts.url(1))
    hosts.wait_active(3)
    hosts.wait_ready(1, 1, 3)


def test_another_host_with_a_known_name_is_refused(hosts: StandinHosts) -> None:
    """The node's password is in /etc/rancher/node; `kubectl delete node` frees the name."""
    hosts.first()
    hosts.begin(2, "agent", server=hosts.url(1), node_name="twin")
    hosts.wait_active(2, "agent")
    hosts.begin(3, "agent", server=hosts.url(1), node_name="twin")
    hosts.wait_said(3, "Node password rejected, duplicate hostname", "agent")
    hosts.sh(2, "systemctl stop rke2-agent")
    assert hosts.kubectl(1, "delete node twin").returncode == 0
    hosts.wait_active(3, "agent")


def test_without_its_images_a_server_does_not_start(hosts: StandinHosts) -> None:
    """The runtime image is in no archive, and in an air gap no registry answers."""
    hosts.install(1)
    hosts.configure(1, token=TOKEN)
    hosts.sh(1, "rm /var/lib/rancher/rke2/agent/images/*; systemctl start --no-block rke2-server")
    hosts.wait_said(1, "failed to get runtime image index.docker.io/rancher/rke2-runtime:v1.33.4-rke2r1")


def test_without_a_network_plugin_nodes_stay_not_ready(hosts: StandinHosts) -> None:
    """cni: none. The unit is active all the same: READY of the unit is not Ready of the node."""
    hosts.first(cni="none")
    assert hosts.conditions(1) == {hosts.name(1): "False"}


def test_uninstall_leaves_nothing(hosts: StandinHosts) -> None:
    """No file, no unit, no process, no port."""
    hosts.first()
    hosts.sh(1, "rke2-uninstall.sh")
    places = "/usr/local/bin/rke2* /usr/local/lib/systemd/system/rke2* /usr/local/share/rke2"
    places += " /etc/rancher /var/lib/rancher /run/standin-rke2"
    assert hosts.sh(1, f"ls -d {places} 2>/dev/null || :") == ""
    hosts.wait_nothing(1, "ss -Hlntu 'sport = :9345 or sport = :6443'")
    assert hosts.sh(1, "systemctl list-unit-files --no-legend 'rke2*' || :") == ""
    hosts.wait_nothing(1, "pgrep -fa '[b]in/rke2|[s]_server' || :")


def test_install_sh_refuses_a_file_that_was_changed(hosts: StandinHosts) -> None:
    """The bundle and the base images are verified before anything is installed."""
    hosts.install(1)
    hosts.sh(1, "rke2-uninstall.sh; echo x >> /root/release/rke2.linux-amd64.tar.gz")
    done = hosts.run(1, "INSTALL_RKE2_ARTIFACT_PATH=/root/release sh /root/release/install.sh")
    assert done.returncode == 1
    assert "download sha256 does not match" in done.stderr
    assert hosts.run(1, "test -e /usr/local/bin/rke2").returncode == 1
