"""The proxy of the services: what stays inside, how it is written, what is refused."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mk8s.cluster import Cluster, ControlPlane, Proxy
from mk8s.distros.common import proxy
from tests.mk8s.distros.situations import make_cluster

URL = "http://proxy.example:3128"
NETWORKS = ("10.42.0.0/16", "10.43.0.0/16")


def with_proxy(given: Proxy | None, **more: Any) -> Cluster:
    cluster = make_cluster(**more)
    return replace(cluster, nodes=tuple(replace(node, proxy=given) for node in cluster.nodes))


def of(cluster: Cluster) -> dict[str, str]:
    return proxy.variables(cluster, cluster.primary, NETWORKS)


def test_without_a_proxy_nothing_is_written() -> None:
    cluster = with_proxy(None)
    assert of(cluster) == {}
    assert proxy.steps(of(cluster), "rke2-server.service") == []


def test_what_is_inside_never_goes_through_the_proxy() -> None:
    """Networks, nodes, endpoint, the cluster's own names and loopback; the user's words come first."""
    cluster = with_proxy(Proxy(URL, URL, (".corp.example",)), endpoint="10.0.0.100")
    found = of(cluster)
    assert (found["HTTP_PROXY"], found["HTTPS_PROXY"]) == (URL, URL)
    assert found["NO_PROXY"] == (
        ".corp.example,localhost,127.0.0.0/8,::1,10.42.0.0/16,10.43.0.0/16,.svc,.cluster.local,"
        "10.0.0.100,10.0.0.11,10.0.0.12,10.0.0.21"
    )


def test_a_network_of_the_users_stands_for_its_nodes() -> None:
    """So nothing changes when nodes are added, and a large cluster has a short line."""
    cluster = with_proxy(Proxy(http=URL, no_proxy=("10.0.0.0/24",)))
    assert of(cluster)["NO_PROXY"].endswith(".svc,.cluster.local")
    assert "HTTPS_PROXY" not in of(cluster)


def test_an_existing_control_plane_is_asked_directly() -> None:
    cluster = with_proxy(Proxy(http=URL), joins=ControlPlane("kube.example", "TOKEN"))
    assert "kube.example" in of(cluster)["NO_PROXY"].split(",")


def test_a_drop_in_keeps_percent_signs() -> None:
    """systemd reads a single one as the beginning of a specifier."""
    assert proxy.drop_in({"HTTP_PROXY": "http://a%20b@proxy:1"}).decode().splitlines() == [
        "# written by mk8s",
        "[Service]",
        'Environment="HTTP_PROXY=http://a%%20b@proxy:1"',
    ]


def test_an_environment_file_is_read_by_a_shell_as_it_was_meant(tmp_path: Path) -> None:
    """systemd's rules for quotes are a shell's."""
    value = "http://a%20b@proxy:1"
    file = tmp_path / "env"
    file.write_bytes(proxy.environment_file({"HTTP_PROXY": value}))
    said = subprocess.run(
        ["sh", "-c", '. "$1" && printf %s "$HTTP_PROXY"', "sh", file], capture_output=True, check=True
    )
    assert said.stdout.decode() == value


def test_systemd_takes_the_drop_in(tmp_path: Path) -> None:
    """The real program finds no fault with it."""
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("there is no systemd-analyze on this machine")
    unit = tmp_path / "made.service"
    service = "[Service]\nExecStart=/bin/true\n"
    drop_in = proxy.drop_in(of(with_proxy(Proxy(URL, URL, ("*.example",))))).decode()
    unit.write_text(service + drop_in.partition("[Service]\n")[2])
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, check=False)
    assert b"made.service" not in done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Proxy(http="http://me:secret@proxy:1"), "proxy.http: has a password in it"),
        (Proxy(https="proxy:3128"), "proxy.https: 'proxy:3128' is no URL of a proxy; write such as"),
        (Proxy(http="ftp://proxy:1"), "is no URL of a proxy"),
        (Proxy(http="http://proxy:99999"), "is no URL of a proxy"),
        (Proxy(http='http://pro"xy:1'), "is no URL of a proxy"),
        (Proxy(http=URL, no_proxy=("a b",)), "proxy.no_proxy: 'a b' is no host, suffix or network"),
        (Proxy(no_proxy=(".example",)), "proxy.no_proxy: means nothing without a proxy"),
    ],
)
def test_what_cannot_be_is_told_once(given: Proxy, words: str) -> None:
    """Once for all nodes, and a password is never repeated."""
    (fault,) = proxy.faults(with_proxy(given))
    assert words in fault
    assert "secret" not in fault


def test_a_good_proxy_is_no_fault() -> None:
    given = Proxy(URL, "https://user@proxy.example", ("10.0.0.0/8", ".example.com", "*.example", "::1"))
    assert list(proxy.faults(with_proxy(given))) == []
