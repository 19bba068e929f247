"""The only way from a name in YAML to code: actions, guards, probes and undos.

A table names what it wants done; a program registers what it can do. `checks` compares the two, so
a misspelt name is a fault of the document and not an exception in the middle of a run. No import
path ever stands in a document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

__all__ = ["Action", "Context", "Evidence", "Guard", "Member", "Probe", "Registry", "Undo"]


def _silence(_text: str) -> None:
    """Nobody listens."""


def _unmeasured(_mark: int) -> None:
    """Nobody compares."""


Evidence: TypeAlias = Mapping[str, Any]
"""JSON values that the journal keeps: what was seen, never a secret."""


class Member(Protocol):
    """What the framework needs to know of a node: a unique name and a role."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What an action, probe or undo is told.

    `note` shows progress to people. The last one of a call that runs out of time becomes part of its
    error message, which is journalled: never a secret.

    `reached` says how far this attempt is, as a mark that grows as it gets on: steps that are done, pieces
    that arrived. Marks mean the same in every attempt of the edge on this node, those of resumed runs
    included; a retry clause with ``renew: progress`` compares them. Calling it often costs next to nothing.
    """

    member: Member
    edge: str
    attempt: int
    args: Mapping[str, str | int | bool]
    note: Callable[[str], None] = field(default=_silence)
    reached: Callable[[int], None] = field(default=_unmeasured)


Action: TypeAlias = Callable[[Context], Awaitable[Evidence | None]]
Probe: TypeAlias = Callable[[Context], Awaitable[Evidence | None]]
"""Returns evidence when the effect is there already, None when it is not; raises when it cannot tell."""
Undo: TypeAlias = Callable[[Context], Awaitable[None]]
Guard: TypeAlias = Callable[[Any], bool]
Digest: TypeAlias = Callable[[Context], str]


class Registry:
    """Names to callables, one namespace for each kind."""

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}
        self.digests: dict[str, Digest] = {}
        self.guards: dict[str, Guard] = {}
        self.probes: dict[str, Probe] = {}
        self.undos: dict[str, Undo] = {}

    def action(self, name: str, digest: Digest | None = None) -> Callable[[Action], Action]:
        """Register an action. `digest` names in one word what it is about to do, for the intent record."""

        def register(function: Action) -> Action:
            _put(self.actions, name, function)
            if digest is not None:
                self.digests[name] = digest
            return function

        return register

    def guard(self, name: str) -> Callable[[Guard], Guard]:
        """Register a predicate over a member. It must be pure and quick."""
        return lambda function: _put(self.guards, name, function)

    def probe(self, name: str) -> Callable[[Probe], Probe]:
        """Register a question: is the effect of this edge there already?"""
        return lambda function: _put(self.probes, name, function)

    def undo(self, name: str) -> Callable[[Undo], Undo]:
        """Register a compensation. It must be idempotent: it may run again after a crash."""
        return lambda function: _put(self.undos, name, function)


def _put(names: dict[str, Any], name: str, function: Any) -> Any:
    if name in names:
        raise ValueError(f"{name!r} is registered twice")
    names[name] = function
    return function
