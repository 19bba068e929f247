"""Files and folders of downloads, handled so that no link is followed and nothing is half there.

Every refusal of the system becomes a CacheError with a remedy. Nothing here knows what the files hold.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from mk8s.disks import Write, refusals_explained, sync_folder, write_all
from mk8s.errors import ExitCode, Mk8sError

__all__ = [
    "PRIVATE_FILE",
    "CacheError",
    "LockedError",
    "Write",
    "bring",
    "digest_without_links",
    "explained",
    "free_bytes",
    "in_one_step",
    "lock",
    "lock_folder",
    "make_private",
    "no_links",
    "sync_folder",
    "write_all",
    "write_small",
]

PRIVATE_FOLDER, PRIVATE_FILE, READABLE = 0o700, 0o600, 0o644
NEW = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
CHUNK = 1 << 20  # bytes read at once
CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)

REMEDIES = {
    errno.ENOSPC: "free some space there, then do the same again: what has arrived is kept",
    errno.EDQUOT: "your quota there is used up: free some space, then do the same again",
    errno.EROFS: "the disk is read-only: name another folder (XDG_CACHE_HOME is the cache's)",
    errno.EACCES: "it must belong to you; another cache is named by XDG_CACHE_HOME, none by --no-cache",
    errno.EPERM: "it must belong to you; another cache is named by XDG_CACHE_HOME, none by --no-cache",
    errno.ELOOP: "a link stands there, and none is followed: remove it",
}


class CacheError(Mk8sError):
    """The cache or a file beside it cannot be used: a full disk, somebody else's folder."""

    exit_code = ExitCode.MANIFEST_NEEDS_YOU


def digest_without_links(path: Path) -> tuple[str, int]:
    """The sha256 and the size of an ordinary file; raises OSError, for a link and a pipe too. Slow."""
    with open(path, "rb", opener=no_links) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not an ordinary file", str(path))
        return hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()


class LockedError(Mk8sError):
    """Another mk8s works on the same folder."""

    exit_code = ExitCode.LOCKED


def bring(source: Path, sha256: str, target: Path) -> None:
    """Let `target` be the content of `source`, in one step; a link at `target` is replaced, not followed.

    Hard-linked where that can be, else copied and the copy hashed. Slow. Raises CacheError.
    """
    with in_one_step(target) as temporary:
        _link_or_copy(source, sha256, temporary)


@contextmanager
def in_one_step(target: Path) -> Iterator[Path]:
    """A file to fill, which then takes the name `target`, durably; removed where filling it fails.

    Its content must be durable when the block ends. Raises CacheError where the system refuses.
    """
    temporary = target.with_name(f".{target.name[:200]}.{token_hex(8)}.tmp")
    with explained(target, "written"):
        try:
            yield temporary
            temporary.replace(target)
            sync_folder(target.parent)
        except BaseException:
            with suppress(OSError):  # what failed first is told
                temporary.unlink(missing_ok=True)
            raise


def free_bytes(folder: Path) -> int:
    """Room on a folder's disk for who is not root."""
    return shutil.disk_usage(folder).free


def explained(path: Path, what: str) -> AbstractContextManager[None]:
    """Turn the system's refusals into problems with a remedy."""
    return refusals_explained(path, what, REMEDIES, CacheError)


def _link_or_copy(source: Path, sha256: str, temporary: Path) -> None:
    try:
        os.link(source, temporary, follow_symlinks=False)
    except OSError as error:
        if error.errno not in CANNOT_LINK:
            raise
        _copy(source, sha256, temporary)


def _copy(source: Path, sha256: str, temporary: Path) -> None:
    descriptor = os.open(temporary, NEW | os.O_RDWR, READABLE)
    with os.fdopen(descriptor, "w+b") as copy, open(source, "rb", opener=no_links) as stream:
        shutil.copyfileobj(stream, copy, CHUNK)
        copy.flush()
        os.fsync(descriptor)
        copy.seek(0)
        if hashlib.file_digest(copy, "sha256").hexdigest() != sha256:
            raise OSError(errno.EIO, "the copy is not what was copied")


def make_private(folder: Path) -> None:
    """Make a folder for its owner alone, or trust the one that is there."""
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.ELOOP, "a link or a file stands there")
    if found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"it belongs to user {found.st_uid}")
    folder.chmod(PRIVATE_FOLDER)


def lock(path: Path) -> int | None:
    """The descriptor of a file that is locked for us; None: another process has the lock."""
    with explained(path, "locked"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
    return descriptor


@contextmanager
def lock_folder(folder: Path, otherwise: str) -> Iterator[None]:
    """Hold a folder's lock, so that no other mk8s changes it meanwhile. Raises Mk8sError with `otherwise`."""
    with explained(folder, "locked"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(
                f"{folder}: {otherwise}", remedy="wait for it, then do the same again"
            ) from error
        yield
    finally:
        os.close(descriptor)


def write_small(path: Path, content: bytes, write: Write = os.write) -> None:
    """Put a small file there, in one move, durable when this returns. Raises CacheError."""
    with in_one_step(path) as temporary:
        descriptor = os.open(temporary, NEW | os.O_WRONLY, READABLE)
        try:
            write_all(descriptor, content, write)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def no_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
