"""Random machines with everything that a machine can have, run by the real engine under every invariant."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machines.journal import JournalError, MemoryJournal
from machines.loading import parse_machine
from machines.records import Kind, Record
from machines.registry import Guard
from machines.simulation import FAULT_KINDS, FaultKind, FaultPlan, Simulated, World, simulate
from machines.table import Table
from tests.amounts import many
from tests.machines.groups import Person

Form = dict[str, Any]

ROLES = ("leads", "follows")
GUARDS: Mapping[str, Guard] = {
    "leads": lambda member: bool(member.role == "leads"),
    "follows": lambda member: bool(member.role == "follows"),
}
CLASSES = ("connection", "timeout", "exit", "disk", "integrity")
LIMITS = ("narrow", "wide")


class Cut(JournalError):  # noqa: N818 - it says what happened
    """The run's process is gone."""


class MortalJournal(MemoryJournal):
    """A journal that takes so many records and no more."""

    def __init__(self, room: int, data: bytes = b"") -> None:
        super().__init__(data)
        self._room = room

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        if self._room <= 0:
            raise Cut
        self._room -= 1
        return super().append(at, kind, **fields)


@dataclass(frozen=True)
class Play:
    """A machine, who walks it, and what goes wrong."""

    form: Form
    members: Sequence[Person]
    seed: int
    rates: Mapping[FaultKind, float]

    def run(self, world: World, journal: MemoryJournal, **options: Any) -> Simulated:
        """Run, or resume, in a world that keeps what was done to it."""
        spec = parse_machine(json.dumps(self.form), "m.yaml")
        world.away.clear()  # virtual time begins anew
        return simulate(
            Table(spec, GUARDS),
            world.registry(spec, GUARDS),
            self.members,
            seed=self.seed,
            journal=journal,
            **options,
        )

    def world(self) -> World:
        return World(FaultPlan(self.seed, self.rates))


@st.composite
def retries(draw: st.DrawFn) -> list[Form]:
    """Clauses of different classes: bounded, for who would try for ever never ends."""
    kinds = draw(st.lists(st.sampled_from(CLASSES), unique=True, max_size=4))
    return [
        {
            "match": [kind],
            "attempts": draw(st.integers(1, 5)),
            "delay": f"{draw(st.integers(0, 60))}s",
            "backoff": draw(st.sampled_from([1, 2])),
            "jitter": draw(st.sampled_from(["none", "equal", "full"])),
        }
        for kind in kinds
    ]


@st.composite
def actions(draw: st.DrawFn, name: str) -> Form:
    """What an edge with an action has beside its ends."""
    edge: Form = {"do": f"do-{name}", "retry": draw(retries())}
    rolls_back = draw(st.booleans())
    edge["catch"] = [{"match": ["*"], "to": "undone" if rolls_back else "failed", "rollback": rolls_back}]
    if draw(st.booleans()):
        edge["limit"] = draw(st.sampled_from(LIMITS))
        edge["limit_scope"] = draw(st.sampled_from(["attempt", "edge"]))
    if draw(st.booleans()):
        edge["timeout"] = f"{draw(st.integers(5, 100))}s"
    if draw(st.booleans()):
        edge["deadline"] = f"{draw(st.integers(100, 900))}s"
        for clause in edge["retry"]:
            clause["renew"] = draw(st.sampled_from(["never", "progress"]))
    if draw(st.booleans()):
        edge["probe"] = "is-there"
    if rolls_back or draw(st.booleans()):
        edge["undo"] = [f"undo-{name}"]
    return edge


@st.composite
def machines(draw: st.DrawFn) -> Form:
    """A chain to success in which roles may go their own ways, wait for each other, queue and roll back."""
    size = draw(st.integers(2, 5))
    edges: list[Form] = []
    for n in range(size):
        ends = {"from": f"s{n}", "to": f"s{n + 1}"}
        if draw(st.booleans()):
            edges += [
                {"name": f"own{n}", "guard": ["leads"], **ends, **draw(actions(f"own{n}"))},
                {"name": f"step{n}", "guard": ["!leads"], **ends, **draw(actions(f"step{n}"))},
            ]
        elif draw(st.booleans()):
            edges.append({"name": f"step{n}", **ends, **draw(actions(f"step{n}"))})
        else:
            edges.append({"name": f"step{n}", **ends})
    return draw(finished(edges, size))


@st.composite
def finished(draw: st.DrawFn, edges: list[Form], size: int) -> Form:
    """The rest of the document, with nothing declared that no edge uses."""
    signals: Form = {}
    waiting = draw(st.none() | st.sampled_from(edges))
    if waiting is not None:
        place = int(waiting["from"][1:])
        ways_round = sum(edge["from"] == waiting["from"] for edge in edges) > 1
        signals["others-there"] = {
            "role": draw(st.lists(st.sampled_from(ROLES), min_size=1, unique=True)),
            "state": f"s{draw(st.integers(0, size if ways_round else place))}",
            "at_least": draw(st.sampled_from(["1", "50%", "100%"])),
        }
        waiting["signal"] = "others-there"
    used = {edge.get("limit") for edge in edges}
    targets = {clause["to"] for edge in edges for clause in edge.get("catch", ())}
    return {
        "machine": "m",
        "version": 1,
        "initial": "s0",
        "states": {f"s{n}": {} for n in range(size)}
        | {f"s{size}": {"outcome": "success"}}
        | {name: {"outcome": "failure"} for name in ("failed", "undone") if name in targets},
        "edges": edges,
        "signals": signals,
        "limits": {name: draw(st.integers(1, 3)) for name in LIMITS if name in used},
        "budgets": draw(st.dictionaries(st.sampled_from(ROLES), st.sampled_from(["0", "1", "50%"]))),
    }


@st.composite
def plays(draw: st.DrawFn) -> Play:
    """A machine, its members in any order of the plan, a seed and rates of faults."""
    roles = draw(st.lists(st.sampled_from(ROLES), min_size=1, max_size=8))
    rates = draw(st.dictionaries(st.sampled_from(FAULT_KINDS), st.floats(0, 0.1)))
    for kind in ("hang",):  # an action without a timeout would hang for ever: its table's own fault
        rates.pop(kind, None)
    return Play(
        draw(machines()),
        [Person(f"n{number}", role) for number, role in enumerate(roles)],
        draw(st.integers(0, 2**32)),
        rates,
    )


@settings(max_examples=many(150))
@given(plays())
def test_a_sound_machine_runs_to_its_end_under_every_invariant(play: Play) -> None:
    """With faults on the way: everyone ends, and nothing that must not happen does."""
    assert not play.run(play.world(), MemoryJournal()).result.interrupted


@settings(max_examples=many(60))
@given(plays())
def test_without_faults_only_waiting_keeps_anyone_from_success(play: Play) -> None:
    """Nobody fails where nothing goes wrong and time suffices; who is left waits for who never comes."""
    patient = {
        "edges": [
            {
                name: "1000d" if name == "deadline" else value
                for name, value in edge.items()
                if name != "timeout"
            }
            for edge in play.form["edges"]
        ]
    }
    calm = replace(play, form=play.form | patient, rates={})
    result = calm.run(calm.world(), MemoryJournal()).result
    assert not result.failures
    assert all("signal" in reason for reason in result.blocked.values())


@settings(max_examples=many(100))
@given(plays(), st.lists(st.integers(1, 40), min_size=1, max_size=4), st.booleans())
def test_a_machine_cut_off_at_random_records_is_resumed_to_an_end(
    play: Play, rooms: list[int], loses_what_was_not_synced: bool
) -> None:
    """Again and again; the invariants see all runs as one story."""
    world, data = play.world(), b""
    for room in rooms:
        journal = MortalJournal(room, data)
        try:
            play.run(world, journal)
        except Cut:
            lines = journal.data.splitlines(keepends=True)
            data = b"".join(lines[: journal.durable_seq] if loses_what_was_not_synced else lines)
        else:
            data = journal.data
    assert not play.run(world, MemoryJournal(data)).result.interrupted


@settings(max_examples=many(40))
@given(plays(), st.floats(0, 300), st.floats(0, 60))
def test_a_machine_stopped_at_a_random_second_is_resumed_to_an_end(
    play: Play, second: float, grace: float
) -> None:
    """A Ctrl-C leaves places free and clocks standing, and breaks no law by that."""
    world = play.world()
    stopped = play.run(world, MemoryJournal(), stop_at=second, grace=grace)
    assert not play.run(world, MemoryJournal(stopped.journal.data)).result.interrupted


def cut_and_resumed(edge: Form, room: int) -> Simulated:
    """Three members on one edge with two places, cut off after so many records and resumed."""
    clauses = {"catch": [{"match": ["*"], "to": "undone", "rollback": True}], "undo": ["take-back"]}
    form: Form = {
        "machine": "m",
        "version": 1,
        "initial": "s0",
        "states": {"s0": {}, "s1": {"outcome": "success"}, "undone": {"outcome": "failure"}},
        "edges": [
            {"name": "step0", "from": "s0", "to": "s1", "do": "act", "limit": "narrow"} | clauses | edge
        ],
        "limits": {"narrow": 2},
    }
    play = Play(form, [Person(f"n{number}", "leads") for number in range(3)], 0, {})
    world, journal = World(FaultPlan(), seconds={"step0": 10.0}), MortalJournal(room)
    with pytest.raises(Cut):
        play.run(world, journal)
    return play.run(world, MemoryJournal(journal.data))


@pytest.mark.parametrize("room", range(1, 14))
def test_a_rollback_that_was_cut_off_holds_its_place_from_its_first_record_on(room: int) -> None:
    """It needs no attempt; found by random machines."""
    done = cut_and_resumed({"timeout": "5s"}, room)
    assert set(done.result.states.values()) == {"undone"}


@pytest.mark.parametrize("scope", ["attempt", "edge"])
@pytest.mark.parametrize("room", range(1, 16))
def test_a_back_off_that_was_cut_off_before_it_was_written_begins_in_its_place(room: int, scope: str) -> None:
    """A failure whose consequence is not written is decided first; found by random machines."""
    retry = {"retry": [{"match": ["timeout"], "attempts": 2, "delay": "20s", "jitter": "none"}]}
    done = cut_and_resumed({"timeout": "5s", "limit_scope": scope} | retry, room)
    assert set(done.result.states.values()) == {"undone"}
