"""Writing a whole file on this machine: beside the target, hashed on the way, synced, renamed.

The part is removed whatever happens but the death of this process. The work is done in a worker thread;
a cancelled write stops at the next piece.

This module knows no processes and no shell. Begin reading at `write_file`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import anyio
import anyio.from_thread
import anyio.to_thread

from transports.base import OnProgress, Source, TransportError
from transports.files import disk_full, not_whole, open_source, part_of

__all__ = ["write_file"]

CHUNK = 1 << 20  # bytes
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

Told = Callable[[int], None]


async def write_file(
    name: str,
    source: Source,
    target: PurePosixPath,
    *,
    mode: int,
    owner: str | None,
    on_progress: OnProgress | None = None,
) -> None:
    """See `Transport.put`; `name` is the node's, for messages."""

    def told(done: int) -> None:
        if on_progress is not None:
            anyio.from_thread.run_sync(on_progress, done, source.size)

    stop = threading.Event()
    work = partial(write, name, source, Path(target), mode, owner, stop, told)
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
    stop: threading.Event,
    told: Told,
) -> None:
    """The whole work, blocking. Stops without a word where it is told to."""
    part = Path(part_of(PurePosixPath(target)))
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        if fill(name, source, target, part, stop, told):
            give(part, owner)
            part.chmod(mode)
            part.replace(target)
            sync_folder(target.parent)
    except (OSError, LookupError) as error:
        raise refused(name, source, target, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def fill(name: str, source: Source, target: Path, part: Path, stop: threading.Event, told: Told) -> bool:
    """Write and sync the content. False where it was told to stop; raises ``integrity``."""
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb", buffering=0) as stream, open_source(source) as reader:
        digest = copy(reader, stream, stop, told)
        if stop.is_set():
            return False
        if digest != source.sha256:
            raise not_whole(name, source, PurePosixPath(target), str(stream.tell()))
        os.fsync(stream.fileno())
    return True


def copy(reader: BinaryIO, stream: BinaryIO, stop: threading.Event, told: Told) -> str:
    digest = hashlib.sha256()
    done = 0
    while not stop.is_set() and (chunk := reader.read(CHUNK)):
        digest.update(chunk)
        write_all(stream, chunk)
        done += len(chunk)
        told(done)
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


def refused(name: str, source: Source, target: Path, error: Exception) -> TransportError:
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
