"""`mk8s health`: every condition in order, with evidence; a dead node hides nothing and hangs nobody."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from machines import History, fold
from machines.simulation import FaultPlan, ScriptedFault
from mk8s.distros.base import Condition, Question, load_distro
from mk8s.distros.rancher.readiness import UnitView
from mk8s.health import (
    Examination,
    Finding,
    bare_nodes,
    findings_as_data,
    findings_as_text,
    without_names,
)
from mk8s.kube.conditions import A_SERVER
from mk8s.problems import load_catalogue
from mk8s.rehearsal import Conditions, rehearse
from mk8s.steps import Verdict
from mk8s.tables import node_machine, table_to_read
from tests.mk8s.examples import cluster
from tests.mk8s.kube.clusters import Bed
from transports.base import Command, Outcome
from transports.simulated import SimulatedHost

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def up() -> Bed:
    bed = Bed()
    bed.bring_up()
    return bed


async def look(bed: Bed) -> dict[str, Finding]:
    return {finding.title: finding for finding in await Examination(bed.binding).look()}


async def test_a_cluster_that_is_well_meets_every_condition_with_evidence() -> None:
    """In the order in which a cluster comes up."""
    found = await look(up())
    assert [(finding.title, finding.met) for finding in found.values()] == [
        (title, True)
        for title in (
            "all nodes answer",
            "services run on every node",
            "etcd has all servers as members",
            "etcd is healthy",
            "the API server is ready on every server",
            "controller-manager and scheduler are healthy",
            "all nodes are registered",
            "all nodes are Ready",
            "all nodes take pods",
            "kube-proxy is ready",
            "DNS for cluster.local is ready",
        )
    ]
    assert all(finding.evidence for finding in found.values())
    assert found["etcd has all servers as members"].evidence == "s1, s2, s3: 3 started: s1, s2, s3"


async def test_a_dead_primary_is_told_and_the_rest_is_judged_without_it() -> None:
    """Questions to any server go to another one; of the dead one its silence is said."""
    bed = up()
    bed.hosts["s1"].power_off()
    found = await look(bed)
    assert found["all nodes answer"].evidence.startswith("s1: ")
    assert found["all nodes are registered"] == Finding("all nodes are registered", True, "5 of 5")
    assert found["all nodes are Ready"].evidence == (
        "1 of 5 not: s1 is not Ready: Kubelet stopped posting node status."
    )
    assert "https://10.0.0.1:2379" in found["etcd is healthy"].evidence


async def test_a_server_whose_api_is_down_is_no_spokesman() -> None:
    """It answers, but kubectl there fails: the next server is asked."""
    bed = up()
    bed.world.close(bed.hosts["s1"], API_PORT)
    found = await look(bed)
    assert found["all nodes are Ready"].met
    assert found["the API server is ready on every server"].evidence.startswith(
        "s1: The connection to the server 127.0.0.1:6443 was refused"
    )


API_PORT = 6443


async def test_a_node_that_does_not_answer_costs_its_patience_once() -> None:
    """However many questions there are for it."""
    bed = up()
    bed.hosts["a1"].cut = True
    began = anyio.current_time()
    found = {finding.title: finding for finding in await Examination(bed.binding, patience=7.0).look()}
    assert anyio.current_time() - began < 15
    assert not found["services run on every node"].met
    assert found["all nodes answer"].remedy


async def test_why_a_node_is_silent_is_told_once() -> None:
    """Ten conditions that repeat a connection's whole error hide what else is wrong."""
    bed = up()
    bed.hosts["a1"].cut = True
    found = await look(bed)
    first, later = found["all nodes answer"], found["services run on every node"]
    assert first.remedy
    assert first.evidence.count("a1") == 1
    assert later.evidence == "kubelet.service on a1: does not answer"
    assert not later.remedy


async def test_nodes_that_are_silent_for_the_same_reason_are_told_once() -> None:
    """A site that is away is one sentence, not one a node; who is silent for another reason is told it."""
    bed = up()
    for name in ("s1", "s2", "s3", "a2"):
        bed.hosts[name].power_off()

    async def refuse(_host: SimulatedHost, _command: Command) -> Outcome:
        return Outcome(status=1, stderr=b"no more processes")

    bed.hosts["a1"].handles("facts.gather")(refuse)
    found = await look(bed)
    first = found["all nodes answer"]
    away, others, odd = first.evidence.split("; ")
    assert away == "s1: 10.0.0.1 did not answer within 10 s"
    assert others == "s2, s3, a2: the same as s1"
    assert odd.startswith("a1: ")
    assert "no more processes" in odd
    assert first.remedy == "is the host on, and is the address right?"
    assert "s1, s2, s3" in found["the API server is ready on every server"].evidence
    assert "the same as" not in found["the API server is ready on every server"].evidence


def test_a_name_within_another_is_not_taken_for_it() -> None:
    """What differs in more than the node's own name and address is another reason."""
    assert without_names("to a1 (10.0.0.1:22) by a12", ("a1", "10.0.0.1")) == "to … (…:22) by a12"
    assert without_names("to a1.b by 10.0.0.12", ("a1", "10.0.0.1")) == "to a1.b by 10.0.0.12"
    assert without_names("a1: gone. a1 is off.", ("a1", "10.0.0.1")) == "…: gone. … is off."


async def test_without_any_server_each_condition_says_so() -> None:
    bed = up()
    for name in ("s1", "s2", "s3"):
        bed.hosts[name].power_off()
    found = await look(bed)
    assert found["all nodes are Ready"].evidence == "no server answers"


async def test_one_command_that_hangs_does_not_hold_up_the_others() -> None:
    bed = up()

    async def hang(_host: SimulatedHost, _command: Command) -> Outcome:
        await anyio.sleep(10_000)
        return Outcome(status=0)

    bed.hosts["s2"].handles("kube.readyz")(hang)
    found = {finding.title: finding for finding in await Examination(bed.binding, patience=5.0).look()}
    assert found["the API server is ready on every server"].evidence == "s2: no answer within 5 s"
    assert found["etcd is healthy"].met


async def test_waiting_tells_what_changes_and_ends_when_all_is_well() -> None:
    """Each news is told once, however often it is looked."""
    bed = up()
    bed.world.nodes["a1"].ready_at = anyio.current_time() + 60
    told: list[str] = []
    found = await Examination(bed.binding).wait(300.0, told.append)
    assert all(finding.met for finding in found)
    assert 60 <= anyio.current_time() < 120
    about = [words for words in told if words.startswith("all nodes are Ready")]
    assert about[0].startswith("all nodes are Ready: waiting: 1 of 5 not: a1 is not Ready")
    assert about[1:] == ["all nodes are Ready: ok"]


async def test_waiting_ends_with_the_last_look_when_the_time_is_over() -> None:
    bed = up()
    bed.world.nodes["a1"].ready_at = float("inf")
    found = await Examination(bed.binding).wait(30.0, lambda _words: None)
    assert [finding.title for finding in found if not finding.met] == [
        "all nodes are Ready",
        "kube-proxy is ready",
    ]


async def test_a_judges_words_are_shown_without_secrets() -> None:
    question = Question(
        "s1: ",
        Command(operation="kube.hello", description="hello", script="exit 0"),
        lambda _outcome: Verdict(False, "it said hunter2"),
        on="s1",
    )
    bed = Bed(secrets=("hunter2",), own=(Condition("c", (question,)),))
    assert [finding.evidence for finding in await Examination(bed.binding).look()] == ["s1: it said ***"]


GONE = UnitView(properties={"LoadState": "not-found"}).trouble(load_catalogue("rke2"))


@pytest.mark.parametrize(
    ("bare", "remedy"), [({}, "uninstall script"), ({"a1": "`mk8s run` does it"}, "`mk8s run` does it")]
)
async def test_a_node_that_was_never_installed_gets_no_hint_at_what_an_installer_leaves(
    bare: dict[str, str], remedy: str
) -> None:
    """Where the unit of one that was installed is gone, the rest of it may be there, and its uninstaller."""
    ask = Command(operation="kube.hello", description="hello", script="exit 0")
    asked = Question("a1: ", ask, lambda _outcome: GONE or Verdict(True), on="a1")
    (found,) = await Examination(Bed(own=(Condition("c", (asked,)),)).binding, bare=bare).look()
    assert found.evidence == "a1: the unit is not installed"
    assert remedy in found.remedy


async def test_a_bare_node_has_one_hint_for_all_that_is_asked_of_it() -> None:
    """What else it says follows from that; another one, which is installed, has its own."""
    ask = Command(operation="kube.hello", description="hello", script="exit 0")
    off = Verdict(False, "inactive", remedy="read its journal")
    asked = [
        Question("api on a1: ", ask, lambda _outcome: Verdict(False, "refused"), on="a1"),
        Question("a1: ", ask, lambda _outcome: GONE or Verdict(True), on="a1"),
        Question("a2: ", ask, lambda _outcome: off, on="a2"),
    ]
    bed = Bed(own=tuple(Condition(question.title, (question,)) for question in asked))
    found = await Examination(bed.binding, bare={"a1": "run", "a2": "run"}).look()
    assert [finding.remedy for finding in found] == ["run", "run", "read its journal"]


async def test_whoever_asks_a_cluster_without_its_journal_has_each_conditions_own_hint() -> None:
    """All nodes are bare by what is known here, and say themselves that they are not."""
    bed = up()
    kubelet = bed.hosts["a1"].service("kubelet")
    assert kubelet is not None
    kubelet.stop()
    bare = bare_nodes(bed.cluster, None)
    known = [finding.remedy for finding in await Examination(bed.binding).look()]
    assert [finding.remedy for finding in await Examination(bed.binding, bare=bare).look()] == known
    assert "read its journal" in known


async def test_a_server_that_answers_for_the_cluster_is_not_bare() -> None:
    """Whoever asks from a machine without the journal has all nodes for bare. Nor where it lacks a unit."""
    ask = Command(operation="kube.hello", description="hello", script="exit 0")
    a1 = Verdict(False, "a1 is not Ready", remedy="look at a1")
    asked = [
        Question("", ask, lambda _outcome: a1, on=A_SERVER),
        Question("s1: ", ask, lambda _outcome: GONE or Verdict(True), on="s1"),
    ]
    bed = Bed(own=tuple(Condition(f"c{number}", (each,)) for number, each in enumerate(asked)))
    found = await Examination(bed.binding, bare={"s1": "`mk8s run` does it"}).look()
    assert [finding.remedy for finding in found] == ["look at a1", "`mk8s run` does it"]


async def test_a_bare_node_that_is_away_is_told_to_be_away() -> None:
    """Why it does not answer comes first."""
    bed = up()
    bed.hosts["a1"].cut = True
    found = await Examination(bed.binding, bare={"a1": "`mk8s run` does it"}).look()
    assert not any("mk8s run" in finding.remedy for finding in found)


def history_of(faults: FaultPlan) -> History:
    """What the journal of a run with these faults says. One more node is in the manifest by now."""
    planned = cluster(servers=1, agents=2)
    run = rehearse(Conditions(planned, load_distro("rke2")), faults=faults)
    history = fold(run.records, table_to_read(node_machine(planned)))
    assert history is not None
    return history


SET_ASIDE = "nothing was installed on agent-1, which is quarantined: `mk8s explain` says why; mend that, and"


@pytest.mark.parametrize(
    ("operation", "node", "words"),
    [
        ("part.finish", "agent-1", SET_ASIDE),
        ("rke2.place-archive", "agent-1", ""),  # in the middle of the installation
        ("no.such", "agent-1", ""),
        ("no.such", "agent-3", "nothing was installed on agent-3 from here yet: `mk8s run` does it"),
    ],
)
def test_what_was_never_installed_is_known_by_the_journal(operation: str, node: str, words: str) -> None:
    """By the edges that a node was on, in whatever run; what it was sent is not installed."""
    faults = FaultPlan(scripted=(ScriptedFault("agent-1", operation, "disk-full", attempt=None),))
    bare = bare_nodes(cluster(servers=1, agents=3), history_of(faults))
    assert bare.get(node, "").startswith(words)
    assert (node in bare) is bool(words)


def test_before_the_first_run_every_node_is_bare() -> None:
    """As far as anybody knows here."""
    planned = cluster(servers=1, agents=1)
    assert [*bare_nodes(planned, None)] == [node.name for node in planned.nodes]


async def test_health_changes_nothing() -> None:
    """By the transcript: every command was a question."""
    bed = up()
    await look(bed)
    assert bed.asked
    assert not any(entry["changed"] for entry in bed.asked)


def test_findings_for_programs_say_whether_all_is_well() -> None:
    data = findings_as_data([Finding("a", True, "yes"), Finding("b", False, "no", "mend it")])
    assert data["healthy"] is False
    assert data["conditions"] == [
        {"condition": "a", "met": True, "evidence": "yes", "remedy": ""},
        {"condition": "b", "met": False, "evidence": "no", "remedy": "mend it"},
    ]


def test_findings_for_people_have_a_line_each_and_a_hint_where_something_is_wrong() -> None:
    assert findings_as_text([Finding("a", True, "yes"), Finding("bb", False, "no", "mend it")]) == (
        "ok    a   yes\nFAIL  bb  no\n      hint: mend it"
    )
