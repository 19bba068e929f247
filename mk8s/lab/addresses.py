"""Names and numbers of a lab's hosts. Pure.

Laws:

1. Everything follows from the lab's name, its subnet and the host's number (from 1), so that a host
   keeps address, MAC and interface name over power cycles. With a new MAC its neighbours would hold
   a stale ARP entry and not reach it for many seconds.
2. Interface names are the machine's, not the lab's: at most 15 letters, and they start with the lab's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from .errors import UnfitError

__all__ = ["DEFAULT_SUBNET", "LabHost", "Layout", "overlap", "parse_subnet"]

DEFAULT_SUBNET = "10.77.0.0/24"
FIRST = 11  # host 1 is x.y.z.11; the machine itself is x.y.z.1
LONGEST_NAME = 8  # "NAME-br" and "NAME-123" have to fit into an interface name
NAME = re.compile(r"[a-z][a-z0-9]*")
PREFIX = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class LabHost:
    """What others need to know of a host to log in to it."""

    number: int
    name: str
    address: str
    port: int = 22


@dataclass(frozen=True, slots=True)
class Layout:
    """How a lab names and numbers things. Raises UnfitError when the names cannot be used."""

    name: str
    prefix: str
    subnet: IPv4Network

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or len(self.name) > LONGEST_NAME:
            raise UnfitError(
                f"{self.name!r} is no name for a lab",
                cause="interface names begin with it",
                remedy=f"a letter, then letters and digits, all small, at most {LONGEST_NAME} in all",
            )
        if not PREFIX.fullmatch(self.prefix):
            raise UnfitError(
                f"{self.prefix!r} is no beginning of a host name",
                remedy="a letter, then letters, digits and dashes, all small, at most 40",
            )

    @property
    def bridge(self) -> str:
        return f"{self.name}-br"

    @property
    def gateway(self) -> str:
        """The machine's own address in the lab."""
        return str(self.subnet.network_address + 1)

    @property
    def room(self) -> int:
        """How many hosts the subnet can hold."""
        return max(0, self.subnet.num_addresses - 1 - FIRST)

    def host(self, number: int) -> LabHost:
        return LabHost(number, f"{self.prefix}{number}", str(self._ip(number)))

    def hosts(self, count: int) -> list[LabHost]:
        """Hosts 1 to `count`. Raises UnfitError when they do not fit into the subnet."""
        if not 1 <= count <= self.room:
            raise UnfitError(
                f"{count} hosts do not fit into {self.subnet}",
                cause=f"it has room for 1 to {self.room}",
                remedy="ask for another number, or name another --subnet",
            )
        return [self.host(number) for number in range(1, count + 1)]

    def link(self, number: int) -> str:
        """The outer end of a host's network cable."""
        return f"{self.name}-{number}"

    def mac(self, number: int) -> str:
        """A locally administered address, made from the IP address."""
        return ":".join(f"{byte:02x}" for byte in (2, 7, *self._ip(number).packed))

    def is_link(self, interface: str) -> bool:
        """Whether an interface of the machine belongs to this lab."""
        head, _, tail = interface.partition("-")
        return head == self.name and (tail == "br" or tail.isdigit())

    def _ip(self, number: int) -> IPv4Address:
        return self.subnet.network_address + (FIRST + number - 1)


def parse_subnet(text: str) -> IPv4Network:
    """A subnet such as 10.77.0.0/24. Raises UnfitError."""
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise UnfitError(
            f"{text!r} is no IPv4 subnet: {error}", remedy=f"write it as in {DEFAULT_SUBNET}"
        ) from error


def overlap(subnet: IPv4Network, taken: list[tuple[str, str]]) -> str | None:
    """The first of the machine's (interface, address/bits) that lies in the same network, in words."""
    for interface, address in taken:
        if IPv4Interface(address).network.overlaps(subnet):
            return f"{address} of {interface}"
    return None
