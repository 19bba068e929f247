"""How long `mk8s --version` takes, against an interpreter that does nothing, and where the time goes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial

from benchmarks.measuring import in_turns, measure
from benchmarks.tables import Table, ratio, seconds

__all__ = ["run"]

NOTHING = (sys.executable, "-c", "pass")
VERSION = (sys.executable, "-m", "mk8s", "--version")
HELP = (sys.executable, "-m", "mk8s", "run", "--help")
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")


def run(quick: bool) -> Iterator[Table]:
    """The three commands in turns, then one look at the imports."""
    names = {"python -c pass": NOTHING, "mk8s --version": VERSION, "mk8s run --help": HELP}
    figures = in_turns(5 if quick else 21, {name: partial(_started, words) for name, words in names.items()})
    table = Table("startup: from the command line to its end", ["command", "wall", "CPU", "ratio of wall"])
    for name, (wall, cpu) in figures.items():
        table.add(name, seconds(wall), seconds(cpu), ratio(wall, figures["python -c pass"][0]))
    yield table
    yield _imports()


def _started(words: tuple[str, ...]) -> list[float]:
    usage = measure(words)
    return [usage.wall, usage.cpu]


def _imports() -> Table:
    """What `mk8s --version` imports beyond a bare interpreter, by top package."""
    bare, ours = _import_times(NOTHING[1:]), _import_times(VERSION[1:])
    spent: Counter[str] = Counter()
    for name in ours.keys() - bare.keys():
        spent[name.split(".")[0]] += ours[name]
    table = Table("startup: what `mk8s --version` imports", ["package", "time in its own code"])
    for package, took in spent.most_common(8):
        table.add(package, seconds(took / 1e6))
    table.notes.append(f"{len(ours) - len(bare)} modules more than `python -c pass`, by -X importtime, once.")
    return table


def _import_times(words: tuple[str, ...]) -> dict[str, int]:
    """Microseconds in each module's own code."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words], capture_output=True, text=True, check=True
    )
    return {name: int(took) for took, name in IMPORT.findall(done.stderr)}
