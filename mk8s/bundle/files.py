"""Large files that appear whole or not at all.

A file grows as ``.NAME.part`` beside its place, held by a lock, and is moved at the end. What a killed
mk8s left behind is taken over by the next one, so nothing gathers.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mk8s.amounts import bytes_in_words
from mk8s.bundle.index import BundleError
from mk8s.disks import refusals_explained, sync_folder

__all__ = ["explained", "growing", "open_plain", "part_of", "refuse_full_disk", "sync_disk"]

REMEDIES = {
    errno.ENOSPC: "free some space on that disk, or name another place; then repeat",
    errno.EDQUOT: "your quota on that disk is used up: free some space, then repeat",
    errno.EFBIG: "the disk's format has no files so large: `mk8s bundle split` makes smaller ones",
    errno.EROFS: "the disk is read-only: name another place",
    errno.EACCES: "look at its owner and permissions, or name another place",
    errno.EPERM: "look at its owner and permissions, or name another place",
    errno.ENOENT: "look at the path",
    errno.ENOTDIR: "a part of this path is a file: name another place",
    errno.EISDIR: "it is a folder: name a file",
    errno.EIO: "the medium may be damaged: try another",
}


def explained(path: Path, what: str) -> AbstractContextManager[None]:
    """Turn the system's refusals into problems with a remedy."""
    return refusals_explained(
        path, what, REMEDIES, BundleError, "look at the disk, and at the owner of the folder"
    )


def part_of(path: Path) -> Path:
    """Where a file grows."""
    return path.with_name(f".{path.name[:200]}.part")


def open_plain(path: Path) -> BinaryIO:
    """An ordinary file for reading; no waiting for a writer should it be a pipe. Raises BundleError."""
    with explained(path, "read"):
        stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise BundleError(f"{path} is not an ordinary file", remedy="name the file itself")
    return stream


def refuse_full_disk(folder: Path, size: int, what: str) -> None:
    """Raises BundleError where so many more bytes do not fit. A folder that is not there: its parent."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    with explained(place, "read"):
        found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    if size > free:
        raise BundleError(
            f"{folder} has no room for {what}: {bytes_in_words(size)} are needed, "
            f"and {bytes_in_words(free)} are free",
            remedy=REMEDIES[errno.ENOSPC],
        )


@contextmanager
def growing(path: Path, size: int, *, resume: bool = False) -> Iterator[BinaryIO]:
    """The file that will be `path` once this ends well, empty; with `resume` what is there of it already.

    Room for `size` bytes is checked first. Otherwise what was written goes away, with `resume` it stays.
    Raises BundleError for the disk's refusals and where another mk8s writes the same file.
    """
    part = part_of(path)
    with explained(path, "written"):
        stream = _locked(part)
        try:
            if not resume:
                stream.truncate(0)
            refuse_full_disk(path.parent, size - os.fstat(stream.fileno()).st_size, path.name)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            part.replace(path)
            sync_folder(path.parent)
        except BaseException:
            if not resume:
                part.unlink(missing_ok=True)
            raise
        finally:
            _close(stream)


def sync_disk(folder: Path) -> None:
    """Make all that was written to the folder's file system durable: one call for thousands of files.

    Raises OSError for what the disk could not take after all.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
        elif syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(descriptor)


def _locked(part: Path) -> BinaryIO:
    """The part, opened and ours alone. One that was moved away before we had the lock is not it."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        stream = os.fdopen(os.open(part, flags, 0o644), "r+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.close()
            raise BundleError(
                f"{part} is being written by another mk8s", remedy="wait for it, or name another file"
            ) from error
        if _is_at(stream, part):
            return stream
        stream.close()


def _is_at(stream: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _close(stream: BinaryIO) -> None:
    """Close; what a full disk refuses once more in the last flush was told already."""
    with suppress(OSError):
        stream.close()
