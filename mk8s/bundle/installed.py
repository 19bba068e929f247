"""The Python distributions that mk8s runs with, as they are installed here: which, and their files.

Laws:

1. What travels is what is installed, so what was tested here runs there. Nothing is fetched.
2. The same installation gives the same files with the same bytes, wherever it lies and whoever made it:
   no compiled Python, no notes of the installer, and a RECORD written anew.
3. What cannot be told completely is refused: half of a library is worse than none.

Begin reading at `needed_distributions`.
"""

from __future__ import annotations

import base64
import email
import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from importlib import metadata
from pathlib import Path, PurePosixPath

from mk8s.bundle.index import BundleError
from mk8s.bundle.needed import Requirement, environment, read_requirement
from mk8s.bundle.target import Target
from transports.base import Bytes, File, Source

__all__ = [
    "Shipped",
    "file_here",
    "is_shipped",
    "licence_of",
    "needed_distributions",
    "shipped_from",
    "with_record",
]

NOTES_OF_INSTALLERS = frozenset(["INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "RECORD.jws"])
LEFT_OUT = frozenset(["__pycache__", "tests", "_tests", "test"])
COMPILED = (".pyc", ".pyo", ".pth")  # .pth: only `site` reads it, which does not run there
LONGEST_LICENCE = 100  # characters; some metadata holds the whole text instead of a name
REINSTALL = "install mk8s into a fresh environment with pip, or give the libraries as --wheels DIR"


@dataclass(frozen=True, slots=True)
class Shipped:
    """One distribution as it travels. Paths of `files` are below the folder that Python imports from."""

    name: str
    version: str
    licence: str  # an SPDX expression, or the words that its metadata has; empty: it says none
    requires: tuple[str, ...]
    tags: tuple[str, ...]  # of its wheel: cp311-cp311-manylinux_2_17_x86_64
    files: Mapping[str, Source]


Finder = Callable[[str], Shipped]
"""Gives the distribution of a plain name, or raises BundleError."""


def needed_distributions(requires: Iterable[str], target: Target, find: Finder) -> tuple[Shipped, ...]:
    """Everything that these requirements lead to, sorted by name. Raises BundleError where one is missing."""
    variables = environment(target.python, target.machine)
    found: dict[str, Shipped] = {}
    seen: set[Requirement] = set()
    waiting = deque(_asked(requires, variables, frozenset()))
    while waiting:
        wanted = waiting.popleft()
        if wanted in seen:
            continue
        seen.add(wanted)
        if wanted.name not in found:
            found[wanted.name] = find(wanted.name)
        waiting += _asked(found[wanted.name].requires, variables, wanted.extras)
    return tuple(found[name] for name in sorted(found))


def _asked(
    requires: Iterable[str], variables: Mapping[str, str], extras: frozenset[str]
) -> list[Requirement]:
    """What applies, without its marker: who asks twice for the same asks once."""
    given = [read_requirement(text) for text in requires]
    return [Requirement(one.name, one.extras, "") for one in given if one.applies(variables, extras)]


def shipped_from(name: str) -> Shipped:
    """An installed distribution. Raises BundleError when its files cannot be told."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise BundleError(f"{name} is not installed, and mk8s needs it", remedy=REINSTALL) from error
    return read_installed(found)


def read_installed(found: metadata.Distribution) -> Shipped:
    """The same for one that was found already."""
    about = email.message_from_string(found.read_text("METADATA") or "")
    name, version = str(about["Name"]), str(about["Version"])
    paths = found.files
    if paths is None:
        raise BundleError(
            f"which files belong to {name} is not known: its metadata has no RECORD", remedy=REINSTALL
        )
    folder = _metadata_folder(paths, name)
    wanted = [str(path) for path in paths if is_shipped(PurePosixPath(str(path)))]
    if not any(not path.startswith(f"{folder}/") for path in wanted):
        raise BundleError(f"{name} is installed as a link to its source", remedy=REINSTALL)
    files = {path: file_here(Path(str(found.locate_file(path))), name) for path in wanted}
    wheel = email.message_from_string(found.read_text("WHEEL") or "")
    return Shipped(
        name=name,
        version=version,
        licence=licence_of(about),
        requires=tuple(about.get_all("Requires-Dist", [])),
        tags=tuple(wheel.get_all("Tag", [])),
        files=with_record(files, folder),
    )


def _metadata_folder(paths: Sequence[metadata.PackagePath], name: str) -> str:
    for path in paths:
        if path.parent.name.endswith(".dist-info") and path.name == "METADATA":
            return str(path.parent)
    raise BundleError(f"{name} has no metadata in the usual form (.dist-info)", remedy=REINSTALL)


def is_shipped(path: PurePosixPath) -> bool:
    """Whether a file of a distribution travels: all but tests, compiled Python, scripts and notes."""
    if path.is_absolute() or ".." in path.parts or LEFT_OUT.intersection(path.parts[:-1]):
        return False
    if path.parent.name.endswith(".dist-info") and path.name in NOTES_OF_INSTALLERS:
        return False
    return path.suffix not in COMPILED


def file_here(path: Path, owner: str) -> File:
    """A file with its hash. Raises BundleError."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
            return File(path, stream.tell(), digest.hexdigest())
    except OSError as error:
        raise BundleError(
            f"{path}, a file of {owner}, cannot be read: {error.strerror}", remedy=REINSTALL
        ) from error


def with_record(files: Mapping[str, Source], folder: str) -> dict[str, Source]:
    """The files, sorted, and the list of them that Python's metadata looks for."""
    lines = [f"{_csv(path)},sha256={_base64(files[path])},{files[path].size}" for path in sorted(files)]
    record = f"{folder}/RECORD"
    text = "\n".join([*lines, f"{_csv(record)},,", ""])
    return dict(sorted({**files, record: Bytes(text.encode())}.items()))


def _csv(path: str) -> str:
    return f'"{path}"' if "," in path else path


def _base64(source: Source) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(source.sha256)).decode().rstrip("=")


def licence_of(about: Message) -> str:
    """What metadata says of the licence: the expression, the words, or the classifiers."""
    for field in ("License-Expression", "License"):
        text = str(about.get(field) or "").strip()
        if text and text != "UNKNOWN" and "\n" not in text and len(text) <= LONGEST_LICENCE:
            return text
    listed = [str(line) for line in about.get_all("Classifier", []) if str(line).startswith("License ::")]
    names = [line.rpartition(" :: ")[2] for line in listed]
    return re.sub(r"\s+", " ", " and ".join(names))
