"""A program that runs the group on a real clock and a real file, to be killed by tests.

``python -m tests.machines.child FOLDER SECONDS GRACE``: each action takes SECONDS; with `inf`, until the run
was asked to stop. It prints the number of every record as it is appended, and writes every effect to
FOLDER/effects, where its probe looks for it.
Exit status: 0 everyone is home, 1 not, 130 interrupted.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import trio

from machines.files import FileJournal
from machines.interrupts import run_with_signals
from machines.logbook import Silent
from machines.records import Record
from machines.registry import Context, Evidence
from machines.supervisor import Result, Supervisor
from tests.machines.groups import people, registry, table


class Loud(Silent):
    """Says each record's number and kind on standard output."""

    def record(self, record: Record) -> None:
        print(record.seq, record.kind, flush=True)


class Effects:
    """The outside world: a file that outlives the program."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self.stopping = trio.Event()

    async def act(self, context: Context) -> Evidence | None:
        self._say("begin", context)
        await (self.stopping.wait() if math.isinf(self._seconds) else trio.sleep(self._seconds))
        self._say("effect", context)
        return None

    async def ask(self, context: Context) -> Evidence | None:
        wanted = f"effect {context.member.name} {context.edge} "
        seen = self._path.exists() and wanted in self._path.read_text()
        return {"seen": True} if seen else None

    def _say(self, what: str, context: Context) -> None:
        with self._path.open("a") as log:
            log.write(f"{what} {context.member.name} {context.edge} {context.attempt}\n")


def main(folder: Path, seconds: float, grace: float) -> int:
    journal = FileJournal(folder)
    effects = Effects(folder / "effects", seconds)
    actions = registry(build=effects.act, join=effects.act, has_joined=effects.ask)

    async def run() -> Result:
        supervisor = Supervisor(table(), actions, people(3), journal, grace=grace, observer=Loud())
        return await run_with_signals(supervisor, lambda _at_once: effects.stopping.set())

    result = trio.run(run)
    journal.close()
    if result.interrupted:
        return 130
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
