"""kube-vip: one server at a time holds the cluster's endpoint, by a lease in the API. Pure, YAML.

Upstream's servers run it as a static pod, with the administrator's kubeconfig; RKE2 and K3s apply a
DaemonSet of the same container from their folder of manifests, with an account that may hold the lease.

Source: kubernetes/kubeadm docs/ha-considerations.md for the environment; later releases call two of its
names otherwise, so both are given. kube-vip's own documentation has the DaemonSet for K3s. This module
writes no file and knows no distro's paths. Begin reading at `static_pod` and `daemon_set`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from mk8s.cluster import KubeVip

__all__ = ["MANIFESTS", "daemon_set", "static_pod"]

NAME, NAMESPACE = "kube-vip", "kube-system"
ROLE = "system:kube-vip-role"
KUBECONFIG = "/etc/kubernetes/admin.conf"  # where kube-vip looks for it, in its container
WHOLE = {4: "32", 6: "128"}  # the prefix of a single address
MANIFESTS = ("mk8s-kube-vip-rbac.yaml", "mk8s-kube-vip.yaml")
CONTROL_PLANES = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
FROM_NODE = {"name": "vip_nodename", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
# For the lease, and to find the node it runs on: no services are kept here, which need more.
RULES: Sequence[Mapping[str, Sequence[str]]] = (
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
     "verbs": ["list", "get", "watch", "update", "create"]},
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "get", "watch"]},
)  # fmt: skip


def static_pod(settings: KubeVip, address: str, kubeconfig: Mapping[str, str]) -> bytes:
    """The pod's manifest. `address`: what it holds; `kubeconfig`: the fields of a hostPath volume."""
    mount = {"name": "kubeconfig", "mountPath": KUBECONFIG, "readOnly": True}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "hostNetwork": True,
            "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["kubernetes"]}],
            "containers": [{**_container(settings, address), "volumeMounts": [mount]}],
            "volumes": [{"name": "kubeconfig", "hostPath": dict(kubeconfig)}],
        },
    }
    return _yaml(pod)


def daemon_set(settings: KubeVip, address: str) -> dict[str, bytes]:
    """File name -> text, in the order in which they are applied: the account, then the pods on servers."""
    return dict(zip(MANIFESTS, (_yaml(*_account()), _yaml(_pods(settings, address))), strict=True))


def _account() -> list[dict[str, Any]]:
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": ROLE},
         "rules": [dict(rule) for rule in RULES]},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": "system:kube-vip-binding"},
         "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": ROLE},
         "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}]},
    ]  # fmt: skip


def _pods(settings: KubeVip, address: str) -> dict[str, Any]:
    """On every server, whatever taints it has: the endpoint is needed before anything else works."""
    labels = {"app.kubernetes.io/name": NAME}
    terms = [{"matchExpressions": [{"key": key, "operator": "Exists"}]} for key in CONTROL_PLANES]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    container = _container(settings, address)
    container["env"] = [FROM_NODE, *container["env"]]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "affinity": {"nodeAffinity": required},
                    "hostNetwork": True,
                    "priorityClassName": "system-node-critical",
                    "serviceAccountName": NAME,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [container],
                },
            },
        },
    }


def _container(settings: KubeVip, address: str) -> dict[str, Any]:
    environment = _environment(settings.interface, address)
    return {
        "name": NAME,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["manager"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
    }


def _environment(interface: str, address: str) -> dict[str, str]:
    whole = WHOLE[6 if ":" in address else 4]
    return {
        "vip_arp": "true",
        "port": "6443",
        "vip_interface": interface,
        "vip_cidr": whole,
        "vip_subnet": whole,
        "cp_enable": "true",
        "cp_namespace": NAMESPACE,
        "vip_ddns": "false",
        "vip_leaderelection": "true",
        "vip_leaseduration": "5",
        "vip_renewdeadline": "3",
        "vip_retryperiod": "1",
        "vip_address": address,
        "address": address,
    }


def _yaml(*documents: Mapping[str, Any]) -> bytes:
    text: str = yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=1 << 20)
    return text.encode()


class _Plain(yaml.SafeDumper):
    """Writes everything out where it stands: no anchors, which people do not read easily."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True
