"""mk8s.contradictions: what no run can have written is told; what any run wrote never is.

The runs are simulated over the node machine with actions that fail by chance, are stopped, killed at any
record and gone on with, again and again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from machines import ActionError, MemoryJournal, Record, Table, fold
from machines.framing import parse
from machines.registry import Context, Registry
from machines.simulation import simulate
from mk8s.cluster import Cluster
from mk8s.contradictions import faults_in, fold_and_look, refuse_faults
from mk8s.errors import Mk8sError
from mk8s.tables import node_machine, table_to_read
from tests.mk8s.cli.recorded import manifest_in, run_of
from tests.mk8s.examples import cluster
from tests.mk8s.explaining.scenes import Run
from tests.mk8s.test_identity import OLD

SEEDS = range(24)
FAILURES = [
    ("connection.lost", "connection"), ("timeout.command", "timeout"), ("timeout",), ("exit.1", "exit"),
    ("integrity",), ("disk.full", "disk"), ("unit.failed", "unit"), ("join.rejected", "join"), ("odd",),
]  # fmt: skip


class World:
    """What may happen to a run: drawn by a seed, in the order in which it is asked."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.rate = self.draw.choice([0.05, 0.3, 0.6])
        self.cluster: Cluster = cluster(servers=self.draw.randint(1, 3), agents=self.draw.randint(1, 3))
        if self.draw.random() < 0.5:
            self.cluster = replace(self.cluster, budgets={"agent": self.draw.choice(["0", "50%"])})

    def registry(self) -> Registry:
        registry = Registry()
        registry.actions.update(dict.fromkeys(("stage", "bootstrap", "start", "join", "verify"), self._act))
        registry.probes["has_joined"] = self._probe
        registry.undos["stop_unit"] = self._undo
        registry.guards["is_primary"] = lambda walker: walker.role == "primary"
        registry.guards["is_server"] = lambda walker: walker.role == "server"
        registry.guards["is_agent"] = lambda walker: walker.role == "agent"
        return registry

    async def _act(self, context: Context) -> Mapping[str, Any]:
        context.reached(self.draw.randrange(100))
        await trio.sleep(self.draw.random() * 400)
        if self.draw.random() < self.rate:
            ambiguous, final = self.draw.random() < 0.5, self.draw.random() < 0.1
            raise ActionError(*self.draw.choice(FAILURES), ambiguous=ambiguous, final=final)
        return {}

    async def _undo(self, context: Context) -> None:
        await self._act(context)

    async def _probe(self, _context: Context) -> Mapping[str, Any] | None:
        await trio.sleep(self.draw.random() * 9)
        if self.draw.random() < self.rate:
            raise ActionError("connection")
        return {} if self.draw.random() < 0.5 else None

    def went_on(self, past: bytes) -> bytes:
        """One more run, which ends by itself or is stopped; without its last records where it was killed."""
        registry = self.registry()
        journal = MemoryJournal(past)
        stop_at = self.draw.choice([None, self.draw.random() * 3000])
        simulate(
            Table(node_machine(self.cluster), registry.guards),
            registry,
            self.cluster.nodes,
            seed=self.draw.randrange(99),
            journal=journal,
            stop_at=stop_at,
            grace=self.draw.choice([0.0, 30.0]),
        )
        lines = journal.data.splitlines(keepends=True)
        killed = self.draw.random() < 0.8
        return b"".join(lines[: self.draw.randint(1, len(lines))] if killed else lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_run_wrote_never_contradicts_itself(seed: int) -> None:
    """Wherever it was stopped or killed, and however often it went on from there."""
    world = World(seed)
    data = b""
    for _ in range(6):
        data = world.went_on(data)
        assert faults_in(parse(data).records, table_to_read(node_machine(world.cluster))) == []


def test_what_an_older_version_wrote_does_not_either() -> None:
    """Whose headers said less."""
    run = Run()
    records = parse(OLD.read_bytes()).records
    assert faults_in(records, run.table) == []


def test_nor_does_a_simulated_run(tmp_path: Path) -> None:
    """With every record of it."""
    assert faults_in(run_of(manifest_in(tmp_path)).records, Run().table) == []


def test_a_table_whose_clauses_set_nodes_aside_otherwise_tells_no_fault() -> None:
    """Clauses change from version to version: what failed may have led elsewhere then."""
    run = begun().add("error", "srv-2", edge="join-server", attempt=1, lineage=("disk.full",))
    run.move("srv-2", "join-server", "quarantined")
    spec = run.table.spec
    plain = [msgspec.structs.replace(edge, retry=[], catch=edge.catch[-1:]) for edge in spec.edges]
    assert faults_in(run.records, table_to_read(msgspec.structs.replace(spec, edges=plain))) == []


def test_one_fold_gives_the_history_and_the_faults() -> None:
    """A run that goes on reads a journal of a million records once."""
    run = begun()
    for records in (run.records, [*run.records, *begun().records]):
        faults: list[str] = []
        assert fold_and_look(records, run.table, faults) == fold(records, run.table)
        assert faults == faults_in(records, run.table)
    assert faults


def begun() -> Run:
    """The primary is healthy, and srv-2 on its way."""
    run = Run().all_ready().after(60).healthy("srv-1", "start-primary")
    run.add("signal", signal="primary-ready", evidence={"have": 1, "need": 1, "members": ["srv-1"]})
    return run.begin("srv-2", "join-server").after(5)


def told_of(run: Run, records: Sequence[Record] = ()) -> str:
    return "; ".join(faults_in(records or run.records, run.table))


def test_two_journals_in_one_file_are_told() -> None:
    """Of the same cluster, with numbers that go on: its nodes would begin twice."""
    run = begun()
    twice = [*run.records, *begun().records]
    told = told_of(run, [msgspec.structs.replace(r, seq=n, at=9e3) for n, r in enumerate(twice, 1)])
    assert f"record {len(run.records) + 1} begins a journal, in the middle of one" in told
    assert "leaves pending, and was in " in told


@pytest.mark.parametrize("end", ["finished", "stopped"])
def test_what_follows_the_end_of_a_run_is_told(end: str) -> None:
    """Between two runs nothing is written; a run that goes on says so first."""
    run = begun().add(end).add("done", "srv-2", edge="join-server", attempt=1)
    assert told_of(run) == f"record {len(run.records)} follows the end of a run, and none was begun since"
    header = run.records[0].header
    assert told_of(begun().add(end).add("resumed", header=header).done("srv-2", "join-server")) == ""


def test_a_node_that_stopped_is_not_the_end_of_the_run() -> None:
    """Of the others, the work that was under way ends after it."""
    run = begun().add("stopped", "srv-2", edge="join-server", attempt=1)
    assert (
        told_of(run.add("state", "srv-3", edge="join-server", source="waiting", to="waiting~join-server"))
        == ""
    )


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("done", {"edge": "stage"}, "srv-2 works on stage, and is on join-server"),
        ("resumed", {"source": "running", "to": "running"}, "goes on from running, and was in waiting~"),
        ("resumed", {"source": "waiting~join-server", "to": "healthy"}, "put back to healthy, where it neve"),
        ("signal", {"signal": "servers-healthy", "evidence": {"members": ["srv-1", "srv-2"]}},
         "servers-healthy came by srv-2, which was never healthy"),
        ("signal", {"signal": "servers-healthy", "evidence": {"members": ["who"]}}, "came by who, which was"),
    ],
    ids=["other work", "from elsewhere", "put ahead", "signal", "signal of nobody"],
)  # fmt: skip
def test_a_record_that_claims_what_never_was_is_told(kind: str, fields: dict[str, Any], told: str) -> None:
    """By its number."""
    run = begun()
    run.add(kind, "" if kind == "signal" else "srv-2", **fields)
    assert told in told_of(run)
    assert told_of(run).startswith(f"record {len(run.records)}: ")


def test_a_blocked_node_goes_on_only_after_a_run_took_it_up() -> None:
    """In the run that blocked it, nothing follows."""
    run = begun().add("blocked", "srv-3", reason="x")
    held = run.records
    run.move("srv-3", "join-server", "waiting~join-server")
    assert told_of(run) == f"record {len(held) + 1}: srv-3 goes on, and was blocked"
    again = (
        begun().add("blocked", "srv-3", reason="x").add("resumed", "srv-3", source="waiting", to="waiting")
    )
    assert told_of(again.move("srv-3", "join-server", "waiting~join-server")) == ""


def test_one_wrong_time_is_one_fault() -> None:
    """And not one for each record behind it."""
    run = begun()
    records = [msgspec.structs.replace(r, at=9e9) if r.seq == 4 else r for r in run.records]
    assert told_of(run, records) == f"record 5 is of second {records[4].at:g}, after one of 9e+09"


def test_no_faults_are_no_problem_and_more_are_counted() -> None:
    """The first is told, with where to see the others."""
    refuse_faults([], Path("j"), "run", "x")
    with pytest.raises(Mk8sError) as refused:
        refuse_faults(["one", "two", "three"], Path("j"), "run", "look")
    assert str(refused.value) == (
        "j contradicts itself: no run can go on from it\n  because one (and 2 more)\nhint: look"
    )
