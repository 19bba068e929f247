"""How the answers of `mk8s.commands` are read. Pure: an outcome in, a value out.

A reader expects an outcome with exit status 0; the executor has seen to that. An answer that came cut
raises ValueError: it is never taken for another answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from transports.base import Outcome

__all__ = ["FileState", "UnitState", "read_digest", "read_file_state", "read_free_space", "read_unit"]

ABSENT = "absent"
KIB = 1024
HEX_DIGITS = 64  # of a sha256


@dataclass(frozen=True, slots=True)
class FileState:
    """A file on a node."""

    sha256: str  # 64 hex digits
    mode: int
    owner: str


@dataclass(frozen=True, slots=True)
class UnitState:
    """A unit as systemd shows it."""

    load: str  # loaded, not-found, masked, ...
    active: str  # inactive, activating, active, deactivating, failed
    sub: str  # running, start, auto-restart, dead, ...
    result: str  # success, exit-code, exec-condition, ...
    restarts: int
    pid: int  # 0: no process
    file: str  # enabled, disabled, ... ; empty: no unit file

    @property
    def is_crashing(self) -> bool:
        """It failed and systemd is about to start it again."""
        return self.sub == "auto-restart"


def read_digest(outcome: Outcome) -> str | None:
    """What `file_digest` says: 64 hex digits, or None when the file is not there. Raises ValueError."""
    return None if outcome.text == ABSENT else _digest(outcome.text)


def read_file_state(outcome: Outcome) -> FileState | None:
    """What `file_state` says; None when the file is not there. Raises ValueError."""
    if outcome.text == ABSENT:
        return None
    digest, mode, owner = outcome.text.split()
    return FileState(_digest(digest), int(mode, 8), owner)


def read_free_space(outcome: Outcome) -> int:
    """What `free_space` says, in bytes. Raises ValueError."""
    return int(_whole(outcome)) * KIB


def read_unit(outcome: Outcome) -> UnitState:
    """What `unit_show` says. Old versions of systemd leave lines out: those read as empty or 0.

    Raises ValueError.
    """
    found = dict(line.partition("=")[::2] for line in _whole(outcome).splitlines())
    return UnitState(
        load=found.get("LoadState", ""),
        active=found.get("ActiveState", ""),
        sub=found.get("SubState", ""),
        result=found.get("Result", ""),
        restarts=_number(found.get("NRestarts", "")),
        pid=_number(found.get("MainPID", "")),
        file=found.get("UnitFileState", ""),
    )


def _digest(text: str) -> str:
    if len(text) != HEX_DIGITS or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"{text!r} is no sha256")
    return text


def _whole(outcome: Outcome) -> str:
    if outcome.truncated:
        raise ValueError(f"the answer came cut: {outcome.text!r}")
    return outcome.text


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
