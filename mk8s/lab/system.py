"""System calls that Python 3.11 does not have; only the child that becomes a host uses them.

Each raises OSError naming the call. The numbers are those of linux/mount.h, linux/sched.h and asm/unistd.h.
Standard library only: `boot` runs with nothing else.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

__all__ = [
    "ALL_NAMESPACES",
    "BIND",
    "NODEV",
    "NOEXEC",
    "NOSUID",
    "PRIVATE",
    "READ_ONLY",
    "RECURSIVE",
    "REMOUNT",
    "SHARED",
    "mount",
    "pivot_root_here",
    "set_host_name",
    "unshare",
]

READ_ONLY, NOSUID, NODEV, NOEXEC, REMOUNT = 1, 2, 4, 8, 32
BIND, RECURSIVE = 1 << 12, 1 << 14
PRIVATE, SHARED = 1 << 18, 1 << 20
_DETACH = 2
# mount, cgroup, uts, ipc, process and network; not user: the hosts' root is the machine's root
ALL_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def mount(
    source: str | Path | None,
    target: str | Path,
    kind: str | None = None,
    flags: int = 0,
    data: str | None = None,
) -> None:
    """mount(2)."""
    words = (_bytes(source), _bytes(target), _bytes(kind), ctypes.c_ulong(flags), _bytes(data))
    _checked(_libc.mount(*words), f"mount {source or kind or ''} on {target}")


def unshare(namespaces: int) -> None:
    """unshare(2): the process namespace is entered by the next child, the others at once."""
    _checked(_libc.unshare(namespaces), "unshare")


def pivot_root_here() -> None:
    """Make the working folder the root, and let go of the old root (pivot_root(2), last example)."""
    number = _PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise OSError(f"pivot_root: its number on {platform.machine()} is not known here")
    _checked(_libc.syscall(number, b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _DETACH), "umount of the outer root")
    os.chdir("/")


def set_host_name(name: str) -> None:
    """sethostname(2)."""
    _checked(_libc.sethostname(name.encode(), len(name.encode())), "sethostname")


def _bytes(value: str | Path | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def _checked(result: int, what: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
