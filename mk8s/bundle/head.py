"""What stands before a bundle's members, and what follows from it: which members come, and how many bytes.

A whole bundle carries every member of its index. A *delta* has the very same index and signature, and a
note that says which members it carries; the others are taken from the bundle that the note names. So what
is made of a delta and its base is the whole bundle, bit for bit, with a signature that holds.

Pure: it opens no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from mk8s.bundle.index import (
    DELTA,
    FETCH_AGAIN,
    INDEX,
    README,
    SIGNATURE,
    BundleError,
    Digest,
    Entry,
    Index,
    Word,
    digest_of,
)
from mk8s.bundle.tar import END, stored_size

__all__ = ["DeltaNote", "Head", "encode_note", "read_note"]


class DeltaNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a delta carries, and what it needs."""

    kind: Literal["mk8s-delta"] = "mk8s-delta"
    base: Digest  # of the base's index
    base_version: Word
    members: tuple[Word, ...]  # paths that are in this file


@dataclass(frozen=True, slots=True)
class Head:
    """The signed part of a bundle, and its signature."""

    content: bytes  # of the index, as it was signed
    index: Index
    signature: bytes = b""  # armoured; empty: not signed
    note: DeltaNote | None = None  # None: a whole bundle

    @property
    def digest(self) -> str:
        """The bundle's identity: the hash of its index. A delta has that of the whole bundle."""
        return digest_of(self.content)

    @property
    def carried(self) -> tuple[Entry, ...]:
        """The members that are in the file, in its order."""
        if self.note is None:
            return self.index.members
        here = set(self.note.members)
        return tuple(entry for entry in self.index.members if entry.path in here)

    @property
    def absent(self) -> tuple[Entry, ...]:
        """The members that the base has to give."""
        here = {entry.path for entry in self.carried}
        return tuple(entry for entry in self.index.members if entry.path not in here)

    @property
    def extras(self) -> Mapping[str, bytes]:
        """What stands between README and the other members, in order."""
        found = {INDEX: self.content}
        if self.signature:
            found[SIGNATURE] = self.signature
        if self.note:
            found[DELTA] = encode_note(self.note)
        return found

    @property
    def file_size(self) -> int:
        """Bytes of the whole file."""
        sizes = [entry.size for entry in self.carried] + [len(content) for content in self.extras.values()]
        return sum(stored_size(size) for size in sizes) + len(END)


def encode_note(note: DeltaNote) -> bytes:
    """The note as it is written."""
    return msgspec.json.format(msgspec.json.encode(note), indent=1) + b"\n"


def read_note(content: bytes, index: Index) -> DeltaNote:
    """A delta's note, held against the index. Raises BundleError."""
    try:
        note = msgspec.json.decode(content, type=DeltaNote, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{DELTA} is not a delta's note: {error}", remedy=FETCH_AGAIN) from error
    named = set(note.members)
    in_order = tuple(entry.path for entry in index.members if entry.path in named)
    if encode_note(note) != content or note.members != in_order or README not in named:
        raise BundleError(f"{DELTA} does not fit {INDEX}", remedy=FETCH_AGAIN)
    return note
