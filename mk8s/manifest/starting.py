"""A manifest to begin with, for `mk8s init`: sound, commented, with the distro's own defaults shown. Pure.

What is a comment in it is a default or an example; a test reads each text as it stands, and again with every
such line in force. Begin reading at `starting_manifest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["VERSIONS", "Start", "starting_manifest"]

VERSIONS: Mapping[str, str] = {
    "rke2": "v1.33.4+rke2r1",
    "k3s": "v1.33.4+k3s1",
    "k0s": "v1.33.4+k0s.0",
    "kubeadm": "v1.33.4",
    "vanilla": "v1.33.4",
}
"""A release of each distro of ours, to be replaced by the one that is wanted."""

RANCHER = """\
#config:                       # the distro's own config.yaml, word for word; these are its defaults
#  servers:
#    cluster-cidr: 10.42.0.0/16
#    service-cidr: 10.43.0.0/16
#    cluster-domain: cluster.local
#    write-kubeconfig-mode: "0600"
"""
CONFIGS: Mapping[str, str] = {
    "rke2": RANCHER + "#    cni: canal                 # none, calico, canal, cilium, flannel\n",
    "k3s": RANCHER + "#    flannel-backend: vxlan     # none, vxlan, host-gw, wireguard-native\n",
    "k0s": """\
#config:                       # k0s' ClusterConfig; these are its defaults
#  servers:
#    spec:
#      network: {provider: kuberouter, podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/12}
""",
}
NETWORK = """\
#network:                      # the cluster's inner networks
#  pod_cidr: 10.244.0.0/16
#  service_cidr: 10.96.0.0/16
#  dns_domain: cluster.local
#  cni: bridge                 # none: you bring one, for example with `manifests`
"""


@dataclass(frozen=True, slots=True)
class Start:
    """What a person knows when beginning."""

    distro: str
    version: str
    servers: int = 3
    agents: int = 2
    user: str = "ops"
    airgap: bool = True


def starting_manifest(start: Start) -> str:
    """The text. Its addresses are of the range that is kept for documentation: no machine has one."""
    return "".join(
        (
            "# What every key means: docs/manifest.md. Lines that begin with # are defaults and examples.\n",
            f"distro: {start.distro}\n",
            f"version: {start.version}\n",
            _airgap(start),
            "#artifacts_dir: ./artifacts    # the release's files; `mk8s download` fetches them\n",
            _endpoint(start),
            CONFIGS.get(start.distro, NETWORK),
            _ssh(start),
            "\nnodes:\n",
            *(_node(number, start) for number in range(start.servers + start.agents)),
        )
    )


def _airgap(start: Start) -> str:
    value = "true " if start.airgap else "false"
    return f"airgap: {value}                  # true: the nodes reach no network but each other\n"


def _endpoint(start: Start) -> str:
    if start.servers == 1:
        return ""
    return "#endpoint: 192.0.2.10          # an address that leads to all servers: docs/endpoint.md\n"


def _ssh(start: Start) -> str:
    return f"""\
ssh:
  user: {start.user}
#  key_path: ~/.ssh/id_ed25519  # without it: your agent's keys, then the usual files
#  jump: [bastion.example.org]  # docs/ssh.md
#  host_keys: verify            # `mk8s trust` shows all fingerprints and pins them
"""


def _node(number: int, start: Start) -> str:
    if number >= start.servers:
        return f"  - {{address: 192.0.2.{111 + number - start.servers}, role: agent}}\n"
    primary = ", primary: true" if number == 0 else ""
    return f"  - {{address: 192.0.2.{11 + number}, role: server{primary}}}\n"
