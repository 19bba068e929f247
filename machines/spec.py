"""The structs of a machine's declarative form: what a YAML document becomes once it is sound.

Pure data. `loading` makes these from text, `checks` says what is wrong with them, `table` compiles
them. Durations are seconds (float); where the document leaves one out, there is no bound.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

__all__ = ["Catch", "EdgeSpec", "MachineSpec", "Retry", "SignalSpec", "StateSpec"]

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z][a-z0-9_-]*$",
        description="a name: lower-case letters, digits, '-' and '_', a letter first",
    ),
]
ErrorClass = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(\*|[a-z0-9][a-z0-9_.-]*)$",
        description="an error class such as exit, exit.17 or disk.full, or '*' for all",
    ),
]
Seconds = Annotated[float, msgspec.Meta(extra={"unit": "duration"})]  # written 500ms, 10s, 5m, 2h, 1d
Scalar = str | int | bool


class _Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common ground: immutable, by keyword, and no unknown key is ever ignored."""


class Retry(_Form, frozen=True, kw_only=True):
    """One retry clause. It counts its own tries; `attempts` counts tries, not repetitions."""

    match: list[ErrorClass]
    attempts: int | None = None  # None: bounded by the edge's deadline alone
    delay: Seconds = 1.0
    backoff: float = 2.0
    max_delay: Seconds = 60.0
    jitter: Literal["none", "equal", "full"] = "full"
    renew: Literal["never", "progress"] = "never"  # progress: an attempt that got further renews the count


class Catch(_Form, frozen=True, kw_only=True):
    """Where a failure leads when no retry clause takes it."""

    match: list[ErrorClass]
    to: Name
    rollback: bool = False  # run the undos of this edge and of all finished ones, newest first


class EdgeSpec(_Form, frozen=True, kw_only=True):
    """One way from a state to another, with everything that can happen on it."""

    name: Name
    source: Name | list[Name] = msgspec.field(name="from")
    to: Name
    title: str = ""  # words for people; empty: the name
    signal: Name | None = None  # a condition of the whole group that opens the edge
    guard: list[str] = []  # names in the registry; "!name" negates
    do: Name | None = None  # an action's name in the registry, never an import path
    args: dict[str, Scalar] = {}
    limit: Name | None = None  # a capacity limiter; queueing for it is not counted as time
    limit_scope: Literal["attempt", "edge"] = "attempt"  # edge: held through the waits between attempts
    timeout: Seconds | None = None  # one attempt
    deadline: Seconds | None = None  # all attempts and the waits between them, active time only
    probe: Name | None = None  # asked before an ambiguous attempt is repeated, and on resume
    retry: list[Retry] = []
    catch: list[Catch] = []
    undo: list[Name] = []  # compensation, run by a rollback on this edge or a later one

    @property
    def sources(self) -> list[str]:
        return [self.source] if isinstance(self.source, str) else list(self.source)


class StateSpec(_Form, frozen=True, kw_only=True):
    """A state. An `outcome` ends a node's life in this machine."""

    outcome: Literal["success", "failure"] | None = None
    title: str = ""


class SignalSpec(_Form, frozen=True, kw_only=True):
    """A condition over the group: so many members of these roles have reached this state."""

    role: list[str]
    state: Name
    at_least: str = "100%"  # "3" or "67%" of the members of these roles


class MachineSpec(_Form, frozen=True, kw_only=True):
    """A whole machine."""

    machine: Name
    version: int
    initial: Name
    states: dict[Name, StateSpec]
    edges: list[EdgeSpec]
    signals: dict[Name, SignalSpec] = {}
    limits: dict[Name, int] = {}  # limiter name -> capacity; the caller may override
    budgets: dict[Name, str] = {}  # role -> how many members may fail ("1", "20%") before the role stops
