"""One bridge for a lab, one cable (veth) from it to each host. Everything by `ip`, in batches.

The machine itself has the first address. Nothing is forwarded: hosts reach each other and the machine
and no further, so a lab is air-gapped by itself.
"""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Literal, TypeAlias

from .addresses import Layout, overlap
from .errors import UnfitError
from .processes import run

__all__ = [
    "LinkState",
    "link_state",
    "make_bridge",
    "plug_in",
    "refuse_overlap",
    "remove_links",
    "set_link",
    "ssh_answer",
    "unplug",
]

LinkState: TypeAlias = Literal["up", "cut", "none"]
INTERFACES = Path("/sys/class/net")
# kubelet looks for a cloud there, and waits long unless it hears at once that there is none
CLOUD = "169.254.169.254"


def refuse_overlap(layout: Layout) -> None:
    """Raises UnfitError if another interface of the machine lies in the lab's subnet."""
    lines = [line.split() for line in run(["ip", "-o", "-4", "addr"]).stdout.splitlines()]
    taken = [(words[1], words[3]) for words in lines if words[1] != layout.bridge]
    other = overlap(layout.subnet, taken)
    if other:
        raise UnfitError(
            f"the lab's subnet {layout.subnet} overlaps {other}",
            remedy="name another one, such as --subnet 10.78.0.0/24",
        )


def make_bridge(layout: Layout) -> None:
    if not (INTERFACES / layout.bridge).exists():
        address = f"{layout.gateway}/{layout.subnet.prefixlen}"
        _batch(f"link add {layout.bridge} type bridge", f"addr add {address} dev {layout.bridge}")
    set_link(layout.bridge, "up")


def plug_in(layout: Layout, number: int, pid: int) -> None:
    """Put a cable between the bridge and the network namespace of `pid`, and configure its inner end."""
    link = layout.link(number)
    unplug(link)
    _batch(
        f"link add {link} type veth peer name eth0 address {layout.mac(number)} netns {pid}",
        f"link set {link} master {layout.bridge} up",
    )
    _batch(
        "link set lo up",
        "link set eth0 up",
        f"addr add {layout.host(number).address}/{layout.subnet.prefixlen} dev eth0",
        f"route add default via {layout.gateway}",
        f"route add unreachable {CLOUD}",
        inside=pid,
    )


def unplug(link: str) -> None:
    """Remove a cable. One that is not there is no error."""
    run(["ip", "link", "del", link], check=False)


def set_link(link: str, state: Literal["up", "down"]) -> None:
    run(["ip", "link", "set", link, state])


def link_state(link: str) -> LinkState:
    """`none` when there is no cable, as on a dead host."""
    try:
        flags = int((INTERFACES / link / "flags").read_text(), 16)
    except OSError:
        return "none"
    return "up" if flags & 1 else "cut"


def remove_links(layout: Layout) -> None:
    """Remove every interface of the lab."""
    for interface in sorted(path.name for path in INTERFACES.iterdir()):
        if layout.is_link(interface):
            unplug(interface)


def ssh_answer(address: str, port: int = 22, timeout: float = 1.0) -> str:
    """`ok` when an SSH server greets, else a word that says why not. `timeout` in seconds."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as stream:
            stream.settimeout(timeout)
            return "ok" if stream.recv(64).startswith(b"SSH-") else "no greeting"
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))


def _batch(*lines: str, inside: int | None = None) -> None:
    enter = [] if inside is None else ["nsenter", "-t", str(inside), "-n"]
    run([*enter, "ip", "-batch", "-"], stdin="".join(f"{line}\n" for line in lines))
