"""The index of a bundle, ``bundle.json``: every member with its size and hash. This is what is signed.

Laws:

1. The index is written in one way only. What is not the very text that this module would write is
   refused, so two programs never read two meanings out of one signed text.
2. Members stand in one order only: by class (see `CLASSES`), then by path. No path is there twice, none
   leaves the folder, and none is a folder of another.
3. Everything has a limit. A hostile index costs at most its own size in memory.

Pure: it opens no file. Begin reading at `Index`; `Member` is what whoever fills a bundle gives.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from mk8s.bundle.tar import split_path
from mk8s.errors import ExitCode, Mk8sError
from transports.base import Source

__all__ = [
    "ARTIFACTS",
    "BOM",
    "DELTA",
    "FORMAT",
    "INDEX",
    "MANIFEST",
    "README",
    "RUNTIME",
    "SIGNATURE",
    "SUMS",
    "BundleError",
    "Details",
    "Entry",
    "HostNeeds",
    "Index",
    "Member",
    "digest_of",
    "encode",
    "entry_of",
    "in_order",
    "path_fault",
    "read_index",
    "sums_text",
]

FORMAT = 1
README, INDEX, SIGNATURE, DELTA = "README.txt", "bundle.json", "bundle.json.sig", "delta.json"
SUMS, BOM, MANIFEST = "SHA256SUMS", "sbom.cdx.json", "cluster.yaml"
FILES, RUNTIME, ARTIFACTS = "files/", "mk8s/", "artifacts/"
CLASSES = (README, SUMS, BOM, MANIFEST, FILES, RUNTIME, ARTIFACTS)
"""The order of members, and all that there may be: a name, or the beginning of names in a folder."""

LARGEST_INDEX = 16 << 20
MOST_MEMBERS = 50_000
LARGEST_MEMBER = 1 << 40
LARGEST_TOTAL = 1 << 43
LONGEST_PATH = 200  # of characters: what a plain tar header holds, with room to spare
DEEPEST = 24
PATH = re.compile(r"[A-Za-z0-9._+@=,:~%()\[\]-][A-Za-z0-9 ._+@=,:~%()\[\]-]*")
"""One part of a path. No control, no shell and no foreign character: a path is printed and typed."""

Word: TypeAlias = Annotated[str, Meta(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
"""One line: what is shown as a line of its own was written by mk8s."""

Digest: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=LARGEST_MEMBER)]


class BundleError(Mk8sError):
    """A bundle cannot be made, or is not what it says. Nothing of it was put in place."""

    exit_code = ExitCode.MANIFEST_NEEDS_YOU


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Common ground: immutable, by keyword, nothing unknown, and no two ways to write the same."""


class HostNeeds(_Strict, frozen=True, kw_only=True):
    """What a bare host of these roles must offer, so that it is known before anybody travels."""

    roles: tuple[Word, ...]
    programs: tuple[Word, ...] = ()
    modules: tuple[Word, ...] = ()  # of the kernel
    ports: tuple[Word, ...] = ()  # that must be free: "6443 (kube-apiserver)"
    memory: int = 0  # bytes
    cpus: int = 0


class Details(_Strict, frozen=True, kw_only=True):
    """What a release file is."""

    id: Word
    purpose: Word = ""
    destination: Word = ""  # on a node
    arch: Word = ""
    roles: tuple[Word, ...] = ()
    url: Word = ""  # where its publisher has it
    images: tuple[Word, ...] = ()  # that an archive was put together from


class Entry(_Strict, frozen=True, kw_only=True):
    """One member."""

    path: Word
    size: Size
    sha256: Digest
    executable: bool = False
    details: tuple[Details, ...] = ()  # one for each id that means this file


class Index(_Strict, frozen=True, kw_only=True):
    """All that is in a bundle but the index itself, its signature and a delta's note."""

    kind: Literal["mk8s-bundle"]
    format: Literal[1]
    cluster: Word
    distro: Word
    version: Word
    arches: tuple[Word, ...]
    mk8s: Word  # the version that made it
    created: Word = ""  # from SOURCE_DATE_EPOCH; otherwise no time at all
    hosts: tuple[HostNeeds, ...] = ()
    members: tuple[Entry, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(entry.size for entry in self.members)

    def entry(self, path: str) -> Entry | None:
        """The member of that path."""
        return next((entry for entry in self.members if entry.path == path), None)


@dataclass(frozen=True, slots=True)
class Member:
    """Something to be put into a bundle: in memory, or a file here whose hash is known."""

    path: str  # in the bundle
    source: Source
    executable: bool = False
    details: tuple[Details, ...] = field(default=())


def entry_of(member: Member) -> Entry:
    """What the index says of it."""
    source = member.source
    return Entry(
        path=member.path,
        size=source.size,
        sha256=source.sha256,
        executable=member.executable,
        details=member.details,
    )


def in_order(members: Iterable[Member]) -> list[Member]:
    """The members as they stand in a bundle. Raises BundleError for a path that cannot be in one."""
    given = list(members)
    for member in given:
        fault = path_fault(member.path)
        if fault:
            raise BundleError(f"{member.path!a} cannot be put into a bundle: {fault}")
    return sorted(given, key=lambda member: _key(member.path))


def encode(index: Index) -> bytes:
    """The index as it is written: lines that people can read and grep."""
    return msgspec.json.format(msgspec.json.encode(index), indent=1) + b"\n"


def digest_of(content: bytes) -> str:
    """sha256 as 64 hex digits. Of an index: the bundle's identity."""
    return hashlib.sha256(content).hexdigest()


def sums_text(entries: Iterable[Entry]) -> bytes:
    """What `sha256sum -c` reads."""
    return "".join(f"{entry.sha256}  {entry.path}\n" for entry in entries).encode()


def read_index(content: bytes) -> Index:
    """The index, held against every law above. Raises BundleError."""
    _refuse_other_formats(content)
    try:
        index = msgspec.json.decode(content, type=Index, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{INDEX} is not an index: {error}", remedy=FETCH_AGAIN) from error
    if encode(index) != content:
        raise BundleError(f"{INDEX} is not written as mk8s writes it", remedy=FETCH_AGAIN)
    fault = next(_faults(index.members), "")
    if fault:
        raise BundleError(f"{INDEX}: {fault}", remedy=FETCH_AGAIN)
    return index


FETCH_AGAIN = "do not use it; get it again from where it was made"


class _AnyFormat(msgspec.Struct, frozen=True):
    kind: str = ""
    format: int = 0


def _refuse_other_formats(content: bytes) -> None:
    """A newer bundle is not damaged: say so before the strict reading does."""
    try:
        found = msgspec.json.decode(content, type=_AnyFormat)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if found.kind == "mk8s-bundle" and found.format > FORMAT:
        raise BundleError(
            f"the bundle has format {found.format}, and this mk8s knows {FORMAT}",
            remedy="use the mk8s that is in it, or a newer one",
        )


def _faults(members: Sequence[Entry]) -> Iterator[str]:
    """What is wrong with a list of members, in words."""
    if len(members) > MOST_MEMBERS:
        yield f"it lists {len(members)} members, and {MOST_MEMBERS} are the most"
        return
    for entry in members:
        fault = path_fault(entry.path)
        if fault:
            yield f"{entry.path!a}: {fault}"
            return
    paths = [entry.path for entry in members]
    if len(set(paths)) != len(paths):
        yield "a member is there twice"
    if paths != sorted(paths, key=_key):
        yield "its members are not in order"
    if not {README, SUMS} <= set(paths):
        yield f"{README} or {SUMS} is missing"
    yield from _files_that_are_folders(paths)
    if sum(entry.size for entry in members) > LARGEST_TOTAL:
        yield "it promises more bytes than any bundle has"


def _files_that_are_folders(paths: Sequence[str]) -> Iterator[str]:
    folders = {path[:at] for path in paths for at, letter in enumerate(path) if letter == "/"}
    for path in paths:
        if path in folders:
            yield f"{path!a} is a file and a folder"


def path_fault(path: str) -> str:
    """Why no member may have this path; empty: it may."""
    if len(path) > LONGEST_PATH:
        return f"its path is longer than {LONGEST_PATH} characters"
    if split_path(path) is None:
        return "its path does not fit a tar header"
    parts = path.split("/")
    if len(parts) > DEEPEST:
        return f"its path has more than {DEEPEST} folders"
    if any(part in (".", "..") or not PATH.fullmatch(part) for part in parts):
        return (
            "its path is absolute, leaves the folder, or has characters other than A-Z a-z 0-9 ._+@=,:~%()[]-"
        )
    if _rank(path) is None:
        return f"a bundle has only {', '.join(CLASSES)}"
    return ""


def _rank(path: str) -> int | None:
    for rank, known in enumerate(CLASSES):
        if path == known or (known.endswith("/") and path.startswith(known)):
            return rank
    return None


def _key(path: str) -> tuple[int, str]:
    rank = _rank(path)
    return len(CLASSES) if rank is None else rank, path
