"""Paths on modelled hosts, each made once: all hosts of a simulation have the same few hundred.

To take a path apart and to hash it is far slower than a look into a dictionary; a path that was made once
remembers both. Whoever asks here gets the same object for the same words. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath

__all__ = ["beside", "lineage", "parent", "path_of"]

KNOWN = 1 << 13  # more than any simulation has that is not drawn at random


@lru_cache(KNOWN)
def path_of(words: str) -> PurePosixPath:
    """The path of these words."""
    return PurePosixPath(words)


@lru_cache(KNOWN)
def parent(path: PurePosixPath) -> PurePosixPath:
    """The folder that it lies in."""
    return path_of(str(path.parent))


@lru_cache(KNOWN)
def lineage(path: PurePosixPath) -> tuple[PurePosixPath, ...]:
    """All folders above it from the root on, and then itself."""
    return tuple(path_of(str(each)) for each in reversed((path, *path.parents)))


@lru_cache(KNOWN)
def beside(folders: tuple[PurePosixPath, ...], name: str) -> tuple[PurePosixPath, ...]:
    """That name in each of these folders."""
    return tuple(path_of(str(folder / name)) for folder in folders)
