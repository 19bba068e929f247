"""mk8s.planning.modelled: the rehearsal begins with hosts as they were found."""

from __future__ import annotations

from dataclasses import replace

from mk8s.delivery import part_of
from mk8s.forecast.predicting import Forecast, forecast
from mk8s.planning.modelled import as_found
from mk8s.rehearsal import Conditions
from mk8s.steps import Upload
from tests.mk8s.planning.worlds import UNIT, Hosts, World, cluster_of, ground_of, look

MADE = cluster_of()
EVERYONE = tuple(node.name for node in MADE.nodes)


def foreseen(world: World) -> Forecast:
    ground = world.ground
    return forecast(
        Conditions(
            ground.cluster, ground.distro, release=ground.release, prepare=as_found(ground, world.looks)
        ),
        seeds=1,
    )


def test_what_is_there_is_not_sent_again() -> None:
    """All of the release lies on the nodes: what is left to send are configs."""
    bare, staged = (foreseen(look(ground_of(MADE), "stage", on=on)) for on in ((), EVERYONE))
    assert staged.from_here < 1 << 20 < bare.from_here
    assert staged.to_all
    assert bare.to_all
    assert staged.to_all.middle < bare.to_all.middle


def test_what_arrived_of_a_file_before_is_not_sent_again() -> None:
    """Half of each file of one agent."""
    ground = ground_of(MADE)
    steps = [
        step for step in ground.distro.stage(ground.situation(MADE.nodes[-1])) if isinstance(step, Upload)
    ]

    def halves(hosts: Hosts) -> None:
        for step in steps:
            hosts[EVERYONE[-1]].disk.make_folder(step.target.parent)
            hosts[EVERYONE[-1]].disk.grow(part_of(step), step.source.sha256, 0, step.source.size // 2)

    moved = foreseen(look(ground, change=halves)).moved
    whole, half = (moved[name].from_here + moved[name].from_nodes for name in EVERYONE[-2:])
    assert 0.4 * whole < half < 0.65 * whole


def test_what_is_done_is_not_done_again() -> None:
    """The rehearsal finds each step true that was found true on the node."""
    seen = foreseen(look(ground_of(MADE), "stage", "bootstrap", on=EVERYONE))
    (lane,) = [lane for lane in seen.timeline.lanes if lane.node == "srv-1"]
    work = [stretch for stretch in lane.stretches if stretch.edge in ("stage", "bootstrap")]
    assert not [step.title for stretch in work for step in stretch.steps if step.changed]


def test_what_was_changed_is_done_again_alone() -> None:
    """One file of one agent."""
    world = look(
        ground_of(MADE),
        "stage",
        "bootstrap",
        on=EVERYONE,
        change=lambda hosts: hosts["agent-1"].disk.write(UNIT, b"ours\n"),
    )
    (lane,) = [lane for lane in foreseen(world).timeline.lanes if lane.node == "agent-1"]
    (work,) = [stretch for stretch in lane.stretches if stretch.edge == "bootstrap"]
    assert f"write {UNIT}" in [step.title for step in work.steps if step.changed]
    assert not [s.title for s in work.steps if s.changed and s.title.startswith(("verify", "put", "make"))]


def test_a_disk_without_room_is_foreseen() -> None:
    """As the run would say it, and the others go on."""
    world = look(ground_of(MADE))
    facts = world.looks["agent-1"].facts
    assert facts
    world.looks["agent-1"] = replace(world.looks["agent-1"], facts=replace(facts, free=1 << 20))
    seen = foreseen(world)
    assert list(seen.troubles) == ["agent-1"]
    assert "are free there" in seen.troubles["agent-1"]
    assert seen.to_all is None
    assert seen.to_ha


def test_another_architecture_is_foreseen() -> None:
    """The node would be set aside."""
    world = look(ground_of(MADE), change=lambda hosts: setattr(hosts["agent-1"], "arch", "arm64"))
    assert "the host is arm64" in foreseen(world).troubles["agent-1"]
