"""Where a lab keeps things. Pure: the environment comes in as an argument.

| what | where |
| --- | --- |
| a lab's folder | `$MK8S_LAB_DIR/NAME`, else `$XDG_STATE_HOME/mk8s/lab/NAME` (~/.local/state/…) |
| Debian trees, the stand-in release | `$XDG_CACHE_HOME/mk8s`, else ~/.cache/mk8s |
| which labs run on this machine | /run/mk8s-lab (gone after a reboot of the machine, as the hosts are) |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["DEFAULT_NAME", "REGISTER", "cache_folder", "lab_command", "lab_folder"]

REGISTER = Path("/run/mk8s-lab")
DEFAULT_NAME = "lab"


def lab_folder(name: str, environment: Mapping[str, str], home: Path) -> Path:
    """The default folder of the lab with that name."""
    given = environment.get("MK8S_LAB_DIR")
    base = Path(given) if given else _base(environment, "XDG_STATE_HOME", home / ".local/state") / "mk8s/lab"
    return base.absolute() / name


def cache_folder(environment: Mapping[str, str], home: Path) -> Path:
    """What can be made again: shared by all labs of a user."""
    return _base(environment, "XDG_CACHE_HOME", home / ".cache") / "mk8s"


def lab_command(name: str, words: str) -> str:
    """What to type for this lab. A hint that left out its name would lead to another lab."""
    return f"`mk8s lab {words}`" if name == DEFAULT_NAME else f"`mk8s lab --name {name} {words}`"


def _base(environment: Mapping[str, str], variable: str, otherwise: Path) -> Path:
    """The XDG rule: a relative path is ignored."""
    given = Path(environment.get(variable) or ".")
    return given if given.is_absolute() else otherwise
