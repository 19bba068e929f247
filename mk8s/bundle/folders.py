"""A folder that a bundle was unpacked to, held against its index again: nothing lost, changed or added.

What is added counts only where it would be run: below ``mk8s/``, compiled or not (the launcher lets Python
write nothing there). The manifest is meant to be edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mk8s.bundle.files import explained, open_plain
from mk8s.bundle.head import Head
from mk8s.bundle.index import INDEX, LARGEST_INDEX, MANIFEST, RUNTIME, SIGNATURE, BundleError, read_index
from mk8s.bundle.placing import look
from mk8s.bundle.reading import LARGEST_TEXT

__all__ = ["read_folder", "strangers", "verify_folder"]

TOLD_AT_MOST = 20


def read_folder(folder: Path) -> Head:
    """The index and signature that lie in a folder. Raises BundleError."""
    content = _text(folder / INDEX, LARGEST_INDEX)
    signed = (folder / SIGNATURE).exists()
    return Head(content, read_index(content), _text(folder / SIGNATURE, LARGEST_TEXT) if signed else b"")


def verify_folder(folder: Path, head: Head) -> None:
    """Raise BundleError with every member that is missing or changed, and what was added to mk8s."""
    added = strangers(folder, head)
    faults = [*_changed(folder, head), *(f"{name}: added" for name in added)]
    if faults:
        again = "unpack the bundle again, to a new folder"
        more = [f"... and {len(faults) - TOLD_AT_MOST} more"] if len(faults) > TOLD_AT_MOST else []
        raise BundleError(
            f"{folder} is not what its index says:\n  " + "\n  ".join([*faults[:TOLD_AT_MOST], *more]),
            remedy=f"{again}; or remove what was added" if added else f"{again} or with --replace",
        )


def _changed(folder: Path, head: Head) -> Iterator[str]:
    for entry in head.index.members:
        found = look(folder, entry)
        if found == "nothing":
            yield f"{entry.path}: missing"
        elif found == "other" and entry.path != MANIFEST:
            yield f"{entry.path}: changed"


def strangers(folder: Path, head: Head) -> list[str]:
    """What lies below mk8s/ and is not of this bundle; unpacking leaves it, and Python would take it."""
    return list(_added(folder, head))


def _added(folder: Path, head: Head) -> Iterator[str]:
    known = {entry.path for entry in head.index.members}
    with explained(folder, "read"):
        for path in sorted((folder / RUNTIME).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if name not in known and (path.is_symlink() or not path.is_dir()):
                yield name


def _text(path: Path, limit: int) -> bytes:
    with open_plain(path) as stream, explained(path, "read"):
        return stream.read(limit)
