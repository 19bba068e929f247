"""Writing on this machine: a whole file (beside the target, hashed on the way, synced, renamed), or a piece.

The part of a whole file is removed whatever happens but the death of this process; a file that grows by
pieces keeps what arrived. The work is done in a worker thread; a cancelled write stops at the next chunk.

This module knows no processes and no shell. Begin reading at `write_file`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import anyio
import anyio.from_thread
import anyio.to_thread

from transports.appending import not_our_file, too_short, wrong_piece
from transports.base import OnProgress, Piece, Source, TransportError
from transports.files import disk_full, not_whole, open_source, part_of
from transports.pace import Pace

__all__ = ["append_piece", "write_file"]

CHUNK = 1 << 20  # bytes
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
FLAGS = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Care:
    """What a thread that copies looks at on the way."""

    stop: threading.Event
    told: Told
    pace: Pace | None


async def write_file(
    name: str,
    source: Source,
    target: PurePosixPath,
    *,
    mode: int,
    owner: str | None,
    on_progress: OnProgress | None = None,
    pace: Pace | None = None,
) -> None:
    """See `Transport.put`; `name` is the node's, for messages."""

    def told(done: int) -> None:
        if on_progress is not None:
            anyio.from_thread.run_sync(on_progress, done, source.size)

    stop = threading.Event()
    await stoppable(partial(write, name, source, Path(target), mode, owner, Care(stop, told, pace)), stop)


async def append_piece(
    name: str,
    piece: Piece,
    part: PurePosixPath,
    *,
    on_progress: OnProgress | None = None,
    pace: Pace | None = None,
) -> None:
    """See `Transport.append`; `name` is the node's, for messages."""

    def told(done: int) -> None:
        if on_progress is not None:
            anyio.from_thread.run_sync(on_progress, done, piece.size)

    stop = threading.Event()
    await stoppable(partial(append, name, piece, Path(part), Care(stop, told, pace)), stop)


async def stoppable(work: Callable[[], None], stop: threading.Event) -> None:
    """Do the work in a thread that looks at `stop`, and end it there when we are cancelled."""
    problems: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_thread, work, problems, tasks.cancel_scope)
        try:
            await anyio.sleep_forever()
        finally:
            stop.set()
    if problems:
        raise problems.pop()


async def in_thread(work: Callable[[], None], problems: list[Exception], scope: anyio.CancelScope) -> None:
    """Do the work in a thread that is never left behind; end the scope when it is done."""
    try:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(work)
    except Exception as problem:  # raised by the caller: here it would be wrapped in a group
        problems.append(problem)
    scope.cancel()


def write(
    name: str,
    source: Source,
    target: Path,
    mode: int,
    owner: str | None,
    care: Care,
) -> None:
    """The whole work, blocking. Stops without a word where it is told to."""
    part = Path(part_of(PurePosixPath(target)))
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        if fill(name, source, target, part, care):
            give(part, owner)
            part.chmod(mode)
            part.replace(target)
            sync_folder(target.parent)
    except (OSError, LookupError) as error:
        raise refused(name, source, target, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def fill(name: str, source: Source, target: Path, part: Path, care: Care) -> bool:
    """Write and sync the content. False where it was told to stop; raises ``integrity``."""
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb", buffering=0) as stream, open_source(source) as reader:
        digest = copy(reader, stream, source.size + 1, care)
        if care.stop.is_set():
            return False
        if digest != source.sha256:
            raise not_whole(name, source, PurePosixPath(target), str(stream.tell()))
        os.fsync(stream.fileno())
    return True


def append(name: str, piece: Piece, part: Path, care: Care) -> None:
    """Write the piece behind what is there, blocking. Stops without a word where it is told to."""
    try:
        with open_part(name, piece, part) as stream, open_source(piece) as reader:
            stream.truncate(piece.start)
            stream.seek(piece.start)
            digest = copy(reader, stream, piece.size, care)
            arrived = stream.tell()
            if care.stop.is_set() or digest == piece.sha256:
                return
            if arrived == piece.start + piece.size:  # else what is there may be its beginning
                stream.truncate(piece.start)
            raise wrong_piece(name, piece, PurePosixPath(part), str(arrived))
    except OSError as error:
        raise refused(name, piece, part, error) from error


def open_part(name: str, piece: Piece, part: Path) -> BinaryIO:
    """The part, made anew for its first piece. Raises ``integrity`` where it is too short; OSError."""
    if part.is_symlink() or (part.exists() and not is_ours(part.stat())):
        raise not_our_file(name, PurePosixPath(part))
    if piece.start == 0:
        part.unlink(missing_ok=True)
        return os.fdopen(os.open(part, FLAGS | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
    try:
        stream = os.fdopen(os.open(part, FLAGS), "wb", buffering=0)
    except FileNotFoundError:
        raise too_short(name, piece, PurePosixPath(part), "0") from None
    there = os.fstat(stream.fileno())
    if is_ours(there) and there.st_size >= piece.start:
        return stream
    stream.close()
    raise too_short(name, piece, PurePosixPath(part), str(there.st_size))


def is_ours(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()


def copy(reader: BinaryIO, stream: BinaryIO, size: int, care: Care) -> str:
    """Copy up to `size` bytes; the hash of what was copied."""
    digest = hashlib.sha256()
    most = min(CHUNK, care.pace.share) if care.pace else CHUNK
    done = 0
    while not care.stop.is_set() and (chunk := reader.read(min(most, size - done))):
        if care.pace is not None and care.stop.wait(care.pace.delay(len(chunk))):
            break
        digest.update(chunk)
        write_all(stream, chunk)
        done += len(chunk)
        care.told(done)
    return digest.hexdigest()


def write_all(stream: BinaryIO, chunk: bytes) -> None:
    """A full disk takes a part first and fails the next time."""
    view = memoryview(chunk)
    while view:
        view = view[stream.write(view) :]


def give(path: Path, owner: str | None) -> None:
    """Hand a file to `user`, `user:group` or `:group`."""
    if not owner:
        return
    user, _, group = owner.partition(":")
    if user and group:
        shutil.chown(path, user, group)
    elif user:
        shutil.chown(path, user)
    else:
        shutil.chown(path, group=group)


def sync_folder(folder: Path) -> None:
    """Make the new name durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refused(name: str, source: Source | Piece, target: Path, error: Exception) -> TransportError:
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return disk_full(name, source.size, PurePosixPath(target), free_bytes(target.parent))
    words = error.strerror if isinstance(error, OSError) else str(error)
    return TransportError(
        "exit",
        message=f"{name}: cannot write {target}: {words}",
        remedy="check that the folder exists and that the user may write there",
    )


def free_bytes(folder: Path) -> int | None:
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    return status.f_bavail * status.f_frsize
