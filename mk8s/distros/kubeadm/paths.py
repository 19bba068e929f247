"""Where kubeadm keeps its things on a node, and where mk8s keeps what it gives kubeadm."""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.distros.upstream.parts import OWN

__all__ = [
    "ADMIN_KUBECONFIG",
    "CLUSTER_CONFIG",
    "DONE",
    "DROP_IN",
    "ETCD_PKI",
    "KUBELET_CONFIG",
    "KUBELET_KUBECONFIG",
    "KUBELET_UNIT",
    "KUBE_VIP",
    "KUBE_VIP_FIRST",
    "LOG",
    "MANIFESTS",
    "OURS",
    "PKI",
    "RUNNER",
    "RUNNER_CONFIG",
    "RUNNER_UNIT",
    "SUPER_ADMIN_KUBECONFIG",
]

KUBERNETES = PurePosixPath("/etc/kubernetes")
MANIFESTS = KUBERNETES / "manifests"
PKI = KUBERNETES / "pki"
ETCD_PKI = PKI / "etcd"
ADMIN_KUBECONFIG = KUBERNETES / "admin.conf"
SUPER_ADMIN_KUBECONFIG = KUBERNETES / "super-admin.conf"  # v1.29 and later, first server only
KUBELET_KUBECONFIG = KUBERNETES / "kubelet.conf"  # lets a node ask the cluster for its own Node object
KUBELET_CONFIG = PurePosixPath("/var/lib/kubelet/config.yaml")
KUBELET_UNIT = PurePosixPath("/etc/systemd/system/kubelet.service")
DROP_IN = PurePosixPath("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf")

OURS = OWN / "kubeadm"
CLUSTER_CONFIG = OURS / "cluster.yaml"  # the cluster's configuration without a secret
RUNNER_CONFIG = OURS / "secret.yaml"  # what init or join reads; removed when that ends
KUBE_VIP, KUBE_VIP_FIRST = OURS / "kube-vip.yaml", OURS / "kube-vip-first.yaml"
RUNNER = OURS / "run.sh"
RUNNER_UNIT = PurePosixPath("/etc/systemd/system/mk8s-kubeadm.service")
DONE = PurePosixPath("/var/lib/mk8s/kubeadm/done")  # written durably once init or join has succeeded
LOG = PurePosixPath("/var/log/mk8s/kubeadm.log")  # a line for each begin and end of init and join
