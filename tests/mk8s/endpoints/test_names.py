"""By which address and port the control plane is reached, for each way that leads there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mk8s import endpoints
from mk8s.cluster import ControlPlane
from tests.mk8s.distros.situations import make_cluster
from tests.mk8s.endpoints.made import a_cluster


@pytest.mark.parametrize(
    ("by", "url"),
    [
        ("external", "https://10.0.0.100:9345"),
        ("kube-vip", "https://10.0.0.100:9345"),
        ("cplb", "https://10.0.0.100:9345"),
        ("keepalived", "https://10.0.0.100:19345"),
    ],
)
def test_haproxy_on_the_servers_has_ports_of_its_own(by: str, url: str) -> None:
    """Their own ports are taken there; all other ways lead to the same ones."""
    assert endpoints.registration_url(a_cluster(by), 9345) == url


def test_without_an_endpoint_the_first_server_is_asked() -> None:
    cluster = make_cluster()
    assert endpoints.registration_url(cluster, 6443) == "https://10.0.0.11:6443"
    assert endpoints.names(cluster) == ()


def test_agents_alone_ask_the_control_plane_that_exists() -> None:
    cluster = replace(make_cluster(), joins=ControlPlane("kube.example", "TOKEN"))
    assert endpoints.registration_url(cluster, 6443) == "https://kube.example:6443"


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert endpoints.registration_url(a_cluster(endpoint="fd00::64"), 6443) == "https://[fd00::64]:16443"


def test_certificates_hold_the_endpoint() -> None:
    assert endpoints.names(a_cluster()) == ("10.0.0.100",)
