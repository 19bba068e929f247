"""Where the data files of `specs/` lie: beside the packages in a source tree, inside `mk8s` in a wheel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["find_in", "spec_path"]

HERE = Path(__file__).resolve().parent
PLACES = (HERE / "_specs", HERE.parent / "specs")  # the wheel's copy first: it belongs to this very code


def spec_path(*parts: str) -> Path:
    """The path of one data file or folder. Raises FileNotFoundError and names where it looked."""
    return find_in(PLACES, *parts)


def find_in(places: Sequence[Path], *parts: str) -> Path:
    """The first place that has it. Raises FileNotFoundError and names them all."""
    for place in places:
        path = place.joinpath(*parts)
        if path.exists():
            return path
    looked = ", ".join(str(place) for place in places)
    raise FileNotFoundError(f"the data file {'/'.join(parts)} is missing; looked in {looked}")
