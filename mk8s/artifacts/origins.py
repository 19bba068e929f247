"""Which URL each file in the folder of a release was fetched as, kept beside the files.

Names of files often have no version in them, and lists of hashes lie beside the files they vouch for. After
the manifest's version was changed, the old release would pass as the new one: whole, and the wrong one.

Law: only a file that is still the very one that was fetched (by its hash) is called another's; what was
brought by hand or by a bundle is not known here. Begin reading at `is_of_another`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mk8s.artifacts.filing import write_small

__all__ = ["ORIGINS", "Came", "is_of_another", "read_origins", "write_origins"]

ORIGINS = ".mk8s-origins.json"
LARGEST = 8 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Came:
    """Where a file came from."""

    url: str  # upstream's, whatever mirror was asked
    sha256: str


def is_of_another(came: Came | None, sha256: str, upstream: str) -> bool:
    """Whether the file with this hash was fetched as something else than `upstream`."""
    return came is not None and bool(upstream) and came.sha256 == sha256 and came.url != upstream


def read_origins(folder: Path) -> dict[str, Came]:
    """By file name; empty where nothing of ours is there."""
    try:
        with (folder / ORIGINS).open("rb") as stream:
            document = json.loads(stream.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = document.items() if isinstance(document, dict) else ()
    return {name: Came(entry["url"], entry["sha256"]) for name, entry in entries if _fits(entry)}


def write_origins(folder: Path, found: Mapping[str, Came]) -> None:
    """Add to what is known; nothing is written where nothing is new. Raises CacheError."""
    before = read_origins(folder)
    merged = {**before, **found}
    if merged != before:
        document = {name: {"url": c.url, "sha256": c.sha256} for name, c in sorted(merged.items())}
        write_small(folder / ORIGINS, json.dumps(document, indent=1).encode() + b"\n")


def _fits(entry: object) -> bool:
    return (
        isinstance(entry, dict) and isinstance(entry.get("url"), str) and isinstance(entry.get("sha256"), str)
    )
