"""From one server to three: two are added to the manifest, and `run` is called again.

The first node is not restarted: when its kubelet and its etcd started stands in its own /proc.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.driving import Driver, states_of, wait_until
from tests.e2e.labs import LabMaker
from tests.e2e.real_clusters import RealCluster, manifest_of
from tests.e2e.test_real_clusters import etcd_members

pytestmark = [pytest.mark.e2e, pytest.mark.real, pytest.mark.timeout(1800)]

# pid and start time in clock ticks since boot: field 22 of /proc/PID/stat, after the name in brackets.
# Of each name the oldest: what one of them starts bears its name until its exec.
STARTED = """
for name in kubelet etcd kube-apiserver containerd; do
  pid=$(pgrep -o -x "$name") || continue
  stat=$(cat /proc/$pid/stat); set -- ${stat##*) }
  echo "$name $pid ${20}"
done
"""


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla"])
def test_two_servers_join_a_cluster_of_one_and_the_first_is_not_restarted(
    distro: str, lab: LabMaker, real_release: dict[str, Path], tmp_path: Path
) -> None:
    hosts = lab.fresh(3)
    manifest = tmp_path / "cluster.yaml"
    driver = Driver(hosts, manifest)
    manifest.write_text(manifest_of(hosts, distro, real_release[distro], servers=1, nodes=1))
    first = driver.run("--output", "plain")
    assert first.code == 0, first.err
    alone = RealCluster(driver, 1)
    wait_until(lambda: alone.ready() == {driver.name(1): True}, "the first is Ready")
    before = driver.on_host(1, STARTED)
    certificates = {place: digest for place, digest in alone.certificates().items() if place[0] == 1}

    manifest.write_text(manifest_of(hosts, distro, real_release[distro], servers=3, nodes=3))
    grown = driver.run("--output", "plain")

    assert grown.code == 0, grown.err
    assert set(states_of(driver.records()).values()) == {"healthy"}
    whole = RealCluster(driver, 3)
    wait_until(lambda: whole.ready() == dict.fromkeys(whole.names, True), "all are Ready")
    assert len([member for member in etcd_members(whole) if member.get("clientURLs")]) == 3
    assert driver.on_host(1, STARTED) == before
    assert {name.split()[0] for name in before.splitlines()} >= {"kubelet", "etcd", "kube-apiserver"}
    after = whole.certificates()
    assert {place: after.get(place) for place in certificates} == certificates
    for server in (1, 2, 3):
        assert whole.kubectl("get --raw /readyz", on=server, own=True).strip() == "ok"
