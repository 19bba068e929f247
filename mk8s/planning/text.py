"""The plan for people: what each node goes through, then how long it takes and why. Pure.

Nodes whose plan reads the same are shown once, together; their seconds are shown as a range.
Law: nothing that a node said, or that a file holds, is obeyed by a terminal.
Begin reading at `plan_as_text`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from functools import partial

from machines.words import one_line, printable
from mk8s.planning.groups import Group, Times, groups_of
from mk8s.planning.prediction import forecast_as_text
from mk8s.planning.values import EdgePlan, Look, NodePlan, Plan, StepLook, StepPlan
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from transports.base import EXEC, Command

__all__ = [
    "about",
    "command_line",
    "detail",
    "edge_in_words",
    "lines_of",
    "plan_as_text",
    "standing_in_words",
    "title_of",
]

INDENT = "      "
WIDEST = 84  # characters before the column of times
Line = tuple[str, str]
"""One line of a node's plan, and when it is expected."""


def plan_as_text(plan: Plan, *, commands: bool = False) -> str:
    """The whole plan. `commands`: with the commands and files behind each step; never a secret's."""
    parts = [_group(group, commands) for group in groups_of(plan, partial(lines_of, commands=commands))]
    return printable("\n\n".join([*parts, forecast_as_text(plan)]))


def lines_of(plan: NodePlan, *, commands: bool) -> list[str]:
    """A node's plan without times: those that read the same are shown together."""
    return [text for text, _ in _lines(plan, {}, commands)]


def _group(group: Group, commands: bool) -> str:
    lines = list(_lines(group.first, group.times, commands))
    width = min(WIDEST, max((len(text) for text, times in lines if times), default=0))
    shown = [f"{text:<{width}}  {times}" if times else text for text, times in lines]
    return "\n".join([group.heading, *shown])


def _lines(plan: NodePlan, times: Mapping[str, Times], commands: bool) -> Iterator[Line]:
    yield from ((f"  {text}", "") for text in about(plan))
    for edge in () if plan.rests else plan.edges:
        known = times.get(edge.name) or Times("", ("",) * len(edge.steps))
        yield edge_in_words(edge, indent="  "), known.when
        for step, seconds in zip(edge.steps, known.steps, strict=True):
            yield _step_line(step), seconds
            yield from ((INDENT + line, "") for line in _below(step, commands))


def edge_in_words(edge: EdgePlan, indent: str = "") -> str:
    """What it is for, its name, and what it waits for."""
    after = f", after {edge.signal}" if edge.signal else ""
    return f"{indent}{edge.title} [{edge.name}]{after}"


def _step_line(plan: StepPlan) -> str:
    words = standing_in_words(plan.look)
    text = f"    {'-' if plan.is_ahead else '='} {title_of(plan.step)}"
    return f"{text}  ({words})" if words else text


def about(plan: NodePlan) -> Iterator[str]:
    """What is known of a node beside its steps."""
    if plan.is_done and plan.look is None:
        yield "healthy, by the journal: a run leaves it as it is"
    elif plan.done and not plan.is_done:
        yield f"done already, by the journal: {'; '.join(plan.done)}"
    look = plan.look
    if look is None:
        return
    if look.error:
        yield f"could not be asked: {look.error}"
        yield f"  hint: {look.remedy}"
        return
    yield from _found(plan, look)


def _found(plan: NodePlan, look: Look) -> Iterator[str]:
    if look.unfit:
        yield f"a run would set it aside: {look.unfit}"
    if look.health is not None and not look.health.met:
        yield f"it was healthy, and is not now: {one_line(look.health.reason)}"
        yield "a run would say so, and change nothing on it"
    for step, seen in look.drift:
        yield f"{step.title}: {seen.why}; a run leaves it so, for this node's edges are done"
        yield from (f"    {line}" for line in seen.diff.splitlines())
    if plan.rests and not look.drift:
        yield "nothing to do (healthy, asked just now)"


def title_of(step: Step) -> str:
    """Its title, which for a wait is a condition."""
    return f"wait until {step.title}" if isinstance(step, WaitFor) else step.title


def standing_in_words(look: StepLook) -> str:
    """How a step stands, in a few words; empty where there is nothing to say."""
    if look.standing == "true":
        return "true already: skipped"
    return look.why


def _below(plan: StepPlan, commands: bool) -> list[str]:
    shown = plan.look.diff.splitlines()
    return [*shown, *(detail(plan.step).splitlines() if commands else ())]


def detail(step: Step) -> str:
    """The command or file behind a step. What a secret file holds is never shown."""
    match step:
        case Upload(source=source, target=target):
            return f"{source.path} -> {target}  ({source.size} bytes, sha256 {source.sha256})"
        case WriteFile(secret=True, target=target, mode=mode):
            return f"{target}, mode {mode:04o}; it holds secrets, so it is not shown"
        case WriteFile(target=target, mode=mode, content=content):
            return f"{target}, mode {mode:04o}:\n" + content.decode("utf-8", "replace")
        case Run(command=command) | WaitFor(command=command):
            return command_line(command)


def command_line(command: Command) -> str:
    """A command as one would type it; its stdin, which may be a secret, is left out."""
    if command.script == EXEC:
        return "$ " + shlex.join(command.args)
    args = " ".join(shlex.quote(arg) for arg in command.args)
    return f"$ sh -c '…' {args}\n{command.script.strip()}"
