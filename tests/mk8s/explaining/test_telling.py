"""Roots, groups, and the words for them: what an operator reads, and what a program reads."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mk8s.explaining.chains import chain_of, grouped, roots_of
from mk8s.explaining.data import cluster_as_data, node_as_data
from mk8s.explaining.doing import to_do
from mk8s.explaining.reasons import Reasons
from mk8s.explaining.text import cluster_as_text, node_as_text
from tests.mk8s.explaining.scenes import Run


def joining() -> Run:
    """The second server joins, the third queues, the agents wait."""
    return Run(agents=12).primary_there().after(60).begin("srv-2", "join-server")


def told(run: Run, node: str = "", **how: object) -> str:
    scene = run.scene(**how)  # type: ignore[arg-type]
    reasons = Reasons(scene)
    return node_as_text(node, scene, reasons) if node else cluster_as_text(scene, reasons)


def failed(message: str = "it broke", remedy: str = "glue it") -> Run:
    """The third server failed, and the first agent is blocked by that."""
    run = Run().ready("agent-1").begin("srv-3", "stage").error("srv-3", "stage", message, remedy=remedy)
    run.move("srv-3", "stage", "failed")
    return run.add("blocked", "agent-1", signal="servers-healthy", reason="srv-3 can no longer come")


def test_a_chain_goes_down_to_the_root() -> None:
    """The agent waits for servers; one of them queues behind the other, which is at work."""
    layers = chain_of("agent-1", joining().reasons())
    assert [[group.nodes for group in layer] for layer in layers] == [[("srv-2",), ("srv-3",)]]
    text = told(joining(), "agent-1")
    assert "agent-1 (agent) waits for servers-healthy" in text
    assert "there: srv-1\n  missing: srv-2, srv-3" in text
    assert "srv-3 (server) queues for etcd-joins (1 at a time), behind srv-2, since 0 s" in text
    assert "srv-2 (server) is at work: join as a server" in text


def test_who_tries_again_tells_how_many_tries_are_used_up() -> None:
    """Of those that the charged clause allows."""
    run = Run().begin("srv-1", "stage").after(20)
    run.add("error", "srv-1", edge="stage", attempt=1, lineage=("connection",), clause=0, reached=3)
    lines = told(run.retry("srv-1", "stage", 30.0), "srv-1").splitlines()
    anew = "an attempt that gets further than all before it begins the count anew"
    assert f"  tries: 1 of 20 are used up; {anew}" in lines


def test_the_root_knows_whom_it_holds_back() -> None:
    """Directly, and through others."""
    (root,) = roots_of(joining().reasons())
    assert root.group.nodes == ("srv-2",)
    assert root.holds_back == ("srv-3", *(f"agent-{n}" for n in range(1, 13)))


def test_the_cluster_is_told_in_groups_the_root_first() -> None:
    """One line for many nodes with the same reason."""
    lines = told(joining()).splitlines()
    assert lines[0].startswith("test: 1 of 15 healthy; a run goes on (process 7)")
    assert lines[2] == "  srv-2 (server) is at work: join as a server"
    agents = next(line for line in lines if "wait for" in line)
    assert agents == (
        "  agent-1, agent-2, agent-3, agent-4, agent-5 and 7 more (agent) wait for servers-healthy "
        "(1 of 3 are there)"
    )


def test_times_are_told_from_now_where_that_is_known() -> None:
    """Since when, and how long until the bounds."""
    text = told(joining(), "srv-2", now=90.0)
    assert "since 1:00 of the run, 30 s ago, attempt 1" in text
    assert "this attempt ends at the latest: at 31:00 of the run, in 29:30" in text
    assert "about 1:30 of it" in text


def test_times_are_told_from_the_last_record_where_now_is_not_known() -> None:
    """And nothing pretends to be now."""
    text = told(joining(), "srv-2", going=False)
    assert "no run goes on here; as of the last record, at 1:00" in text
    assert "ago" not in text


def test_failures_come_first_and_have_a_remedy() -> None:
    """Then the command that goes on."""
    lines = told(failed(), going=False).splitlines()
    assert lines[2] == "  srv-3 (server) is failed, at: put the release on the node"
    assert "    what went wrong: it broke" in lines
    assert lines[-2:] == ["do: mend srv-3: glue it", "    mk8s run c.yaml"]


def test_one_of_a_group_is_named_only_where_more_is_told_of_it() -> None:
    """Of nodes that the manifest has lost there is nothing to tell."""
    scene = replace(Run().all_ready().scene(going=False), cluster=Run(servers=1, agents=0).cluster)
    text = cluster_as_text(scene, Reasons(scene))
    assert "are in the journal and not in the manifest" in text
    assert "for one:" not in text


def test_what_a_node_said_is_one_line_and_commands_no_terminal() -> None:
    """Neither in the message nor in the remedy."""
    text = told(failed("bad\x1b[2J\nsrv-9 is healthy", "try\rthis"), "srv-3")
    assert "\x1b" not in text
    assert "\r" not in text
    assert not any(line.startswith("srv-9") for line in text.splitlines())


@pytest.mark.parametrize(
    ("run", "node", "going", "steps"),
    [
        (joining(), "", False, ["mk8s run c.yaml"]),
        (
            joining(),
            "",
            True,
            ["mk8s journal c.yaml --node srv-2 --steps --follow", "mk8s journal c.yaml --follow"],
        ),
        (joining(), "srv-1", True, ["nothing"]),
        (
            joining(),
            "agent-1",
            True,
            [
                "mk8s explain c.yaml srv-2",
                "nothing by itself: the run goes on with it; mk8s explain c.yaml shows the whole",
            ],
        ),
        (
            Run()
            .begin("srv-1", "stage")
            .error("srv-1", "stage", "no", remedy="plug it in")
            .retry("srv-1", "stage", 9),
            "srv-1",
            False,
            ["for srv-1: plug it in", "mk8s run c.yaml"],
        ),
        (failed(), "agent-1", False, ["mend srv-3: glue it", "mk8s run c.yaml"]),
    ],
)
def test_what_to_do_can_be_pasted(run: Run, node: str, going: bool, steps: list[str]) -> None:
    """One or two things, never more than three."""
    scene = run.scene(going=going)
    assert to_do(scene, Reasons(scene), node) == steps


def test_nothing_is_to_be_done_where_all_are_healthy() -> None:
    """And nothing bounds the cluster."""
    run = Run(servers=1, agents=0).ready("srv-1").healthy("srv-1", "start-primary").add("finished")
    text = told(run, going=False)
    assert (
        text.splitlines()[0]
        == "test: 1 of 1 healthy; the run has ended; as of the last record, at 0 s of the run"
    )
    assert text.splitlines()[-1] == "do: nothing: all are healthy"
    assert "what bounds it" not in text


def test_attempts_are_listed_where_there_was_more_than_one() -> None:
    """With what went wrong and how long the wait was."""
    run = Run().begin("srv-1", "stage").after(9).error("srv-1", "stage", "one").retry("srv-1", "stage", 5)
    run.after(5).begin("srv-1", "stage", attempt=2).after(3).error("srv-1", "stage", "two", attempt=2)
    text = told(run.retry("srv-1", "stage", 10, attempt=2), "srv-1")
    assert "      0 s  attempt 1, 9 s: one; again after 5.0 s" in text
    assert "     14 s  attempt 2, 3 s: two; again after 10 s" in text


def test_nodes_with_the_same_reason_are_one_group_whatever_their_names() -> None:
    """A message that names its node is the same message."""
    run = Run()
    for name in ("srv-2", "srv-3"):
        run.begin(name, "stage").error(name, "stage", f"{name}: full").move(name, "stage", "failed")
    groups = grouped(run.reasons().all())
    assert groups[0].nodes == ("srv-2", "srv-3")


def test_both_answers_are_json_with_names_and_not_words_alone() -> None:
    """Kinds, nodes, seconds; the same roots as in the text."""
    scene = joining().scene(now=90.0)
    whole = json.loads(json.dumps(cluster_as_data(scene, Reasons(scene))))
    assert whole["run"] == {"goes_on": True, "finished": False, "simulated": False, "at": 60.0, "now": 90.0}
    assert [root["nodes"] for root in whole["roots"]] == [["srv-2"]]
    assert {node["node"]: node["kind"] for node in whole["nodes"]}["srv-3"] == "queue"
    one = json.loads(json.dumps(node_as_data("agent-1", scene, Reasons(scene))))
    assert (one["kind"], one["behind"]) == ("signal", ["srv-2", "srv-3"])
    assert one["because"][0][0]["kind"] == "working"


def test_a_large_cluster_is_explained_in_few_lines() -> None:
    """As many as there are reasons, not nodes."""
    run = Run(agents=500).primary_there().begin("srv-2", "join-server")
    assert len(told(run).splitlines()) < 15


def test_what_was_to_happen_is_not_told_as_if_it_happened_now() -> None:
    """Where no run goes on, work was at work, and a wait was a wait."""
    run = Run().begin("srv-1", "stage").begin("srv-2", "stage").error("srv-2", "stage", "no")
    text = told(run.retry("srv-2", "stage", 5), going=False)
    assert "srv-1 (primary) was at work" in text
    assert "srv-2 (server) was to try again: put the release on the node" in text
    assert "attempt 2 begins" not in text
