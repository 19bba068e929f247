"""What is kept for a vanilla cluster: three authorities, a certificate for each user and server."""

from __future__ import annotations

from mk8s.distros.vanilla import DISTRO
from mk8s.distros.vanilla.pki import FOUNDERS
from mk8s.needs import Authority, Certificate, Constant, Need
from tests.mk8s.distros.situations import make_node
from tests.mk8s.distros.vanilla.clusters import a_cluster, five


def needs() -> dict[str, Need]:
    return {need.name: need for need in DISTRO.needs(five())}


def certificate(name: str) -> Certificate:
    found = needs()[name]
    if not isinstance(found, Certificate):
        raise TypeError(name)
    return found


def test_every_need_has_its_own_name() -> None:
    assert len(needs()) == len(DISTRO.needs(five()))


def test_etcd_and_aggregation_have_authorities_of_their_own() -> None:
    """So that who may speak to etcd may not speak to the API, and the other way round."""
    made = {name for name, need in needs().items() if isinstance(need, Authority)}
    by_etcd = {
        need.name
        for need in needs().values()
        if isinstance(need, Certificate) and need.authority == "etcd-ca"
    }

    assert made == {"ca", "etcd-ca", "front-proxy-ca"}
    assert by_etcd == {"apiserver-etcd-client", "etcd/srv-1", "etcd/srv-2", "etcd/srv-3"}


def test_a_kubelet_is_who_the_node_authorizer_takes_it_for() -> None:
    """Its user names its node, its group says what it is; it serves by name and by address."""
    kubelet = certificate("kubelet/agent-1")

    assert (kubelet.common_name, kubelet.organization) == ("system:node:agent-1", "system:nodes")
    assert (kubelet.dns, kubelet.ips) == (("agent-1",), ("10.0.0.21", "127.0.0.1"))
    assert (kubelet.server, kubelet.client) == (True, True)


def test_an_api_server_is_known_by_every_name_it_is_called_by() -> None:
    """The service's names and its first address, its own, the endpoint's, and the loopback."""
    own = certificate("apiserver/srv-2")

    assert own.dns == (
        "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
        "srv-2", "localhost",
    )  # fmt: skip
    assert own.ips == ("10.0.0.12", "10.0.0.11", "10.96.0.1", "127.0.0.1")


def test_an_endpoint_by_name_is_in_the_certificate() -> None:
    made = {need.name: need for need in DISTRO.needs(a_cluster(endpoint="api.example.org"))}

    own = made["apiserver/srv-1"]

    assert isinstance(own, Certificate)
    assert "api.example.org" in own.dns
    assert "10.0.0.11" in own.ips


def test_an_etcd_member_is_a_client_too() -> None:
    """With peer authentication one certificate serves and calls."""
    own = certificate("etcd/srv-3")

    assert (own.server, own.client, own.ips) == (True, True, ("10.0.0.13", "127.0.0.1"))


def test_users_are_those_that_rbac_binds() -> None:
    names = ("admin", "kube-proxy", "kube-controller-manager", "kube-scheduler")

    assert [(certificate(name).common_name, certificate(name).organization) for name in names] == [
        ("admin", "system:masters"),
        ("system:kube-proxy", "system:node-proxier"),
        ("system:kube-controller-manager", "system:kube-controller-manager"),
        ("system:kube-scheduler", "system:kube-scheduler"),
    ]


def test_growth_re_issues_nothing() -> None:
    """Each need of a smaller cluster is in the larger one, word for word."""
    small = a_cluster(
        nodes=(make_node("srv-1", "primary", "10.0.0.11"), make_node("agent-1", "agent", "10.0.0.21"))
    )
    larger = DISTRO.needs(five())

    assert [need for need in DISTRO.needs(small) if need not in larger and need.name != FOUNDERS] == []


def test_the_founders_are_the_servers_of_the_first_run() -> None:
    """A constant: the keeper keeps its first value."""
    assert needs()[FOUNDERS] == Constant(FOUNDERS, "srv-1,srv-2,srv-3")
