"""How the answer to preflight's question is read. Pure: text in, `Found` out.

Everything may be absent: a value that the host did not tell, or told oddly, is None or empty, and the
checks pass over it. Only an answer without a hostname is none at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

from mk8s.facts import ARCHITECTURES

__all__ = ["Found", "Moment", "Mount", "Swap", "read"]

T = TypeVar("T")
KIB = 1024
SECONDS = re.compile(r"(?P<whole>[0-9]{1,12})(?:\.(?P<part>[0-9]{1,9}))?")
USERS = re.compile(r'\(\("(?P<program>[^"]+)",pid=(?P<pid>[0-9]+)')
NO_MAC = "00:00:00:00:00:00"


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
    """A mount at or above /var/lib."""

    path: PurePosixPath
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """What one host said. Sizes are bytes; None and empty: it did not say."""

    hostname: str
    arch: str = ""
    systemd: bool = True
    machine_id: str = ""
    product_uuid: str = ""
    mac: str = ""  # of the interface with the default route, else of the first real one
    moment: Moment | None = None
    cpus: int | None = None
    memory: int | None = None
    free: int | None = None  # where the cluster's data will be
    cgroup: str = ""  # the file system at /sys/fs/cgroup: cgroup2fs, or tmpfs for version 1 and hybrids
    swaps: tuple[Swap, ...] = ()
    listening: frozenset[int] = frozenset()  # TCP ports, on any address
    listeners: tuple[tuple[int, str], ...] = ()  # port and program, where the host could tell
    leftovers: tuple[str, ...] = ()
    missing_modules: tuple[str, ...] = ()
    missing_programs: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    addresses: tuple[str, ...] = ()  # IPv4, of all interfaces
    nameservers: tuple[str, ...] = ()
    resolved: bool = False  # systemd-resolved keeps a list of the real servers
    route: str = ""  # the interface of the default route
    firewalls: tuple[str, ...] = ()
    selinux: bool = False  # enforcing
    apparmor_without_parser: bool = False


def read(text: str, before: float, after: float) -> Found:
    """Read an answer that came between two moments of the operator's clock (seconds of the epoch).

    Raises ValueError where it is no answer to the question: its first or its last line is missing.
    """
    told = _Told(text)
    hostname = told.one("hostname")
    if not hostname or not told.one("clock"):
        raise ValueError("the answer lacks " + ("the hostname" if not hostname else "its end"))
    return Found(
        hostname=hostname,
        arch=ARCHITECTURES.get(told.one("machine"), told.one("machine")),
        systemd=told.one("systemd") != "no",
        machine_id=told.one("machine_id"),
        product_uuid=told.one("product_uuid").lower(),
        mac=told.one("mac").lower().replace(NO_MAC, ""),
        moment=_moment(told.one("clock"), before, after),
        cpus=_number(told.one("cpus")),
        memory=_bytes(told.one("memory_kib")),
        free=_bytes(told.one("free_kib")),
        cgroup=told.one("cgroup"),
        swaps=told.each("swap", _swap),
        listening=frozenset(told.each("listen", _port)),
        listeners=told.each("socket", _listener),
        leftovers=told.all("leftover"),
        missing_modules=told.all("no_module"),
        missing_programs=told.all("no_program"),
        mounts=told.each("mount", _mount),
        addresses=told.all("address"),
        nameservers=told.all("nameserver"),
        resolved=told.one("resolved") == "yes",
        route=told.one("route"),
        firewalls=told.all("firewall"),
        selinux=told.one("selinux") == "1",
        apparmor_without_parser=told.one("apparmor") == "Y" and not told.one("apparmor_parser"),
    )


class _Told:
    """The lines of an answer, by key. Lines without a key, such as a greeting, are passed over."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, list[str]] = {}
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and value.strip():
                self._lines.setdefault(key, []).append(value.strip())

    def one(self, key: str) -> str:
        return self._lines.get(key, [""])[0]

    def all(self, key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._lines.get(key, ())))

    def each(self, key: str, convert: Callable[[str], T | None]) -> tuple[T, ...]:
        converted = (convert(value) for value in self.all(key))
        return tuple(value for value in converted if value is not None)


def _moment(clock: str, before: float, after: float) -> Moment | None:
    """Some `date` programs know no nanoseconds and print their letter instead."""
    match = SECONDS.match(clock)
    if not match:
        return None
    return Moment(before, after, float(match[0]), coarse=match["part"] is None)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _bytes(kib: str) -> int | None:
    number = _number(kib)
    return None if number is None else number * KIB


def _port(address: str) -> int | None:
    """The port in an address of /proc/net/tcp or tcp6, such as ``0100007F:192B``: hexadecimal."""
    try:
        return int(address.rpartition(":")[2], 16)
    except ValueError:
        return None


def _listener(line: str) -> tuple[int, str] | None:
    """A line of `ss -Hltnp`: the local address is its fourth word, the processes come last."""
    words = line.split()
    port = _number(words[3].rpartition(":")[2]) if len(words) > 3 else None
    users = USERS.search(line)
    return (port, f"{users['program']} (pid {users['pid']})") if port and users else None


def _swap(text: str) -> Swap | None:
    """``KIB PATH``."""
    size, _, path = text.partition(" ")
    number = _bytes(size)
    return None if number is None else Swap(path, number)


def _mount(text: str) -> Mount | None:
    """``PATH OPTION,OPTION``."""
    path, _, options = text.partition(" ")
    return Mount(PurePosixPath(path), frozenset(options.split(",")))
