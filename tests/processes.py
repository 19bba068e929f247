"""Other processes of this machine, as /proc shows them (proc(5)); Linux only.

A process may end at any moment: before its file is opened (ENOENT) and, what is easily forgotten, between
open and read (ESRCH). Here both are one answer: there is nothing to read.
"""

from __future__ import annotations

from pathlib import Path


def read_of(pid: int, name: str) -> bytes:
    """A file of /proc/PID; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def name_of(pid: int) -> str:
    return read_of(pid, "comm").decode().strip()


def children(pid: int) -> list[int]:
    """What any of its threads has started; of a process that is gone, nothing."""
    return [int(word) for thread in _threads(pid) for word in read_of(pid, f"task/{thread}/children").split()]


def descendants(pid: int) -> list[int]:
    found = children(pid)
    return [*found, *(below for child in found for below in descendants(child))]


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    return state_of(pid) not in ("", "Z", "X")


def state_of(pid: int) -> str:
    """The letter of its state, such as "S", "T" (stopped) or "Z"; empty when it is gone."""
    status = read_of(pid, "stat").decode(errors="replace")
    return status.rsplit(")", 1)[1].split()[0] if status else ""


def _threads(pid: int) -> list[str]:
    try:
        return [path.name for path in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []
