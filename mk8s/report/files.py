"""Where a page is written to. A file that is not a page of ours is never overwritten."""

from __future__ import annotations

import os
from pathlib import Path

from mk8s.disks import refusals_explained
from mk8s.errors import UsageError

__all__ = ["write_page"]

MARK = b'<meta name="generator" content="mk8s '
LOOKED_AT = 64 << 10  # bytes; the mark stands behind the policy, near the beginning


def write_page(path: Path, text: str) -> None:
    """Put a page there, in one move. Raises UsageError where that would cost a file, or cannot be."""
    with refusals_explained(path, "written", {}, UsageError, "name another file with --out"):
        _refuse_other(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _refuse_other(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder", remedy=f"name a file in it: --out {path / 'report.html'}")
    if not os.path.lexists(path):
        return
    if not path.is_file() or not _is_ours(path):
        raise UsageError(
            f"{path} is there already, and is no page of mk8s",
            remedy="name another file with --out, or remove it first; pages of mk8s are overwritten",
        )


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return MARK in file.read(LOOKED_AT) or path.stat().st_size == 0
