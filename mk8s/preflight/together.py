"""Checks that compare the hosts with each other and with this machine. Pure.

They look at every host that answered, also at healthy ones: a new node must not be a double of an old one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mk8s.cluster import Node
from mk8s.preflight.base import CHECKS, Check, Finding, Host, Level, Scene, Trouble, of_all_hosts

__all__ = ["SKEW_ERROR", "SKEW_WARN"]

SKEW_WARN = 1.0  # seconds. No limit is documented; etcd complains of more than about a second
SKEW_ERROR = 5.0  # seconds: certificates begin in the future, or leases and elections suffer


def reachable(scene: Scene) -> list[Finding]:
    """Told, and no reason to refuse a run: the run goes on trying, and does without the node meanwhile."""
    looked_for = {*scene.unasked, *_answered(scene)}
    return [
        Finding(
            "reachable", node.name, "warn", f"not asked: {scene.unasked[node.name]}", _way_in(scene, node)
        )
        if node.name in scene.unasked
        else Finding("reachable", node.name, "ok")
        for node in scene.cluster.nodes
        if node.name in looked_for
    ]


def _answered(scene: Scene) -> set[str]:
    """Those who said anything, were it only that nobody becomes root."""
    return {*scene.refused, *(host.node.name for host in scene.hosts)}


def _way_in(scene: Scene, node: Node) -> str:
    """A strange host key or a refused login has a remedy of its own: the machine is up."""
    return scene.unasked_remedies.get(node.name) or LATER


LATER = "look whether the machine is up and the way to it is open; a run tries again"
CHECKS["reachable"] = Check("reachable", "the node can be asked", reachable)


def sudo(scene: Scene) -> list[Finding]:
    """A definite no: asking again would lock people out, so the run is refused."""
    answered = _answered(scene)
    return [
        Finding("sudo", node.name, *_told(scene.refused.get(node.name)))
        for node in scene.cluster.nodes
        if node.name in answered
    ]


def _told(trouble: Trouble | None) -> tuple[Level, str, str]:
    return (trouble.level, trouble.message, trouble.remedy) if trouble else ("ok", "", "")


CHECKS["sudo"] = Check("sudo", "root's rights are to be had", sudo, "everything on a node is done as root")


@of_all_hosts("hostname-unique", "no two hosts have one hostname", firm="a cluster knows its members by it")
def hostname_unique(scene: Scene) -> Mapping[str, Trouble]:
    return _doubles(
        scene,
        lambda host: host.found.hostname.lower(),
        "its hostname {value!r} is also that of {others}",
        "give each host its own name with `hostnamectl set-hostname`",
    )


@of_all_hosts("machine-id-unique", "no two hosts have one machine-id")
def machine_id_unique(scene: Scene) -> Mapping[str, Trouble]:
    """systemd derives the MAC addresses of virtual interfaces from it, so doubles meet in pod networks."""
    return _doubles(
        scene,
        lambda host: host.found.machine_id,
        "its machine-id {value} is also that of {others}: they were cloned",
        "on all but one: `rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup`, and reboot",
    )


@of_all_hosts("mac-unique", "no two hosts have one MAC address")
def mac_unique(scene: Scene) -> Mapping[str, Trouble]:
    return _doubles(
        scene,
        lambda host: host.found.mac,
        "its MAC address {value} is also that of {others}",
        "give each machine's network interface its own address",
    )


@of_all_hosts("product-uuid-unique", "no two hosts have one product UUID")
def product_uuid_unique(scene: Scene) -> Mapping[str, Trouble]:
    """Kubernetes asks for it, but boards exist whose makers gave all of them the same."""
    return _doubles(
        scene,
        lambda host: host.found.product_uuid,
        "its product UUID {value} is also that of {others}",
        "give each virtual machine its own; on real boards this may be their maker's fault",
        level="warn",
    )


@of_all_hosts("address-unique", "no two hosts have one address")
def address_unique(scene: Scene) -> Mapping[str, Trouble]:
    """Virtual machines often have one and the same address on the interface of their default route."""
    owners = {node.ip: node.name for node in scene.cluster.nodes}
    found = {}
    for host in scene.hosts:
        others = {
            at: owners[at] for at in host.found.addresses if owners.get(at, host.node.name) != host.node.name
        }
        if others:
            told = ", ".join(f"{at}, the address of {name}" for at, name in others.items())
            found[host.node.name] = Trouble(
                f"it has {told}", "give each host its own, or correct the manifest"
            )
    return {**_chosen_twice(scene), **found}


def _chosen_twice(scene: Scene) -> Mapping[str, Trouble]:
    return _doubles(
        scene,
        lambda host: host.found.main_address if host.wants.chooses_own_ip else "",
        "it will choose {value} for its own address, the default route's, and so will {others}",
        "give each node a `node_ip`, or node-ip in its config: the address that is its own alone",
    )


@of_all_hosts("mtu", "packets of one size pass between all nodes")
def mtu(scene: Scene) -> Mapping[str, Trouble]:
    sizes = {host.node.name: host.found.mtu for host in scene.hosts if host.found.mtu}
    largest = max(sizes.values(), default=0)
    who = next((name for name, size in sizes.items() if size == largest), "")
    found = {}
    for name, size in sizes.items():
        if size < LEAST_MTU:
            found[name] = Trouble(f"its MTU is {size}: a pod network has no room in it", ONE_MTU, "warn")
        elif size < largest:
            found[name] = Trouble(
                f"its MTU is {size}, and {who}'s is {largest}: large packets vanish between them",
                ONE_MTU,
                "warn",
            )
    return found


LEAST_MTU = 1280  # IPv6's least; a pod network takes 50 to 80 bytes away
ONE_MTU = "set the same MTU on all nodes' interfaces, one that the network between them carries"


@of_all_hosts("clock", "the clocks agree")
def clock(scene: Scene) -> Mapping[str, Trouble]:
    """What is surely off: the node's clock stood outside the time between question and answer."""
    skews = {host.node.name: host.found.moment.skew for host in scene.hosts if host.found.moment}
    off = {name: skew for name, skew in skews.items() if abs(skew) > SKEW_WARN}
    everyone = len(skews) > 1 and len(off) == len(skews)
    return {name: _skewed(skew, everyone) for name, skew in off.items()}


def _skewed(skew: float, everyone: bool) -> Trouble:
    where = "ahead of" if skew > 0 else "behind"
    remedy = (
        "every node's is off: set the clock of this machine, if it is the wrong one"
        if everyone
        else "let chrony or systemd-timesyncd keep the time: `timedatectl set-ntp true`"
    )
    return Trouble(
        f"its clock is {abs(skew):.1f} s {where} the one here: certificates and etcd need them alike",
        remedy,
        level="error" if abs(skew) > SKEW_ERROR else "warn",
    )


def _doubles(
    scene: Scene,
    value_of: Callable[[Host], str],
    message: str,
    remedy: str,
    level: Level = "error",
) -> Mapping[str, Trouble]:
    """A trouble for each host that shares a value. One that told none is alone."""
    sharing: dict[str, list[str]] = {}
    for host in scene.hosts:
        sharing.setdefault(value_of(host), []).append(host.node.name)
    return {
        name: Trouble(_named(message, value, [other for other in names if other != name]), remedy, level)
        for value, names in sharing.items()
        if value and len(names) > 1
        for name in names
    }


def _named(message: str, value: str, others: list[str]) -> str:
    return message.format(value=value, others=", ".join(others))
