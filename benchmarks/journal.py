"""Durable records per second, against a loop that writes a line and syncs it.

Writers that wait at the same time share one sync; so the more write at once, the less each pays.
On the disk of the current folder: a journal in memory would measure nothing.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from benchmarks.measuring import in_turns
from benchmarks.tables import Table, count, ratio
from machines import FileJournal
from machines.framing import frame
from machines.records import Record

__all__ = ["run"]

WRITERS = (1, 10, 100, 1000)
BARE = 0


def run(quick: bool) -> Iterator[Table]:
    """Everyone in turns, each for a moment."""
    duration = 0.5 if quick else 2.0
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        contenders = {BARE: partial(_bare, Path(folder), duration)}
        for writers in WRITERS:
            contenders[writers] = partial(_written, Path(folder), writers, duration)
        figures = in_turns(3 if quick else 5, contenders)
    table = Table(
        "journal: durable records per second",
        ["who", "records/s", "syncs/s", "records a sync", "ratio of records/s"],
    )
    base = figures[BARE][0]
    for writers, (records, syncs) in figures.items():
        name = f"FileJournal, {writers} writers" if writers else "write + fdatasync each"
        table.add(name, count(records), count(syncs), f"{records / syncs:.1f}", ratio(records, base))
    yield table


def _record() -> Record:
    return Record(seq=1, at=12.345678, kind="intent", node="worker-1", edge="join-agent", attempt=1)


def _bare(folder: Path, duration: float) -> list[float]:
    """The same bytes, and a sync for each line."""
    line = frame(_record())
    fd = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    began, done = time.perf_counter(), 0
    try:
        while time.perf_counter() - began < duration:
            os.write(fd, line)
            os.fdatasync(fd)
            done += 1
    finally:
        os.close(fd)
    rate = done / (time.perf_counter() - began)
    return [rate, rate]


def _written(folder: Path, writers: int, duration: float) -> list[float]:
    """Records and syncs per second of a journal that so many tasks write to."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        journal = FileJournal(Path(place) / "journal")
        try:
            began = time.perf_counter()
            done: int = trio.run(_all_write, journal, writers, duration)
            took = time.perf_counter() - began
        finally:
            journal.close()
    return [done / took, journal.syncs / took]


async def _all_write(journal: FileJournal, writers: int, duration: float) -> int:
    end = trio.current_time() + duration
    done = 0

    async def write(number: int) -> None:
        nonlocal done
        while trio.current_time() < end:
            record = journal.append(
                12.345678, "intent", node=f"worker-{number}", edge="join-agent", attempt=1
            )
            await journal.durable(record.seq)
            done += 1

    async with trio.open_nursery() as tasks:
        for number in range(writers):
            tasks.start_soon(write, number)
    return done
