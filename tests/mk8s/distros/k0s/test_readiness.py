"""What k0s' answers mean, and what a token tells."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from mk8s.distros.k0s import DISTRO
from mk8s.distros.k0s.readiness import (
    answers_as,
    config_is_valid,
    has_member,
    is_version,
    kubelet_version,
    no_other_is_joining,
    read_progress,
)
from mk8s.distros.k0s.tokens import token_id, token_of
from mk8s.units import ANSWER, JOURNAL
from tests.mk8s.distros.k0s.clusters import five, k0s, one
from tests.mk8s.distros.situations import make_node, outcome
from transports.base import Outcome

ACTIVE = "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\nSubState=running\nNRestarts=0\n"
PEER = "https://10.0.0.12:2380"


def status(state: str = ACTIVE, exit_status: int = 0, **said: object) -> Outcome:
    answer = json.dumps({"Version": "v1.33.4+k0s.0", "Role": "controller", "Workloads": False} | said)
    return outcome(f"{state}{ANSWER}\n{answer if exit_status == 0 else ''}", status=exit_status)


@pytest.mark.parametrize(
    ("answer", "met", "reason"),
    [
        (status(), True, "it answers as controller"),
        (status(exit_status=1), False, "active (running); it does not answer yet"),
        (status(Role="worker", Workloads=True), False, "it runs as worker, not as controller"),
        (status(Role="controller+worker", Workloads=True), False, "it runs a worker, and should not"),
        (status(Version="v1.33.3+k0s.0"), False, "it runs v1.33.3+k0s.0, not v1.33.4+k0s.0"),
        (
            status(ACTIVE.replace("=enabled", "=disabled")),
            False,
            "it answers, but a reboot would not start it",
        ),
        (outcome(f"{ACTIVE}{ANSWER}\nno JSON"), False, "active (running); it does not answer yet"),
        (outcome(f"{ACTIVE}{ANSWER}\n[]"), False, "active (running); it does not answer yet"),
    ],
)
def test_only_k0s_own_answer_says_that_it_runs(answer: Outcome, met: bool, reason: str) -> None:
    """Its unit is active as soon as a process is there."""
    verdict = answers_as("controller", pods=False, version="v1.33.4+k0s.0", enabled=True)(answer)

    assert (verdict.met, verdict.reason, verdict.lineage) == (met, reason, ())


def test_a_controller_with_a_worker_in_it_answers_as_both() -> None:
    judge = answers_as("controller", pods=True)

    assert judge(status(Role="controller+worker", Workloads=True)).met
    assert judge(status(Workloads=False)).reason == "it runs no worker, and should"


def test_a_service_that_keeps_failing_ends_the_wait_with_its_own_words() -> None:
    state = ACTIVE.replace("=active", "=activating").replace("NRestarts=0", "NRestarts=7")
    said = f"{state}{JOURNAL}\nError: something that nobody knows yet\n{ANSWER}\n"

    verdict = answers_as("controller", pods=False)(outcome(said, status=1))

    assert verdict.lineage == ("unit.failed", "unit")
    assert "something that nobody knows yet" in verdict.reason


@pytest.mark.parametrize(
    ("answer", "met"),
    [
        (outcome("v1.33.4+k0s.0\n"), True),
        (outcome("v1.33.4+k0s.1\n"), False),
        (outcome(stderr="x", status=127), False),
    ],
)
def test_the_program_has_exactly_the_manifests_version(answer: Outcome, met: bool) -> None:
    """Also where the hosts brought it; what they have does not change by waiting."""
    verdict = is_version("v1.33.4+k0s.0")(answer)

    assert (verdict.met, verdict.final) == (met, not met)


def test_a_config_that_k0s_refuses_is_final_and_in_its_own_words() -> None:
    verdict = config_is_valid(outcome(stderr='Error: unknown field "spec.netwrok"\n', status=1))

    assert verdict.final
    assert 'unknown field "spec.netwrok"' in verdict.reason
    assert verdict.lineage == ("config.field", "config")


# etcd


def members(**known: str) -> Outcome:
    return outcome(json.dumps({"members": known}))


@pytest.mark.parametrize(
    ("answer", "met"),
    [
        (members(**{"srv-2": PEER}), True),
        (members(other=PEER), True),
        (members(**{"srv-1": "https://10.0.0.11:2380"}), False),
        (
            outcome(stderr="Error: can't list etcd cluster members: context deadline exceeded", status=1),
            False,
        ),
        (outcome("no JSON"), False),
        (outcome("{}"), False),
    ],
)
def test_a_member_is_known_by_its_name_or_its_address(answer: Outcome, met: bool) -> None:
    assert has_member("srv-2", PEER)(answer).met is met


@pytest.mark.parametrize(
    ("answer", "met", "lineage"),
    [
        (members(**{"srv-1": "https://10.0.0.11:2380"}), True, ()),
        (members(**{"srv-1": "https://10.0.0.11:2380", "": PEER}), True, ()),
        (members(**{"": "https://10.0.0.13:2380"}), False, ("etcd.busy", "etcd.learner", "etcd")),
        (outcome(stderr="context deadline exceeded", status=1), False, ()),
    ],
)
def test_a_member_that_has_never_run_has_no_name_and_is_waited_for(
    answer: Outcome, met: bool, lineage: tuple[str, ...]
) -> None:
    """Its own is of an attempt that is over. The node table tries a join again for etcd's sake."""
    verdict = no_other_is_joining(PEER)(answer)

    assert (verdict.met, verdict.lineage) == (met, lineage)


@pytest.mark.parametrize("text", ["", "done", "joined\nnew"])
def test_progress_is_one_of_three_words(text: str) -> None:
    with pytest.raises(ValueError, match="says nothing"):
        read_progress(outcome(text))


@pytest.mark.parametrize(("tag", "version"), [("v1.33.4+k0s.0", "v1.33.4+k0s"), ("latest", "")])
def test_a_kubelet_calls_itself_by_the_release_without_its_last_number(tag: str, version: str) -> None:
    assert kubelet_version(tag) == version


# Tokens


def token(text: bytes) -> str:
    return base64.b64encode(gzip.compress(text + b" " * 200, mtime=0)).decode()


def test_a_tokens_id_is_read_and_nothing_else_of_it() -> None:
    made = token(b'users:\n- user:\n    token: "abc123.0123456789abcdef"\n')

    assert token_id(made) == "abc123"


DAMAGED = base64.b64encode(gzip.compress(b"x" * 500, mtime=0)[:10] + b"\xff" * 20).decode()


@pytest.mark.parametrize("text", ["", "no base64", "QUJD", token(b"nothing in it"), DAMAGED])
def test_a_token_of_another_form_has_no_id(text: str) -> None:
    assert token_id(text) == ""


def test_what_is_no_token_is_refused_without_a_word_of_it() -> None:
    with pytest.raises(ValueError, match="no join token") as caught:
        token_of(outcome("hush-hush"))

    assert "hush" not in str(caught.value)


# Requirements and kubeconfig


def test_ports_are_those_of_the_nodes_roles() -> None:
    cluster = five()

    assert set(DISTRO.requirements(cluster.primary, cluster).ports) == {2379, 2380, 6443, 8132, 9443}
    assert set(DISTRO.requirements(cluster.nodes[-1], cluster).ports) == {10250}
    assert 10250 in DISTRO.requirements(one().primary, one()).ports


def test_keys_of_an_earlier_cluster_are_leftovers_wherever_the_data_lie() -> None:
    node = make_node("srv-1", "primary", "10.0.0.11")
    moved = DISTRO.requirements(node, k0s(node)).leftovers

    assert "/var/lib/k0s/pki" in moved
    assert "/var/lib/k0s/kubelet.conf" in DISTRO.requirements(five().nodes[-1], five()).leftovers


def test_the_kubeconfig_leads_to_the_cluster_from_outside() -> None:
    text = (
        "apiVersion: v1\nkind: Config\nclusters:\n"
        "- {name: local, cluster: {server: 'https://localhost:6443'}}\n"
    )

    assert DISTRO.kubeconfig(five()).as_posix() == "/var/lib/k0s/pki/admin.conf"
    assert "https://api.example:6443" in DISTRO.rewrite_kubeconfig(text, five(endpoint="api.example"))
