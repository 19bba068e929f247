"""RKE2 as a value: where it differs from K3s. Begin reading at `RKE2`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Node
from mk8s.distros.rancher.engine import Addition, Engine, ForeignKey
from mk8s.distros.rancher.values import settings_of, words
from mk8s.distros.rke2 import versions

__all__ = ["DEFAULT_CNI", "RKE2", "cni_of"]

DEFAULT_CNI = ("canal",)
DATA_DIR = "/var/lib/rancher/rke2"
ALWAYS = "RKE2 always does that; leave it out"
FIXED = "RKE2's ports are fixed; leave it out"


def cni_of(cluster: Cluster) -> tuple[str, ...]:
    """The network plugins in order, from the primary's config, else from `network.cni`; canal by default."""
    given = words(settings_of(cluster.primary).get("cni"))
    if not given and cluster.network and cluster.network.cni == "none":
        return ("none",)
    return tuple(given) or DEFAULT_CNI


def _own_settings(cluster: Cluster, node: Node) -> list[Addition]:
    by_manifest = node.is_server and cluster.network is not None and cluster.network.cni == "none"
    return [("cni", "none")] if by_manifest else []


def _kubectl(node: Node) -> tuple[str, ...]:
    """As it is unpacked from the runtime image, on servers and agents."""
    return (_kubectl_in(str(settings_of(node).get("data-dir") or DATA_DIR)),)


@lru_cache(256)
def _kubectl_in(data: str) -> str:
    return str(PurePosixPath(data) / "bin" / "kubectl")


RKE2 = Engine(
    name="rke2",
    title="RKE2",
    server_unit="rke2-server.service",
    agent_unit="rke2-agent.service",
    supervisor_port=9345,
    parse_version=versions.parse_version,
    example_version="v1.33.4+rke2r1",
    kubectl=_kubectl,
    own_settings=_own_settings,
    without_network=lambda cluster: cni_of(cluster) == ("none",),
    runtime_in_images=True,
    unit_notifies=versions.UNIT_NOTIFIES,
    datastores=versions.DATASTORE_ENDPOINT,
    same_on_all_servers=(
        "agent-token",
        "cluster-cidr",
        "cluster-dns",
        "cluster-domain",
        "cni",
        "datastore-endpoint",
        "disable-cloud-controller",
        "disable-kube-proxy",
        "egress-selector-mode",
        "embedded-registry",
        "service-cidr",
    ),
    foreign_keys=(
        ForeignKey("cluster-init", ALWAYS),
        ForeignKey("https-listen-port", FIXED),
        ForeignKey("supervisor-port", FIXED),
        ForeignKey(
            "flannel-*",
            "write `cni: flannel` where the release has it; tune it with a HelmChartConfig in `manifests`",
        ),
        ForeignKey("docker", "RKE2 runs containerd only; leave it out"),
        ForeignKey("rootless", "RKE2 runs as root only; leave it out"),
        ForeignKey("prefer-bundled-bin", "RKE2 has no programs bundled for the host; leave it out"),
        ForeignKey("disable-network-policy", "the network plugin does it: choose one with `cni`"),
        ForeignKey("disable-helm-controller", "RKE2 installs its own parts with it; leave it out"),
        ForeignKey("no-deploy", "write `disable`"),
        ForeignKey("secrets-encryption", ALWAYS),
        ForeignKey("default-local-storage-path", "RKE2 brings no local storage; leave it out"),
    ),
    foreign_files="k3s",
    secrets_encrypted=True,
)
