"""K3s as a value: where it differs from RKE2. Begin reading at `K3S`."""

from __future__ import annotations

from mk8s.cluster import Cluster, Node
from mk8s.distros.k3s import versions
from mk8s.distros.rancher.commands import OTHER_PREFIX, USUAL_PREFIX
from mk8s.distros.rancher.engine import Addition, Engine, ForeignKey
from mk8s.distros.rancher.roles import servers_of, uses_datastore
from mk8s.distros.rancher.values import is_true, settings_of

__all__ = ["BIN_DIRS", "K3S", "backend_of", "begins_etcd"]

BIN_DIRS = (USUAL_PREFIX / "bin", OTHER_PREFIX / "bin")
PATH = ":".join((*map(str, BIN_DIRS), "/usr/sbin", "/usr/bin", "/sbin", "/bin"))

NETWORK = (
    "K3s has flannel built in: leave it out, or write `flannel-backend`; "
    "for a network of your own write `network: {cni: none}`"
)
PODS = "K3s runs its control plane in one process, without pods; leave it out"


def begins_etcd(cluster: Cluster) -> bool:
    """Whether the cluster's own etcd holds its state; else SQLite does, on the only server there is.

    Without a word of the user's it is etcd, also for a single server, so that others may join later.
    """
    servers = servers_of(cluster)
    if not servers or uses_datastore(cluster):
        return False
    given = settings_of(servers[0]).get("cluster-init")
    return given is None or is_true(given)


def _own_settings(cluster: Cluster, node: Node) -> list[Addition]:
    found: list[Addition] = []
    if node.role == "primary" and begins_etcd(cluster):
        found.append(("cluster-init", True))
    if node.is_server and cluster.network is not None and cluster.network.cni == "none":
        found += [("flannel-backend", "none"), ("disable-network-policy", True)]
    return found


def backend_of(cluster: Cluster) -> str:
    """Flannel's backend; `none` where the user brings the pods' network."""
    given = settings_of(cluster.primary).get("flannel-backend")
    by_manifest = cluster.network is not None and cluster.network.cni == "none"
    return str(given) if given is not None else "none" if by_manifest else "vxlan"


def _kubectl(_node: Node) -> tuple[str, ...]:
    """The program's own, from either of the places where it is installed."""
    return ("env", f"PATH={PATH}", "k3s", "kubectl")


K3S = Engine(
    name="k3s",
    title="K3s",
    server_unit="k3s.service",
    agent_unit="k3s-agent.service",
    supervisor_port=6443,
    parse_version=versions.parse_version,
    example_version="v1.33.4+k3s1",
    kubectl=_kubectl,
    own_settings=_own_settings,
    without_network=lambda cluster: backend_of(cluster) == "none",
    sqlite=True,
    databases=("mysql", "postgres", "etcd", "nats"),
    without_etcd=lambda cluster: not begins_etcd(cluster),
    same_on_all_servers=(
        "agent-token",
        "cluster-cidr",
        "cluster-dns",
        "cluster-domain",
        "datastore-endpoint",
        "disable-cloud-controller",
        "disable-helm-controller",
        "disable-network-policy",
        "egress-selector-mode",
        "embedded-registry",
        "flannel-backend",
        "flannel-external-ip",
        "flannel-ipv6-masq",
        "secrets-encryption",
        "secrets-encryption-provider",
        "service-cidr",
    ),
    foreign_keys=(
        ForeignKey("cni", NETWORK),
        ForeignKey("ingress-controller", "K3s brings traefik; write `disable: traefik` for none"),
        ForeignKey(
            "profile",
            "harden K3s by `protect-kernel-defaults` and the `kube-*-arg` lists of its hardening guide",
        ),
        ForeignKey("*-extra-mount", PODS),
        ForeignKey(
            "*-extra-env", "write the variables into /etc/default of the unit, or `environment` of the node"
        ),
        ForeignKey("kube-*-image", PODS),
        ForeignKey("etcd-image", PODS),
        ForeignKey("cloud-controller-manager-image", PODS),
        ForeignKey("runtime-image", "K3s has its runtime in its program; leave it out"),
        ForeignKey("kubelet-path", "K3s has the kubelet in its program; leave it out"),
        ForeignKey("control-plane-*", PODS),
        ForeignKey("audit-policy-file", "write `kube-apiserver-arg: [audit-policy-file=PATH]`"),
        ForeignKey(
            "pod-security-admission-config-file",
            "write `kube-apiserver-arg: [admission-control-config-file=PATH]`",
        ),
        ForeignKey(
            "cloud-provider-name", "write `kubelet-arg: [cloud-provider=external]` and bring the provider"
        ),
        ForeignKey("cloud-provider-config", "give it to the cloud provider that you bring; leave it out"),
        ForeignKey("enable-servicelb", "K3s has it on; write `disable: servicelb` for none"),
    ),
    foreign_files="rke2",
)
