"""How the answer to preflight's question is read. Pure: text in, `Found` out.

Everything may be absent: a value that the host did not tell, or told oddly, is None or empty, and the
checks pass over it. Only an answer without a hostname is none at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_interface
from pathlib import PurePosixPath
from typing import TypeVar

from mk8s.facts import ARCHITECTURES
from mk8s.preflight.found import DropIn, Found, Moment, Mount, Own, Setting, Swap, Unit

__all__ = ["Told", "number", "read"]

T = TypeVar("T")
KIB = 1024
SECONDS = re.compile(r"(?P<whole>[0-9]{1,12})(?:\.(?P<part>[0-9]{1,9}))?")
USERS = re.compile(r'\(\("(?P<program>[^"]+)",pid=(?P<pid>[0-9]+)')
NO_MAC = "00:00:00:00:00:00"


def read(text: str, before: float, after: float) -> Found:
    """Read an answer that came between two moments of the operator's clock (seconds of the epoch).

    Raises ValueError where it is no answer to the question: its first or its last line is missing.
    """
    told = Told(text)
    hostname = told.one("hostname")
    if not hostname or not told.one("clock"):
        raise ValueError("the answer lacks " + ("the hostname" if not hostname else "its end"))
    found = _host(hostname, told, _moment(told.one("clock"), before, after))
    for reading in (_with_traces, _with_network, _with_services, _with_settings):
        found = reading(found, told)
    return found


def _host(hostname: str, told: Told, moment: Moment | None) -> Found:
    """The machine itself: what it is, and how large."""
    return Found(
        hostname=hostname,
        system=told.one("system"),
        kernel=told.one("kernel"),
        arch=ARCHITECTURES.get(told.one("machine"), told.one("machine")),
        systemd=told.one("systemd") != "no",
        machine_id=told.one("machine_id"),
        product_uuid=told.one("product_uuid").lower(),
        mac=told.one("mac").lower().replace(NO_MAC, ""),
        mtu=number(told.one("mtu")),
        moment=moment,
        cpus=number(told.one("cpus")),
        memory=_bytes(told.one("memory_kib")),
        free=_bytes(told.one("free_kib")),
        total=_bytes(told.one("total_kib")),
        cgroup=told.one("cgroup"),
        controllers=frozenset(told.all("controller")),
        swaps=told.each("swap", _swap),
        mounts=told.each("mount", _mount),
    )


def _with_traces(found: Found, told: Told) -> Found:
    """What is there and should not be, and what should be there and is not."""
    return replace(
        found,
        listening=frozenset(told.each("listen", _port)),
        listening_udp=frozenset(told.each("listen_udp", _port)),
        listeners=told.each("socket", _listener),
        leftovers=told.all("leftover"),
        interfaces=told.all("interface"),
        chains=told.all("chain"),
        missing_modules=told.all("no_module"),
        missing_programs=told.all("no_program"),
        missing_users=told.all("no_user"),
        missing_packages=told.all("no_package"),
    )


def _with_network(found: Found, told: Told) -> Found:
    """Its addresses, and how it finds names."""
    return replace(
        found,
        owned=told.each("address", _own),
        nameservers=told.all("nameserver"),
        resolved=told.one("resolved") == "yes",
        upstream=told.all("upstream"),
        route=told.one("route"),
        proxies=told.each("proxy", _two),
    )


def _with_services(found: Found, told: Told) -> Found:
    """What else runs there that may be in the way."""
    units = _units(told)
    return replace(
        found,
        firewalls=(*(["firewalld"] if _runs(units, "firewalld") else []), *told.all("firewall")),
        units=units,
        unmanaged=told.all("unmanaged"),
        trusted=told.all("trusted"),
        selinux=told.one("selinux") == "1",
        apparmor_without_parser=told.one("apparmor") == "Y" and not told.one("apparmor_parser"),
    )


def _with_settings(found: Found, told: Told) -> Found:
    """What the kernel and a distro's drop-in files are set to."""
    return replace(
        found,
        settings={setting.key: setting for setting in told.each("sysctl", _setting)},
        setting_files=told.each("sysctl_file", _two),
        inotify_instances=number(told.one("inotify_instances")),
        inotify_watches=number(told.one("inotify_watches")),
        drop_ins=told.each("drop_in", _drop_in),
    )


class Told:
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


def number(text: str) -> int | None:
    """A number of decimal digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() else None


def _moment(clock: str, before: float, after: float) -> Moment | None:
    """Some `date` programs know no nanoseconds and print their letter instead."""
    match = SECONDS.match(clock)
    if not match:
        return None
    return Moment(before, after, float(match[0]), coarse=match["part"] is None)


def _bytes(kib: str) -> int | None:
    count = number(kib)
    return None if count is None else count * KIB


def _port(address: str) -> int | None:
    """The port in an address of /proc/net/tcp or tcp6, such as ``0100007F:192B``: hexadecimal."""
    try:
        return int(address.rpartition(":")[2], 16)
    except ValueError:
        return None


def _listener(line: str) -> tuple[int, str] | None:
    """A line of `ss -Hltnp`: the local address is its fourth word, the processes come last."""
    words = line.split()
    port = number(words[3].rpartition(":")[2]) if len(words) > 3 else None
    users = USERS.search(line)
    return (port, f"{users['program']} (pid {users['pid']})") if port and users else None


def _swap(text: str) -> Swap | None:
    """``KIB PATH``."""
    size, _, path = text.partition(" ")
    count = _bytes(size)
    return None if count is None else Swap(path, count)


def _mount(text: str) -> Mount | None:
    """``PATH OPTION,OPTION``."""
    path, _, options = text.partition(" ")
    return Mount(PurePosixPath(path), frozenset(options.split(",")))


def _own(text: str) -> Own | None:
    """``ADDRESS/PREFIX INTERFACE``."""
    address, _, interface = text.partition(" ")
    try:
        return Own(interface, ip_interface(address))
    except ValueError:
        return None


def _units(told: Told) -> Mapping[str, Unit]:
    """``NAME ACTIVE FILE``, by the name without ``.service``."""
    words = (line.split() for line in told.all("unit"))
    units = (Unit(w[0].removesuffix(".service"), w[1], w[2]) for w in words if len(w) == 3)
    return {unit.name: unit for unit in units}


def _runs(units: Mapping[str, Unit], name: str) -> bool:
    return name in units and units[name].runs


def _setting(text: str) -> Setting | None:
    """``KEY yes|no VALUE``."""
    words = text.split(maxsplit=2)
    return Setting(words[0], words[2], words[1] == "yes") if len(words) == 3 else None


def _two(text: str) -> tuple[str, str] | None:
    first, space, second = text.partition(" ")
    return (first, second.strip()) if space else None


def _drop_in(text: str) -> DropIn | None:
    """``SUM KEY FILE``."""
    words = text.split(maxsplit=2)
    return DropIn(words[2], words[1], words[0]) if len(words) == 3 else None
