"""The check of a virtual address that the servers are to hold among themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from mk8s.preflight.base import Host, Scene, Trouble, of_all_hosts
from mk8s.preflight.found import Own
from mk8s.preflight.planning import API_PORT, virtual_address

__all__: list[str] = []


@of_all_hosts("virtual-address", "the virtual address is free, and the servers can hold it")
def virtual(scene: Scene) -> Mapping[str, Trouble]:
    address = virtual_address(scene)
    if not address:
        return {}
    servers = [host for host in scene.hosts if host.node.is_server]
    faults = {host.node.name: list(_faults(host, address, scene)) for host in servers}
    return {
        name: Trouble(
            "; ".join(told),
            "choose an address of the servers' own network that nobody has, and the interface that is in it",
        )
        for name, told in faults.items()
        if told
    }


def _faults(host: Host, address: str, scene: Scene) -> Iterator[str]:
    interface = scene.cluster.balancer.interface or _usual(host)
    own = [each for each in host.found.owned if each.interface == interface]
    if host.found.owned and interface and not own:
        has = ", ".join(dict.fromkeys(each.interface for each in host.found.owned))
        yield f"there is no interface {interface} with an address, to hold {address}; there are {has}"
    elif own and not any(_is_inside(address, each) for each in own):
        networks = ", ".join(str(each.address) for each in own)
        yield f"{address} is in no network of {interface} ({networks}): neighbours would not find it there"
    if address in host.found.addresses:
        yield f"the host has {address} already"
    elif _answers(host, address, scene):
        yield f"another machine has {address} already: it answers"


def _usual(host: Host) -> str:
    """Where nobody names one: the interface that has the node's address, else the default route's."""
    having = [each.interface for each in host.found.owned if each.ip == host.node.ip]
    return having[0] if having else host.found.route


def _is_inside(address: str, own: Own) -> bool:
    return ip_address(address) in own.address.network


def _answers(host: Host, address: str, scene: Scene) -> bool:
    """Some machine that is none of ours. One of ours says so itself."""
    if not host.reached or any(address in other.found.addresses for other in scene.hosts):
        return False
    way = host.reached.ways.get(("tcp", address, API_PORT))
    return address in host.reached.neighbours or (way is not None and way.state == "open")
