"""The plan for people: what each node goes through, then how long it takes and why. Pure.

Nodes whose plan reads the same are shown once, together; their seconds are shown as a range.
Begin reading at `plan_as_text`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from machines.words import one_line
from mk8s.planning.expected import Expected, expected_of
from mk8s.planning.prediction import forecast_as_text, lasting
from mk8s.planning.values import EdgePlan, Look, NodePlan, Plan, StepLook, StepPlan
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from mk8s.transcript import StepDone
from transports.base import EXEC, Command

__all__ = ["about", "command_line", "detail", "plan_as_text", "standing_in_words", "title_of"]

INDENT = "      "
NAMED = 12  # nodes of a group
WIDEST = 84  # characters before the column of times
Spans = Mapping[tuple[str, str], Expected]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a node's plan, and when it is expected. Lines of a group have the same `text`."""

    text: str
    began: float | None = None
    ended: float | None = None
    step: StepDone | None = None  # what is expected of a step


def plan_as_text(plan: Plan, *, commands: bool = False) -> str:
    """The whole plan. `commands`: with the commands and files behind each step; never a secret's."""
    spans = expected_of(plan.forecast)
    groups: dict[tuple[str, ...], list[tuple[NodePlan, list[_Line]]]] = {}
    for node in plan.nodes:
        lines = list(_lines(node, spans, commands))
        groups.setdefault((node.node.role, *(line.text for line in lines)), []).append((node, lines))
    parts = [_group(members) for members in groups.values()]
    return "\n\n".join([*parts, forecast_as_text(plan)])


def _group(members: Sequence[tuple[NodePlan, list[_Line]]]) -> str:
    names = ", ".join(f"{plan.node.name} ({plan.node.address})" for plan, _ in members[:NAMED])
    names += f" and {len(members) - NAMED} more" if len(members) > NAMED else ""
    rows = list(zip(*(lines for _, lines in members), strict=True))
    width = min(WIDEST, max((len(row[0].text) for row in rows if _times(row)), default=0))
    return "\n".join([f"{members[0][0].node.role}: {names}", *(_merged(row, width) for row in rows)])


def _merged(row: Sequence[_Line], width: int) -> str:
    """The same line of several nodes, and in a column of its own when and how long."""
    times = _times(row)
    return f"{row[0].text:<{width}}  {times}" if times else row[0].text


def _times(row: Sequence[_Line]) -> str:
    """From the first beginning to the last end, or the seconds of the quickest and of the slowest."""
    began = [line.began for line in row if line.began is not None]
    ended = [line.ended for line in row if line.ended is not None]
    steps = [line.step for line in row if line.step is not None]
    if began and ended:
        return f"{lasting(min(began))} to {lasting(max(ended))}"
    if not steps:
        return ""
    low, high = (lasting(choose(step.seconds for step in steps)) for choose in (min, max))
    then = "  true by then" if not any(step.changed or step.kind == "wait-for" for step in steps) else ""
    return (low if low == high else f"{low} to {high}") + then


def _lines(plan: NodePlan, spans: Spans, commands: bool) -> Iterator[_Line]:
    yield from (_Line(f"  {text}") for text in about(plan))
    for edge in () if plan.rests else plan.edges:
        expected = spans.get((plan.node.name, edge.name))
        after = f", after {edge.signal}" if edge.signal else ""
        times = (expected.began, expected.ended) if expected else (None, None)
        yield _Line(f"  {edge.title} [{edge.name}]{after}", *times)
        yield from _step_lines(edge, expected, commands)


def about(plan: NodePlan) -> Iterator[str]:
    """What is known of a node beside its steps."""
    if plan.done:
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


def _step_lines(edge: EdgePlan, expected: Expected | None, commands: bool) -> Iterator[_Line]:
    times = expected.of(edge) if expected else [None] * len(edge.steps)
    for plan, done in zip(edge.steps, times, strict=True):
        words = standing_in_words(plan.look)
        mark = "=" if plan.look.standing == "true" else "-"
        text = f"    {mark} {title_of(plan.step)}"
        shown = done if plan.is_ahead else None
        yield _Line(f"{text}  ({words})" if words else text, step=shown)
        yield from (_Line(f"{INDENT}{line}") for line in _below(plan, commands))


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
