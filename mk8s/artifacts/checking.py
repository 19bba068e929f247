"""Every file of a release as it lies here: is it whole? Reads files, asks nobody.

The third look at the same thing: `download` verifies what arrives, `release` what is sent; this one is for
people and programs in between, after a copy or a carried disk.

Verdicts: ok; missing; damaged (its hash is another); cut (it ends too early); other (it was fetched for
another version); unreadable; no-hash (nobody says what it must hash to: it is not known to be damaged).
Begin reading at `check_files`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mk8s.amounts import bytes_in_words
from mk8s.artifacts.catalogue import release_items
from mk8s.artifacts.origins import is_of_another, read_origins
from mk8s.cluster import Cluster
from mk8s.distros.base import ArtifactItem, Catalogue
from mk8s.images import is_cut
from mk8s.release import CHECKSUMS, expected_hashes
from transports.base import digest_of_file

__all__ = ["Checked", "check_files", "checked_as_data", "checked_as_text"]

Word: TypeAlias = Literal["ok", "missing", "damaged", "cut", "other", "unreadable", "no-hash"]
WHOLE: frozenset[Word] = frozenset({"ok", "no-hash"})
HEAD = ("file", "size", "sha256 expected", "sha256 found", "verdict")
SHOWN = 12  # hexadecimal digits


@dataclass(frozen=True, slots=True)
class Checked:
    """One file."""

    id: str
    file: str
    required: bool
    verdict: Word
    size: int | None  # bytes; None: it is not here
    expected: str  # sha256; empty: nobody says
    found: str  # sha256; empty: it is not here or cannot be read

    @property
    def good(self) -> bool:
        """Whether a run may go on with it: whole as far as anybody knows, or not needed and not here."""
        return self.verdict in WHOLE or (self.verdict == "missing" and not self.required)


def check_files(
    cluster: Cluster, catalogue: Catalogue, digest: Callable[[Path], str] = digest_of_file
) -> list[Checked]:
    """Every file of the release, in the order in which they are used. Slow: each is read."""
    items = release_items(cluster, catalogue)
    expected = expected_hashes(cluster, catalogue, items)
    came = read_origins(cluster.artifacts_dir)
    checked = [_checked(item, cluster.artifacts_dir, expected.get(item.file, ""), digest) for item in items]
    return [
        replace(one, verdict="other")
        if is_of_another(came.get(one.file), one.found, item.origin.url)
        else one
        for one, item in zip(checked, items, strict=True)
    ]


def checked_as_data(checked: Sequence[Checked], cluster: Cluster) -> dict[str, Any]:
    """For programs. Keys are only ever added."""
    return {
        "format": 1,
        "cluster": cluster.name,
        "folder": str(cluster.artifacts_dir),
        "whole": all(file.good for file in checked),
        "files": [asdict(file) for file in checked],
    }


def checked_as_text(checked: Sequence[Checked]) -> str:
    """A table for people."""
    rows = [HEAD, *map(_row, checked)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _checked(item: ArtifactItem, folder: Path, expected: str, digest: Callable[[Path], str]) -> Checked:
    path = folder / item.file

    def answer(verdict: Word, size: int | None = None, found: str = "") -> Checked:
        return Checked(item.id, item.file, item.required, verdict, size, expected, found)

    if not path.is_file():
        return answer("missing")
    try:
        size, found = path.stat().st_size, digest(path)
    except OSError:
        return answer("unreadable")
    return answer(_verdict(item, path, size, expected, found), size, found)


def _verdict(item: ArtifactItem, path: Path, size: int, expected: str, found: str) -> Word:
    if expected == found:
        return "ok"
    known = item.origin.size
    if size == 0 or (known is not None and size < known) or is_cut(path):
        return "cut"
    if expected:
        return "damaged"
    own = item.id.startswith(CHECKSUMS) or Path(item.file).is_absolute()
    return "ok" if own else "no-hash"  # a list of hashes and the user's own files are what they are


def _row(file: Checked) -> tuple[str, ...]:
    size = "-" if file.size is None else bytes_in_words(file.size)
    verdict = file.verdict if file.required or file.verdict != "missing" else "missing (not needed)"
    return file.file, size, file.expected[:SHOWN] or "-", file.found[:SHOWN] or "-", verdict
