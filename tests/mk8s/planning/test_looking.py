"""mk8s.planning.looking: what nodes have already, found out by questions alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from mk8s.delivery import part_of
from mk8s.planning.values import StepPlan
from mk8s.steps import Upload, WriteFile
from tests.mk8s.planning.worlds import UNIT, Hosts, World, cluster_of, ground_of, look, node_of, planned

DISTROS = ["rke2", "k3s", "k0s", "kubeadm", "vanilla"]
AGENT = "agent-1"
CONFIG = PurePosixPath("/etc/rancher/k3s/config.yaml")


def bootstrapped(change: Callable[[Hosts], None] = lambda _hosts: None) -> World:
    """One agent has everything that is there before the first start; the others have nothing."""
    return look(ground_of(cluster_of()), "stage", "bootstrap", on=(AGENT,), change=change)


def test_of_bare_hosts_everything_is_ahead() -> None:
    """Nothing is true, and waits are not asked."""
    world = look(ground_of(cluster_of()))
    assert all(not node_of(world, name, "true") for name in world.looks)
    assert node_of(world, AGENT, "wait")


def test_what_is_true_is_found() -> None:
    """Files by their hash, commands by their check; on that host alone."""
    world = bootstrapped()
    edges = {edge.name: edge for edge in planned(world)[AGENT].edges}
    assert {step.look.standing for step in edges["stage"].steps} == {"true"}
    assert {step.look.standing for step in edges["bootstrap"].steps} == {"true"}
    assert not node_of(world, "agent-2", "true")
    assert planned(world)[AGENT].bytes_to_send == 0


def test_a_changed_file_is_shown_by_its_difference() -> None:
    """From what is there to what is wanted."""

    def change(hosts: Hosts) -> None:
        there = hosts[AGENT].disk.read(UNIT)
        hosts[AGENT].disk.write(UNIT, there.replace(b"Restart=always", b"Restart=no"))

    (step,) = [
        step
        for edge in planned(bootstrapped(change))[AGENT].edges
        for step in edge.steps
        if step.step.title == f"write {UNIT}"
    ]
    assert step.look.standing == "to-do"
    assert "\n-Restart=no\n+Restart=always" in step.look.diff


def test_of_a_file_that_holds_secrets_no_difference_is_made() -> None:
    """It is not even read: its hash says that it is another one."""
    world = bootstrapped(lambda hosts: hosts[AGENT].disk.write(CONFIG, b"token: other\n", mode=0o600))
    steps = [
        step for edge in planned(world)[AGENT].edges for step in edge.steps if str(CONFIG) in step.step.title
    ]
    assert {(step.look.standing, step.look.diff) for step in steps} <= {("to-do", ""), ("unknown", "")}
    assert not [entry for entry in world.entries if entry["operation"] == "file.get"]


def test_a_file_that_not_everybody_may_read_there_is_not_shown() -> None:
    """It may hold what is wanted no more, such as a password that the manifest has lost since."""
    world = bootstrapped(lambda hosts: hosts[AGENT].disk.write(UNIT, b"password=hunter2\n", mode=0o640))
    (step,) = steps_about(world, UNIT)
    assert step.look.standing == "to-do"
    assert step.look.why.endswith("not everybody may read it there, so it is not shown")
    assert step.look.diff == ""
    assert not [entry for entry in world.entries if entry["operation"] == "file.get"]


def test_a_spent_token_that_is_still_there_is_not_shown() -> None:
    """k0s empties the file of its token after the join: a run that was killed before leaves it full."""
    spent = PurePosixPath("/etc/k0s/mk8s-join-token")

    def leave(hosts: Hosts) -> None:
        hosts[AGENT].disk.make_folder(spent.parent)
        hosts[AGENT].disk.write(spent, b"a live token", mode=0o600)

    steps = steps_about(look(ground_of(cluster_of("k0s")), change=leave), spent)
    assert any(step.step.title.startswith("empty ") for step in steps)
    assert {step.look.diff for step in steps} == {""}


def test_a_file_too_large_to_be_read_costs_only_its_difference() -> None:
    """The node has answered: it is not told as one that does not."""
    huge = b"#" * ((1 << 24) + 1)
    world = bootstrapped(lambda hosts: hosts[AGENT].disk.write(UNIT, huge))
    (step,) = steps_about(world, UNIT)
    assert world.looks[AGENT].error == ""
    assert "it cannot be shown: " in step.look.diff


def steps_about(world: World, path: PurePosixPath) -> list[StepPlan]:
    """The agent's steps that name this file."""
    steps = [step for edge in planned(world)[AGENT].edges for step in edge.steps]
    return [step for step in steps if str(path) in step.step.title and isinstance(step.step, WriteFile)]


def test_a_file_with_another_mode_is_to_be_done() -> None:
    """The content is right, and the mode is said."""
    world = bootstrapped(lambda hosts: hosts[AGENT].disk.set_mode(UNIT, 0o777))
    steps = [
        step for edge in planned(world)[AGENT].edges for step in edge.steps if str(UNIT) in step.step.title
    ]
    assert [step.look.why for step in steps] == ["its mode is 0777, and should be 0644"]


def test_what_arrived_of_a_file_is_not_counted_again() -> None:
    """A run verifies it, and sends the rest."""
    step = begun(look(ground_of(cluster_of()))).step
    assert isinstance(step, Upload)

    def with_part(hosts: Hosts) -> None:
        hosts[AGENT].disk.make_folder(step.target.parent)
        hosts[AGENT].disk.grow(part_of(step), step.source.sha256, 0, 1 << 20)

    world = look(ground_of(cluster_of()), change=with_part)
    assert "1.0 MiB of " in begun(world).look.why
    plans = planned(world)
    assert plans["agent-2"].bytes_to_send - plans[AGENT].bytes_to_send == 1 << 20


def begun(world: World) -> StepPlan:
    """The first upload of the agent."""
    steps = [step for edge in planned(world)[AGENT].edges for step in edge.steps]
    return next(step for step in steps if isinstance(step.step, Upload))


def test_only_questions_are_asked() -> None:
    """Nothing in the transcript says that it changed anything."""
    world = bootstrapped()
    assert world.entries
    assert not [entry for entry in world.entries if entry["changed"]]


def test_a_host_that_does_not_answer_is_named_and_costs_nobody_else_anything() -> None:
    """The cable is out: a reason, something to do, and the others' looks are whole."""

    def cut(hosts: Hosts) -> None:
        hosts["agent-2"].cut = True

    looks = bootstrapped(cut).looks
    assert "did not answer" in looks["agent-2"].error
    assert looks["agent-2"].remedy
    assert looks["agent-2"].facts is None
    assert looks[AGENT].facts
    assert not looks[AGENT].error


def test_what_only_the_cluster_can_say_is_unknown_before_it_is_there() -> None:
    """An agent's last config has the hash of the cluster's CA in it."""
    assert f"write {CONFIG}" in node_of(bootstrapped(), AGENT, "unknown")


def test_a_host_of_another_architecture_is_unfit() -> None:
    """A run would set it aside before anything is put on it."""
    made = cluster_of()
    nodes = tuple(replace(node, arch="arm64") if node.name == AGENT else node for node in made.nodes)
    world = look(ground_of(made), change=lambda _hosts: None)
    assert world.looks[AGENT].unfit == ""
    other = look(replace(ground_of(made), cluster=replace(made, nodes=nodes)), change=amd)
    assert "the manifest says arm64, the host is amd64" in other.looks[AGENT].unfit


def amd(hosts: Hosts) -> None:
    hosts[AGENT].arch = "amd64"


def test_files_of_a_node_that_is_done_are_told_where_they_differ() -> None:
    """By the journal its edges are behind it, so a run leaves them."""
    ground = ground_of(cluster_of(), {AGENT: "bootstrapped"})
    world = look(
        ground,
        "stage",
        "bootstrap",
        on=(AGENT,),
        change=lambda hosts: hosts[AGENT].disk.write(UNIT, b"gone\n"),
    )
    assert [step.title for step, _ in world.looks[AGENT].drift] == [f"write {UNIT}"]


@pytest.mark.parametrize("distro", DISTROS)
def test_what_a_driver_did_is_found_true(distro: str) -> None:
    """A run right after an edge would skip all of it, but for commands without a check."""
    world = look(ground_of(cluster_of(distro)), "stage", "bootstrap", on=("srv-1", AGENT))
    for name in ("srv-1", AGENT):
        edges = [edge for edge in planned(world)[name].edges if edge.name in ("stage", "bootstrap")]
        left = [step for edge in edges for step in edge.steps if step.look.standing == "to-do"]
        assert [step.step.title for step in left if "it has no check" not in step.look.why] == []


@pytest.mark.parametrize("distro", DISTROS)
def test_every_driver_can_be_looked_at(distro: str) -> None:
    """Their checks are all modelled, and their lookups are not asked where that makes something."""
    world = look(ground_of(cluster_of(distro)))
    assert not [look.error for look in world.looks.values() if look.error]
    assert not [entry for entry in world.entries if entry["changed"]]
