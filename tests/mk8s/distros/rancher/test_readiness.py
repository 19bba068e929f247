"""What answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from mk8s.distros.rancher.readiness import (
    UnitView,
    answers,
    etcd_is_healthy,
    is_version,
    no_other_is_joining,
    node_is_member,
    unit_is_active,
    unit_is_installed,
)
from mk8s.distros.rancher.roles import CONTROL_PLANE, ETCD
from mk8s.distros.rke2 import DISTRO
from mk8s.distros.rke2.commands import has_nm_cloud_setup
from mk8s.distros.rke2.engine import RKE2
from mk8s.distros.rke2.readiness import nm_cloud_setup_is_off
from mk8s.steps import Verdict
from tests.mk8s.distros.situations import TOKEN, as_outcome, node_json, outcome
from transports.base import Outcome

SERVER = (CONTROL_PLANE, ETCD)
LEARNERS = 'level=fatal msg="ETCD join failed: etcdserver: too many learner members in cluster"'
REFUSED = 'level=info msg="server is not ready: Node password rejected, duplicate hostname"'


def unit(
    state: str = "activating", sub: str = "start", restarts: int = 0, *journal: str, **more: str
) -> Outcome:
    properties = {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": state, "SubState": sub}
    properties |= {"Result": "success", "NRestarts": str(restarts), **more}
    lines = [f"{key}={value}" for key, value in properties.items()]
    return outcome("\n".join([*lines, *(["--- journal", *journal] if state != "active" else [])]) + "\n")


def judged(answer: Outcome, *, enabled: bool = False) -> Verdict:
    return unit_is_active(RKE2, [TOKEN], enabled=enabled)(answer)


def test_an_active_unit_is_active() -> None:
    assert judged(unit("active", "running", 7)).met


def test_an_activating_unit_is_waited_for_and_its_last_words_are_shown() -> None:
    verdict = judged(unit("activating", "start", 0, "level=info msg=one", "level=info msg=two"))

    assert verdict == Verdict(False, "activating (start): two")


def test_a_unit_whose_start_is_still_queued_is_waited_for() -> None:
    """Before network-online.target systemd calls it inactive."""
    assert judged(unit("inactive", "dead")) == Verdict(False, "inactive (dead)")


def test_active_but_not_enabled_is_not_joined() -> None:
    """A reboot would lose the node."""
    verdict = judged(unit("active", "running", UnitFileState="disabled"), enabled=True)

    assert verdict == Verdict(False, "active, but a reboot would not start it")


def test_a_few_restarts_are_forgiven() -> None:
    assert judged(unit("activating", "auto-restart", 3, LEARNERS)).lineage == ()


def test_a_unit_that_keeps_failing_ends_the_wait_with_its_last_serious_words() -> None:
    verdict = judged(unit("activating", "auto-restart", 4, "level=fatal msg=boom", "level=info msg=bye"))

    assert verdict.lineage == ("unit.failed", "unit")
    assert verdict.reason == (
        "the unit keeps failing, activating (auto-restart, restarted 4 times): fatal: boom"
    )


def test_a_known_complaint_of_a_failing_unit_is_classified() -> None:
    """The table retries a learner conflict sixty times and a broken unit three times."""
    verdict = judged(unit("activating", "auto-restart", 4, LEARNERS))

    assert verdict.lineage == ("etcd.learner", "etcd")
    assert not verdict.final


def test_a_final_complaint_ends_the_wait_at_once() -> None:
    """A refused agent does not exit: it would say so until the timeout."""
    verdict = judged(unit("activating", "start", 0, REFUSED))

    assert verdict.lineage == ("join.rejected", "join")
    assert verdict.final
    assert "kubectl delete node" in verdict.remedy


def test_a_failed_unit_is_not_waited_for() -> None:
    assert judged(unit("failed", "failed", Result="exit-code")).lineage == ("unit.failed", "unit")


def test_the_other_role_on_the_same_host_is_recognised() -> None:
    """Newer units refuse by ExecCondition, and systemd calls that a success."""
    assert judged(unit("inactive", "dead", Result="exec-condition")).lineage == ("unit.refused", "unit")


def test_a_unit_that_is_not_there_is_not_waited_for() -> None:
    assert judged(unit("inactive", "dead", LoadState="not-found")).lineage == ("unit.missing", "unit")


def test_an_old_systemd_that_counts_no_restarts_is_counted_for() -> None:
    line = "rke2-server.service: Scheduled restart job, restart counter is at 1."
    view = UnitView.of(outcome(f"ActiveState=activating\n--- journal\n{line}\n{line}\n"))

    assert view.restarts == 2


def test_no_secret_of_a_journal_reaches_a_verdict() -> None:
    verdict = judged(unit("failed", "failed", 0, f'level=fatal msg="bad token {TOKEN}"'))

    assert TOKEN not in verdict.reason
    assert "[redacted]" in verdict.reason


ACTIVE = "LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=0\n"


def test_an_endpoint_that_answers_is_ready() -> None:
    assert answers(RKE2, "ok", [])(outcome(f"{ACTIVE}--- answer\nok")) == Verdict(True, "ok")


def test_an_endpoint_that_does_not_answer_is_waited_for() -> None:
    verdict = answers(RKE2, "ok", [])(outcome(f"{ACTIVE}--- answer\n", "connection refused\n", 1))

    assert verdict == Verdict(False, "active (running); connection refused")


def test_an_unready_api_server_is_quoted() -> None:
    body = "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed"
    verdict = answers(RKE2, "ok", [])(outcome(f"{ACTIVE}--- answer\n{body}", "", 1))

    assert verdict.reason == "active (running); readyz check failed"


def test_a_crash_loop_ends_the_wait_for_an_endpoint() -> None:
    """Before 1.21.2 systemd calls the unit active at once, so only this wait can see it fail."""
    text = unit("activating", "auto-restart", 9, "level=fatal msg=boom").stdout.decode()
    verdict = answers(RKE2, "ok", [])(outcome(f"{text}--- answer\n", "refused", 1))

    assert verdict.lineage == ("unit.failed", "unit")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (node_json(labels=SERVER, voter="True"), Verdict(True, "node srv-1 is Ready")),
        (
            node_json(labels=SERVER, ready="False"),
            Verdict(False, "node srv-1 is not Ready: cni plugin not initialized"),
        ),
        (node_json(labels=SERVER, ready=""), Verdict(False, "node srv-1 is not Ready: no condition yet")),
        (node_json(labels=(CONTROL_PLANE,)), Verdict(False, f"node srv-1 has no label {ETCD}")),
        (
            node_json(labels=SERVER, voter="False"),
            Verdict(False, "node srv-1 is still a learner in etcd"),
        ),
        (
            node_json(labels=SERVER, version="v1.32.1+rke2r1"),
            Verdict(False, "node srv-1 runs v1.32.1+rke2r1, not v1.33.4+rke2r1"),
        ),
    ],
)
def test_a_server_is_a_member_when_it_is_ready_labelled_promoted_and_of_this_version(
    data: dict[str, Any], expected: Verdict
) -> None:
    judge = node_is_member("srv-1", SERVER, ready=True, version="v1.33.4+rke2r1")

    assert judge(as_outcome(data)) == expected


def test_without_a_network_registered_is_enough() -> None:
    """With `cni: none` nothing becomes Ready before the user has installed one."""
    judge = node_is_member("srv-1", (), ready=False)

    assert judge(as_outcome(node_json(ready="False"))) == Verdict(True, "node srv-1 is registered")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            outcome("", 'Error from server (NotFound): nodes "srv-1" not found\n', 1),
            "node srv-1: not registered yet",
        ),
        (outcome("", "kubectl: not found\n", 127), "node srv-1: kubectl: not found"),
        (outcome("welcome to this host"), "node srv-1: kubectl did not answer with a Node object"),
        (outcome("[]"), "node srv-1: kubectl did not answer with a Node object"),
    ],
)
def test_no_answer_is_never_taken_for_a_no(answer: Outcome, reason: str) -> None:
    assert node_is_member("srv-1", (), ready=True)(answer) == Verdict(False, reason)


def listed(*items: dict[str, Any]) -> Outcome:
    return as_outcome({"kind": "List", "items": list(items)})


def test_a_server_may_join_when_all_others_are_full_members() -> None:
    """Agents and the joining server itself do not count."""
    answer = listed(
        node_json("srv-1", labels=SERVER),
        node_json("srv-2", labels=SERVER, ready="False"),
        node_json("a", ready="False"),
    )

    assert no_other_is_joining("srv-2", ready=True)(answer).met


@pytest.mark.parametrize("other", [{"ready": "False"}, {"ready": "Unknown"}, {"voter": "False"}])
def test_a_server_may_not_join_beside_one_that_is_not_settled(other: dict[str, str]) -> None:
    """etcd takes one learner at a time; the join is tried again later."""
    answer = listed(node_json("srv-1", labels=SERVER), node_json("srv-2", labels=SERVER, **other))

    verdict = no_other_is_joining("srv-3", ready=True)(answer)

    assert verdict.reason == "another server is still joining: srv-2"
    assert verdict.lineage == ("etcd.learner", "etcd")
    assert not verdict.final


def test_a_primary_that_does_not_answer_is_waited_for() -> None:
    verdict = no_other_is_joining("srv-2", ready=True)(outcome("", "connection refused", 1))

    assert verdict == Verdict(False, "connection refused")


@pytest.mark.parametrize("word", ["", "disabled", "masked", "static"])
def test_nm_cloud_setup_that_is_off_or_absent_is_fine(word: str) -> None:
    assert nm_cloud_setup_is_off(outcome(word)).met


def test_nm_cloud_setup_that_is_on_needs_a_person() -> None:
    verdict = nm_cloud_setup_is_off(outcome("enabled\n"))

    assert verdict.lineage == ("check.nm-cloud-setup", "check")
    assert "systemctl disable --now nm-cloud-setup.service" in verdict.remedy


def test_a_failed_command_is_classified_by_what_it_said() -> None:
    command = has_nm_cloud_setup()
    error = DISTRO.classify(outcome("", "tar: write error: No space left on device\n", 2), command)

    assert error is not None
    assert error.failure.lineage == ("disk.full", "disk")
    assert DISTRO.classify(outcome("", "mkdir: permission denied\n", 1), command) is None


@pytest.mark.parametrize(
    ("said", "met"),
    [
        ('{"health":"true","reason":""}', True),
        ('{"health": true}', True),
        ('{"health":"false"}', False),
        ("x", False),
    ],
)
def test_a_member_of_etcd_speaks_for_itself(said: str, met: bool) -> None:
    assert etcd_is_healthy(RKE2, [])(outcome(f"{ACTIVE}--- answer\n{said}")).met is met


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "rke2 version v1.33.4+rke2r10 (abc)",
            "the host has 'rke2 version v1.33.4+rke2r10 (abc)', not v1.33.4+rke2r1",
        ),
        ("absent", "the host has no v1.33.4+rke2r1"),
        ("", "the host has no v1.33.4+rke2r1"),
    ],
)
def test_another_version_on_the_host_is_refused_for_good(said: str, reason: str) -> None:
    verdict = is_version("v1.33.4+rke2r1")(outcome(said))

    assert (verdict.reason, verdict.lineage[0], verdict.final) == (reason, "check.preinstalled", True)


def test_exactly_this_version_is_taken() -> None:
    assert is_version("v1.33.4+rke2r1")(outcome("rke2 version v1.33.4+rke2r1 (abc)\ngo version go1.24")).met


def test_a_unit_that_should_be_there_already_is_looked_for() -> None:
    judge = unit_is_installed("rke2-server.service")

    assert judge(unit("inactive", "dead")).met
    assert judge(unit("inactive", "dead", LoadState="not-found")).final


def test_nobody_joins_while_no_server_has_etcd() -> None:
    """The first server's state may still be in SQLite."""
    verdict = no_other_is_joining("srv-2", ready=True)(
        as_outcome({"items": [node_json(labels=(CONTROL_PLANE,))]})
    )

    assert verdict.lineage == ("etcd.learner", "etcd")
