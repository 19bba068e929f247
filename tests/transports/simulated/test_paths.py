"""Paths that are made once for all modelled hosts."""

from __future__ import annotations

from pathlib import PurePosixPath

from transports.simulated.paths import beside, lineage, parent, path_of


def test_the_same_words_give_the_same_object() -> None:
    """It remembers what it was taken apart into, and its hash."""
    assert path_of("/etc/hosts") is path_of("/etc/hosts")
    assert path_of("/etc/hosts") == PurePosixPath("/etc/hosts")


def test_folders_are_those_of_pathlib() -> None:
    """Above a path, and above the root, which is its own."""
    path = PurePosixPath("/var/lib/x/y")
    assert parent(path) == path.parent
    assert parent(PurePosixPath("/")) == PurePosixPath("/")
    assert lineage(path) == tuple(reversed((path, *path.parents)))


def test_a_name_stands_in_each_folder() -> None:
    """In the order of the folders."""
    folders = (PurePosixPath("/a"), PurePosixPath("/b/c"))
    assert beside(folders, "n") == (PurePosixPath("/a/n"), PurePosixPath("/b/c/n"))
