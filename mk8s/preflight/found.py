"""What hosts said, as data. None and empty mean that the host did not say; checks pass over it.

`Found` is what a host said of itself, `Reached` what it sees of the others; `reading` and `reaching` make
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

__all__ = [
    "DropIn",
    "Found",
    "Moment",
    "Mount",
    "Own",
    "Reached",
    "Setting",
    "Swap",
    "Target",
    "Unit",
    "Way",
]


@dataclass(frozen=True, slots=True)
class Moment:
    """A clock that was read somewhere between two moments of ours. All are seconds of the epoch."""

    before: float
    after: float
    clock: float
    coarse: bool = False  # whole seconds only

    @property
    def skew(self) -> float:
        """How far it is surely off, in seconds: below 0 behind, above 0 ahead. 0: it may be right."""
        latest = self.clock + (1.0 if self.coarse else 0.0)
        if latest < self.before:
            return latest - self.before
        return max(0.0, self.clock - self.after)


@dataclass(frozen=True, slots=True)
class Swap:
    path: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount at or above a folder that checks look at."""

    path: PurePosixPath
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class Own:
    """An address of a network interface, with its network."""

    interface: str
    address: IPv4Interface | IPv6Interface

    @property
    def ip(self) -> str:
        return str(self.address.ip)


@dataclass(frozen=True, slots=True)
class Setting:
    """A kernel parameter as it is."""

    key: str
    value: str
    settable: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that systemd knows. `active`, `file`: systemd's own words."""

    name: str
    active: str = "inactive"
    file: str = ""  # enabled, disabled, static, masked ...

    @property
    def runs(self) -> bool:
        return self.active in ("active", "activating", "reloading")

    @property
    def starts(self) -> bool:
        """It runs, or will at the next boot."""
        return self.runs or self.file in ("enabled", "enabled-runtime")


@dataclass(frozen=True, slots=True)
class DropIn:
    """A key in a file beside the distro's config. `sum` tells values apart without showing them."""

    file: str
    key: str
    sum: str


@dataclass(frozen=True, slots=True)
class Found:
    """What one host said. Sizes are bytes; None and empty: it did not say."""

    hostname: str
    system: str = ""  # Linux
    kernel: str = ""  # 6.1.0-18-amd64
    arch: str = ""
    systemd: bool = True
    machine_id: str = ""
    product_uuid: str = ""
    mac: str = ""  # of the interface with the default route, else of the first real one
    mtu: int | None = None  # of the same interface
    moment: Moment | None = None
    cpus: int | None = None
    memory: int | None = None
    free: int | None = None  # where the cluster's data will be
    total: int | None = None  # the size of the same file system
    cgroup: str = ""  # the file system at /sys/fs/cgroup: cgroup2fs, or tmpfs for version 1 and hybrids
    controllers: frozenset[str] = frozenset()  # of cgroups, that are on
    swaps: tuple[Swap, ...] = ()
    listening: frozenset[int] = frozenset()  # TCP ports, on any address
    listening_udp: frozenset[int] = frozenset()
    listeners: tuple[tuple[int, str], ...] = ()  # TCP port and program, where the host could tell
    leftovers: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()  # that only pod networks make
    chains: tuple[str, ...] = ()  # of iptables, that only clusters make
    missing_modules: tuple[str, ...] = ()
    missing_programs: tuple[str, ...] = ()
    missing_users: tuple[str, ...] = ()
    missing_packages: tuple[str, ...] = ()  # RPMs
    mounts: tuple[Mount, ...] = ()
    owned: tuple[Own, ...] = ()  # addresses of all interfaces
    nameservers: tuple[str, ...] = ()
    resolved: bool = False  # systemd-resolved keeps a list of the real servers
    upstream: tuple[str, ...] = ()  # that list
    route: str = ""  # the interface of the default route
    firewalls: tuple[str, ...] = ()
    units: Mapping[str, Unit] = field(default_factory=dict)  # by name, without .service
    unmanaged: tuple[str, ...] = ()  # lines of NetworkManager's configuration
    trusted: tuple[str, ...] = ()  # folders that fapolicyd's rules allow
    settings: Mapping[str, Setting] = field(default_factory=dict)
    setting_files: tuple[tuple[str, str], ...] = ()  # file and line: what sets parameters at boot
    inotify_instances: int | None = None
    inotify_watches: int | None = None
    drop_ins: tuple[DropIn, ...] = ()
    proxies: tuple[tuple[str, str], ...] = ()  # host:port, and the file that says so
    selinux: bool = False  # enforcing
    apparmor_without_parser: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of its own, without their networks."""
        return tuple(own.ip for own in self.owned)

    @property
    def main_address(self) -> str:
        """The first IPv4 address of the default route's interface; empty where there is none."""
        on_route = [own for own in self.owned if own.interface == self.route and own.address.version == 4]
        return on_route[0].ip if on_route else ""


Target: TypeAlias = tuple[Literal["tcp", "udp"], str, int]
"""A protocol, a host and a port."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an attempt to reach a target went.

    `open`: the way is open; `answers` whether someone listens at its end. `silent`: no answer in time.
    `blocked`: something on the way said no. `unknown`: it could not be tried, or the words are not known.
    """

    state: Literal["open", "silent", "blocked", "nameless", "unknown"]
    answers: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """What one host sees of the others."""

    tool: str = ""  # what it was tried with: bash, nc, curl; none: with nothing
    ways: Mapping[Target, Way] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name -> addresses; none: not known
    neighbours: frozenset[str] = frozenset()  # addresses that some card in the network answered for
    write_seconds: float | None = None  # the mean time of one small write that waits for the disk
