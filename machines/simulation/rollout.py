"""A whole run in virtual time, with every invariant checked after every record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import trio

from machines.beside import run_beside
from machines.journal import MemoryJournal
from machines.logbook import Observer
from machines.records import Kind, Record
from machines.registry import Member, Registry
from machines.simulation.clock import DAY, run_simulated
from machines.simulation.invariants import Checker, IntentFirst, standard_checkers
from machines.supervisor import Result, Supervisor
from machines.table import Table

__all__ = ["CheckedJournal", "Simulated", "simulate"]


class CheckedJournal:
    """A journal in memory that shows every record to the checkers. Raises `Broken` from `append`."""

    def __init__(self, journal: MemoryJournal, checkers: Sequence[Checker]) -> None:
        self.journal = journal
        self._checkers = checkers
        for record in journal.records():
            self._check(record)

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        record = self.journal.append(at, kind, **fields)
        self._check(record)
        return record

    async def durable(self, seq: int) -> None:
        await self.journal.durable(seq)

    def records(self) -> list[Record]:
        return self.journal.records()

    def close(self) -> None:
        self.journal.close()

    def _check(self, record: Record) -> None:
        for checker in self._checkers:
            checker.see(record)


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulated run came to. Equal seeds and plans have equal digests."""

    result: Result
    journal: MemoryJournal
    digest: str
    seed: int

    @property
    def records(self) -> list[Record]:
        """Every record, oldest first."""
        return self.journal.records()


def simulate(
    table: Table,
    registry: Registry,
    members: Sequence[Member],
    *,
    seed: int = 0,
    journal: MemoryJournal | None = None,
    limits: Mapping[str, int] | None = None,
    budgets: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    checkers: Sequence[Checker] = (),
    watch: Callable[[IntentFirst], None] | None = None,
    observer: Observer | None = None,
    stop_at: float | None = None,
    grace: float = 30.0,
    limit: float = 30 * DAY,
    plan_digest: str = "",
    program: str = "",
) -> Simulated:
    """Run a table over members in virtual time; with a `journal` that has records, resume it.

    `watch` is handed the checker whose `effect` a simulated world calls before each effect. `stop_at`
    is the virtual second of a Ctrl-C. Raises `Broken`, `SimulationStuck`, and what a run raises.
    """
    memory = journal if journal is not None else MemoryJournal()
    intents = IntentFirst(lambda: memory.durable_seq)
    standard = standard_checkers(table, limits=limits or {}, budgets=budgets or {}, secrets=secrets)
    every = [intents, *standard, *checkers]
    if watch is not None:
        watch(intents)

    async def main() -> Result:
        supervisor = Supervisor(
            table,
            registry,
            members,
            CheckedJournal(memory, every),
            plan_digest=plan_digest,
            program=program,
            seed=seed,
            limits=limits,
            budgets=budgets,
            grace=grace,
            observer=observer,
        )
        return await _run(supervisor, stop_at)

    result = run_simulated(main, seed=seed, limit=limit)
    for checker in every:
        checker.end()
    return Simulated(result, memory, memory.digest(), seed)


async def _run(supervisor: Supervisor, stop_at: float | None) -> Result:
    if stop_at is None:
        return await supervisor.run()

    async def stop() -> None:
        await trio.sleep(stop_at)
        supervisor.stop()

    return await run_beside(stop, supervisor.run)
