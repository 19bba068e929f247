"""Random machines: sound ones load, run and can be drawn; broken ones are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machines.diagrams.dot import dot
from machines.diagrams.mermaid import mermaid
from machines.errors import Failure, MachineError
from machines.loading import parse_machine
from machines.spec import Catch
from machines.table import OutOfPlace, Table
from tests.amounts import many

Form = dict[str, Any]
CLASSES = ["connection", "timeout", "exit", "disk", "unit"]
GUARDS: dict[str, Callable[[Any], bool]] = {"yes": lambda _node: True, "no": lambda _node: False}


class Node:
    """A node that is only its state."""

    def __init__(self, state: str) -> None:
        self.state = state


@st.composite
def clauses(draw: st.DrawFn) -> list[Form]:
    """Retry clauses with disjoint classes, so that none hides another."""
    kinds = draw(st.lists(st.sampled_from(CLASSES), unique=True, max_size=3))
    attempts = st.integers(1, 4)
    return [
        {"match": [kind], "attempts": draw(attempts), "delay": draw(st.integers(0, 60))} for kind in kinds
    ]


@st.composite
def edges(draw: st.DrawFn, name: str, source: str, target: str) -> Form:
    """An edge with an action or without; the first of a chain is always open."""
    edge: Form = {"name": name, "from": source, "to": target}
    if draw(st.booleans()):
        edge |= {"do": "act", "retry": draw(clauses()), "catch": [{"match": ["*"], "to": "failed"}]}
        if draw(st.booleans()):
            edge |= {"timeout": draw(st.integers(1, 60)), "deadline": f"{draw(st.integers(60, 90))}s"}
    return edge


@st.composite
def machines(draw: st.DrawFn) -> Form:
    """A sound machine: a chain to success, with guarded detours, at least one action and one failure."""
    size = draw(st.integers(2, 6))
    states: Form = {f"s{n}": {} for n in range(size - 1)} | {f"s{size - 1}": {"outcome": "success"}}
    found = []
    for n in range(size - 1):
        if draw(st.booleans()):
            guard = draw(st.sampled_from(["yes", "no", "!yes", "!no"]))
            target = draw(st.integers(n + 1, size - 1))
            found.append(draw(edges(f"detour{n}", f"s{n}", f"s{target}")) | {"guard": [guard]})
        found.append(draw(edges(f"step{n}", f"s{n}", f"s{n + 1}")))
    found[-1] |= {"do": "act", "catch": [{"match": ["*"], "to": "failed"}]}
    states["failed"] = {"outcome": "failure"}
    return {"machine": "m", "version": 1, "initial": "s0", "states": states, "edges": found}


def load(form: Form) -> Table:
    return Table(parse_machine(json.dumps(form), "m.yaml"), GUARDS)


@given(machines(), st.data())
def test_a_sound_machine_runs_to_an_outcome_and_never_leaves_its_table(
    form: Form, data: st.DataObject
) -> None:
    """Whatever happens on the way: success, failures of any class, interruptions."""
    table = load(form)
    node, tries, steps = Node("s0"), dict.fromkeys(range(3), 0), 0
    while table.outcome(node.state) is None:
        steps += 1
        flight = table.in_flight(node.state)
        if flight is None:
            edge = next(edge for edge in table.edges_from(node.state) if table.is_open(node, edge.name))
            assert table.begin(node, edge.name)
            tries = dict.fromkeys(tries, 0)
        else:
            happen(table, node, flight[1], tries, data.draw(st.sampled_from(["ok", *CLASSES])))
        assert node.state in table.states
        assert steps < 200
    assert table.edges_from(node.state) == ()


def happen(table: Table, node: Node, edge: str, tries: dict[int, int], event: str) -> None:
    before = node.state
    if event == "ok":
        table.succeed(node, edge)
        return
    failure = Failure((f"{event}.17", event))
    index = table.retry_index(edge, failure)
    if index is not None:
        tries[index] += 1
    clause = table.fail(node, edge, failure, tries, False)
    assert node.state == (clause.to if isinstance(clause, Catch) else before)


@given(machines())
def test_an_event_out_of_place_is_refused_and_changes_nothing(form: Form) -> None:
    """In every state: events of edges that do not belong there."""
    table = load(form)
    for state in sorted(table.states):
        flight = table.in_flight(state)
        for edge in table.edges:
            if flight is None or flight[1] != edge:
                node = Node(state)
                for fire in (table.succeed, table.interrupt):
                    try:
                        fire(node, edge)
                    except OutOfPlace:
                        continue
                    raise AssertionError(f"{edge} was taken in {state}")
                assert node.state == state


@given(machines())
def test_a_machine_is_drawn_whole(form: Form) -> None:
    """Every state and every in-flight state stands in both pictures."""
    table = load(form)
    assert mermaid(table).count(" as s") == len(table.states)
    assert dot(table).count("[label=") >= len(table.states)


def no_catch(form: Form) -> None:
    next(edge for edge in form["edges"] if "do" in edge).pop("catch")


def no_success(form: Form) -> None:
    form["states"] = {name: {"outcome": "failure"} if state else {} for name, state in form["states"].items()}


def last(**keys: Any) -> Callable[[Form], object]:
    """Something about the last edge, which always has an action."""
    return lambda form: form["edges"][-1].update(keys)


def signalled(**keys: Any) -> Callable[[Form], object]:
    """A signal that every edge waits for."""

    def mutate(form: Form) -> None:
        form["signals"] = {"late": {"role": ["worker"], "state": "s1"} | keys}
        for edge in form["edges"]:
            edge["signal"] = "late"

    return mutate


def first(**keys: Any) -> Callable[[Form], object]:
    """One more edge, before all others."""
    return lambda form: form["edges"].insert(0, {"name": "extra", "from": "s0", "to": "s1"} | keys)


MUTATIONS: dict[str, Callable[[Form], object]] = {
    "an unknown initial": lambda form: form.update(initial="nowhere"),
    "an unknown target": lambda form: form["edges"][0].update(to="nowhere"),
    "an unknown source": lambda form: form["edges"][0].update({"from": ["s0", "nowhere"]}),
    "an unknown signal": lambda form: form["edges"][0].update(signal="never"),
    "an unknown limit": lambda form: form["edges"][-1].update(limit="none"),
    "an unknown key": lambda form: form["edges"][0].update(colour="red"),
    "a missing key": lambda form: form["edges"][0].pop("to"),
    "a wrong type": lambda form: form.update(version="one"),
    "a doubled edge": lambda form: form["edges"].append(form["edges"][0]),
    "an edge out of an outcome": lambda form: form["edges"][0].update({"from": ["s0", "failed"]}),
    "an unreachable state": lambda form: form["states"].update(island={"outcome": "failure"}),
    "a dead end": lambda form: form["states"]["failed"].clear(),
    "an unused limit": lambda form: form.update(limits={"idle": 1}),
    "a bad amount": lambda form: form.update(budgets={"worker": "200%"}),
    "a signal that can never come": signalled(),
    "a signal that counts no role": signalled(role=[], state="s0"),
    "a signal of an amount that cannot be": signalled(state="s0", at_least="0"),
    "a signal of an unknown state": signalled(state="nowhere"),
    "a signal that nobody waits for": lambda form: form.update(signals={"s": {"role": ["a"], "state": "s0"}}),
    "an edge that takes all": first(),
    "a guard and its opposite": first(guard=["yes", "!yes"]),
    "a probe without an action": first(guard=["no"], probe="seen"),
    "a limit without an action": first(guard=["no"], limit="none"),
    "an edge that leaves no state": last(**{"from": []}),
    "a clause that hides another": last(
        retry=[{"match": ["exit"], "attempts": 1}, {"match": ["exit.1"], "attempts": 1}]
    ),
    "a clause that matches nothing": last(retry=[{"match": [], "attempts": 1}]),
    "a clause without an end": last(retry=[{"match": ["exit"]}], deadline=None),
    "no attempts": last(retry=[{"match": ["exit"], "attempts": 0}]),
    "a delay in the past": last(retry=[{"match": ["exit"], "attempts": 2, "delay": "-1s"}]),
    "a backoff that shortens": last(retry=[{"match": ["exit"], "attempts": 2, "backoff": 0.5}]),
    "a delay over its maximum": last(retry=[{"match": ["exit"], "attempts": 2, "delay": 9, "max_delay": 1}]),
    "no time for an attempt": last(timeout=0),
    "an attempt longer than all of them": last(timeout=100, deadline=90),
    "a rollback of nothing": last(catch=[{"match": ["*"], "to": "failed", "rollback": True}]),
    "a catch to an unknown state": last(catch=[{"match": ["*"], "to": "nowhere"}]),
    "a limit that lets nobody through": lambda form: (
        form.update(limits={"gate": 0}),
        form["edges"][-1].update(limit="gate"),
    ),
    "a version before the first": lambda form: form.update(version=0),
    "a name that is none": lambda form: form["edges"][-1].update(name="Not a name"),
    "no catch-all": no_catch,
    "no success": no_success,
}


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
@settings(max_examples=many(12))
@given(form=machines())
def test_a_machine_with_one_thing_broken_is_refused(mutation: str, form: Form) -> None:
    """Sound before, refused after, and the fault stands inside the document."""
    parse_machine(json.dumps(form), "m.yaml")
    MUTATIONS[mutation](form)
    try:
        parse_machine(json.dumps(form, indent=1), "m.yaml")
    except MachineError as error:
        faults = error.faults
    else:
        raise AssertionError(f"{mutation} was not noticed")
    assert faults
    assert all(
        fault.message and 1 <= fault.line <= len(json.dumps(form, indent=1).splitlines()) for fault in faults
    )
