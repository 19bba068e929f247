"""Every rendered file of every way, against the ones that were read; and in the real programs.

Write them anew with ``UPDATE_GOLDEN=1``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mk8s import endpoints
from mk8s.cluster import Balancer, Cluster
from mk8s.endpoints import haproxy, keepalived, kube_vip
from mk8s.steps import WriteFile
from tests.mk8s.distros.situations import make_node
from tests.mk8s.endpoints.made import PORTS, VIP, a_cluster, situation

GOLDEN = Path(__file__).parent / "golden"
SIX = (
    make_node("srv-1", "primary", "fd00::11"),
    make_node("srv-2", "server", "fd00::12"),
)


def rendered(by: str, distro: str) -> str:
    """All files of a way, each under its name."""
    cluster = a_cluster(by, distro)
    steps = endpoints.install(situation(cluster, "srv-2"), PORTS[distro])
    files = {str(step.target): step.content for step in steps if isinstance(step, WriteFile)}
    if distro in ("rke2", "k3s"):
        files |= endpoints.manifests(cluster)
    elif cluster.kube_vip:
        files["static pod"] = kube_vip.static_pod(cluster.kube_vip, VIP, {"path": "/admin.conf"})
    return "".join(f"=== {name}\n{content.decode()}\n" for name, content in files.items())


@pytest.mark.parametrize("distro", PORTS)
@pytest.mark.parametrize("by", ["keepalived", "kube-vip"])
def test_the_files_are_the_ones_that_were_read(by: str, distro: str) -> None:
    golden, text = GOLDEN / f"{by}-{distro}.txt", rendered(by, distro)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == (golden.read_text() if golden.exists() else "")


def test_an_address_that_the_user_runs_needs_no_file() -> None:
    cluster = a_cluster("external")
    assert endpoints.install(situation(cluster), (6443,)) == []
    assert endpoints.manifests(cluster) == {}
    assert endpoints.needs(cluster) == []


def test_an_agent_holds_no_address() -> None:
    assert endpoints.install(situation(a_cluster(), "agent-1"), (6443,)) == []


def test_the_first_server_has_the_highest_priority_and_none_is_below_one_without_haproxy() -> None:
    """So the first has the address before anything runs, and later none has it that leads nowhere."""
    cluster = a_cluster()
    texts = [keepalived.config(cluster, node, situation(cluster).kept).decode() for node in cluster.servers]
    found = [int(text.partition("priority ")[2].split()[0]) for text in texts]
    assert found == sorted(found, reverse=True)
    assert found[0] - keepalived.BEHIND < HIGHEST_OF_THE_LAST
    assert HIGHEST_OF_THE_LAST - keepalived.BEHIND > 0


HIGHEST_OF_THE_LAST = keepalived.HIGHEST - keepalived.MOST_SERVERS + 1


def test_servers_are_named_to_each_other_and_not_to_themselves() -> None:
    cluster = a_cluster()
    text = keepalived.config(cluster, cluster.servers[1], situation(cluster).kept).decode()
    assert "unicast_src_ip 10.0.0.12\n  unicast_peer {\n    10.0.0.11\n    10.0.0.13\n  }" in text


def test_a_server_alone_has_nobody_to_name() -> None:
    cluster = a_cluster("keepalived", "rke2", make_node("srv-1", "primary", "10.0.0.11"))
    assert "unicast" not in keepalived.config(cluster, cluster.primary, situation(cluster).kept).decode()


def test_the_password_is_kept_and_hidden() -> None:
    """It stands in one file, of root's alone, that is shown nowhere."""
    cluster = a_cluster()
    assert [need.name for need in endpoints.needs(cluster)] == ["vrrp-password"]
    steps = endpoints.install(situation(cluster), (6443,))
    holding = [step for step in steps if isinstance(step, WriteFile) and b"abcd1234" in step.content]
    assert [(step.target.name, step.mode, step.secret) for step in holding] == [
        ("keepalived.conf", 0o600, True)
    ]


def test_with_ipv6_there_is_no_password_and_whole_addresses() -> None:
    """VRRP's third version has none."""
    cluster = a_cluster("keepalived", "rke2", *SIX, endpoint="fd00::64")
    text = keepalived.config(cluster, cluster.primary, situation(cluster).kept).decode()
    assert "authentication" not in text
    assert "fd00::64/128 dev" in text
    assert b"bind :::16443\n" in haproxy.config(cluster, (6443,))


def test_the_pods_of_kube_vip_may_hold_their_lease_and_stand_any_taint() -> None:
    account, pods = endpoints.manifests(a_cluster("kube-vip")).values()
    kinds = [document["kind"] for document in yaml.safe_load_all(account)]
    assert kinds == ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"]
    spec = yaml.safe_load(pods)["spec"]["template"]["spec"]
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["serviceAccountName"] == "kube-vip"
    environment = {item["name"]: item.get("value") for item in spec["containers"][0]["env"]}
    assert environment["address"] == environment["vip_address"] == VIP
    assert environment["vip_interface"] == "eth0"


# The real programs, where this machine has them


def ways() -> Iterator[tuple[Cluster, tuple[int, ...]]]:
    for distro, ports in PORTS.items():
        yield a_cluster("keepalived", distro), ports
    yield a_cluster("keepalived", "rke2", *SIX, endpoint="fd00::64"), (6443, 9345)


def test_the_real_haproxy_takes_every_config(tmp_path: Path) -> None:
    program = _program("haproxy")
    for cluster, ports in ways():
        file = tmp_path / "haproxy.cfg"
        file.write_bytes(haproxy.config(cluster, ports))
        done = subprocess.run([program, "-c", "-f", file], capture_output=True, check=False)
        assert (done.returncode, b"WARNING" in done.stderr) == (0, False), done.stderr


def test_the_real_keepalived_takes_every_config(tmp_path: Path) -> None:
    """With an interface that is there, and a script that is root's."""
    program = _program("keepalived")
    interface = _oldest_interface()
    if not interface or os.geteuid() != 0:
        pytest.skip("there is no interface but the loopback, or this is not root")
    for cluster, _ports in ways():
        named = replace(cluster, balancer=Balancer("keepalived", interface))
        file = tmp_path / "keepalived.conf"
        text = keepalived.config(named, named.primary, situation(named).kept).decode()
        file.write_text(text.replace(str(keepalived.CHECK), "/bin/true"))
        done = subprocess.run([program, "-t", "-f", file], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _oldest_interface() -> str:
    """Not the loopback; others come and go with the tests beside this one, so all are asked for at once."""
    return next((name for _, name in sorted(socket.if_nameindex()) if name != "lo"), "")


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"there is no {name} on this machine")
    return found
