"""The configuration that kubeadm reads: one API version for each release, and the user's fields on top. Pure.

Documents are built in one form and fitted to the API version at the end (`_fit`): v1beta4 has lists where
v1beta2 and v1beta3 have mappings, and other places for timeouts. docs/kubeadm.md has a table of which
rendered thing follows which fact.

Laws:

1. The same situation gives the same bytes.
2. What the user gives in `config` is laid over what mk8s renders; what mk8s must own stands in `OWNED`,
   and `faults` refuses it.

Begin reading at `init_config` and `join_config`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import yaml

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.common import placement
from mk8s.distros.kubeadm.arguments import ARGUMENTS, arguments_of, fitted
from mk8s.distros.upstream import images
from mk8s.distros.upstream.runtime import SOCKET
from mk8s.distros.upstream.versions import release_of

__all__ = [
    "API_PORT",
    "CLUSTER_WIDE",
    "KINDS",
    "OWNED",
    "api_version",
    "certificate_key",
    "cluster_config",
    "endpoint",
    "given",
    "init_config",
    "join_config",
    "token",
    "token_config",
]

Fields: TypeAlias = dict[str, Any]

API_PORT = 6443
BETA_3, BETA_4 = 22, 31  # first minor releases that mk8s gives v1beta3 and v1beta4
FAILS_ON_CGROUP_1 = 35  # kubelet refuses to start on cgroup v1 from here on, unless told otherwise
RESOLV_CONF = "/etc/resolv.conf"  # kubelet's own default
GIVE_UP = "10m0s"  # kubeadm's own 4 minutes are short for a slow disk
DISCOVERY = "5m0s"
LASTING = "2h0m0s"  # whoever has the token can become any node; it is renewed while nodes join

KINDS: Mapping[str, str] = {
    "InitConfiguration": "kubeadm.k8s.io/{}",
    "ClusterConfiguration": "kubeadm.k8s.io/{}",
    "JoinConfiguration": "kubeadm.k8s.io/{}",
    "KubeletConfiguration": "kubelet.config.k8s.io/v1beta1",
    "KubeProxyConfiguration": "kubeproxy.config.k8s.io/v1alpha1",
}
CLUSTER_WIDE = ("ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration")
"""Kinds that the cluster keeps and every node gets: only `init` gives them."""

OWNED: Mapping[str, Mapping[str, str]] = {
    "InitConfiguration": {
        "bootstrapTokens": "mk8s makes the token that nodes join with",
        "certificateKey": "mk8s makes the key that certificates are encrypted with",
        "localAPIEndpoint": f"it is the node's address and port {API_PORT}; give `address` or `node_ip`",
        "nodeRegistration.name": "it is the node's `name` in the manifest",
        "nodeRegistration.criSocket": "mk8s installs containerd",
    },
    "ClusterConfiguration": {
        "kubernetesVersion": "it is the manifest's `version`",
        "controlPlaneEndpoint": "give the manifest's `endpoint`",
        "imageRepository": "it is where the release's images say that they come from",
        "certificatesDir": "kubeadm's own folder is what mk8s asks",
        "networking.podSubnet": "give the manifest's `network.pod_cidr`",
        "networking.serviceSubnet": "give the manifest's `network.service_cidr`",
        "networking.dnsDomain": "give the manifest's `network.dns_domain`",
        "etcd.external": "mk8s runs etcd on the servers; an external one is not supported",
        "etcd.local.dataDir": "kubeadm's own folder is what mk8s asks",
    },
    "JoinConfiguration": {
        "discovery": "mk8s knows the endpoint, the token and the authority",
        "controlPlane": "it follows from the node's role",
        "caCertPath": "kubeadm's own folder is what mk8s asks",
        "nodeRegistration.name": "it is the node's `name` in the manifest",
        "nodeRegistration.criSocket": "mk8s installs containerd",
    },
    "KubeletConfiguration": {
        "cgroupDriver": "it must be containerd's, which mk8s sets to systemd",
        "failSwapOn": "give the manifest's `swap`",
        "staticPodPath": "kubeadm's own folder is what mk8s asks",
        "clusterDomain": "give the manifest's `network.dns_domain`",
    },
    "KubeProxyConfiguration": {"clusterCIDR": "give the manifest's `network.pod_cidr`"},
}
"""Kind -> dotted field -> why a user cannot give it, and what to give instead."""


def api_version(cluster: Cluster) -> str:
    """kubeadm's own API version for this release. Source: kubeadm's list of readable versions."""
    minor = release_of(cluster).minor
    return "v1beta4" if minor >= BETA_4 else "v1beta3" if minor >= BETA_3 else "v1beta2"


def endpoint(cluster: Cluster) -> str:
    """Where all nodes find the API, with its port."""
    return f"{cluster.endpoint or cluster.primary.ip}:{endpoints.port(cluster, API_PORT)}"


def token(s: Situation) -> str:
    """The token that nodes join with. A secret."""
    return s.kept.words["bootstrap-token"]


def certificate_key(s: Situation) -> str:
    """The key that the certificates for joining servers are encrypted with. A secret."""
    return s.kept.words["certificate-key"]


def init_config(s: Situation) -> bytes:
    """What `kubeadm init` reads on the first server. Secret."""
    secrets = {"bootstrapTokens": [_bootstrap_token(s)], "certificateKey": certificate_key(s)}
    return _dump(s, [_init(s, secrets), *_cluster_wide(s)])


def cluster_config(s: Situation, secrets: Mapping[str, Any] | None = None) -> bytes:
    """The cluster's configuration for kubeadm's other commands. Without `secrets`, none is in it."""
    return _dump(s, [_init(s, secrets or {}), *_cluster_wide(s)])


def token_config(s: Situation) -> bytes:
    """The same with the token in it: what `kubeadm token create` reads. Secret."""
    return cluster_config(s, {"bootstrapTokens": [_bootstrap_token(s)]})


def join_config(s: Situation) -> bytes:
    """What `kubeadm join` reads on any other node. Secret.

    The hash of the cluster's authority is among what was learned; without it, the place is kept by a word.
    """
    return _dump(s, [_join(s)])


def _init(s: Situation, secrets: Mapping[str, Any]) -> Fields:
    return {
        "kind": "InitConfiguration",
        **secrets,
        "localAPIEndpoint": _advertised(s.node),
        "nodeRegistration": _registration(s),
        "timeouts": {"controlPlaneComponentHealthCheck": GIVE_UP},
    }


def _bootstrap_token(s: Situation) -> Fields:
    return {
        "token": token(s),
        "ttl": LASTING,
        "usages": ["signing", "authentication"],
        "groups": ["system:bootstrappers:kubeadm:default-node-token"],
    }


def _join(s: Situation) -> Fields:
    bootstrap = {
        "apiServerEndpoint": endpoint(s.cluster),
        "token": token(s),
        "caCertHashes": [s.learned.get("ca-hash", "sha256:asked-of-the-first-server")],
    }
    fields: Fields = {
        "kind": "JoinConfiguration",
        "discovery": {"bootstrapToken": bootstrap},
        "nodeRegistration": _registration(s),
        "timeouts": {"controlPlaneComponentHealthCheck": GIVE_UP, "discovery": DISCOVERY},
    }
    if s.node.is_server:
        fields["controlPlane"] = {
            "localAPIEndpoint": _advertised(s.node),
            "certificateKey": certificate_key(s),
        }
    return fields


def _advertised(node: Node) -> Fields:
    return {"advertiseAddress": node.ip, "bindPort": API_PORT}


def _registration(s: Situation) -> Fields:
    fields: Fields = {
        "name": s.node.name,
        "criSocket": f"unix://{SOCKET}",
        "imagePullPolicy": "Never" if s.cluster.airgap else "IfNotPresent",
        "kubeletExtraArgs": _kubelet_arguments(s),
    }
    if not _taints_by_itself(s):
        taints = [placement.taint_fields(text) for text in s.node.taints]
        fields |= {"taints": taints} if taints or s.node.is_server else {}
    ignored = _ignored_checks(s)
    if ignored:
        fields["ignorePreflightErrors"] = ignored
    return fields


def _taints_by_itself(s: Situation) -> bool:
    """Whether kubeadm is to taint the node: it does so with servers, unless it is given any taints."""
    return placement.is_tainted(s.cluster, s.node)


def _kubelet_arguments(s: Situation) -> Fields:
    """What differs from node to node: the kubelet's configuration itself is the same for all of them."""
    arguments = {"node-ip": s.node.ip}
    if s.facts and s.facts.resolv_conf != RESOLV_CONF:
        arguments["resolv-conf"] = s.facts.resolv_conf
    if _must_allow_cgroup_1(s):
        arguments["fail-cgroupv1"] = "false"
    if s.node.labels:
        arguments["node-labels"] = ",".join(placement.labels(s.node))
    if s.node.taints and _taints_by_itself(s):  # kubeadm adds its own to those that the kubelet begins with
        arguments["register-with-taints"] = ",".join(s.node.taints)
    return arguments


def _must_allow_cgroup_1(s: Situation) -> bool:
    is_v1 = s.facts is not None and s.facts.cgroup == "v1"
    return is_v1 and release_of(s.cluster).minor >= FAILS_ON_CGROUP_1


def _ignored_checks(s: Situation) -> list[str]:
    """Checks of kubeadm's own that refuse what the manifest or the host demands."""
    swap = ["Swap"] if s.cluster.swap == "allow" else []
    return swap + (["SystemVerification"] if _must_allow_cgroup_1(s) else [])


def _cluster_wide(s: Situation) -> list[Fields]:
    return [_cluster(s), _kubelet(s), _proxy(s.cluster)]


def _cluster(s: Situation) -> Fields:
    cluster = s.cluster
    fields: Fields = {
        "kind": "ClusterConfiguration",
        "kubernetesVersion": cluster.version,
        "controlPlaneEndpoint": endpoint(cluster),
        "imageRepository": images.repository(s),
        "networking": {
            "podSubnet": cluster.net.pod_cidr,
            "serviceSubnet": cluster.net.service_cidr,
            "dnsDomain": cluster.net.dns_domain,
        },
        "apiServer": {"certSANs": _names_of_servers(cluster), "timeoutForControlPlane": GIVE_UP},
        "dns": {"imageRepository": images.named(s, "coredns").rpartition("/")[0]},
    }
    if cluster.net.cni == "bridge":  # each node's part is mk8s' to give; other networks want Kubernetes to
        fields["controllerManager"] = {"extraArgs": {"allocate-node-cidrs": "false"}}
    return fields


def _names_of_servers(cluster: Cluster) -> list[str]:
    """Every name that a server is called by. A later server adds its own when it joins."""
    own = [name for node in cluster.servers for name in (node.ip, node.name)]
    return list(dict.fromkeys([cluster.endpoint or cluster.primary.ip, *own, "127.0.0.1", "localhost"]))


def _kubelet(s: Situation) -> Fields:
    fields: Fields = {"kind": "KubeletConfiguration", "cgroupDriver": "systemd"}
    if s.cluster.swap == "allow":
        fields["failSwapOn"] = False
    if _must_allow_cgroup_1(s):
        fields["failCgroupV1"] = False
    return fields


def _proxy(cluster: Cluster) -> Fields:
    return {"kind": "KubeProxyConfiguration", "clusterCIDR": cluster.net.pod_cidr}


def _dump(s: Situation, documents: Iterable[Fields]) -> bytes:
    """All documents as one text, each with the user's fields over it and in the form of its API."""
    finished = [_finish(s, fields) for fields in documents]
    return yaml.safe_dump_all(finished, sort_keys=False, width=1 << 20, explicit_start=False).encode()


def _finish(s: Situation, fields: Fields) -> Fields:
    kind, api = fields["kind"], api_version(s.cluster)
    whole = _laid_over(_fit(fields, api), given(s, kind))
    head = {"apiVersion": KINDS[kind].format(api), "kind": kind}
    return head | {name: fitted(value, api, name) for name, value in whole.items() if name != "kind"}


def given(s: Situation, kind: str) -> Mapping[str, Any]:
    """The user's fields for a kind; the cluster's kinds are the first server's to give."""
    node = s.cluster.primary if kind in CLUSTER_WIDE else s.node
    found = node.config.get(kind)
    return found if isinstance(found, Mapping) else {}


def _fit(fields: Fields, api: str) -> Fields:
    """The same in the words of an API version, before the user's own are laid over it."""
    fields = dict(fields)
    timeouts = fields.pop("timeouts", None)
    if api == "v1beta4":
        if timeouts:
            fields["timeouts"] = timeouts
        if "apiServer" in fields:
            fields["apiServer"] = _without(fields["apiServer"], "timeoutForControlPlane")
        return fields
    if timeouts and "discovery" in fields:
        fields["discovery"] = fields["discovery"] | {"timeout": timeouts["discovery"]}
    if api == "v1beta2" and "nodeRegistration" in fields:
        fields["nodeRegistration"] = _without(fields["nodeRegistration"], "imagePullPolicy")
    return fields


def _without(fields: Mapping[str, Any], name: str) -> Fields:
    return {key: value for key, value in fields.items() if key != name}


def _laid_over(fields: Mapping[str, Any], more: Mapping[str, Any]) -> Fields:
    """The fields with the user's over them; a mapping, or the arguments of a program, name by name."""
    merged = dict(fields)
    for name, value in more.items():
        below = merged.get(name)
        if name in ARGUMENTS:
            merged[name] = arguments_of(below) | arguments_of(value)
        elif name.endswith("SANs") and isinstance(below, list) and isinstance(value, list):
            merged[name] = list(dict.fromkeys([*below, *value]))  # names of a certificate are only added
        elif isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[name] = _laid_over(below, value)
        else:
            merged[name] = value
    return merged
