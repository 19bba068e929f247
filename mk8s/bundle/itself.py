"""mk8s itself as a distribution that travels: from an installed wheel, or from a source tree.

A source tree (also one that an editable install points to) is laid out as its wheel would be: the three
packages, and `specs/` inside mk8s. Its metadata is made from pyproject.toml, never taken from the
environment, whose copy may be of another day.

Begin reading at `mk8s_itself`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from mk8s.bundle.index import BundleError
from mk8s.bundle.installed import REINSTALL, Shipped, file_here, is_shipped, read_installed, with_record
from mk8s.resources import HERE
from mk8s.version import VERSION
from transports.base import Bytes, Source

__all__ = ["PACKAGES", "mk8s_itself"]

PACKAGES = ("machines", "mk8s", "transports")
METADATA_FOLDER = f"mk8s-{VERSION}.dist-info"


def mk8s_itself(package: Path = HERE) -> Shipped:
    """The mk8s whose package folder this is. Raises BundleError when its files cannot be told."""
    root = package.parent
    if (package / "_specs").is_dir():
        return _installed(root)
    if not (root / "pyproject.toml").is_file() or not (root / "specs").is_dir():
        raise BundleError(
            f"{package} is neither an installed mk8s nor in a source tree: no _specs in it, and no "
            "pyproject.toml beside it",
            remedy=REINSTALL,
        )
    return _from_tree(root)


def _installed(root: Path) -> Shipped:
    found = next(iter(metadata.distributions(name="mk8s", path=[str(root)])), None)
    if found is None:
        raise BundleError(f"the metadata of mk8s is not in {root}, where mk8s is", remedy=REINSTALL)
    return read_installed(found)


def _from_tree(root: Path) -> Shipped:
    with (root / "pyproject.toml").open("rb") as stream:
        project: dict[str, Any] = tomllib.load(stream)["project"]
    files: dict[str, Source] = dict(_files_of_metadata(project))
    files[f"{METADATA_FOLDER}/licenses/LICENSE"] = file_here(root / "LICENSE", "mk8s")
    for package in PACKAGES:
        files |= _files_below(root / package, package)
    files |= _files_below(root / "specs", "mk8s/_specs")
    return Shipped(
        name="mk8s",
        version=VERSION,
        licence=str(project["license"]),
        requires=tuple(project["dependencies"]),
        tags=("py3-none-any",),
        files=with_record(files, METADATA_FOLDER),
    )


def _files_below(folder: Path, shown: str) -> Mapping[str, Source]:
    """Ordinary files only, none hidden: an editor's or a desktop's own notes are no part of mk8s."""
    return {
        str(PurePosixPath(shown, path)): file_here(folder / path, "mk8s")
        for path in _paths(folder)
        if is_shipped(path) and not any(part.startswith(".") for part in path.parts)
    }


def _paths(folder: Path) -> Iterator[PurePosixPath]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.endswith("~"):
            yield PurePosixPath(path.relative_to(folder))


def _files_of_metadata(project: Mapping[str, Any]) -> Iterator[tuple[str, Source]]:
    scripts = [f"{name} = {target}" for name, target in sorted(project["scripts"].items())]
    lines = [
        "Metadata-Version: 2.4",
        "Name: mk8s",
        f"Version: {VERSION}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        "License-File: LICENSE",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {wanted}" for wanted in sorted(project["dependencies"])),
    ]
    texts = {
        "METADATA": lines,
        "WHEEL": ["Wheel-Version: 1.0", "Generator: mk8s", "Root-Is-Purelib: true", "Tag: py3-none-any"],
        "entry_points.txt": ["[console_scripts]", *scripts],
    }
    for name, text in texts.items():
        yield f"{METADATA_FOLDER}/{name}", Bytes("\n".join([*text, ""]).encode())
