"""Archives of images on their way to the folder in which the engine looks for them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import PurePosixPath

from mk8s.cluster import Cluster
from mk8s.distros.base import Situation
from mk8s.distros.rancher import commands
from mk8s.distros.rancher.engine import Engine
from mk8s.registries.releases import conditional_import
from mk8s.steps import Run, Step
from transports.base import File

__all__ = ["ARCHIVE_SUFFIXES", "Archive", "archive_of", "place", "staging_dir"]

ARCHIVE_SUFFIXES = (".tar", ".tar.lz4", ".tar.bz2", ".tbz", ".tar.gz", ".tgz", ".tar.zst", ".tzst")
"""What the engine reads. A ``.txt`` there would be a list of images to pull."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A file of images: the local file, its staged place and where the engine looks for it."""

    file: File
    staged: PurePosixPath
    target: PurePosixPath


def staging_dir(cluster: Cluster) -> PurePosixPath:
    """The node's folder for the release, so that versions lie side by side."""
    return _staging(cluster.version)


@cache
def _staging(version: str) -> PurePosixPath:
    return commands.STAGING / version


def archive_of(engine: Engine, s: Situation, file: File) -> Archive:
    """Staged apart from the files that an install script may take and move."""
    return _archive(file, staging_dir(s.cluster), engine.images_dir(s.node))


@lru_cache(256)
def _archive(file: File, staging: PurePosixPath, images: PurePosixPath) -> Archive:
    """One for all nodes that have their folders where others have them: nearly always all."""
    return Archive(file, staging / "images" / file.path.name, images / file.path.name)


def place(engine: Engine, s: Situation, archives: Sequence[Archive]) -> list[Step]:
    """Verified, each in its place; imported again only once it has changed, where that can be."""
    steps: list[Step] = [
        Run(
            f"verify and place {archive.target.name}",
            commands.place_archive(engine, archive.file, archive.staged, archive.target),
            commands.has_archive(engine, archive.file, archive.target),
        )
        for archive in archives
    ]
    if not conditional_import(s.cluster.version):
        return steps
    cache = engine.images_dir(s.node) / ".cache.json"
    title = "let images be imported only when an archive has changed"
    return [*steps, Run(title, commands.begin_cache(engine, cache), commands.has_cache(engine, cache))]
