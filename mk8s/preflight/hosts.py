"""Checks that look at one host at a time. Pure.

Ports and leftovers are looked at on bare hosts only: a node that a run has begun has its own.
"""

from __future__ import annotations

import re

from mk8s.amounts import bytes_in_words
from mk8s.facts import DATA
from mk8s.preflight.base import Host, Scene, Trouble, of_each_host

__all__ = ["UNPACKED"]

UNPACKED = 3  # a release takes about three times its size: staged, installed, and its images unpacked
CGROUP_V1_REFUSED = 35  # minor release of Kubernetes from which on the kubelet does not start on version 1
RELEASE = re.compile(r"v?1\.(?P<minor>[0-9]{1,3})\b")
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
    taken = sorted(set(host.wants.ports) & host.found.listening)
    if not taken:
        return None
    owners = dict(host.found.listeners)
    told = ", ".join(
        f"{port} ({host.wants.ports[port]})" + (f" by {owners[port]}" if port in owners else "")
        for port in taken
    )
    return Trouble(
        f"TCP port{'s' if len(taken) > 1 else ''} taken: {told}",
        f"stop what listens there; `ss -ltnp` on {host.node.name} names it",
    )


@of_each_host("leftovers", "nothing of an earlier cluster is there", among="bare")
def leftovers(host: Host, _scene: Scene) -> Trouble | None:
    left = host.found.leftovers
    if not left:
        return None
    return Trouble(
        f"an earlier cluster left {', '.join(left)}",
        "take the earlier cluster off the host with its own uninstaller, then remove these paths",
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


@of_each_host("modules", "the kernel modules are there")
def modules(host: Host, _scene: Scene) -> Trouble | None:
    missing = host.found.missing_modules
    if not missing:
        return None
    return Trouble(
        f"the kernel has no {', '.join(missing)}, neither built in nor to be loaded",
        "install the kernel's modules (RHEL 10: the package kernel-modules-extra), or boot another kernel",
    )


@of_each_host("programs", "the programs that the distro calls are there")
def programs(host: Host, _scene: Scene) -> Trouble | None:
    missing = host.found.missing_programs
    if not missing:
        return None
    return Trouble(
        f"root's PATH has no {', '.join(missing)}",
        "install the packages they are in (conntrack, ethtool, iproute, iptables, socat, util-linux)",
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


@of_each_host("disk", "the release has room", among="bare")
def disk(host: Host, _scene: Scene) -> Trouble | None:
    free, staged = host.found.free, host.to_stage
    if free is None or free >= staged * UNPACKED:
        return None
    needed = f"{bytes_in_words(staged)} are sent, about {bytes_in_words(staged * UNPACKED)} when unpacked"
    return Trouble(
        f"{bytes_in_words(free)} free at {DATA}: {needed}",
        f"free some space, or mount a larger disk at {DATA}",
        level="error" if free < staged else "warn",
    )


@of_each_host("mounts", "programs may be written and run below /var/lib")
def mounts(host: Host, _scene: Scene) -> Trouble | None:
    """The last mount at the longest path is the one that counts."""
    above = [mount for mount in host.found.mounts if mount.path in (DATA, *DATA.parents)]
    longest = max((len(mount.path.parts) for mount in above), default=0)
    last = [mount for mount in above if len(mount.path.parts) == longest][-1:]
    bad = sorted({"ro", "noexec"} & last[0].options) if last else []
    if not bad:
        return None
    return Trouble(
        f"{DATA} lies on {last[0].path}, which is mounted {', '.join(bad)}",
        f"remount it without {', '.join(bad)}, also in /etc/fstab",
    )


@of_each_host("cgroup", "the cgroup version is one that the kubelet takes")
def cgroup(host: Host, scene: Scene) -> Trouble | None:
    release = RELEASE.match(scene.cluster.version)
    if host.found.cgroup != "tmpfs" or not release or int(release["minor"]) < CGROUP_V1_REFUSED:
        return None
    return Trouble(
        f"cgroup version 1, and the kubelet of {scene.cluster.version} refuses to start on it",
        "boot with systemd.unified_cgroup_hierarchy=1; or waive this check and set failCgroupV1 to false "
        "in the kubelet's configuration",
    )


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
    there = ", ".join(address for address in own if not address.startswith("127."))
    return Trouble(
        f"the host has no {wanted}, by which the others are to reach it; it has {there or 'none'}",
        f"give {host.node.name} a `node_ip` in the manifest: the address that its cluster knows it by",
    )


@of_each_host("firewall", "no firewall stands in the way")
def firewall(host: Host, _scene: Scene) -> Trouble | None:
    walls = host.found.firewalls
    if not walls:
        return None
    return Trouble(
        f"{' and '.join(walls)} {'is' if len(walls) == 1 else 'are'} active",
        "turn it off, or let the cluster's ports and its pod and service networks through",
        level="warn",
    )


@of_each_host("selinux", "SELinux does not stand in the way")
def selinux(host: Host, _scene: Scene) -> Trouble | None:
    if not host.found.selinux:
        return None
    return Trouble(
        "SELinux is enforcing",
        "install the distro's policy (rke2-selinux, or container-selinux), or make it permissive",
        level="warn",
    )


@of_each_host("apparmor", "AppArmor has its parser")
def apparmor(host: Host, _scene: Scene) -> Trouble | None:
    if not host.found.apparmor_without_parser:
        return None
    return Trouble(
        "the kernel has AppArmor on, and apparmor_parser is not there: containers may not start",
        "install the package apparmor",
        level="warn",
    )


@of_each_host("resolv-conf", "pods get name servers that they can reach")
def resolv_conf(host: Host, _scene: Scene) -> Trouble | None:
    servers = host.found.nameservers
    loopback = [server for server in servers if server.startswith("127.") or server == "::1"]
    if not servers or len(loopback) < len(servers) or host.found.resolved:
        return None
    return Trouble(
        f"/etc/resolv.conf names only {', '.join(loopback)}, which is another place inside a pod",
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
