"""A place without a way out: a network namespace with one cable to a lab's bridge, and a watch on that.

In the namespace there is no default route: whatever is not in the lab cannot be reached. The watch counts
what any machine on the bridge sends to addresses elsewhere, so it also sees what the lab's hosts try.
"""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mk8s.lab import Lab

__all__ = ["Bunker", "EgressWatch", "bunker", "watched"]

IPV4 = 0x0800
HEADERS = 34  # bytes: of Ethernet 14, of IP 20
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1  # the socket module has no names for them
PLACE = 250  # the last number of the bunker's address


class Bunker:
    """Runs programs inside the namespace."""

    def __init__(self, name: str, address: str, cable: str) -> None:
        self.name = name
        self.cable = cable  # the end of it that is outside
        self.address = address

    def words(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    def run(
        self, *words: str, cwd: Path | None = None, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """A program to its end, with an environment that names no proxy and no Python of ours."""
        env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": os.environ.get("HOME", "/root"),
            "TERM": "dumb",
        }
        env |= {name: os.environ[name] for name in ("MK8S_PYTHON",) if name in os.environ}
        done = subprocess.run(
            self.words(*words), cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )
        print(f"[bunker]$ {' '.join(words)}\n{done.stdout}{done.stderr}(exit code {done.returncode})")
        return done

    def sent(self) -> int:
        """Bytes that left the bunker so far."""
        counter = Path("/sys/class/net", self.cable, "statistics/rx_bytes")  # what came out of the outer end
        return int(counter.read_text())

    def routes(self) -> str:
        return subprocess.run(
            ["ip", "-n", self.name, "route"], capture_output=True, text=True, check=True
        ).stdout


@contextmanager
def bunker(lab: Lab) -> Iterator[Bunker]:
    """A namespace on the lab's network, with an address of its own there and no other route."""
    layout = lab.layout
    name = f"bunker{layout.name}"
    outer, inner = f"{layout.name}-bo", f"{layout.name}-bi"
    address = str(layout.subnet.network_address + PLACE)
    _ip("netns", "add", name)
    try:
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
        _ip("link", "set", outer, "master", layout.bridge, "up")
        _ip("-n", name, "addr", "add", f"{address}/{layout.subnet.prefixlen}", "dev", inner)
        _ip("-n", name, "link", "set", inner, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield Bunker(name, address, outer)
    finally:
        subprocess.run(["ip", "link", "del", outer], capture_output=True, check=False)
        _ip("netns", "del", name)


class EgressWatch:
    """Counts IP packets on a bridge whose destination is elsewhere. `seen` has a few for a message."""

    def __init__(self, bridge: str, networks: Sequence[ipaddress.IPv4Network]) -> None:
        self.count = 0  # to addresses elsewhere
        self.inside = 0  # to addresses in the networks: that the watch sees anything at all
        self.seen: list[str] = []
        self._networks = networks
        self._bell, self._ring = os.pipe()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self._socket.bind((bridge, IPV4))
        everything = struct.pack("iHH8s", socket.if_nametoindex(bridge), PACKET_MR_PROMISC, 0, b"")
        self._socket.setsockopt(
            SOL_PACKET, PACKET_ADD_MEMBERSHIP, everything
        )  # also what hosts send each other
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._ring, b"x")
        self._thread.join()
        self._socket.close()
        os.close(self._bell)
        os.close(self._ring)

    def _watch(self) -> None:
        while True:
            ready: list[int] = select.select([self._socket.fileno(), self._bell], [], [])[0]
            if self._bell in ready:
                return
            self._look(self._socket.recv(HEADERS))

    def _look(self, packet: bytes) -> None:
        source, target = (ipaddress.IPv4Address(packet[at : at + 4]) for at in (26, 30))
        here = any(target in network for network in self._networks)
        if here or target.is_multicast or int(target) == 0xFFFFFFFF:
            self.inside += 1
            return
        self.count += 1
        if len(self.seen) < 10:
            self.seen.append(f"{source} -> {target}")


@contextmanager
def watched(lab: Lab, *pods: str) -> Iterator[EgressWatch]:
    """A watch on a lab's bridge. `pods`: the cluster's own networks, whose packets go from node to node."""
    watch = EgressWatch(lab.layout.bridge, [lab.layout.subnet, *map(ipaddress.IPv4Network, pods)])
    try:
        yield watch
    finally:
        watch.close()


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
