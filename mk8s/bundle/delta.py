"""What differs between two bundles: as a list, and as a file that carries only that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mk8s.amounts import bytes_in_words
from mk8s.bundle.head import DeltaNote, Head
from mk8s.bundle.index import MANIFEST, README, BundleError, Entry
from mk8s.bundle.reading import Reader
from mk8s.bundle.writing import Contents, write_bundle

__all__ = ["Difference", "as_data", "as_text", "compare", "delta_head", "write_delta"]

ALWAYS = (README, MANIFEST)
"""Carried also where they do not differ: the first must be there, the second may have been edited."""

What: TypeAlias = Literal["added", "removed", "changed"]
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One member that is not the same in both."""

    what: What
    path: str
    before: Entry | None
    after: Entry | None


def compare(old: Head, new: Head) -> list[Difference]:
    """Members that differ, by path."""
    before = {entry.path: entry for entry in old.index.members}
    after = {entry.path: entry for entry in new.index.members}
    return [
        Difference(_what(before.get(path), after.get(path)), path, before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if not _same(before.get(path), after.get(path))
    ]


def delta_head(old: Head, new: Head) -> Head:
    """The head of the file that carries what `new` has and `old` has not. Raises BundleError."""
    if new.note:
        raise BundleError("the newer bundle is a delta itself", remedy="name the whole bundle")
    known = {entry.sha256 for entry in old.index.members}
    carried = [entry.path for entry in new.index.members if entry.path in ALWAYS or entry.sha256 not in known]
    note = DeltaNote(base=old.digest, base_version=old.index.version, members=tuple(carried))
    return replace(new, note=note)


def write_delta(
    path: Path, head: Head, new: Reader, *, spent: Callable[[int], None] = lambda _: None
) -> None:
    """Write what the head says, from the newer bundle, which is verified meanwhile. Raises BundleError."""
    write_bundle(path, head, _carried(head, new), spent=spent)


def as_text(old: Head, new: Head, found: list[Difference]) -> str:
    """The differences as a table, and what they come to."""
    lines = [f"{SIGNS[one.what]} {one.path}  {_sizes(one)}" for one in found]
    heads = f"{_name(old)} -> {_name(new)}"
    more = sum(one.after.size for one in found if one.after)
    total = f"{len(found)} members differ; a delta carries about {bytes_in_words(more)}"
    return "\n".join([heads, *lines, total if found else "no member differs"])


def as_data(old: Head, new: Head, found: list[Difference]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "old": {"cluster": old.index.cluster, "version": old.index.version, "sha256": old.digest},
        "new": {"cluster": new.index.cluster, "version": new.index.version, "sha256": new.digest},
        "members": [
            {
                "what": one.what,
                "path": one.path,
                "before": _facts(one.before),
                "after": _facts(one.after),
            }
            for one in found
        ],
    }


def _carried(head: Head, new: Reader) -> Contents:
    wanted = {entry.path for entry in head.carried}
    for entry, content in new.members():
        if entry.path in wanted:
            yield entry, content


def _what(before: Entry | None, after: Entry | None) -> What:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _same(before: Entry | None, after: Entry | None) -> bool:
    if before is None or after is None:
        return False
    return (before.sha256, before.executable) == (after.sha256, after.executable)


def _sizes(one: Difference) -> str:
    sizes = [bytes_in_words(entry.size) for entry in (one.before, one.after) if entry]
    return " -> ".join(sizes)


def _name(head: Head) -> str:
    return f"{head.index.cluster} {head.index.distro} {head.index.version} ({head.digest[:12]}…)"


def _facts(entry: Entry | None) -> dict[str, Any] | None:
    return {"size": entry.size, "sha256": entry.sha256} if entry else None
