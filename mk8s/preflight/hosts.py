"""Checks that look at one host at a time. Pure.

Ports and leftovers are looked at on bare hosts only: a node that a run has begun has its own.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from mk8s.amounts import bytes_in_words
from mk8s.preflight.base import Host, Scene, Trouble, of_each_host
from mk8s.preflight.found import Mount, Own
from mk8s.tables import PENDING

__all__ = ["UNPACKED"]

SOLD_AS = 0.9  # the kernel keeps some memory for itself: 4 GB are shown as 3.8
UNPACKED = 3  # a release takes about three times its size: staged, installed, and its images unpacked
NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
OUR_CHECK_STAYS = "the stage edge refuses such a host as well"


@of_each_host("arch", "the architecture is the manifest's", firm=OUR_CHECK_STAYS)
def arch(host: Host, _scene: Scene) -> Trouble | None:
    found = host.found.arch
    if not found or found == host.node.arch:
        return None
    return Trouble(
        f"the manifest says {host.node.arch}, the host is {found}",
        f"set `arch: {found}` for {host.node.name}, or correct its address",
    )


@of_each_host("systemd", "systemd runs", firm=OUR_CHECK_STAYS)
def systemd(host: Host, _scene: Scene) -> Trouble | None:
    if host.found.systemd:
        return None
    return Trouble(
        "systemd does not run on the host, and it starts the cluster's services",
        "install on a host that boots with systemd",
    )


@of_each_host("ports", "the ports that the node needs are free", among="bare")
def ports(host: Host, _scene: Scene) -> Trouble | None:
    owners = dict(host.found.listeners)
    told = [
        f"TCP {port} ({who})" + (f" by {owners[port]}" if port in owners else "")
        for port, who in sorted(host.wants.ports.items())
        if port in host.found.listening
    ]
    told += [
        f"UDP {port} ({who})"
        for port, who in sorted(host.wants.udp_ports.items())
        if port in host.found.listening_udp
    ]
    if not told:
        return None
    return Trouble(
        f"port{'s' if len(told) > 1 else ''} taken: {', '.join(told)}",
        f"stop what listens there; `ss -ltunp` on {host.node.name} names it",
    )


@of_each_host("swap", "swap is off, where the distro needs that")
def swap(host: Host, scene: Scene) -> Trouble | None:
    swaps = host.found.swaps
    if not swaps or not host.wants.swap_off or scene.cluster.swap != "refuse":
        return None
    told = ", ".join(f"{each.path} ({bytes_in_words(each.size)})" for each in swaps)
    return Trouble(
        f"swap is on: {told}; the kubelet refuses to start",
        "`swapoff -a` and take it out of /etc/fstab, or write `swap: disable` or `swap: allow` "
        "into the manifest",
    )


@of_each_host("programs", "the programs that the distro calls are there")
def programs(host: Host, _scene: Scene) -> Trouble | None:
    """What it cannot do without is an error, what some features need a warning."""
    missing = host.found.missing_programs
    needed = [name for name in missing if name in host.wants.programs]
    if not missing:
        return None
    advised = "" if needed else ", which some features need"
    return Trouble(
        f"root's PATH has no {', '.join(missing)}{advised}",
        "install the packages they are in (conntrack, ethtool, iproute, iptables, socat, util-linux)",
        level="error" if needed else "warn",
    )


@of_each_host("memory", "there is memory enough")
def memory(host: Host, _scene: Scene) -> Trouble | None:
    found, least = host.found.memory, host.wants.memory
    if found is None or found >= least:
        return None
    return Trouble(
        f"{bytes_in_words(found)} of memory, and {_role(host)} needs {bytes_in_words(least)}",
        "give the host more memory",
    )


@of_each_host("cpu", "there are processors enough")
def cpu(host: Host, _scene: Scene) -> Trouble | None:
    found, least = host.found.cpus, host.wants.cpus
    if found is None or found >= least:
        return None
    return Trouble(f"{found} CPU, and {_role(host)} needs {least}", "give the host more processors")


@of_each_host("sizing", "there is room for a cluster of this size")
def sizing(host: Host, _scene: Scene) -> Trouble | None:
    """What upstream advises for so many nodes. A machine sold with 4 GB shows a little less."""
    memory, cpus, wants = host.found.memory, host.found.cpus, host.wants
    few = memory is not None and memory < wants.advised_memory * SOLD_AS
    slow = cpus is not None and cpus < wants.advised_cpus
    if not few and not slow:
        return None
    has = [bytes_in_words(memory)] if few and memory is not None else []
    has += [f"{cpus} CPU"] if slow else []
    advised = [bytes_in_words(wants.advised_memory)] if few else []
    advised += [f"{wants.advised_cpus}"] if slow else []
    return Trouble(
        f"{' and '.join(has)}, and {' and '.join(advised)} are advised for {_role(host)} of this cluster",
        "give the host more; it will do for a trial",
        level="warn",
    )


@of_each_host("disk", "the release has room", among="bare")
def disk(host: Host, _scene: Scene) -> Trouble | None:
    free, staged, at = host.found.free, host.to_stage, host.wants.data_dir
    if free is None or free >= staged * UNPACKED:
        return None
    needed = f"{bytes_in_words(staged)} are sent, about {bytes_in_words(staged * UNPACKED)} when unpacked"
    return Trouble(
        f"{bytes_in_words(free)} free at {at}: {needed}",
        f"free some space, or mount a larger disk at {at}",
        level="error" if free < staged else "warn",
    )


@of_each_host("free-share", "enough of the disk stays free")
def free_share(host: Host, _scene: Scene) -> Trouble | None:
    """The kubelet begins to throw images and pods away when less than a share is free."""
    free, total, share = host.found.free, host.found.total, host.wants.free_share
    left = None if free is None else free - (host.to_stage * UNPACKED if host.state == PENDING else 0)
    if left is None or not total or left >= total * share:
        return None
    return Trouble(
        f"{max(0, left) * 100 // total} % of the disk at {host.wants.data_dir} will be free, and the kubelet "
        f"throws pods out below {share:.0%}",
        "free some space, or take a larger disk",
        level="warn",
    )


@of_each_host("mounts", "programs may be written and run where they will be")
def mounts(host: Host, _scene: Scene) -> Trouble | None:
    """Of each folder the last mount at the longest path is the one that counts."""
    bad: dict[PurePosixPath, tuple[str, str]] = {}
    for folder in (host.wants.data_dir, *host.wants.program_dirs):
        mount = _mount_of(host, PurePosixPath(folder))
        options = sorted({"ro", "noexec"} & mount.options) if mount else []
        if mount and options:
            bad.setdefault(mount.path, (folder, ", ".join(options)))
    if not bad:
        return None
    told = [f"{folder} lies on {at}, which is mounted {options}" for at, (folder, options) in bad.items()]
    ways = " and ".join(dict.fromkeys(options for _, options in bad.values()))
    return Trouble("; ".join(told), f"remount it without {ways}, also in /etc/fstab")


def _mount_of(host: Host, folder: PurePosixPath) -> Mount | None:
    above = [mount for mount in host.found.mounts if mount.path in (folder, *folder.parents)]
    longest = max((len(mount.path.parts) for mount in above), default=0)
    return next((mount for mount in reversed(above) if len(mount.path.parts) == longest), None)


@of_each_host("default-route", "there is a default route")
def default_route(host: Host, _scene: Scene) -> Trouble | None:
    if host.found.route:
        return None
    return Trouble(
        "no default route (IPv4): some components find the node's own address by it",
        "add one; a route through a dummy interface will do",
        level="warn",
    )


@of_each_host("node-ip", "the host has the node's address itself", among="bare")
def node_ip(host: Host, _scene: Scene) -> Trouble | None:
    wanted, own = host.wants.own_ip, host.found.addresses
    if not wanted or not own or wanted in own:
        return None
    there = ", ".join(each.ip for each in host.found.owned if not _is_inner(each))
    return Trouble(
        f"the host has no {wanted}, by which the others are to reach it; it has {there or 'none'}",
        f"give {host.node.name} a `node_ip` in the manifest: the address that its cluster knows it by",
    )


def _is_inner(own: Own) -> bool:
    return own.address.is_loopback or own.address.is_link_local


@of_each_host("resolv-conf", "pods get name servers that they can reach")
def resolv_conf(host: Host, _scene: Scene) -> Trouble | None:
    """A resolver of the host itself is none for pods: CoreDNS would ask itself, in a loop."""
    resolved = host.found.resolved and host.found.upstream
    file = "/run/systemd/resolve/resolv.conf" if resolved else "/etc/resolv.conf"
    servers = host.found.upstream if resolved else host.found.nameservers
    loopback = [server for server in servers if server.startswith("127.") or server == "::1"]
    if not servers or len(loopback) < len(servers) or (host.found.resolved and not resolved):
        return None
    return Trouble(
        f"{file} names only {', '.join(loopback)}, which is another place inside a pod",
        "name a server there that pods can reach",
        level="warn",
    )


@of_each_host("hostname-form", "the hostname is one that Kubernetes takes")
def hostname_form(host: Host, _scene: Scene) -> Trouble | None:
    name = host.found.hostname
    if NODE_NAME.fullmatch(name):
        return None
    return Trouble(
        f"the hostname {name!r} is no DNS name in lower case, as names of nodes are",
        "set another with `hostnamectl set-hostname`",
        level="warn",
    )


def _role(host: Host) -> str:
    return "a server" if host.node.is_server else "an agent"
