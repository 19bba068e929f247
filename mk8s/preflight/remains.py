"""Checks of what earlier clusters left, whatever distro they were of. Pure.

A bare host alone is looked at: a node that a run has begun has its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from mk8s.preflight.base import Host, Scene, Trouble, of_each_host

__all__ = ["MARKS", "OWN_WAIVED"]

UPSTREAM = ("kubeadm", "vanilla")  # they share all paths: a driver names its own
MARKS = {
    "/etc/rancher/rke2": "rke2",
    "/var/lib/rancher/rke2": "rke2",
    "/etc/rancher/k3s": "k3s",
    "/var/lib/rancher/k3s": "k3s",
    "/etc/k0s": "k0s",
    "/var/lib/k0s": "k0s",
    "/etc/kubernetes/admin.conf": "kubeadm",
    "/etc/kubernetes/kubelet.conf": "kubeadm",
    "/etc/kubernetes/pki": "kubeadm",
    "/etc/kubernetes/manifests": "kubeadm",
    "/var/lib/etcd/member": "kubeadm",
}
"""Paths by which clusters are known, and whose they are."""

UNITS = {
    "rke2-server": "rke2",
    "rke2-agent": "rke2",
    "k3s": "k3s",
    "k3s-agent": "k3s",
    "k0scontroller": "k0s",
    "k0sworker": "k0s",
    "kubelet": "kubeadm",
}
UNINSTALLERS = {
    "rke2": "rke2-uninstall.sh",
    "k3s": "k3s-uninstall.sh (an agent: k3s-agent-uninstall.sh)",
    "k0s": "`k0s stop; k0s reset`, and a reboot",
    "kubeadm": "`kubeadm reset -f`",
}
MOST = 6  # remains that are named one by one
OWN_WAIVED = "`checks: {waive: [ports, leftovers]}`"
"""Of the checks that take a host's own cluster for an earlier one, once its journal is away."""
LOST = (
    "but uninstall nothing if it is this very cluster, and only its journal was lost: waive the checks that "
    f"take it for another ({OWN_WAIVED}), and a run recognises what is done"
)


@of_each_host("leftovers", "nothing of an earlier cluster is there", among="bare")
def leftovers(host: Host, scene: Scene) -> Trouble | None:
    own = [path for path in host.found.leftovers if path in host.wants.leftovers]
    others = dict(_of_others(host, scene.cluster.distro))
    if not own and not others:
        return None
    found = [*own, *(f"{name} (of {whose})" for name, whose in others.items() if name not in own)]
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    ways = [UNINSTALLERS[whose] for whose in dict.fromkeys(others.values())]
    remedy = (
        "take the earlier cluster off the host with its own uninstaller"
        f"{': ' + ', '.join(ways) if ways else ''}, then remove what is left"
    )
    return Trouble(
        f"an earlier cluster left {', '.join(found[:MOST])}{more}", remedy if others else f"{remedy}; {LOST}"
    )


def _of_others(host: Host, distro: str) -> Iterator[tuple[str, str]]:
    """Paths and units of other distros. kubeadm and vanilla leave the same."""
    own = UPSTREAM if distro in UPSTREAM else (distro,)
    for path in host.found.leftovers:
        if path in MARKS and MARKS[path] not in own:
            yield path, MARKS[path]
    for name, whose in UNITS.items():
        if whose not in own and name in host.found.units and host.found.units[name].starts:
            yield f"{name}.service", whose


@of_each_host("leftovers-network", "nothing of an earlier pod network is there", among="bare")
def leftovers_network(host: Host, _scene: Scene) -> Trouble | None:
    cards, chains = host.found.interfaces, host.found.chains
    if not cards and not chains:
        return None
    told = [f"interface{'s' if len(cards) > 1 else ''} {', '.join(cards[:MOST])}"] if cards else []
    told += [f"chains of iptables, such as {chains[0].lstrip(':')}"] if chains else []
    return Trouble(
        f"an earlier pod network left {' and '.join(told)}",
        "its uninstaller removes them, and a reboot does so for certain",
        level="warn",
    )


@of_each_host("container-runtime", "no other container runtime is in the way", among="bare")
def container_runtime(host: Host, scene: Scene) -> Trouble | None:
    """Docker brings containerd's service, which kubeadm and vanilla are to have themselves."""
    units = host.found.units
    running = [name for name in ("docker", "containerd") if name in units and units[name].runs]
    if "docker" not in running and not (running and scene.cluster.distro in UPSTREAM):
        return None
    return Trouble(
        f"{' and '.join(running)} {'runs' if len(running) == 1 else 'run'} already: Docker drops traffic "
        "that is forwarded, and pods' is; its containerd has a configuration of its own",
        "take it off the host (packages docker-ce, docker.io, containerd.io), unless something needs it",
        level="warn",
    )
