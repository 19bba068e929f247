"""What each file that mk8s keeps here needs: written whole, durable, and refusals that say what to do.

The words of the remedies are the caller's: what is lost by a full disk is another thing for a state folder,
a cache and a bundle. It knows none of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from mk8s.errors import Mk8sError

__all__ = ["Write", "refusals_explained", "sync_folder", "write_all"]

Write: TypeAlias = Callable[[int, memoryview], int]
"""os.write, or what a test puts in its place to bring a bad day."""

LOOK = "look at the disk and at the owner of the folder"


@contextmanager
def refusals_explained(
    path: Path,
    what: str,
    remedies: Mapping[int, str],
    problem: type[Mk8sError] = Mk8sError,
    otherwise: str = LOOK,
) -> Iterator[None]:
    """Turn an OSError into a problem: ``PATH cannot be WHAT``, with the remedy for its errno."""
    try:
        yield
    except OSError as error:
        remedy = remedies.get(error.errno or 0, otherwise)
        raise problem(f"{path} cannot be {what}: {error.strerror or error}", remedy=remedy) from error


def write_all(descriptor: int, content: bytes, write: Write = os.write) -> None:
    """Write all of it, however small the pieces are that the system takes. Raises OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power loss. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
