"""Which steps and commands took longest; what many nodes do alike is one row. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from statistics import median
from typing import Protocol, TypeVar

from mk8s.amounts import length
from mk8s.report.markup import Html, el
from mk8s.report.tables import Column, bar, table
from mk8s.transcript import CommandDone, StepDone, Transcript

__all__ = ["slowest_commands", "slowest_steps"]

MOST = 20


class Timed(Protocol):
    @property
    def node(self) -> str: ...
    @property
    def seconds(self) -> float: ...


T = TypeVar("T", bound=Timed)
NONE_KEPT = "No transcript was kept of this run, so its steps are not known."
COLUMNS = (
    Column("Times", numeric=True),
    Column("Longest", numeric=True),
    Column("on", node=True),
    Column("Median", numeric=True),
    Column("Together", numeric=True),
    Column(""),
)


def slowest_steps(transcript: Transcript) -> Html:
    """The twenty steps that took one node longest."""
    if not transcript.steps:
        return el("p", NONE_KEPT)
    groups = _grouped(transcript.steps, [(step.kind, step.title) for step in transcript.steps])
    rows = [(_step_words(group[0]), *_figures(group, groups[0])) for group in groups]
    return table([Column("Step", wide=True), *COLUMNS], rows)


def slowest_commands(transcript: Transcript) -> Html:
    """The twenty commands that took one node longest; files on their way among them."""
    if not transcript.commands:
        return el("p", NONE_KEPT)
    groups = _grouped(transcript.commands, [(c.operation, c.description) for c in transcript.commands])
    rows = [(*_command_words(group[0]), *_figures(group, groups[0])) for group in groups]
    return table([Column("Command", wide=True), Column("Operation"), *COLUMNS], rows)


def _grouped(things: Sequence[T], keys: Sequence[Hashable]) -> list[list[T]]:
    """Each with its longest first."""
    groups: dict[Hashable, list[T]] = {}
    for key, thing in zip(keys, things, strict=True):
        groups.setdefault(key, []).append(thing)
    for group in groups.values():
        group.sort(key=lambda thing: -thing.seconds)
    return sorted(groups.values(), key=lambda group: -group[0].seconds)[:MOST]


def _figures(group: Sequence[T], slowest: Sequence[T]) -> tuple[str, ...]:
    times = [thing.seconds for thing in group]
    return (
        str(len(group)),
        length(times[0]),
        group[0].node,
        length(median(times)),
        length(sum(times)),
        bar(times[0] / slowest[0].seconds if slowest[0].seconds else 0.0),
    )


def _step_words(step: StepDone) -> str:
    return f"{'wait until ' if step.kind == 'wait-for' else ''}{step.title}"


def _command_words(command: CommandDone) -> tuple[str, str]:
    return command.description, command.operation
