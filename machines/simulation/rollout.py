"""A whole run in virtual time, with every invariant checked after every record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import trio

from machines.beside import run_beside
from machines.journal import MemoryJournal
from machines.logbook import Observer
from machines.records import Record
from machines.registry import Member, Registry
from machines.simulation.clock import DAY, SimulationStuck, run_simulated
from machines.simulation.invariants import CheckedJournal, Checker, Rules, Watch, watch_over, watched
from machines.supervisor import Result, Supervisor
from machines.table import Table

__all__ = ["Simulated", "simulate"]


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
    engine: type[Supervisor] = Supervisor,
    observer: Observer | None = None,
    stop_at: float | None = None,
    grace: float = 30.0,
    limit: float = 30 * DAY,
    plan_digest: str = "",
    program: str = "",
) -> Simulated:
    """Run a table over members in virtual time; with a `journal` that has records, resume it.

    Every law of `INVARIANTS` looks on, and the `checkers`. `stop_at` is the virtual second of a
    Ctrl-C. Raises `Broken`, a run without an end included, and what a run raises.
    """
    memory = journal if journal is not None else MemoryJournal()
    rules = Rules(
        spec=table.spec,
        members=members,
        guards=registry.guards,
        limits=limits or {},
        budgets=budgets or {},
        secrets=secrets,
        before=len(memory.records()),
        durable=lambda: memory.durable_seq,
    )
    watch = watch_over(rules)

    async def main() -> Result:
        supervisor = engine(
            table,
            watched(registry, watch),
            members,
            CheckedJournal(memory, [watch, *checkers]),
            plan_digest=plan_digest,
            program=program,
            seed=seed,
            limits=limits,
            budgets=budgets,
            grace=grace,
            observer=observer,
        )
        return await _run(supervisor, watch, stop_at)

    try:
        result = run_simulated(main, seed=seed, limit=limit)
    except SimulationStuck as stuck:
        raise watch.stuck(str(stuck)) from stuck
    for checker in (watch, *checkers):
        checker.end()
    return Simulated(result, memory, memory.digest(), seed)


async def _run(supervisor: Supervisor, watch: Watch, stop_at: float | None) -> Result:
    if stop_at is None:
        return await supervisor.run()

    async def stop() -> None:
        await trio.sleep(stop_at)
        watch.stop()
        supervisor.stop()

    return await run_beside(stop, supervisor.run)
