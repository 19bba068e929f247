"""From a bundle to a folder: everything is verified before anything is put in place.

A bundle that is refused, wherever in it the fault is, leaves the folder as it was. An unpacking that was
killed is taken up again: what was written whole is not written twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mk8s.bundle.bases import Base, damaged, refuse_base
from mk8s.bundle.folders import read_folder
from mk8s.bundle.head import Head
from mk8s.bundle.index import INDEX, MANIFEST, SIGNATURE, BundleError, Entry, digest_of
from mk8s.bundle.placing import EDITED, Place, Stage, survey
from mk8s.bundle.reading import Reader
from mk8s.bundle.writing import checked

__all__ = ["Unpacked", "unpack", "verify_base"]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What an unpacking did."""

    written: int  # files
    kept: int  # that were there already
    manifest_beside: bool  # the folder's manifest is another and stays; the bundle's lies beside it


def unpack(reader: Reader, folder: Path, *, base: Base | None = None, replace: bool = False) -> Unpacked:
    """Put all members of a bundle, and its index, into a folder. On a BundleError nothing is."""
    head = reader.head
    refuse_base(head, base, "the bundle")
    _refuse_other_signature(head, folder, replace=replace)
    entries = [*head.index.members, *_extras(head)]
    places = survey(folder, entries, replace=replace, last=_last_manifest(folder))
    with Stage.opened(folder, places) as stage:
        _fill(stage, reader, base, {place.entry.path for place in places if not place.here})
        if not head.signature:
            (folder / SIGNATURE).unlink(missing_ok=True)
        stage.move(places)
    return _done(places)


def verify_base(head: Head, base: Base | None, name: str) -> None:
    """Read what a delta takes from its base. Raises BundleError where that is not what it should be."""
    refuse_base(head, base, name)
    if base is not None:
        for entry in head.absent:
            for _ in _from_base(base, entry):
                pass


def _last_manifest(folder: Path) -> Entry | None:
    """The manifest of the bundle that lies in the folder, as its index has it."""
    with suppress(BundleError):
        members = read_folder(folder).index.members
        return next((entry for entry in members if entry.path == MANIFEST), None)
    return None


def _fill(stage: Stage, reader: Reader, base: Base | None, wanted: set[str]) -> None:
    """Everything that is wanted onto the stage; the bundle is read to its end in any case."""
    for entry, content in reader.members():
        if entry.path in wanted and not stage.has(entry):
            stage.put(entry, content)
    for entry in reader.head.absent:
        if entry.path in wanted and not stage.has(entry) and base is not None:
            stage.put(entry, _from_base(base, entry))
    contents = reader.head.extras
    for entry in _extras(reader.head):
        if entry.path in wanted:
            stage.put(entry, [contents[entry.path]])


def _from_base(base: Base, entry: Entry) -> Iterator[bytes]:
    return checked(entry, base.parts(entry), lambda: damaged(base, entry))


def _extras(head: Head) -> list[Entry]:
    """The signature and the index as files of the folder: the index last."""
    contents = {path: head.extras[path] for path in (SIGNATURE, INDEX) if path in head.extras}
    return [
        Entry(path=path, size=len(content), sha256=digest_of(content)) for path, content in contents.items()
    ]


def _refuse_other_signature(head: Head, folder: Path, *, replace: bool) -> None:
    """A signature that belongs to another index must not stay beside this one."""
    if not head.signature and (folder / SIGNATURE).exists() and not replace:
        raise BundleError(
            f"{folder / SIGNATURE} is there, and this bundle is not signed",
            remedy="unpack to a new folder, or add --replace",
        )


def _done(places: list[Place]) -> Unpacked:
    kept = sum(place.here for place in places)
    return Unpacked(len(places) - kept, kept, any(place.path.name == EDITED for place in places))
