"""Drivers that are broken on purpose: ours, each with one mistake, and the law or the rule that notices it.

A law sees what happens in a rollout, a rule of `mk8s.conformance` also what a driver says and how its edges
end. What the laws alone cannot see, such as a start that does not wait because `verify` waits after it,
is a rule's. That the same drivers unbroken break nothing is held by tests/mk8s/conformance/test_distros.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from machines.simulation import INVARIANTS, Broken
from mk8s.conformance import RULES, Subject
from mk8s.distros.base import Distro, Question, Situation
from mk8s.distros.k0s.driver import K0s
from mk8s.distros.k3s.driver import K3s
from mk8s.distros.kubeadm.driver import Kubeadm
from mk8s.distros.rke2.driver import Rke2
from mk8s.rehearsal import Conditions, rehearse
from mk8s.steps import Run, Step, Verdict, WaitFor, WriteFile
from tests.mk8s.distros.labs import VERSIONS
from transports.base import Command


def as_role(s: Situation, role: str) -> Situation:
    return replace(s, node=replace(s.node, role=role))  # type: ignore[arg-type]  # one of the roles


def without_waits(steps: list[Step]) -> list[Step]:
    return [step for step in steps if not isinstance(step, WaitFor)]


def sure(questions: list[Question]) -> list[Question]:
    return [replace(question, judge=lambda _outcome: Verdict(True)) for question in questions]


# -- a second cluster


class K0sFirst(K0s):
    """Every controller begins a cluster."""

    def bootstrap(self, s: Situation) -> list[Step]:
        return super().bootstrap(as_role(s, "primary") if s.node.is_server else s)

    def join(self, s: Situation) -> list[Step]:
        return super().start(as_role(s, "primary")) if s.node.is_server else super().join(s)


class KubeadmFirst(Kubeadm):
    """Every server runs `kubeadm init`."""

    def bootstrap(self, s: Situation) -> list[Step]:
        return super().bootstrap(as_role(s, "primary") if s.node.is_server else s)

    def join(self, s: Situation) -> list[Step]:
        return super().start(as_role(s, "primary")) if s.node.is_server else super().join(s)


# -- an order that is none


class StartsWhatItInstalls(Rke2):
    """Before there is anything to join."""

    def bootstrap(self, s: Situation) -> list[Step]:
        edge = super().start if s.node.role == "primary" else super().join
        return [*super().bootstrap(s), *without_waits(edge(s))]


class StartsThenWrites(Rke2):
    """The config comes after the start that reads it."""

    def start(self, s: Situation) -> list[Step]:
        steps = super().start(s)
        files = [step for step in steps if isinstance(step, WriteFile)]
        return [*(step for step in steps if step not in files), *files]


class StopsForNow(K3s):
    """A reboot starts it again."""

    def stop_unit(self, s: Situation) -> list[Step]:
        return super().stop_unit(s)[1:]


class StopsLater(K3s):
    """Only the next boot does not start it."""

    def stop_unit(self, s: Situation) -> list[Step]:
        return super().stop_unit(s)[:1]


# -- who waits for nothing


class StartsBlindly(K0s):
    """The first controller counts as started when its unit was told to."""

    def start(self, s: Situation) -> list[Step]:
        return without_waits(super().start(s))


class JoinsBlindly(K3s):
    """The next server may come before this one is a member."""

    def join(self, s: Situation) -> list[Step]:
        return without_waits(super().join(s))


class SurelyWell(Kubeadm):
    """Looks, and takes any answer."""

    def verify(self, s: Situation) -> list[Step]:
        steps = super().verify(s)
        return [
            replace(step, judge=lambda _outcome: Verdict(True)) if isinstance(step, WaitFor) else step
            for step in steps
        ]


class SurelyHealthy(K0s):
    def is_healthy(self, s: Situation) -> list[Question]:
        return sure(super().is_healthy(s))


class SurelyJoined(Rke2):
    def has_joined(self, s: Situation) -> list[Question]:
        return sure(super().has_joined(s))


# -- wrong things for the right nodes


class TellsItsToken(K3s):
    """In an argument, for everyone who lists processes."""

    def join(self, s: Situation) -> list[Step]:
        command = Command(operation="k3s.join", description="join", script="exit 0", args=(s.token,))
        return [Run("join", command), *super().join(s)]


class GoesElsewhere(Kubeadm):
    """Nodes join at an address that nobody has."""

    def join(self, s: Situation) -> list[Step]:
        there = f"{s.cluster.primary.ip}:6443".encode()
        return [
            replace(step, content=step.content.replace(there, b"10.9.9.9:6443"))
            if isinstance(step, WriteFile)
            else step
            for step in super().join(s)
        ]


class WorkersServe(Kubeadm):
    """What is a worker joins as a server."""

    def join(self, s: Situation) -> list[Step]:
        return super().join(s if s.node.is_server else as_role(s, "server"))


MUTANTS: Mapping[str, tuple[str, Distro]] = {
    "every controller of k0s begins a cluster": ("one-cluster", K0sFirst()),
    "every server of kubeadm runs init": ("one-cluster", KubeadmFirst()),
    "a node starts what it installs, before the first server is ready": (
        "starts-in-time",
        StartsWhatItInstalls(),
    ),
    "the config is written after the start that reads it": ("files-first", StartsThenWrites()),
    "what is stopped comes back with a reboot": ("stop-can-be-repeated", StopsForNow()),
    "what is disabled runs on": ("stop-can-be-repeated", StopsLater()),
    "the first server's API is not waited for": ("joined-when-done", StartsBlindly()),
    "a server that joins is not waited for": ("joined-when-done", JoinsBlindly()),
    "any answer means well": ("well-first", SurelyWell()),
    "the question for health takes any answer": ("questions-tell", SurelyHealthy()),
    "the probe takes any answer": ("questions-tell", SurelyJoined()),
    "the token is an argument": ("hidden-secrets", TellsItsToken()),
    "nodes join at an address that nobody has": ("becomes-healthy", GoesElsewhere()),
    "workers join as servers": ("agents-serve-nothing", WorkersServe()),
}
LAWS = {law.name for law in INVARIANTS}


@pytest.mark.parametrize("broken", [name for name, (law, _) in MUTANTS.items() if law in LAWS])
def test_a_driver_that_breaks_a_law_is_caught_in_its_rollout(broken: str) -> None:
    law, distro = MUTANTS[broken]
    with pytest.raises(Broken) as caught:
        rehearse(Conditions(Subject(distro, VERSIONS[distro.name]).cluster(3, 2), distro))
    assert caught.value.invariant == law


@pytest.mark.parametrize("broken", [name for name, (law, _) in MUTANTS.items() if law not in LAWS])
def test_a_driver_that_breaks_a_promise_is_caught_by_the_rule_that_names_it(broken: str) -> None:
    name, distro = MUTANTS[broken]
    (rule,) = [rule for rule in RULES if rule.name == name]
    assert rule.broken_by(Subject(distro, VERSIONS[distro.name])) != []
