"""Where everything of a vanilla cluster lies on a node. Other modules name no path of their own."""

from __future__ import annotations

from pathlib import PurePosixPath

__all__ = [
    "ADDONS",
    "ADMIN",
    "CONFIGS",
    "ENCRYPTION",
    "ETCD_CLUSTER",
    "ETCD_DATA",
    "ETCD_PKI",
    "KUBELET",
    "KUBERNETES",
    "PKI",
    "STATIC_PODS",
    "UNITS",
    "config_of",
    "kubeconfig_of",
    "unit_path",
]

KUBERNETES = PurePosixPath("/etc/kubernetes")
PKI = KUBERNETES / "pki"  # 0700: only root comes in
ETCD_PKI = PKI / "etcd"
CONFIGS = KUBERNETES / "config"
ADDONS = KUBERNETES / "addons"  # on the primary: what was applied with kubectl
STATIC_PODS = KUBERNETES / "manifests"
ADMIN = KUBERNETES / "admin.conf"
ENCRYPTION = KUBERNETES / "encryption-config.yaml"
ETCD_CLUSTER = CONFIGS / "etcd-cluster.env"  # whom etcd begins with; read by etcd only where it has no data
ETCD_DATA = PurePosixPath("/var/lib/etcd")
KUBELET = PurePosixPath("/var/lib/kubelet")
UNITS = PurePosixPath("/etc/systemd/system")


def kubeconfig_of(component: str) -> PurePosixPath:
    """The kubeconfig that a component uses: ``/etc/kubernetes/kubelet.conf``."""
    return KUBERNETES / f"{component.removeprefix('kube-') if component != 'kube-proxy' else component}.conf"


def config_of(component: str) -> PurePosixPath:
    """The configuration file of a component: ``/etc/kubernetes/config/kubelet.yaml``."""
    return CONFIGS / f"{component}.yaml"


def unit_path(component: str) -> PurePosixPath:
    """The unit file: ``/etc/systemd/system/kubelet.service``."""
    return UNITS / f"{component}.service"
