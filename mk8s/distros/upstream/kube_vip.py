"""kube-vip as a static pod: one server at a time holds the cluster's endpoint, by a lease in the API. Pure.

Source: kubernetes/kubeadm docs/ha-considerations.md; later releases call two of the environment's names
otherwise. This module writes no file and knows no distro's paths. Begin reading at `static_pod`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from mk8s.cluster import KubeVip

__all__ = ["static_pod"]

NAMESPACE = "kube-system"
KUBECONFIG = "/etc/kubernetes/admin.conf"  # where kube-vip looks for it, in its container


def static_pod(settings: KubeVip, address: str, kubeconfig: Mapping[str, str]) -> bytes:
    """The pod's manifest, YAML. `address`: what it holds; `kubeconfig`: the fields of a hostPath volume."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kube-vip", "namespace": NAMESPACE},
        "spec": {
            "hostNetwork": True,
            "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["kubernetes"]}],
            "containers": [_container(settings.image, _environment(settings.interface, address))],
            "volumes": [{"name": "kubeconfig", "hostPath": dict(kubeconfig)}],
        },
    }
    return yaml.safe_dump(pod, sort_keys=False, width=1 << 20).encode()


def _environment(interface: str, address: str) -> dict[str, str]:
    return {
        "vip_arp": "true",
        "port": "6443",
        "vip_interface": interface,
        "vip_cidr": "32",
        "vip_subnet": "32",
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


def _container(image: str, environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": "kube-vip",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["manager"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
        "volumeMounts": [{"name": "kubeconfig", "mountPath": KUBECONFIG, "readOnly": True}],
    }
