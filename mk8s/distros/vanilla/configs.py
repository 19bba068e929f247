"""The configuration files of the components. Pure, YAML. Begin reading at `kubelet_fields`."""

from __future__ import annotations

from typing import Any

import yaml

from mk8s.cluster import Cluster
from mk8s.distros.base import Situation
from mk8s.distros.common import placement
from mk8s.distros.vanilla import settings, versions
from mk8s.distros.vanilla.flags import CONTAINERD, minor_of, taints
from mk8s.distros.vanilla.paths import PKI, STATIC_PODS, kubeconfig_of
from mk8s.distros.vanilla.pki import FOUNDERS, dns_ip
from mk8s.distros.vanilla.settings import Fields

__all__ = [
    "as_yaml",
    "encryption",
    "etcd_cluster",
    "founders",
    "kubelet",
    "kubelet_fields",
    "proxy",
    "proxy_fields",
    "scheduler",
]


def as_yaml(*documents: Any) -> bytes:
    """One file of documents, keys in the order in which they were written."""
    return "---\n".join(yaml.safe_dump(one, sort_keys=False) for one in documents).encode()


def kubelet_fields(s: Situation) -> Fields:
    """KubeletConfiguration as mk8s sets it."""
    fields: Fields = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(PKI / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "systemd",
        "clusterDNS": [dns_ip(s.cluster)],
        "clusterDomain": s.cluster.net.dns_domain,
        "failSwapOn": s.cluster.swap != "allow",
        "resolvConf": s.facts.resolv_conf if s.facts else "/etc/resolv.conf",
        "runtimeRequestTimeout": "15m",
        "tlsCertFile": str(PKI / "kubelet.crt"),
        "tlsPrivateKeyFile": str(PKI / "kubelet.key"),
    }
    return fields | _by_version(s) | _by_role(s)


def _by_version(s: Situation) -> Fields:
    minor = minor_of(s)
    fields: Fields = {}
    if minor >= versions.RUNTIME_IN_CONFIG_SINCE:
        fields["containerRuntimeEndpoint"] = CONTAINERD
    if minor >= versions.CGROUP_V1_FAILS_SINCE and s.facts and s.facts.cgroup == "v1":
        fields["failCgroupV1"] = False
    if minor >= versions.TAINTS_IN_CONFIG_SINCE and taints(s):
        fields["registerWithTaints"] = [placement.taint_fields(text) for text in taints(s)]
    return fields


def _by_role(s: Situation) -> Fields:
    return {"staticPodPath": str(STATIC_PODS)} if s.node.is_server and s.cluster.kube_vip else {}


def kubelet(s: Situation) -> bytes:
    return as_yaml(settings.laid_over(kubelet_fields(s), settings.of(s.node, "kubelet")))


def proxy_fields(s: Situation) -> Fields:
    """KubeProxyConfiguration as mk8s sets it."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig_of("kube-proxy"))},
        "clusterCIDR": s.cluster.net.pod_cidr,
        "hostnameOverride": s.node.name,
        "mode": "iptables",
    }


def proxy(s: Situation) -> bytes:
    return as_yaml(settings.laid_over(proxy_fields(s), settings.of(s.node, "kube-proxy")))


def scheduler(s: Situation) -> bytes:
    minor = minor_of(s)
    fields: Fields = {
        "apiVersion": versions.scheduler_api(minor),
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig_of("kube-scheduler"))},
        "leaderElection": {"leaderElect": True},
    }
    if minor < versions.SCHEDULER_PORT_IN_CONFIG_GONE:  # it cannot be turned off, but kept from other hosts
        fields |= {"healthzBindAddress": "127.0.0.1:10251", "metricsBindAddress": "127.0.0.1:10251"}
    return as_yaml(fields)


def encryption(s: Situation) -> bytes:
    """Secrets are encrypted with the kept key; what was written before any key is still read."""
    key = {"name": "key1", "secret": s.kept.words["encryption-key"]}
    return as_yaml(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [
                {"resources": ["secrets"], "providers": [{"aescbc": {"keys": [key]}}, {"identity": {}}]}
            ],
        }
    )


def founders(s: Situation) -> tuple[str, ...]:
    """The servers of the cluster's first run, as far as the manifest still has them."""
    names = s.kept.words[FOUNDERS].split(",")
    return tuple(node.name for node in s.cluster.servers if node.name in names)


def etcd_cluster(s: Situation) -> bytes:
    """Whom a founder's etcd begins with. Read once: etcd's own data outweigh it ever after."""
    addresses = _peers(s.cluster)
    members = ",".join(f"{name}={addresses[name]}" for name in founders(s))
    return f"ETCD_INITIAL_CLUSTER={members}\nETCD_INITIAL_CLUSTER_STATE=new\n".encode()


def _peers(cluster: Cluster) -> dict[str, str]:
    return {node.name: f"https://{node.ip}:2380" for node in cluster.servers}
