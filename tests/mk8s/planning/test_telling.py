"""A plan as text, as JSON and as a page: what each says, and what none of them shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from mk8s.amounts import duration
from mk8s.forecast.predicting import forecast
from mk8s.planning.data import plan_as_data
from mk8s.planning.making import make_plan
from mk8s.planning.modelled import as_found
from mk8s.planning.page import plan_as_page
from mk8s.planning.text import plan_as_text
from mk8s.planning.values import Plan, Stock
from mk8s.rehearsal import Conditions
from mk8s.steps import Verdict
from tests.mk8s.planning.worlds import TOKEN, UNIT, World, cluster_of, ground_of, look

MARKED = b"token: a-secret-of-somebody-else\n"
CONFIG = PurePosixPath("/etc/rancher/k3s/config.yaml")
DOCS = Path(__file__).parents[3] / "docs" / "plan.md"
CLUSTER_KEYS = {"format", "cluster", "nodes", "forecast", "assumed_sizes", "notes"}
NODE_KEYS = {
    "node", "role", "address", "state", "nothing_to_do", "bytes_to_send", "done", "found", "edges",
}  # fmt: skip
FORECAST_KEYS = {
    "seeds", "middle_seed", "ends", "to_ha", "to_all", "rests_on", "basis", "bytes", "bounds", "troubles",
    "critical_path",
}  # fmt: skip


def plan_of(world: World | None = None, distro: str = "k3s") -> Plan:
    """With a forecast of three seeds."""
    ground = world.ground if world else ground_of(cluster_of(distro))
    looks = world.looks if world else {}
    seen = forecast(
        Conditions(
            ground.cluster,
            ground.distro,
            release=ground.release,
            prepare=as_found(ground, looks) if looks else None,
        ),
        seeds=3,
    )
    return Plan(ground.cluster, make_plan(ground, looks), seen)


@pytest.fixture(scope="module")
def bare() -> Plan:
    """Nobody was asked."""
    return plan_of()


@pytest.fixture(scope="module")
def asked() -> Plan:
    """One agent was installed and then changed: its unit, and its config, which holds the token."""

    def change(hosts: object) -> None:
        assert isinstance(hosts, dict)
        disk = hosts["agent-1"].disk
        disk.write(UNIT, disk.read(UNIT).replace(b"Restart=always", b"Restart=no"))
        disk.write(CONFIG, MARKED, mode=0o600)

    return plan_of(look(ground_of(cluster_of()), "stage", "bootstrap", on=("agent-1",), change=change))


def test_nodes_whose_plan_reads_the_same_stand_together(bare: Plan) -> None:
    """Whatever their seconds."""
    assert "agent: agent-1 (10.0.1.1), agent-2 (10.0.1.2)\n" in plan_as_text(bare)


def test_one_node_that_differs_stands_alone(asked: Plan) -> None:
    """What it has is marked, what it lacks is not."""
    text = plan_as_text(asked)
    assert "agent: agent-1 (10.0.1.1)\n" in text
    assert "    = put k3s on the node  (true already: skipped)" in text
    assert f"    - write {UNIT}  (its content is another)" in text
    assert "      -Restart=no\n      +Restart=always" in text


def test_the_text_tells_how_long_and_why(bare: Plan) -> None:
    """The lines of the forecast, in their order."""
    told = plan_as_text(bare).split("\n\n")[-1]
    starts = re.findall(
        r"^  (all servers|all nodes|bound by|bytes|rests on|critical path)", told, re.MULTILINE
    )
    assert starts == ["all servers", "all nodes", "bound by", "bytes", "rests on", "critical path"]
    assert re.search(
        r"^ +1\. srv-1: put the release on the node \[stage\], .* from 0 s on$", told, re.MULTILINE
    )


@pytest.mark.parametrize("told", [plan_as_text, plan_as_page])
def test_one_second_is_told_in_one_way_wherever_it_stands(bare: Plan, told: Callable[[Plan], str]) -> None:
    """As simulate and the journal tell it; no second way beside it, such as 16m 12s or 27s."""
    assert bare.forecast is not None
    assert bare.forecast.to_all is not None
    words = told(bare)
    assert duration(bare.forecast.to_all.middle) in words
    assert not re.search(r"(?<=[ >])(\d+m )?\d+(\.\d+)?s\b", words)


def test_each_edge_has_its_seconds(bare: Plan) -> None:
    """From when to when, over the nodes of the group."""
    assert re.search(
        r"join as an agent \[join-agent\], after servers-healthy +\S+.* to \S+", plan_as_text(bare)
    )


def test_assumed_sizes_are_told(bare: Plan) -> None:
    """A plan before the download is of use, and says what it rests on."""
    plan = replace(bare, stock=Stock({"k3s": 45 << 20}))
    assert "nominal sizes stand for them: k3s 45.0 MiB" in plan_as_text(plan)
    assert plan_as_data(plan)["assumed_sizes"] == {"k3s": 45 << 20}
    assert "nominal sizes stand for them: k3s (45.0 MiB)" in plan_as_page(plan)


def test_the_keys_of_the_data_are_stable(asked: Plan) -> None:
    """Programs read them; all of it is JSON."""
    data = json.loads(json.dumps(plan_as_data(asked)))
    assert set(data) == CLUSTER_KEYS
    assert set(data["nodes"][0]) == NODE_KEYS
    assert set(data["forecast"]) == FORECAST_KEYS
    standings = {
        step["standing"] for node in data["nodes"] for edge in node["edges"] for step in edge["steps"]
    }
    assert standings == {"to-do", "true", "unknown", "wait"}


@pytest.mark.parametrize("key", sorted(CLUSTER_KEYS | NODE_KEYS | FORECAST_KEYS))
def test_every_key_is_documented(key: str) -> None:
    """Programs are written after docs/plan.md."""
    assert f"`{key}`" in DOCS.read_text()


def test_what_is_true_needs_no_seconds_and_what_is_left_has_some(asked: Plan) -> None:
    """In the data as everywhere."""
    (agent,) = [node for node in plan_as_data(asked)["nodes"] if node["node"] == "agent-1"]
    ahead = [s for e in agent["edges"] for s in e["steps"] if s["standing"] != "true"]
    assert ahead
    assert all(step["seconds"] is not None for step in ahead)


def test_the_page_holds_every_node_and_the_path(asked: Plan) -> None:
    """One document that fetches nothing."""
    text = plan_as_page(asked)
    assert text.startswith("<!doctype html>")
    assert all(node.node.name in text for node in asked.nodes)
    assert "Critical path" in text
    assert not re.search(r"(src|href)=\"https?:", text)


@pytest.mark.parametrize(
    "told",
    [
        lambda plan: plan_as_text(plan, commands=True),
        lambda plan: json.dumps(plan_as_data(plan)),
        lambda plan: plan_as_page(plan, commands=True),
    ],
    ids=["text", "json", "html"],
)
def test_no_secret_is_shown(asked: Plan, told: Callable[[Plan], str]) -> None:
    """Neither the token that is wanted, nor what stands in the file that is there."""
    shown = told(asked)
    assert TOKEN not in shown
    assert "a-secret-of-somebody-else" not in shown
    assert "holds secrets, so it is not shown" in shown or '"secret": true' in shown


def test_a_node_that_is_well_and_as_planned_has_nothing_to_do() -> None:
    """In one line; its edges are not told again."""
    ground = ground_of(cluster_of("rke2"), dict.fromkeys(("srv-1", "agent-1", "agent-2"), "healthy"))
    world = look(ground, "stage", "bootstrap", on=("srv-1", "agent-1", "agent-2"))
    looks = {name: replace(found, health=Verdict(met=True), drift=()) for name, found in world.looks.items()}
    text = plan_as_text(Plan(ground.cluster, make_plan(ground, looks), None))
    assert text.count("nothing to do (healthy, asked just now)") == 2  # of two groups
    assert "nothing is left to be run" in text


def test_no_word_of_a_node_is_obeyed_by_a_terminal() -> None:
    """An owner's name, an architecture: whatever it answers is shown as text."""
    ground = ground_of(cluster_of())
    looks = look(ground).looks
    odd = replace(looks["agent-1"], unfit="the host is \x1b]0;mine\x07")
    shown = plan_as_text(Plan(ground.cluster, make_plan(ground, {**looks, "agent-1": odd}), None))
    assert "the host is \\x1b]0;mine\\x07" in shown
    assert shown.replace("\n", "").isprintable()


def test_a_node_that_was_healthy_and_is_not_is_told() -> None:
    """A run would say it and change nothing."""
    ground = ground_of(cluster_of("rke2"), dict.fromkeys(("srv-1", "agent-1", "agent-2"), "healthy"))
    looks = look(ground).looks
    plan = Plan(ground.cluster, make_plan(ground, looks), None)
    assert plan.needs_a_look
    assert "it was healthy, and is not now: " in plan_as_text(plan)


@pytest.mark.parametrize("told", [plan_as_text, plan_as_page])
def test_the_end_of_a_plan_tells_of_the_nodes_that_are_not_as_the_journal_says(
    told: Callable[[Plan], str],
) -> None:
    """Nothing is left to be run, and yet not all is well."""
    ground = ground_of(cluster_of("rke2"), dict.fromkeys(("srv-1", "agent-1", "agent-2"), "healthy"))
    looks = {name: replace(found, health=Verdict(met=True)) for name, found in look(ground).looks.items()}
    ill = replace(looks["srv-1"], health=Verdict(met=False, reason="it is not Ready"))
    mute = replace(looks["agent-2"], error="it is off", remedy="turn it on")
    plan = Plan(ground.cluster, make_plan(ground, {**looks, "srv-1": ill, "agent-2": mute}), None)
    words = "nothing is left to be run; all nodes are healthy by the journal"
    assert f"{words}, but now srv-1 is not and agent-2 did not answer".lower() in told(plan).lower()
