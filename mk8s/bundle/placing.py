"""A folder that a bundle is unpacked to: what is there already, and how a verified file gets to its place.

Laws:

1. What is there and has the right hash is left alone. What is there and differs is somebody's: it is
   refused, or replaced where that was asked for; a manifest that was edited is never replaced.
2. No link is followed inside the folder.
3. Files wait in a stage until all are verified; then each is moved in one step, the index last.

It knows no tar: `unpacking` brings the contents.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from mk8s.bundle.files import explained, refuse_full_disk, sync_disk
from mk8s.bundle.index import MANIFEST, BundleError, Entry
from transports.base import digest_of_file

__all__ = ["Place", "Stage", "look", "survey"]

STAGE = ".mk8s-unpack"
EDITED = MANIFEST + ".new"
TOLD_AT_MOST = 20

Found: TypeAlias = Literal["same", "other", "nothing"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member goes, and whether it is there already."""

    entry: Entry
    path: Path
    here: bool  # with the right content


def survey(
    folder: Path, entries: Sequence[Entry], *, replace: bool, last: Entry | None = None
) -> list[Place]:
    """The place of every member, in order. Changes nothing.

    `last`: the manifest of the bundle that was unpacked here before; as long as nobody edited it, it is
    replaced like any other file, for it would name the old version beside the new release files.
    Raises BundleError with all files that stand in the way, and for links and folders where files go.
    """
    places, differ = [], []
    untouched = replace and last is not None and look(folder, last) == "same"
    for entry in entries:
        path = folder / entry.path
        found = look(folder, entry)
        if found == "other" and entry.path == MANIFEST and not untouched:
            path, found = folder / EDITED, "nothing"
        if found == "other":
            differ.append(entry.path)
        places.append(Place(entry, path, found == "same"))
    if differ and not replace:
        raise _in_the_way(folder, differ)
    return places


def _in_the_way(folder: Path, differ: Sequence[str]) -> BundleError:
    told = [*differ[:TOLD_AT_MOST], *(["..."] if len(differ) > TOLD_AT_MOST else [])]
    return BundleError(
        f"{folder}: {len(differ)} files are there already and differ:\n  " + "\n  ".join(told),
        cause="what somebody has put there is not overwritten unasked",
        remedy="unpack to a new folder, or add --replace",
    )


def look(folder: Path, entry: Entry) -> Found:
    """Whether a member is at its place. Raises BundleError for a link, or a folder where a file goes."""
    path = folder
    with explained(folder / entry.path, "looked at"):
        for part in entry.path.split("/")[:-1]:
            path = path / part
            if not os.path.lexists(path):
                return "nothing"
            _refuse_other_than(path, stat.S_ISDIR, "a folder")
        path = folder / entry.path
        if not os.path.lexists(path):
            return "nothing"
        _refuse_other_than(path, stat.S_ISREG, "an ordinary file")
        same = path.stat().st_size == entry.size and digest_of_file(path) == entry.sha256
    return "same" if same else "other"


def _refuse_other_than(path: Path, is_right: Callable[[int], bool], wanted: str) -> None:
    mode = path.lstat().st_mode
    if not is_right(mode):
        raise BundleError(
            f"{path} is {'a link' if stat.S_ISLNK(mode) else 'something else'}, and {wanted} belongs there",
            remedy="move it away, or unpack to a new folder",
        )


class Stage:
    """Files on their way into a folder. Made by `opened`; what a killed mk8s left there is used."""

    def __init__(self, folder: Path, places: Iterable[Place]) -> None:
        self.folder = folder
        self._stage = folder / STAGE
        self._numbers = {place.entry.path: number for number, place in enumerate(places)}

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, places: Sequence[Place]) -> Iterator[Stage]:
        """The folder and its stage, made and locked. A BundleError takes back all that was made."""
        made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        stage = cls(folder, places)
        with explained(folder, "written to"):
            stage._refuse_full_disk(places)
            stage._stage.mkdir(parents=True, exist_ok=True)
            _refuse_other_than(stage._stage, stat.S_ISDIR, "a folder")
            with _locked(stage._stage):
                try:
                    with explained(folder, "written to"):
                        yield stage
                except BundleError:
                    stage._clear(made)
                    raise

    def has(self, entry: Entry) -> bool:
        """Whether it lies on the stage, whole, from a time before."""
        path = self._path(entry)
        if path.is_symlink() or not path.is_file():  # a link would be moved to the file's place
            return False
        return path.stat().st_size == entry.size and digest_of_file(path) == entry.sha256

    def put(self, entry: Entry, content: Iterable[bytes]) -> None:
        """Write a member onto the stage. `content` raises where it is not what the index says."""
        path = self._path(entry)
        growing = path.with_suffix(".tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(growing, flags, 0o644), "wb") as stream:
            for part in content:
                stream.write(part)
            os.fchmod(stream.fileno(), _mode(entry))
        growing.replace(path)

    def move(self, places: Iterable[Place]) -> None:
        """Everything to its place, in order, after it is durable; then the stage goes away."""
        sync_disk(self.folder)
        for place in places:
            if not place.here:
                place.path.parent.mkdir(parents=True, exist_ok=True)
                self._path(place.entry).replace(place.path)
            elif place.entry.executable and not os.access(place.path, os.X_OK):
                place.path.chmod(0o755)
        shutil.rmtree(self._stage)

    def _path(self, entry: Entry) -> Path:
        return self._stage / f"{self._numbers[entry.path]:06d}"

    def _refuse_full_disk(self, places: Iterable[Place]) -> None:
        left = [place.entry for place in places if not place.here]
        waiting = sum(path.stat().st_size for entry in left if (path := self._path(entry)).is_file())
        refuse_full_disk(self.folder, sum(entry.size for entry in left) - waiting, "what is in the bundle")

    def _clear(self, made: Iterable[Path]) -> None:
        """Leave the tree as it was found."""
        shutil.rmtree(self._stage, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def _mode(entry: Entry) -> int:
    """The manifest is its owner's alone: its secrets will be written into it."""
    if entry.path == MANIFEST:
        return 0o600
    return 0o755 if entry.executable else 0o644


@contextmanager
def _locked(stage: Path) -> Iterator[None]:
    descriptor = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BundleError(
            f"another mk8s unpacks to {stage.parent}", remedy="wait for it, or name another folder"
        ) from error
    finally:
        os.close(descriptor)
