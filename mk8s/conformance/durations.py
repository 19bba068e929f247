"""Rules about time on modelled hosts: nothing that a driver sends or runs takes time that nobody declared.

A name without a declared duration would silently take next to nothing, and every forecast would be wrong
by as much. Each function is a rule, as in `motion`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mk8s.conformance.lives import Life, live
from mk8s.conformance.subjects import Subject, commands_of
from mk8s.distros.base import Situation
from mk8s.steps import WaitFor
from transports.base import Command
from transports.simulated import Span

__all__: list[str] = []

EDGES = {
    "stage": ("stage",) * 3,
    "bootstrap": ("bootstrap",) * 3,
    "start": ("start-primary",) * 3,
    "join": ("", "join-server", "join-agent"),
    "verify": ("verify",) * 3,
}
"""A driver's method -> the node machine's edge for a primary, a server and an agent."""
ROLES = ("primary", "server", "agent")


def modelled_commands(subject: Subject) -> Iterator[str]:
    """Every command that it may send has a model, and a declared duration."""
    yield from live(subject, subject.cluster(3, 2), lambda life: _unmodelled(subject, life))


async def _unmodelled(subject: Subject, life: Life) -> list[str]:
    handlers = life.host(life.cluster.primary).handlers
    declared, found = life.network.pace.declared, []
    for operation in sorted({command.operation for command in _sent(subject)}):
        if operation not in handlers:
            found.append(f"{operation}: no handler; `model` has to give the host one")
        elif operation not in declared:
            found.append(f"{operation}: no duration; `model` has to declare a Span to the network's pace")
    return found


def _sent(subject: Subject) -> Iterator[Command]:
    for _, s in subject.situations():
        for steps in subject.steps(s).values():
            for step in steps:
                yield from commands_of(step)
        yield from (question.command for question in subject.distro.has_joined(s))
        yield from (question.command for question in subject.distro.is_healthy(s))
        yield from (lookup.command for lookup in subject.distro.lookups(s))
    for _, cluster in subject.clusters():
        situations = [subject.situation(cluster, node) for node in cluster.nodes]
        for condition in subject.distro.conditions(situations):
            yield from (question.command for question in condition.questions)


def declared_durations(subject: Subject) -> Iterator[str]:
    """Whatever takes time in its rollout has a declared duration, parts of services' lives too."""
    yield from live(subject, subject.cluster(3, 2), _undeclared)


async def _undeclared(life: Life) -> list[str]:
    await life.run()
    drawn = {name for host in life.network.hosts.values() for name in host.drawn}
    missing = sorted(drawn - set(life.network.pace.declared))
    return [f"{name}: it was drawn, and `model` has declared no Span of that name" for name in missing]


def shown_phases(subject: Subject) -> Iterator[str]:
    """What a run is said to show has a declared duration, and there is such a wait on that edge."""
    yield from live(subject, subject.cluster(3, 2), lambda life: _shown(subject, life.network.pace.declared))


async def _shown(subject: Subject, declared: Mapping[str, Span]) -> list[str]:
    waits = set(_waits(subject))
    found = []
    for shown in subject.distro.phases().shown:
        names = (shown.phase, *shown.minus)
        found += [f"{shown.phase}: {name} has no duration" for name in names if name not in declared]
        titles = [title for edge, role, title in waits if (edge, role) == (shown.edge, shown.role)]
        if not any(map(shown.is_wait, titles)):
            wanted = " or ".join(shown.waits)
            found.append(
                f"{shown.phase}: {shown.edge} of a node that is {shown.role} never waits for {wanted!r}"
            )
    return found


def _waits(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Edge, role and title of every wait."""
    for _, s in subject.situations():
        yield from ((edge, s.node.role, title) for edge, title in _waits_of(subject, s))


def _waits_of(subject: Subject, s: Situation) -> Iterator[tuple[str, str]]:
    for method, steps in subject.steps(s).items():
        edges = EDGES.get(method)
        if edges:
            yield from (
                (edges[ROLES.index(s.node.role)], step.title) for step in steps if isinstance(step, WaitFor)
            )
