"""Make a bare host fit for Kubernetes, and take all of it back. Pure.

What was there before a change is kept in /var/lib/mk8s/before, once: `unprepare` restores it. What others
need of the same host, such as containerd's service, is not here: see `runtime`.
"""

from __future__ import annotations

import ipaddress
from pathlib import PurePosixPath

from mk8s.cluster import Cluster
from mk8s.distros.base import Opening, Situation
from mk8s.distros.upstream import host_commands as commands
from mk8s.distros.upstream import swap_commands
from mk8s.distros.upstream.parts import BEFORE, ROOT_ONLY, folder
from mk8s.steps import Run, Step, WriteFile

__all__ = [
    "FREE_SHARE",
    "MODULES",
    "OPENINGS",
    "SERVER_OPENINGS",
    "SYSCTLS",
    "SYSCTLS_FILE",
    "entries",
    "prepare",
    "unprepare",
]

FREE_SHARE = 0.15  # the kubelet's own limit: with less it removes images (imagefs.available), then pods
MODULES = ("overlay", "br_netfilter", "nf_conntrack")
SYSCTLS = (
    "net.bridge.bridge-nf-call-iptables=1",
    "net.bridge.bridge-nf-call-ip6tables=1",
    "net.ipv4.ip_forward=1",
)
OPENINGS = (Opening(10250, "the kubelet", to="servers"),)
SERVER_OPENINGS = (
    Opening(6443, "the API server"),
    Opening(2379, "etcd", to="servers"),
    Opening(2380, "etcd's other members", to="servers"),
    *OPENINGS,
)
"""What other nodes must reach on an agent, and on a server. Pods are routed, without a tunnel's port."""

MODULES_FILE = PurePosixPath("/etc/modules-load.d/mk8s.conf")
SYSCTLS_FILE = PurePosixPath("/etc/sysctl.d/90-mk8s.conf")
LOADED, VALUES, SWAP = BEFORE / "modules", BEFORE / "sysctls", BEFORE / "swap"


def prepare(s: Situation) -> list[Step]:
    """Kernel modules, kernel parameters, swap and hosts entries as the cluster wants them."""
    return [folder(BEFORE, ROOT_ONLY), *_modules(), *_sysctls(), *_swap(s.cluster), *entries(s)]


def unprepare(s: Situation) -> list[Step]:
    """Take all of `prepare` back, in reverse. May run again, and where nothing was prepared."""
    del s  # what to take back stands on the host
    return [
        Run("remove the nodes' names", commands.drop_entries(), commands.has_no_entries()),
        Run("turn swap on as it was", swap_commands.restore_swap(SWAP), commands.is_restored(SWAP)),
        Run(
            "restore the kernel parameters",
            commands.restore_sysctls(SYSCTLS_FILE, VALUES),
            commands.is_restored(SYSCTLS_FILE, VALUES),
        ),
        Run(
            "unload the kernel modules",
            commands.unload_modules(MODULES_FILE, LOADED),
            commands.is_restored(MODULES_FILE, LOADED),
        ),
        Run(f"remove {BEFORE} if it is empty", commands.tidy(BEFORE), commands.is_tidy(BEFORE)),
    ]


def entries(s: Situation) -> list[Step]:
    """All nodes' names in /etc/hosts, between marks; nothing unless the manifest asks for it."""
    if not s.cluster.hosts_entries:
        return []
    block = _block(s.cluster)
    return [
        Run(
            "write the nodes' names to /etc/hosts", commands.write_entries(block), commands.has_entries(block)
        )
    ]


def _modules() -> list[Step]:
    return [
        folder(MODULES_FILE.parent),
        WriteFile(f"write {MODULES_FILE}", MODULES_FILE, _lines(MODULES)),
        Run("load the kernel modules", commands.load_modules(MODULES, LOADED), commands.has_modules(MODULES)),
    ]


def _sysctls() -> list[Step]:
    return [
        folder(SYSCTLS_FILE.parent),
        WriteFile(f"write {SYSCTLS_FILE}", SYSCTLS_FILE, _lines(SYSCTLS)),
        Run(
            "set the kernel parameters", commands.set_sysctls(SYSCTLS, VALUES), commands.has_sysctls(SYSCTLS)
        ),
    ]


def _swap(cluster: Cluster) -> list[Step]:
    """Only where the manifest says so: a host that swaps has somebody's reasons."""
    if cluster.swap != "disable":
        return []
    return [Run("turn swap off", swap_commands.disable_swap(SWAP), swap_commands.is_swap_off())]


def _block(cluster: Cluster) -> str:
    """A line for each node whose address is one; others are names already."""
    lines = [f"{node.ip} {node.name}" for node in cluster.nodes if _is_address(node.ip)]
    return "\n".join([commands.BEGIN, *lines, commands.END])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _lines(words: tuple[str, ...]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()
