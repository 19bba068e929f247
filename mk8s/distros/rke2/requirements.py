"""What RKE2 wants beyond the common engine, and how its etcd is asked. Pure.

Sources: RKE2's documentation (requirements, known issues), its unit files; etcd is asked in its own pod.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Opening, Requirements, Tools
from mk8s.distros.rancher.requirements import GIB, advised
from mk8s.distros.rancher.roles import has_api, has_etcd
from mk8s.distros.releases import has
from mk8s.distros.rke2 import versions
from mk8s.distros.rke2.artifacts import release_of
from mk8s.distros.rke2.engine import RKE2, cni_of
from transports.base import Command

__all__ = ["requirements", "tools"]

SIZES = ((225, 2, 4), (450, 4, 8), (1300, 8, 16))  # agents up to which so many CPUs and GiB do
LARGEST = (16, 32)
AGENT = (2, 4 * GIB)
VXLAN = {"canal": 8472, "cilium": 8472, "calico": 4789}  # UDP; flannel's own is not documented clearly
TYPHA = {"calico": 5473}  # TCP: what every node of calico's asks for its policies
NETWORKS = ("flannel*", "cali*", "tunl*", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali")

ETCDCTL = """\
data=$1
shift
export CRI_CONFIG_FILE="$data/agent/etc/crictl.yaml"
id=$("$data/bin/crictl" ps -q --label io.kubernetes.container.name=etcd | head -n 1)
[ -n "$id" ] || { echo "no etcd runs on this host" >&2; exit 1; }
tls=$data/server/tls/etcd
exec "$data/bin/crictl" exec "$id" etcdctl --endpoints https://127.0.0.1:2379 --cacert "$tls/server-ca.crt" \\
  --cert "$tls/server-client.crt" --key "$tls/server-client.key" "$@"
"""


def requirements(common: Requirements, node: Node, cluster: Cluster) -> Requirements:
    """Its interfaces are to be left alone by NetworkManager; some releases' units refuse nm-cloud-setup."""
    release = release_of(cluster)
    refuses = has(release, versions.NM_CLOUD_SETUP_GUARD) and not has(
        release, versions.NO_NM_CLOUD_SETUP_GUARD
    )
    tunnels = () if cluster.joins else cni_of(cluster)
    ports = {VXLAN[name]: f"{name}'s VXLAN" for name in tunnels if name in VXLAN}
    ways = [Opening(port, who, protocol="udp") for port, who in ports.items()]
    ways += [Opening(TYPHA[name], f"{name}'s Typha") for name in tunnels if name in TYPHA]
    cpus, memory = advised(SIZES, LARGEST, cluster) if node.is_server else AGENT
    return replace(
        common,
        udp_ports=ports,
        openings=(*common.openings, *ways),
        network_modules=(*common.network_modules, *(("vxlan",) if ports else ())),
        advised_memory=memory,
        advised_cpus=cpus,
        advised_programs=("iptables",),
        unmanaged=NETWORKS,
        nm_cloud_setup="refuses" if refuses else "harms",
    )


def tools(common: Tools, node: Node, cluster: Cluster) -> Tools:
    """etcd is asked in its own pod, which holds the only etcdctl."""
    asked = has_etcd(RKE2, cluster, node) and has_api(node)
    return replace(common, etcdctl=(lambda words: _etcdctl(node, words)) if asked else None)


def _etcdctl(node: Node, words: Sequence[str]) -> Command:
    return Command(
        operation="rke2.etcdctl",
        description=f"ask etcd: {' '.join(words[:2])}",
        script=ETCDCTL,
        args=(RKE2.data_dir(node), *words),
    )
