"""The strict reader: it takes a stream for a bundle only as far as each byte is what the index says.

It believes nothing. README and the index come first and are small; from then on every header, size,
padding byte and hash is known beforehand, and the first that differs ends the reading. A stream is read
once, from its beginning to its end, and nothing is kept of it but one block.

It writes nothing; whoever does (`unpacking`) puts nothing in place before the reader has come to its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from mk8s.bundle.head import Head, read_note
from mk8s.bundle.index import (
    DELTA,
    FETCH_AGAIN,
    INDEX,
    LARGEST_INDEX,
    README,
    SIGNATURE,
    BundleError,
    Entry,
    digest_of,
    read_index,
)
from mk8s.bundle.tar import BLOCK, END, describe, header, padding, size_in

__all__ = ["CHUNK", "LARGEST_TEXT", "Readable", "Reader"]

CHUNK = 1 << 20
LARGEST_TEXT = 1 << 16  # of README and signature
Spent = Callable[[int], None]


class Readable(Protocol):
    """A stream of bytes, such as a file."""

    def read(self, size: int, /) -> bytes: ...


class Reader:
    """A bundle that is being read. `head` is there at once, read and verified; then `members`, once.

    `size` is that of the whole file, where it is known: then a bundle that is cut off, or has something
    behind it, is refused before its members are read. Raises BundleError throughout.
    """

    def __init__(
        self, stream: Readable, name: str, *, size: int | None = None, spent: Spent = lambda _: None
    ) -> None:
        self._stream = stream
        self._name = name
        self._spent = spent
        self._at = 0
        self._block = self._take(BLOCK, "the first header")
        self._readme = self._small(README, LARGEST_TEXT)
        self.head = self._read_head()
        self._refuse_size(size)

    def members(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Each member that the bundle carries, with its content in parts.

        A member's last part is handed out before its hash is known to be right: use it for nothing final
        before the next member comes, or the end.
        """
        first, *rest = self.head.carried
        yield first, iter((self._readme,))
        for entry in rest:
            self._expect(header(entry.path, entry.size, executable=entry.executable), entry.path)
            content = self._content(entry)
            yield entry, content
            for _ in content:  # what the caller did not want is verified all the same
                pass
            self._padding(entry.size, entry.path)
            self._block = self._take(BLOCK, f"what follows {entry.path}")
        self._expect_end()

    def verify(self) -> Head:
        """Read to the end and keep nothing."""
        for _ in self.members():
            pass
        return self.head

    def _read_head(self) -> Head:
        content = self._small(INDEX, LARGEST_INDEX)
        signature = self._small(SIGNATURE, LARGEST_TEXT) if self._is_next(SIGNATURE) else b""
        delta = self._small(DELTA, LARGEST_INDEX) if self._is_next(DELTA) else b""
        index = read_index(content)
        readme = index.entry(README)
        if readme is None or (readme.size, readme.sha256) != (len(self._readme), digest_of(self._readme)):
            raise self._refusal(f"{README} is not what the index says")
        return Head(content, index, signature, read_note(delta, index) if delta else None)

    def _small(self, path: str, limit: int) -> bytes:
        """A member whose size only its own header tells."""
        size = size_in(self._block)
        if size is None or self._block != header(path, size):
            raise self._unexpected(path)
        if size > limit:
            raise self._refusal(f"its {path} has {size} bytes, and {limit} are the most")
        content = self._take(size, path)
        self._padding(size, path)
        self._block = self._take(BLOCK, f"what follows {path}")
        return content

    def _is_next(self, path: str) -> bool:
        return self._block[: len(path) + 1] == path.encode() + b"\0"

    def _content(self, entry: Entry) -> Iterator[bytes]:
        hashed = hashlib.sha256()
        left = entry.size
        while left:
            part = self._take(min(left, CHUNK), entry.path)
            hashed.update(part)
            left -= len(part)
            yield part
        if hashed.hexdigest() != entry.sha256:
            raise self._refusal(
                f"{entry.path} is damaged: its sha256 is {hashed.hexdigest()[:12]}…, "
                f"and should be {entry.sha256[:12]}…"
            )

    def _expect(self, expected: bytes, path: str) -> None:
        if self._block != expected:
            raise self._unexpected(path)

    def _expect_end(self) -> None:
        if self._block + self._take(len(END) - BLOCK, "its end") != END:
            raise self._unexpected("its end")
        if self._stream.read(1):
            raise self._refusal("something stands behind its end")

    def _padding(self, size: int, path: str) -> None:
        if self._take(padding(size), path).strip(b"\0"):
            raise self._refusal(f"the space behind {path} is not empty")

    def _take(self, count: int, of: str) -> bytes:
        """Exactly so many bytes: the stream may hand them out in smaller parts."""
        parts = []
        left = count
        while left:
            part = self._stream.read(left)
            if not part:
                raise self._refusal(f"it is cut off at byte {self._at}, in {of}")
            parts.append(part)
            left -= len(part)
            self._at += len(part)
            self._spent(len(part))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _refuse_size(self, size: int | None) -> None:
        expected = self.head.file_size
        if size is not None and size < expected:
            raise self._refusal(f"it is cut off: it has {size} of {expected} bytes")
        if size is not None and size > expected:
            raise self._refusal(f"something stands behind its end: it has {size} bytes instead of {expected}")

    def _unexpected(self, path: str) -> BundleError:
        found = describe(self._block)
        return self._refusal(f"{path} should stand at byte {self._at - BLOCK}, and there is {found}")

    def _refusal(self, what: str) -> BundleError:
        return BundleError(
            f"{self._name}: {what}", cause="no bundle of mk8s looks like this", remedy=FETCH_AGAIN
        )
