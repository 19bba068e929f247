"""Which URL each file in the folder of a release was fetched as, kept beside the files.

Names of files often have no version in them, and lists of hashes lie beside the files they vouch for. After
the manifest's version was changed, the old release would pass as the new one: whole, and the wrong one.

The index of a bundle says the same of the files that were unpacked beside it.

Law: only a file that is still the very one that was fetched (by its hash) is called another's; what was
brought by hand is not known here. Begin reading at `is_of_another`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mk8s.artifacts.filing import write_small

__all__ = ["ORIGINS", "Came", "is_of_another", "read_origins", "write_origins"]

ORIGINS = ".mk8s-origins.json"
INDEX = "bundle.json"  # see docs/bundle.md
LARGEST = 16 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Came:
    """Where a file came from."""

    url: str  # upstream's, whatever mirror was asked
    sha256: str


def is_of_another(came: Came | None, sha256: str, upstream: str) -> bool:
    """Whether the file with this hash was fetched as something else than `upstream`."""
    return came is not None and bool(upstream) and came.sha256 == sha256 and came.url != upstream


def read_origins(folder: Path) -> dict[str, Came]:
    """By file name; empty where nothing of ours is there. What was fetched here wins over a bundle's word."""
    found: dict[str, Came] = {}
    for name, entry in [*_carried(folder), *_mapping(folder / ORIGINS).items()]:
        match entry:
            case {"url": str(url), "sha256": str(sha256)}:
                found[name] = Came(url, sha256)
    return found


def _carried(folder: Path) -> Iterator[tuple[str, object]]:
    """What the index of a bundle that was unpacked here says of this folder's files."""
    members = _mapping(folder.parent / INDEX).get("members")
    for member in members if isinstance(members, list) else ():
        match member:
            case {"path": str(path), "sha256": sha256, "details": [{"url": url}, *_]}:
                name = path.removeprefix(f"{folder.name}/")
                if "/" not in name and name != path:
                    yield name, {"url": url, "sha256": sha256}


def _mapping(path: Path) -> dict[str, object]:
    """A JSON object; empty where there is none."""
    try:
        with path.open("rb") as stream:
            document = json.loads(stream.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def write_origins(folder: Path, found: Mapping[str, Came]) -> None:
    """Add to what is known; nothing is written where nothing is new. Raises CacheError."""
    before = read_origins(folder)
    merged = {**before, **found}
    if merged != before:
        document = {name: {"url": c.url, "sha256": c.sha256} for name, c in sorted(merged.items())}
        write_small(folder / ORIGINS, json.dumps(document, indent=1).encode() + b"\n")
