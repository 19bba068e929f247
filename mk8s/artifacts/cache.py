"""Files kept by their content, and files that are on their way: shared by runs and by clusters.

``blobs/sha256/ab/<hash>`` are whole and read-only; ``partial/<key>.part`` grow, with what is known of
them in ``<key>.json``, so that a transfer that was cut goes on where it stopped.

Laws:

1. A blob gets its name in one step, after its content is durable and hashed. It is hashed again each time
   it is taken; one that differs is removed and told.
2. The folder is its owner's alone (0700). No link is followed in it.
3. Who writes a part holds its lock; the lock dies with the process.

This module knows no network and no cluster. Begin reading at `Cache`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mk8s.artifacts.filing import (
    PRIVATE_FILE,
    CacheError,
    Write,
    bring,
    digest_without_links,
    explained,
    lock,
    make_private,
    no_links,
    sync_folder,
    write_small,
)

__all__ = [
    "Blob",
    "Cache",
    "CacheError",
    "Known",
    "Part",
    "default_cache_folder",
    "explained",
    "link_or_copy",
    "sync_folder",
]

READ_ONLY = 0o444
CHUNK = 1 << 20  # bytes read at once
SYNC_EVERY = 32 << 20  # bytes; what a power loss can take of a part at the most
LARGEST_NOTE = 64 << 10  # bytes of a small JSON file
HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Blob:
    """A whole file of the cache. Its content was hashed when this was made."""

    path: Path
    sha256: str
    size: int  # bytes
    cached: bool = False  # it was in the cache already


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file on its way, from the server's first answer."""

    url: str
    etag: str = ""
    last_modified: str = ""
    size: int | None = None  # bytes of the whole file


def default_cache_folder(environment: Mapping[str, str]) -> Path:
    """``$XDG_CACHE_HOME/mk8s``, or ``~/.cache/mk8s``. Raises CacheError where there is no home."""
    given = environment.get("XDG_CACHE_HOME", "")
    if given.startswith("/"):
        return Path(given) / "mk8s"
    try:
        return Path.home() / ".cache" / "mk8s"
    except RuntimeError as error:
        raise CacheError("no folder for the cache is known", remedy="set HOME or XDG_CACHE_HOME") from error


class Part:
    """A file on its way, open and locked. Its bytes are hashed as they come."""

    def __init__(self, path: Path, note: Path, write: Write) -> None:
        self.path = path
        self.size = 0
        self._note = note
        self._write = write
        self._hash = hashlib.sha256()
        self._unsynced = 0
        with explained(path, "written"):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, PRIVATE_FILE)

    @property
    def known(self) -> Known | None:
        """What was known when it was begun; None: nothing that can be used."""
        try:
            with open(self._note, "rb", opener=no_links) as stream:
                document = json.loads(stream.read(LARGEST_NOTE))
            return Known(**document) if _fits(document) else None
        except (OSError, ValueError, TypeError):
            return None

    def recall(self, length: int | None = None) -> int:
        """Hash what is there already (the first `length` bytes; the rest is cut off). The bytes there are.

        Slow: it reads the file.
        """
        with explained(self.path, "read"):
            if length is not None and os.fstat(self._descriptor).st_size > length:
                os.ftruncate(self._descriptor, length)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            self._hash, self.size = hashlib.sha256(), 0
            while piece := os.read(self._descriptor, CHUNK):
                self._hash.update(piece)
                self.size += len(piece)
        return self.size

    def forget(self) -> None:
        """Be empty again: what is there is no beginning of what is wanted."""
        with explained(self.path, "written"):
            self._note.unlink(missing_ok=True)  # first this: never a note beside other bytes
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._hash, self.size, self._unsynced = hashlib.sha256(), 0, 0

    def begin(self, known: Known) -> None:
        """Start anew, with what the server says about the file now."""
        self.forget()
        with explained(self.path, "written"):
            write_small(self._note, json.dumps(asdict(known)).encode(), self._write)

    def add(self, piece: bytes) -> bool:
        """Append bytes. Whether it is time to `sync`. Raises CacheError when the disk is full."""
        rest = memoryview(piece)
        with explained(self.path, "written"):
            while rest:
                count = self._write(self._descriptor, rest)
                self._hash.update(rest[:count])
                self.size += count
                rest = rest[count:]
        self._unsynced += len(piece)
        return self._unsynced >= SYNC_EVERY

    def sync(self) -> None:
        """Make durable what is there. Slow."""
        with explained(self.path, "written"):
            os.fsync(self._descriptor)
        self._unsynced = 0

    def finish(self, path: Path) -> None:
        """Give the file its last name. It is read-only from then on."""
        self.path.replace(path)  # first this: a read-only part could not be taken up again
        os.fchmod(self._descriptor, READ_ONLY)
        self._note.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """The hash of what is there so far."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Let go of the file. Closing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(slots=True)
class Cache:
    """One cache folder, made and trusted. `open` makes it."""

    folder: Path
    say: Callable[[str], None]
    write: Write = field(default=os.write)

    @classmethod
    def open(cls, folder: Path, say: Callable[[str], None], write: Write = os.write) -> Cache:
        """Make the folder, or trust the one that is there. Raises CacheError."""
        with explained(folder, "made"):
            folder.parent.mkdir(parents=True, exist_ok=True)
            for place in (folder, folder / "blobs", folder / "blobs" / "sha256", folder / "partial"):
                make_private(place)
        return cls(folder, say, write)

    def path_of(self, sha256: str) -> Path:
        """Where the blob of that hash is or would be. Raises ValueError for what is no hash."""
        if len(sha256) != 64 or not HEX.issuperset(sha256):
            raise ValueError(f"{sha256!r} is no sha256")
        return self.folder / "blobs" / "sha256" / sha256[:2] / sha256

    def take(self, sha256: str) -> Blob | None:
        """The blob of that hash, hashed again; None: it is not here, or was damaged and is removed. Slow."""
        path = self.path_of(sha256)
        try:
            found, size = digest_without_links(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            found, size = f"unreadable: {error.strerror}", 0
        if found == sha256:
            return Blob(path, sha256, size, cached=True)
        self.say(f"{path} is damaged ({found[:40]}) and was removed; the file is fetched again")
        with explained(path, "removed"):
            path.unlink(missing_ok=True)
        return None

    @contextmanager
    def part(self, key: str) -> Iterator[Part | None]:
        """The part called `key` (hex), locked for us; None while another process has it."""
        base = self.folder / "partial" / key
        held = lock(base.with_suffix(".lock"))
        if held is None:
            yield None
            return
        try:
            with closing(Part(base.with_suffix(".part"), base.with_suffix(".json"), self.write)) as part:
                yield part
        finally:
            os.close(held)

    def begun(self, key: str) -> int:
        """Bytes that are there of the part called `key`."""
        try:
            return (self.folder / "partial" / f"{key}.part").lstat().st_size
        except OSError:
            return 0

    def keep(self, part: Part) -> Blob:
        """Make a whole part a blob: durable, read-only, named by its hash in one step. Slow.

        Whether its hash is the right one is the caller's to know.
        """
        part.sync()
        path, sha256 = self.path_of(part.sha256), part.sha256
        with explained(path, "written"):
            make_private(path.parent)
            part.finish(path)
            sync_folder(path.parent)
        return Blob(path, sha256, part.size)


def link_or_copy(blob: Blob, target: Path) -> None:
    """Let `target` be the blob's content, in one step. Slow. Raises CacheError."""
    bring(blob.path, blob.sha256, target)


def _fits(document: object) -> bool:
    """Whether a note is one of ours: anything else is as good as none."""
    if not isinstance(document, dict) or set(document) != {"url", "etag", "last_modified", "size"}:
        return False
    *words, size = document.values()
    return all(isinstance(word, str) for word in words) and (size is None or type(size) is int)
