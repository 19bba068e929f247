"""The Debian tree under all hosts: built once, cached, never changed afterwards.

A finished tree appears under its name in one move, so a broken build leaves none.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable
from pathlib import Path

from . import recipe
from .locks import locked
from .processes import run

__all__ = ["cached_tree", "remove_tree", "tree_name"]


def tree_name() -> str:
    """The name of the tree that today's recipe and kernel lead to."""
    source = Path(recipe.__file__).read_bytes()
    return f"debian-{hashlib.sha256(source + platform.release().encode()).hexdigest()[:12]}"


def cached_tree(cache: Path, mirror: Callable[[], str | None], say: Callable[[str], None]) -> Path:
    """The tree's path; builds it when it is not there. Raises LabError with the builder's last words.

    `mirror` is asked only for a build: the question takes longer than the start of a host.
    """
    tree = cache / tree_name()
    with locked(cache, lambda: say("waiting: another mk8s is building the Debian tree")):
        if not tree.exists():
            _build(tree, mirror(), say)
    return tree


def remove_tree(path: Path) -> None:
    """Remove a folder and all in it, but nothing that is mounted there."""
    if path.exists():
        run(["rm", "-rf", "--one-file-system", path])


def _build(tree: Path, mirror: str | None, say: Callable[[str], None]) -> None:
    say(f"building the hosts' Debian tree in {tree} (about half a minute, once)")
    began, unfinished = time.monotonic(), tree.with_name(f"{tree.name}.unfinished")
    remove_tree(unfinished)
    command: list[str | Path] = ["mmdebstrap", "--variant=minbase", f"--include={','.join(recipe.PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.LEFT_OUT]
    run([*command, recipe.SUITE, unfinished, *([mirror] if mirror else [])])
    recipe.customise(unfinished)
    unfinished.rename(tree)
    say(f"built in {time.monotonic() - began:.0f} s")
