"""Keys that have no meaning for k0s: those of other distros, left in a manifest that was written for them.

k0s' config is a ClusterConfig, theirs a list of flags. So a manifest that is switched by `distro:` and
`version:` alone is told of every such key once, with what takes its place. Pure. Begin reading at `faults`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from mk8s.cluster import Cluster

__all__ = ["TOP", "faults"]

TOP = ("apiVersion", "kind", "metadata", "spec", "status")

TOKENS = "leave it out: controllers make join tokens at the moment of use"
FLAG = "write `--kubelet-extra-args=...` into the nodes' `arguments`"
INSTEAD: Mapping[str, str] = {
    "agent-token": TOKENS,
    "token": TOKENS,
    "token-file": TOKENS,
    "server": "leave it out: the join token says where to join; for an address of your own write `endpoint`",
    "tls-san": "write `spec.api.sans`",
    "cni": "write `spec.network.provider`: kuberouter, calico or custom",
    "flannel-backend": "write `spec.network.provider`: kuberouter, calico or custom",
    "disable-network-policy": "leave it out: what enforces policies is chosen by `spec.network.provider`",
    "cluster-cidr": "write `network.pod_cidr` or `spec.network.podCIDR`",
    "service-cidr": "write `network.service_cidr` or `spec.network.serviceCIDR`",
    "cluster-domain": "write `network.dns_domain` or `spec.network.clusterDomain`",
    "cluster-dns": "leave it out: it is the tenth address of `spec.network.serviceCIDR`",
    "node-label": "write the nodes' `labels`",
    "node-taint": "write the nodes' `taints`, or `control_plane: tainted`",
    "node-ip": "write the node's `node_ip`",
    "node-external-ip": FLAG,
    "node-name": "write `--kubelet-extra-args=--hostname-override=NAME` into the node's `arguments`",
    "kubelet-arg": f"{FLAG}, or a profile into `spec.workerProfiles`",
    "kube-apiserver-arg": "write `spec.api.extraArgs`",
    "kube-controller-manager-arg": "write `spec.controllerManager.extraArgs`",
    "kube-scheduler-arg": "write `spec.scheduler.extraArgs`",
    "kube-proxy-arg": "write `spec.network.kubeProxy`",
    "etcd-arg": "write `spec.storage.etcd.extraArgs`",
    "disable": "write `--disable-components=...` into the servers' `arguments`",
    "disable-kube-proxy": "write `spec.network.kubeProxy.disabled`",
    "disable-cloud-controller": "leave it out: k0s runs one only where its flag asks for it",
    "disable-etcd": "leave it out: all controllers of k0s run etcd, or none",
    "cluster-init": "leave it out: etcd is k0s' own way",
    "data-dir": "write `--data-dir=...` into the nodes' `arguments`",
    "datastore-endpoint": "write `datastore`",
    "datastore-cafile": "write `datastore.ca_file`",
    "datastore-certfile": "write `datastore.cert_file`",
    "datastore-keyfile": "write `datastore.key_file`",
    "profile": "leave it out: k0s has no CIS profile",
    "selinux": "write `drop_ins` with containerd's `enable_selinux = true`",
    "private-registry": "write `registries`",
    "system-default-registry": "write `registries.default`",
    "disable-default-registry-endpoint": "write `registries.fallback`",
    "embedded-registry": "leave it out: k0s has no mirror of its own",
    "write-kubeconfig": "leave it out: the administrator's kubeconfig is /var/lib/k0s/pki/admin.conf",
    "write-kubeconfig-mode": "leave it out: the kubeconfig is root's alone",
    "bind-address": "write `spec.api.address`",
    "advertise-address": "write `spec.api.address`",
    "ingress-controller": "leave it out: k0s brings none; name the ingress' files in `manifests`",
    "secrets-encryption": "write `encryption-provider-config` into `spec.api.extraArgs`",
    "pause-image": "write `spec.images.pause`",
    "enable-servicelb": "leave it out: k0s brings none",
    "servicelb-namespace": "leave it out: k0s brings none",
}
"""RKE2's and K3s' keys -> what to do with k0s."""

ELSEWHERE = "it has apiVersion, kind, metadata and spec"


def faults(cluster: Cluster) -> Iterator[str]:
    """Every key that is none of a ClusterConfig's, once, whichever nodes have it."""
    where: dict[str, list[str]] = {}
    for node in cluster.nodes:
        for key in node.config:
            if key not in TOP:
                where.setdefault(str(key), []).append(node.name)
    for key, names in where.items():
        path = f"config.{key}" if len(names) > 1 else f"nodes.{names[0]}.config.{key}"
        yield f"{path}: has no meaning for k0s, whose config is a ClusterConfig; {_instead(key)}"


def _instead(key: str) -> str:
    known = key.removesuffix("+")
    if known in INSTEAD:
        return INSTEAD[known]
    close = difflib.get_close_matches(key, TOP, n=1)
    return f"did you mean {close[0]}?" if close else f"leave it out: {ELSEWHERE}"
