"""What a cluster gets through its own API. Pure, YAML.

CoreDNS is upstream's own deployment (kubernetes/kubernetes cluster/addons/dns/coredns, v1.20) with two
replicas, a toleration for servers, and the rules for EndpointSlices that its later releases ask for.
Begin reading at `of_cluster`.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from mk8s.distros.base import Situation
from mk8s.distros.upstream import images
from mk8s.distros.vanilla.configs import as_yaml
from mk8s.distros.vanilla.flags import CONTROL_PLANE_TAINT
from mk8s.distros.vanilla.paths import ADDONS
from mk8s.distros.vanilla.pki import KUBELET_CLIENT, dns_ip

__all__ = ["coredns", "kubelet_access", "of_cluster"]

DNS_LABELS = {"k8s-app": "kube-dns"}
SYSTEM = "kube-system"
RBAC = "rbac.authorization.k8s.io"
COREFILE = """\
.:53 {{
    errors
    health {{
        lameduck 5s
    }}
    ready
    kubernetes {domain} in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }}
    prometheus :9153
    forward . /etc/resolv.conf {{
        max_concurrent 1000
    }}
    cache 30
    loop
    reload
    loadbalance
}}
"""


def of_cluster(s: Situation) -> dict[PurePosixPath, bytes]:
    """The manifests that mk8s itself applies, in order, and where they lie on the primary."""
    return {
        ADDONS / "apiserver-to-kubelet.yaml": kubelet_access(),
        ADDONS / "coredns.yaml": coredns(s),
    }


def kubelet_access() -> bytes:
    """What apiservers may ask of kubelets: logs, exec, metrics. Kubelets ask the API whether they may."""
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:kube-apiserver-to-kubelet"},
        "rules": [
            {
                "apiGroups": [""],
                "resources": [f"nodes/{what}" for what in ("proxy", "stats", "log", "spec", "metrics")],
                "verbs": ["*"],
            }
        ],
    }
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "system:kube-apiserver"},
        "roleRef": {
            "apiGroup": RBAC,
            "kind": "ClusterRole",
            "name": "system:kube-apiserver-to-kubelet",
        },
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": KUBELET_CLIENT}],
    }
    return as_yaml(role, binding)


def coredns(s: Situation) -> bytes:
    """The cluster's DNS: its account, rules, configuration, deployment and service."""
    return as_yaml(
        _meta("v1", "ServiceAccount", "coredns", SYSTEM),
        _dns_role(),
        _dns_binding(),
        _meta("v1", "ConfigMap", "coredns", SYSTEM)
        | {"data": {"Corefile": COREFILE.format(domain=s.cluster.net.dns_domain)}},
        _dns_deployment(images.named(s, "coredns")),
        _dns_service(dns_ip(s.cluster)),
    )


def _meta(api: str, kind: str, name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **where, **more}}


def _dns_role() -> dict[str, Any]:
    watch = ["list", "watch"]
    return _meta(f"{RBAC}/v1", "ClusterRole", "system:coredns") | {
        "rules": [
            {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": watch},
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watch},
        ]
    }


def _dns_binding() -> dict[str, Any]:
    return _meta(f"{RBAC}/v1", "ClusterRoleBinding", "system:coredns") | {
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "system:coredns"},
        "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": SYSTEM}],
    }


def _dns_deployment(image: str) -> dict[str, Any]:
    return _meta("apps/v1", "Deployment", "coredns", SYSTEM, labels=DNS_LABELS) | {
        "spec": {
            "replicas": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "selector": {"matchLabels": DNS_LABELS},
            "template": {"metadata": {"labels": DNS_LABELS}, "spec": _dns_pod(image)},
        }
    }


def _dns_pod(image: str) -> dict[str, Any]:
    apart = {
        "labelSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
        "topologyKey": "kubernetes.io/hostname",
    }
    config = {"name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]}
    return {
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": "coredns",
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": apart}]
            }
        },
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": CONTROL_PLANE_TAINT, "effect": "NoSchedule"},
        ],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [_dns_container(image)],
        "dnsPolicy": "Default",
        "volumes": [{"name": "config-volume", "configMap": config}],
    }


def _dns_container(image: str) -> dict[str, Any]:
    return {
        "name": "coredns",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}},
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}],
        "ports": [
            {"containerPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
        ],
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080, "scheme": "HTTP"},
            "initialDelaySeconds": 60,
            "timeoutSeconds": 5,
            "successThreshold": 1,
            "failureThreshold": 5,
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181, "scheme": "HTTP"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["all"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _dns_service(address: str) -> dict[str, Any]:
    return _meta("v1", "Service", "kube-dns", SYSTEM, labels=DNS_LABELS) | {
        "spec": {
            "selector": DNS_LABELS,
            "clusterIP": address,
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                {"name": "metrics", "port": 9153, "protocol": "TCP"},
            ],
        }
    }
