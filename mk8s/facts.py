"""What a host is: gathered in one round trip, read by pure code.

Facts are asked, never assumed. What follows from them (is the host fit? which prefix?) is decided by
others; here stands only how they are read.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from machines.errors import ActionError
from machines.words import shown
from mk8s.commands import gather_facts
from transports.base import Command, Outcome

__all__ = ["Ask", "Facts", "gather", "parse_facts"]

Ask: TypeAlias = Callable[[Command], Awaitable[Outcome]]
DATA = PurePosixPath("/var/lib")  # where every distro keeps its data unless told otherwise
KIB = 1024

# What a host calls itself becomes an argument of commands that run on *other* hosts: never an option.
HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")

PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")  # it becomes part of configuration files

# `uname -m` -> the name that releases use; anything else is kept as it is
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

KEYS = (
    "hostname", "machine", "kernel", "os_id", "os_version", "boot_id", "init_started", "machine_id", "uid",
    "free_kib", "memory_kib", "systemd", "selinux", "usr_local", "lowers_oom", "cgroup", "resolv_conf",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """One host, as it was when it was asked. Sizes are bytes."""

    hostname: str
    arch: str  # amd64, arm64, or what `uname -m` says
    kernel: str
    os_id: str  # of os-release: debian, rhel, sles, ...; empty where there is none
    os_version: str
    boot_id: str  # the kernel's: another one after each boot of it; empty where it is not told
    machine_id: str
    uid: int  # 0: commands run as root
    free: int  # free space where the cluster's data will be
    memory: int
    systemd: bool  # it runs, and not only is installed
    selinux: str  # enforcing, permissive or disabled
    usr_local: str  # writable, read-only, or mount: a file system of its own
    lowers_oom: bool = True  # root may lower oom_score_adj (CAP_SYS_RESOURCE); not so in some containers
    cgroup: str = "v2"  # v1 or v2: what /sys/fs/cgroup is; v1 also for both side by side
    resolv_conf: str = "/etc/resolv.conf"  # a file with real name servers, not systemd-resolved's own stub
    init_started: str = ""  # when process 1 began, in the kernel's clock ticks; empty where it is not told

    @property
    def boot(self) -> str:
        """Which boot it is in; empty: nobody knows. What is in memory lasts as long as this stays the same.

        Containers share the boot id of their machine's kernel and keep it when they are restarted: what
        changes then is when their process 1 began (proc(5), `starttime`). That alone tells no boots of a
        machine apart: it is always the first tick or so.
        """
        return f"{self.boot_id}/{self.init_started}" if self.boot_id and self.init_started else self.boot_id

    @property
    def usr_local_writable(self) -> bool:
        """Whether programs may be installed there: writable, and not a mount that may be absent at boot."""
        return self.usr_local == "writable"


def parse_facts(text: str) -> Facts:
    """Read ``key=value`` lines. Unknown keys are ignored; raises ValueError for missing or odd ones."""
    found = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise ValueError(f"the answer lacks {', '.join(missing)}")
    return Facts(
        hostname=_name(found["hostname"]),
        arch=ARCHITECTURES.get(found["machine"], found["machine"]),
        kernel=found["kernel"],
        os_id=found["os_id"],
        os_version=found["os_version"],
        boot_id=found["boot_id"],
        machine_id=found["machine_id"],
        uid=_number("uid", found["uid"]),
        free=_number("free_kib", found["free_kib"]) * KIB,
        memory=_number("memory_kib", found["memory_kib"]) * KIB,
        systemd=found["systemd"] == "yes",
        selinux=found["selinux"],
        usr_local=found["usr_local"],
        lowers_oom=found["lowers_oom"] == "yes",
        cgroup=found["cgroup"],
        resolv_conf=_path(found["resolv_conf"]),
        init_started=found["init_started"] if _is_number(found["init_started"]) else "",
    )


async def gather(ask: Ask, node: str, space_at: PurePosixPath = DATA) -> Facts:
    """Ask a host, as root. `space_at` is where free space counts; it may be absent yet.

    Raises what `ask` raises, and ActionError (``facts``, ``exit``) for an answer that makes no sense.
    """
    command = gather_facts(space_at)
    outcome = await ask(command)
    if not outcome.ok:
        raise ActionError(
            f"exit.{outcome.status}",
            "exit",
            message=f"{node}: could not {command.description}: {outcome.complaint}",
        )
    try:
        return parse_facts(outcome.text)
    except ValueError as error:
        raise ActionError(
            "facts",
            "exit",
            message=f"{node}: what it says of itself cannot be read: {error}",
            remedy="does the login shell print something of its own? It must be silent when no one types",
        ) from error


def _name(text: str) -> str:
    if not HOST_NAME.fullmatch(text):
        raise ValueError(f"the hostname {shown(text)} is none: letters, digits, dots and dashes only")
    return text


def _path(text: str) -> str:
    if not PATH.fullmatch(text):
        raise ValueError(f"resolv_conf is {shown(text)}, not a path")
    return text


def _number(key: str, text: str) -> int:
    if not _is_number(text):
        raise ValueError(f"{key} is {shown(text)}, not a number")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
