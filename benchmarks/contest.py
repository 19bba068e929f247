"""Contests over many hosts: one file to each of them, checked, then commands in order on each.

Each contender is one process tree, from its start to its end: imports and hashing included. The hosts are
real sshds on loopback, files are in memory. Who takes part is in `benchmarks.entries`.

A peer that cannot be run is named under the table with what it said; without mk8s there is no table.
Begin reading at `contests`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from benchmarks.measuring import NotMeasuredError, Usage, command, measure, medians
from benchmarks.servers import Door, doors, payload
from benchmarks.tables import Table, mebibytes, ratio, seconds

__all__ = ["BASE", "NAME", "Entry", "Trial", "contest", "contests", "in_process", "target_of"]

BASE = "mk8s"
NAME = "arrived"
COLUMNS = [
    "who", "wall", "client CPU", "peak memory",
    "wall: times mk8s", "CPU: times mk8s", "memory: times mk8s",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trial:
    """What each contender is to do: bring `source` to `target_of` each host, then so many commands there."""

    to: Sequence[Door]
    source: Path
    folder: Path
    commands: int = 0


Entry: TypeAlias = Callable[[Trial], Usage]


def target_of(folder: str | Path, host: str) -> PurePosixPath:
    """Where the file is to be on a host: in a folder that is there, as on another machine its own."""
    return PurePosixPath(folder) / host / NAME


def contests(
    sizes: Sequence[tuple[int, int]],
    amount: int,
    titled: str,
    entries: Mapping[str, Entry],
    commands: int = 0,
) -> Iterator[Table]:
    """A contest for each number of hosts, each with so many rounds. `amount`: bytes to each host.

    `titled`: words with places for `megabytes` and `hosts`.
    """
    with doors(max(hosts for hosts, _ in sizes)) as (folder, every):
        source = payload(folder / "payload", amount)
        for hosts, rounds in sizes:
            title = titled.format(megabytes=amount // 10**6, hosts=hosts)
            yield contest(title, Trial(every[:hosts], source, folder / "arrived", commands), rounds, entries)


def contest(title: str, trial: Trial, rounds: int, entries: Mapping[str, Entry]) -> Table:
    """Let all take turns; the table of medians. Raises NotMeasuredError where mk8s itself fails."""
    figures: dict[str, list[list[float]]] = {name: [] for name in entries}
    problems: dict[str, str] = {}
    for _ in range(rounds):
        for name in [name for name in entries if name not in problems]:
            try:
                figures[name].append(_once(entries[name], trial))
            except NotMeasuredError as problem:
                if name == BASE:
                    raise
                problems[name] = _in_a_line(problem)
    table = _table(title, {name: medians(rows) for name, rows in figures.items() if name not in problems})
    table.notes += [f"{name}: not measured: {problem}" for name, problem in problems.items()]
    return table


def _once(entry: Entry, trial: Trial) -> list[float]:
    try:
        for door in trial.to:
            Path(target_of(trial.folder, door.host)).parent.mkdir(parents=True)
        usage = entry(trial)
        _refuse_missing(trial)
    finally:
        shutil.rmtree(trial.folder)
    return [usage.wall, usage.cpu, float(usage.memory)]


def _refuse_missing(trial: Trial) -> None:
    size = trial.source.stat().st_size
    paths = [Path(target_of(trial.folder, door.host)) for door in trial.to]
    arrived = [path for path in paths if path.exists() and path.stat().st_size == size]
    if len(arrived) != len(paths):
        raise NotMeasuredError(f"{len(arrived)} of {len(paths)} files arrived")


def _in_a_line(problem: NotMeasuredError) -> str:
    """What was tried, and the last thing that it said."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return ": ".join(dict.fromkeys([lines[0], lines[-1]]))


def _table(title: str, figures: Mapping[str, list[float]]) -> Table:
    table = Table(title, COLUMNS)
    for name, (wall, cpu, memory) in figures.items():
        ratios = [ratio(its, base) for its, base in zip(figures[name], figures[BASE], strict=True)]
        table.add(name, seconds(wall), seconds(cpu), mebibytes(memory), *ratios)
    return table


def in_process(work: Callable[[list[str], str, str, int], str]) -> Entry:
    """A contender that is a function here, called in a process of its own."""

    def entry(trial: Trial) -> Usage:
        hosts = [json.dumps(asdict(door)) for door in trial.to]
        words = command(work, hosts, str(trial.source), str(trial.folder), trial.commands)
        return measure(words, watch=True)

    return entry
