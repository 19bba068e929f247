"""The files of a modelled host: names, hashes, modes and the space they take.

It answers as a file system does, with `OSError`. Modelled: whole files, folders with modes, free
space, and beginnings of files, whose content is known by the hash of the whole that they belong to.
Not modelled: links, open files, permissions (whoever comes in may become root), file times.
"""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from transports.simulated.paths import lineage, parent, path_of

__all__ = ["STANDARD_FOLDERS", "SimulatedDisk", "SimulatedFile", "modelled_digest"]

ORDINARY = (
    "/etc/default /etc/sysctl.d /dev/shm /etc/systemd/system /home /opt /root /run /tmp /usr/bin "
    "/usr/lib/systemd/system /usr/local/bin /usr/local/lib /usr/local/share /var/lib /var/log /var/tmp"
)
SPECIAL = {"root": 0o700, "tmp": 0o1777, "shm": 0o1777}  # by last name; all others are 0755
STANDARD_FOLDERS = {
    folder: SPECIAL.get(folder.name, 0o755) for path in ORDINARY.split() for folder in lineage(path_of(path))
}
"""What every host has. Shared by all of them, so that a large simulation stays small."""

IN_MEMORY = (PurePosixPath("/", "tmp"), PurePosixPath("/run"), PurePosixPath("/dev", "shm"))
"""Folders that a reboot empties."""


@dataclass(slots=True)
class SimulatedFile:
    """A whole file. `content` is None for one that was uploaded from disk: then only its hash is known."""

    sha256: str  # 64 hex digits
    size: int  # bytes
    mode: int
    owner: str
    content: bytes | None
    whole: str = ""  # of a beginning that grows: the sha256 of the file that it will be


@lru_cache(1 << 13)
def modelled_digest(whole: str, start: int, size: int) -> str:
    """The hash of a range of a file that is known by its sha256 alone. The same question, the same answer."""
    return hashlib.sha256(f"{whole}/{start}/{size}".encode()).hexdigest()


@lru_cache(1 << 10)
def _known(content: bytes) -> tuple[bytes, str]:
    """A content and its sha256, once for all hosts that have it: most files are on all of them."""
    return content, hashlib.sha256(content).hexdigest()


class SimulatedDisk:
    """One file system. `files` and `folders` may be read and changed directly by models and tests."""

    def __init__(self, free: int) -> None:
        self.room = free  # bytes that files made here may take in all
        self.files: dict[PurePosixPath, SimulatedFile] = {}
        self.folders: dict[PurePosixPath, int] = {}  # beside STANDARD_FOLDERS: path -> mode

    @property
    def free(self) -> int:
        """Free bytes; never less than zero."""
        return max(0, self.room - sum([file.size for file in self.files.values()]))

    def is_folder(self, path: PurePosixPath) -> bool:
        return path in STANDARD_FOLDERS or path in self.folders

    def exists(self, path: PurePosixPath) -> bool:
        return path in self.files or self.is_folder(path)

    def files_in(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """The files that lie in a folder itself, in the order in which they came."""
        return [path for path in self.files if parent(path) == folder]

    def mode(self, path: PurePosixPath) -> int:
        """The mode of a file or folder. Raises FileNotFoundError."""
        if path in self.files:
            return self.files[path].mode
        found = self.folders.get(path, STANDARD_FOLDERS.get(path))
        if found is None:
            raise _error(errno.ENOENT, path)
        return found

    def read(self, path: PurePosixPath) -> bytes:
        """The content. Raises OSError; asking for content that is known by its hash alone is a bug."""
        file = self.files.get(path)
        if file is None:
            raise _error(errno.EISDIR if self.is_folder(path) else errno.ENOENT, path)
        content = file.content
        if content is None:
            raise AssertionError(f"{path}: the model knows this file's hash, not its content")
        return content

    def write(self, path: PurePosixPath, content: bytes, *, mode: int = 0o644, owner: str = "root") -> None:
        """Write a file whose content is known. Raises OSError."""
        kept, digest = _known(content)
        self.place(path, SimulatedFile(digest, len(kept), mode, owner, kept))

    def place(self, path: PurePosixPath, file: SimulatedFile) -> None:
        """Put a whole file in its place, as a write and a move do: the old one takes room until then.

        Raises OSError: no such folder, the target is a folder, no space left.
        """
        folder = parent(path)
        if not self.is_folder(folder):
            raise _error(errno.ENOTDIR if folder in self.files else errno.ENOENT, path)
        if self.is_folder(path):
            raise _error(errno.EISDIR, path)
        if file.size > self.free:
            raise _error(errno.ENOSPC, path)
        self.files[path] = file

    def grow(self, path: PurePosixPath, whole: str, start: int, size: int) -> None:
        """Let a file begin with `start` bytes of what it holds and `size` bytes of another, and end there.

        Raises OSError, with the disk full to the last byte where there is no room; EINVAL where it holds
        fewer than `start` bytes.
        """
        old = self.files.get(path)
        if start == 0 or old is None:
            if start:
                raise _error(errno.EINVAL, path)
            self.files.pop(path, None)
            self.place(
                path, old := SimulatedFile(modelled_digest(whole, 0, 0), 0, 0o600, "root", None, whole)
            )
        if old.size < start:
            raise _error(errno.EINVAL, path)
        old.size = start
        fits = min(size, self.free)
        old.size = start + fits
        old.whole = whole if whole == old.whole else modelled_digest(f"{old.whole} and {whole}", 0, start)
        old.sha256 = modelled_digest(old.whole, 0, old.size)
        if fits < size:
            raise _error(errno.ENOSPC, path)

    def make_folder(self, path: PurePosixPath, mode: int = 0o755) -> None:
        """Make a folder and those above it. One that is there keeps its mode. Raises OSError."""
        if self.is_folder(path):
            return
        for folder in lineage(path):
            if self.is_folder(folder):
                continue
            if folder in self.files:
                raise _error(errno.EEXIST if folder == path else errno.ENOTDIR, folder)
            self.folders[folder] = mode if folder == path else 0o755

    def set_mode(self, path: PurePosixPath, mode: int) -> None:
        """Change a file's or folder's mode. Raises FileNotFoundError."""
        if path in self.files:
            self.files[path].mode = mode
        elif self.is_folder(path):
            self.folders[path] = mode
        else:
            raise _error(errno.ENOENT, path)

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file, or a folder with all that is in it. What is not there is fine."""
        below = f"{str(path).rstrip('/')}/"
        for known in (self.files, self.folders):
            for gone in [other for other in known if f"{other}/".startswith(below)]:
                del known[gone]

    def forget_memory(self) -> None:
        """What a reboot does: folders that are kept in memory are empty again."""
        for path in IN_MEMORY:
            mode = self.folders.get(path)
            self.remove(path)
            if mode is not None:
                self.folders[path] = mode


def _error(number: int, path: PurePosixPath) -> OSError:
    return OSError(number, os.strerror(number), str(path))
