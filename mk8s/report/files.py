"""Where a page, or another answer, is written to: whole or not at all, and never over what is not ours."""

from __future__ import annotations

import os
from pathlib import Path

from machines.framing import looks_framed
from mk8s.disks import refusals_explained
from mk8s.errors import UsageError

__all__ = ["write_page", "write_whole"]

MARK = b'<meta name="generator" content="mk8s '
LOOKED_AT = 64 << 10  # bytes; the mark stands behind the policy, near the beginning
OUT = "--out"


def write_page(path: Path, text: str, option: str = OUT) -> None:
    """Put a page there, in one move. Raises UsageError where that would cost a file, or cannot be.

    `option`: the one that named the file, for what a refusal says.
    """
    with refusals_explained(path, "written", {}, UsageError, _elsewhere(option)):
        _refuse_other(path, option)
        _put(path, text.encode())


def write_whole(path: Path, content: bytes, *, manifest: Path, option: str = OUT) -> None:
    """Put an answer there that is no page, over an older one too; never over a manifest or a run's journal.

    Raises UsageError.
    """
    with refusals_explained(path, "written", {}, UsageError, _elsewhere(option)):
        if path.exists() and path.samefile(manifest):
            raise UsageError(f"{path} is the manifest itself", remedy=_elsewhere(option))
        if path.is_file() and _is_of_a_real_run(path):
            raise UsageError(
                f"{path} is the journal of a real run",
                cause="without it no run can go on with its cluster",
                remedy=_elsewhere(option),
            )
        if path.exists() and not path.is_file():  # a device or a pipe; a folder refuses by itself
            path.write_bytes(content)
        else:
            _put(path, content)


def _is_of_a_real_run(path: Path) -> bool:
    """Its last header says when it was started by the wall clock, as that of no simulation does."""
    content = path.read_bytes()
    if not looks_framed(content):
        return False
    last = content.rpartition(b',"header":{')[2].partition(b"\n")[0]
    return b',"started":"' in last


def _elsewhere(option: str) -> str:
    return f"name another file with {option}"


def _put(path: Path, content: bytes) -> None:
    """In one move. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # left by a process of this number that was killed
    try:
        with temporary.open("xb") as file:  # x: no link that others put there is followed
            file.write(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_other(path: Path, option: str) -> None:
    if path.is_dir():
        remedy = f"name a file in it: {option} {path / 'report.html'}"
        raise UsageError(f"{path} is a folder", remedy=remedy)
    if not os.path.lexists(path):
        return
    if not path.is_file() or not _is_ours(path):
        raise UsageError(
            f"{path} is there already, and is no page of mk8s",
            remedy=f"{_elsewhere(option)}, or remove it first; pages of mk8s are overwritten",
        )


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return MARK in file.read(LOOKED_AT) or path.stat().st_size == 0
