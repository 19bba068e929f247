"""Where a page, or another answer, is written to: whole or not at all, and never over what is not ours.

What a run needs to go on (`refuse_needed`) is held, whatever option names it. Long work asks before it begins
whether its answer can be written at all (`refuse_page`, `refuse_whole`). Begin reading at `write_whole`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

from machines.framing import JournalDamaged, looks_framed, parse
from mk8s.disks import Write, refusals_explained, sync_folder, write_all
from mk8s.errors import UsageError
from mk8s.identity import is_simulated
from mk8s.state_names import keeper_of

__all__ = ["refuse_needed", "refuse_page", "refuse_whole", "write_new", "write_page", "write_whole"]

MARK = b'<meta name="generator" content="mk8s '
Link: TypeAlias = Callable[[Path, Path], None]
"""os.link, or what a test puts in its place to bring a file system without links."""
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # what link(2) says where there are none: FAT, FUSE
LINE_BEGINS = 16  # bytes, enough to tell a journal from a file of gigabytes
LETTERS = 50  # of a name, where each takes up to four bytes: 255 is the most that a folder takes
LOOKED_AT = 64 << 10  # bytes; the mark stands behind the policy, near the beginning
OUT = "--out"


def write_page(path: Path, text: str, option: str = OUT) -> None:
    """Put a page there, in one move. Raises UsageError where that would cost a file, or cannot be.

    `option`: the one that named the file, for what a refusal says.
    """
    with _refusals(path, option):
        _refuse_other(path, option)
        _refuse_kept(path, option)
        _put(path, text.encode())


def refuse_page(path: Path, option: str = OUT) -> None:
    """Raises UsageError where `write_page` would, as far as that is seen before; leaves all as it is."""
    with _refusals(path, option):
        _refuse_other(path, option)
        _refuse_kept(path, option)
        _try(path)


def write_whole(
    path: Path, content: bytes, *, manifest: Path, option: str = OUT, write: Write = os.write
) -> None:
    """Put an answer there that is no page, over an older one too; never over what `refuse_needed` holds.

    Durable when this returns; whoever reads sees the old content or the new. Raises UsageError.
    """
    with _refusals(path, option):
        refuse_needed(path, manifest=manifest, option=option)
        if path.exists() and not path.is_file():  # a device or a pipe; a folder refuses by itself
            path.write_bytes(content)
        else:
            _put(path, content, write)


def refuse_whole(path: Path, *, manifest: Path, option: str = OUT) -> None:
    """Raises UsageError where `write_whole` would, as far as that is seen before; leaves all as it is."""
    with _refusals(path, option):
        refuse_needed(path, manifest=manifest, option=option)
        _try(path)


def write_new(
    path: Path, content: bytes, option: str, *, write: Write = os.write, link: Link = os.link
) -> None:
    """Put an answer where nothing stands: whole or not at all, and durable. Raises UsageError."""
    with _refusals(path, option):
        _refuse_kept(path, option)
        try:
            with _made_beside(path, content, write) as temporary:
                _name_new(temporary, path, link)
        except FileExistsError as error:
            raise UsageError(f"{path} is there already", remedy=_elsewhere(option)) from error
        sync_folder(path.parent)


def refuse_needed(path: Path, *, manifest: Path, option: str) -> None:
    """Raises UsageError for the manifest, a real run's journal, and whatever runs keep in a state folder.

    And for what cannot be looked at: nobody knows what it is.
    """
    with _refusals(path, option):
        if path.exists() and path.samefile(manifest):
            raise UsageError(f"{path} is the manifest itself", remedy=_elsewhere(option))
        if path.is_file() and (what := _journal(path)):
            cause = "without it no run can go on with its cluster"
            raise UsageError(f"{path} is {what}", cause=cause, remedy=_elsewhere(option))
        _refuse_kept(path, option)


def _refuse_kept(path: Path, option: str) -> None:
    folder = keeper_of(path)
    if folder is not None:
        raise UsageError(
            f"{path} is where runs keep what they need of a cluster",
            cause=f"{folder} is a state folder",
            remedy=_elsewhere(option),
        )


def _refusals(path: Path, option: str) -> AbstractContextManager[None]:
    return refusals_explained(path, "written", {}, UsageError, _elsewhere(option))


def _journal(path: Path) -> str:
    """Which journal it is that must stay; empty: a simulation went on with it last, or it is none."""
    with path.open("rb") as file:
        if not looks_framed(file.read(LINE_BEGINS)):
            return ""
        file.seek(0)
        content = file.read()
    try:
        headers = [record.header for record in parse(content, str(path)).records if record.header]
    except JournalDamaged:
        return "a journal that this mk8s cannot read, perhaps of a real run"
    return "the journal of a real run" if headers and not is_simulated(headers[-1]) else ""


def _elsewhere(option: str) -> str:
    return f"name another file with {option}"


def _put(path: Path, content: bytes, write: Write = os.write) -> None:
    """In one move, on the disk when it is there. Raises OSError."""
    with _made_beside(path, content, write) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)


def _name_new(temporary: Path, path: Path, link: Link) -> None:
    """Give a whole file its name, where nothing has it. Raises FileExistsError for whoever comes second."""
    try:
        link(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _take_name(temporary, path)


def _take_name(temporary: Path, path: Path) -> None:
    """The same in two moves. A kill between them leaves an empty file."""
    path.open("xb").close()
    try:
        temporary.replace(path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _made_beside(path: Path, content: bytes, write: Write) -> Iterator[Path]:
    """A whole file, on the disk, under a name that it loses again. Raises OSError."""
    with _beside(path) as temporary:
        with temporary.open("xb") as file:  # x: no link that others put there is followed
            write_all(file.fileno(), content, write)
            os.fsync(file.fileno())
        yield temporary


def _try(path: Path) -> None:
    """Raises OSError where nothing can be put there: tried beside it, where what is put there is made."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():  # a device or a pipe, which no trial leaves as it is
        return
    with _beside(path) as temporary:
        temporary.open("xb").close()


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """The name under which a file is made; nothing has it afterwards."""
    temporary = path.with_name(f".{path.name[:LETTERS]}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # left by a process of this number that was killed
    try:
        yield temporary
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
