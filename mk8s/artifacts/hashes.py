"""What each file of a release must hash to, and who says so; and the hashes that mk8s writes down itself.

The order: the manifest's own `checksum`, upstream's list as it is now, and where that cannot be had, what
was written down here before: upstream's list beside the files, ``SHA256SUMS``, ``mk8s-hashes.txt``. The
last holds files of which nobody publishes a hash: it says that they are still what they were at first.

Reads and writes small files in the folder of the release; knows no network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mk8s.artifacts.checksums import ChecksumError, find_digest, read_checksums
from mk8s.artifacts.egress import shown_url
from mk8s.artifacts.fault import FetchError
from mk8s.artifacts.filing import write_small
from mk8s.artifacts.sources import Source, name_in
from mk8s.errors import Mk8sError

__all__ = [
    "LISTS",
    "RECORDED",
    "VERIFIED",
    "Expectation",
    "Hashes",
    "is_list",
    "read_recorded",
    "record",
    "refuse_other_list",
]

RECORDED = "mk8s-hashes.txt"
VERIFIED = "SHA256SUMS"
LISTS = "checksums"  # ids of lists of hashes begin with it
LARGEST = 8 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a file must hash to. No hash: nobody knows one, or nobody could be asked (then `problem`)."""

    sha256: str = ""
    published: bool = False  # upstream or the manifest says so, not only an earlier download
    problem: Mk8sError | None = None


@dataclass(frozen=True, slots=True)
class Hashes:
    """Everything that is known of hashes when a download begins."""

    lists: Mapping[str, bytes | Mk8sError] = field(default_factory=dict)  # by URL: it, or why it is not here
    recorded: Mapping[str, str] = field(default_factory=dict)  # by the file's name here

    def expected(self, source: Source) -> Expectation:
        """What this file must hash to."""
        if source.promised:
            return Expectation(source.promised, published=True)
        recorded = self.recorded.get(source.item.file) or self.recorded.get(name_in(source.upstream), "")
        found = self.lists.get(source.checksums_url)
        if found is None:
            return Expectation(recorded)
        if isinstance(found, Mk8sError):
            return Expectation(recorded, bool(recorded), None if recorded else found)
        return _listed(source, found.decode(errors="replace"))


def _listed(source: Source, text: str) -> Expectation:
    try:
        return Expectation(find_digest(text, name_in(source.upstream)), published=True)
    except ChecksumError as error:
        return Expectation(
            problem=FetchError(
                "hash",
                f"the list of hashes {shown_url(source.checksums_url)} {error}",
                remedy=f"give artifacts.{source.item.id}.checksum in the manifest, or mend the mirror",
            )
        )


def is_list(source: Source) -> bool:
    """Whether it is upstream's own list of hashes, which lies beside the files."""
    return source.item.id.startswith(LISTS)


def refuse_other_list(source: Source, text: bytes) -> None:
    """Raise FetchError for a list of hashes that is not the one that the manifest gives the hash of."""
    found = hashlib.sha256(text).hexdigest()
    if is_list(source) and source.promised not in ("", found):
        raise FetchError(
            "hash",
            f"{shown_url(source.url)}: its sha256 is {found[:12]}…, and should be {source.promised[:12]}…",
            remedy=f"correct artifacts.{source.item.id}.checksum in the manifest, or the mirror",
        )


def read_recorded(folder: Path, sources: Iterable[Source]) -> dict[str, str]:
    """What is written down in the folder, by file name; upstream's own lists win over `RECORDED`."""
    lists = [source.item.file for source in sources if is_list(source)]
    found: dict[str, str] = {}
    for name in (RECORDED, *lists, VERIFIED):
        found |= read_checksums(_text(folder / name))
    return found


def record(path: Path, hashes: Mapping[str, str]) -> bool:
    """Add hashes to a file in the form of sha256sum, by name; other lines of it stay. Whether it changed.

    Raises CacheError when it cannot be written.
    """
    before = _text(path)
    merged = {**read_checksums(before), **hashes}
    after = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(merged.items()))
    if not hashes or after == before:
        return False
    write_small(path, after.encode())
    return True


def _text(path: Path) -> str:
    """A small text; nothing where there is none."""
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST).decode(errors="replace")
    except OSError:
        return ""
