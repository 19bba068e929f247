"""Where the pairs that were kept lie, and how they are read: private files in private folders.

``pki/NAME.crt`` and ``pki/NAME.key``; a bare key pair's public half is ``NAME.pub``. A slash in a name
makes a folder. What others can read or could have put there is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mk8s.errors import Mk8sError
from mk8s.ledger import PairNeed
from mk8s.needs import KeyPair
from mk8s.state import StateFolder, read_private, refuse_untrusted

__all__ = ["PairFiles"]

READ_AT_MOST = 16 << 20  # bytes
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
HOLDS = "keys of the cluster, with which anybody can take it over"
OTHERWISE = "make the cluster anew, with new keys"


class PairFiles:
    """The files of one state folder that a `mk8s.keeper.Keeper` keeps."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state

    def paths(self, need: PairNeed) -> tuple[Path, Path]:
        """The public and the private half. Raises ValueError for a name that no file can have: a bug."""
        parts = need.name.split("/")
        if not all(PART.fullmatch(part) for part in parts):
            raise ValueError(f"{need.name!r} cannot be the name of a file")
        folder = self._state.pki.joinpath(*parts[:-1])
        public = "pub" if isinstance(need, KeyPair) else "crt"
        return folder / f"{parts[-1]}.{public}", folder / f"{parts[-1]}.key"

    def read(self, path: Path) -> bytes | None:
        """A file's content; None: it is not there. Raises Mk8sError for one that cannot be trusted."""
        for folder in self._folders_to(path):
            if folder.is_symlink() or folder.exists():
                refuse_untrusted(folder, folder.lstat())
        return read_private(path, READ_AT_MOST, holds=HOLDS, otherwise=OTHERWISE)

    def sweep(self) -> None:
        """Remove what a killed writer left: half of a key is still a secret."""
        for path in (*self._state.folder.glob(".kept.json.*.tmp"), *self._state.pki.rglob(".*.tmp")):
            if LEFTOVER.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def gone(self, path: Path) -> Mk8sError:
        return self._lost(f"{path} is gone")

    def unusable(self, path: Path, why: str) -> Mk8sError:
        return self._lost(f"{path} cannot be used: {why}")

    def _lost(self, problem: str) -> Mk8sError:
        return Mk8sError(
            problem,
            cause="nodes may have what was in it, and would not trust what is made anew",
            remedy="restore it from a backup; only if no node was given anything of it yet, "
            f"remove {self._state.kept} and {self._state.pki}, then run again",
        )

    def _folders_to(self, path: Path) -> Iterator[Path]:
        """The folders between the state folder, which is trusted, and this file."""
        folder = self._state.folder
        for part in path.relative_to(folder).parts[:-1]:
            folder = folder / part
            yield folder
