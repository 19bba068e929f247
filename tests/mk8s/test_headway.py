"""How far an attempt is, and where one goes on whose forerunner lost its connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest

from mk8s.binding import Lost
from mk8s.delivery import PIECE
from mk8s.distros.base import load_distro
from mk8s.headway import Headway
from mk8s.rehearsal import Conditions, Prepare, Rehearsal, rehearse
from mk8s.steps import Run, Step, Upload, Verdict, WaitFor, WriteFile
from tests.mk8s.examples import cluster
from transports.base import File, argv
from transports.simulated import SimulatedHost

ASK = argv("app.ask", "ask the app", "ask")
BIG = Upload("send", File(Path("/nowhere/big"), 3 * PIECE + 1, "ab" * 32), PurePosixPath("/big"))
LAST = WriteFile("write c", PurePosixPath("/c"), b"3")


def wait(title: str = "the app answers") -> WaitFor:
    """Each one has a judge of its own."""
    return WaitFor(title, ASK, lambda outcome: Verdict(outcome.ok))


def steps() -> list[Step]:
    return [WriteFile("write a", PurePosixPath("/a"), b"1"), wait(), BIG, LAST]


def went(count: int, before: Headway | None = None) -> tuple[Headway, list[int]]:
    """An attempt that made so many steps true, and its marks."""
    marks: list[int] = []
    way = Headway.after(before, steps(), marks.append)
    for step in way.steps[:count]:
        way.finished(step)
    return way, marks


def test_marks_grow_with_steps_and_pieces() -> None:
    """A file that is whole counts more than any part of it."""
    way, marks = went(2)
    for size in (0, PIECE - 1, PIECE, 3 * PIECE + 1):
        way.arrived(size)
    way.finished(BIG)
    way.finished(LAST)
    assert marks == [1, 2, 2, 2, 3, 5, 6, 7]


def test_an_attempt_goes_on_behind_the_steps_that_are_done() -> None:
    """Waits among them, which are told by what they ask."""
    assert went(3, went(3)[0])[0].behind == 3
    assert went(0)[0].behind == 0


def test_it_goes_on_no_later_than_where_the_list_differs() -> None:
    """Behind what is new nothing is known."""
    before = went(4)[0]
    changed = [*steps()]
    changed[1] = wait("something else answers")
    assert Headway.after(before, changed, print).behind == 1


def test_a_step_on_another_node_is_looked_at_again() -> None:
    """That one may have booted meanwhile."""
    elsewhere: list[Step] = [LAST, Run("tell the primary", ASK, on="srv-1"), LAST]
    before = Headway.after(None, elsewhere, print)
    for step in elsewhere:
        before.finished(step)
    assert Headway.after(before, elsewhere, print).behind == 1


def test_what_was_left_behind_counts_as_reached() -> None:
    """So who gets no step further has got nowhere, and the attempt after it begins where this one did."""
    first, marks = went(3)
    second, again = went(3, first)
    assert again[-1] == marks[-1]
    assert Headway.after(second, steps(), print).behind == 3


# -- in runs ---------------------------------------------------------------------------------------------

FIRST = {
    "stage": "make the folder /var/lib/mk8s/artifacts/v1.33.4+rke2r1",
    "bootstrap": "nm-cloud-setup is off",
    "start-primary": "make the folder /etc/rancher/rke2",
}


@dataclass(frozen=True)
class Struck:
    """One fault, that meets the first operation of this name."""

    operation: str
    kind: str
    fraction: float = 0.2

    def decide(self, node: str, operation: str, attempt: int) -> Struck | None:
        return self if (operation, attempt) == (self.operation, 1) else None


async def in_containers(hosts: Mapping[str, SimulatedHost]) -> None:
    """Hosts that share the kernel of the machine they are on."""
    for host in hosts.values():
        host.profile = replace(host.profile, container=True)


def again(edge: str, operation: str, kind: str, prepare: Prepare | None = None) -> list[str]:
    """The steps that the last attempt of an edge took up, after a fault met the first one."""
    alone = cluster(servers=1, agents=0)
    conditions = Conditions(alone, load_distro("rke2"), prepare=prepare)
    done = rehearse(conditions, faults=Struck(operation, kind), keep_transcript=True)
    assert done.result.ok
    own = [record for record in done.records if record.edge == edge]
    begins = [record.at for record in own if record.kind == "intent"]
    (end,) = (record.at for record in own if record.kind == "done")
    assert len(begins) > 1
    return [step.title for step in done.transcript.steps if begins[-1] <= step.at < end]


@pytest.mark.parametrize(
    ("edge", "operation", "title"),
    [
        ("stage", "part.finish", "put rke2.linux-amd64.tar.gz on the node"),
        ("bootstrap", "unit.enable", "enable rke2-server.service"),
    ],
)
@pytest.mark.parametrize("kind", ["drop", "apply-then-drop"])
def test_an_attempt_after_a_lost_connection_goes_on_at_the_step_it_was_lost_in(
    edge: str, operation: str, title: str, kind: str
) -> None:
    """As it would have, had the connection held."""
    assert again(edge, operation, kind)[0] == title


@pytest.mark.parametrize(
    ("edge", "operation", "kind"),
    [
        ("bootstrap", "unit.enable", "reboot"),  # what was in memory is gone, and more
        ("bootstrap", "unit.enable", "exit"),  # something is wrong there: nothing is taken for granted
        ("bootstrap", "unit.enable", "hang"),
        ("stage", "part.finish", "reboot"),
        ("start-primary", "rke2.start", "drop"),  # services may die, and peers go on, while nobody looks
    ],
)
def test_everything_is_looked_at_again_where_it_may_have_changed(
    edge: str, operation: str, kind: str
) -> None:
    """From the first step on."""
    assert again(edge, operation, kind)[0] == FIRST[edge]


@pytest.mark.parametrize(("edge", "operation"), [("stage", "part.finish"), ("bootstrap", "unit.enable")])
def test_a_container_that_was_restarted_is_looked_at_again(edge: str, operation: str) -> None:
    """All that it had in memory is gone, though the kernel that it shares never booted."""
    assert again(edge, operation, "reboot", in_containers)[0] == FIRST[edge]


def test_a_container_that_was_only_out_of_reach_goes_on_at_the_lost_step() -> None:
    """Its process 1 is the same one."""
    assert again("bootstrap", "unit.enable", "drop", in_containers)[0] == "enable rke2-server.service"


def lost_once(operation: str) -> Rehearsal:
    """A run of one node whose connection is lost by the first operation of this name."""
    conditions = Conditions(cluster(servers=1, agents=0), load_distro("rke2"))
    return rehearse(conditions, faults=Struck(operation, "drop"))


def test_a_wait_that_was_left_behind_counts_as_one_that_was_met() -> None:
    """Neither as changed nor as skipped: what is counted are the steps of this edge that are none."""
    (done,) = (r for r in lost_once("unit.enable").records if r.edge == "bootstrap" and r.kind == "done")
    (whole,) = (r for r in lost_once("no.such").records if r.edge == "bootstrap" and r.kind == "done")
    counts = [record.evidence["changed"] + record.evidence["skipped"] for record in (done, whole)]
    assert counts[0] == counts[1]


def test_an_edge_that_was_lost_writes_how_far_it_was() -> None:
    """In its error, so that a run that is resumed compares with it."""
    done = lost_once("unit.enable")
    assert [record.reached for record in done.records if record.kind == "error"] == [6]


def test_a_host_that_does_not_tell_its_boot_may_have_booted() -> None:
    """Two empty answers are not one boot: where it hides that from root, every step is looked at again."""
    way = went(3)[0]
    assert Lost("b1", way).is_since("b1")
    assert not Lost("b1", way).is_since("b2")
    assert not Lost("", way).is_since("")
