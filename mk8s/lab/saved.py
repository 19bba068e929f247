"""What a lab remembers of its making, in `lab.json` in its folder: the choices that its disks depend on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import LabError
from .places import lab_command

__all__ = ["SAVED_FILE", "Saved"]

SAVED_FILE = "lab.json"


@dataclass(frozen=True, slots=True)
class Saved:
    """`tree` is the Debian tree under all disks; `memory` limits each host, in MiB, unless 0."""

    subnet: str
    prefix: str
    tree: str
    memory: int

    def store(self, folder: Path) -> None:
        """In one move: a lab that has the file can be read."""
        draft = folder / f"{SAVED_FILE}.unfinished"
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(folder / SAVED_FILE)

    @classmethod
    def load(cls, folder: Path) -> Saved | None:
        """None if the lab was not made yet. Raises LabError if the file is damaged."""
        try:
            return cls(**json.loads((folder / SAVED_FILE).read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise LabError(
                f"{folder / SAVED_FILE} cannot be read: {error}",
                remedy=f"delete that file, then run {lab_command(folder.name, 'down')}",
            ) from error

    def existing_tree(self) -> Path:
        """The tree's path. Raises LabError if it is gone: a disk fits to no other."""
        tree = Path(self.tree)
        if not tree.exists():
            raise LabError(
                f"{tree} is gone",
                cause="the hosts' disks are changes over that Debian tree",
                remedy="begin anew: this lab's `down`, then its `up`",
            )
        return tree
