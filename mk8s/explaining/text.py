"""An explanation for people. Pure.

Law: what a node said is on one line, and nothing in it that a terminal obeys. Every answer ends with what
there is to do, as commands that can be pasted. Begin reading at `node_as_text` and `cluster_as_text`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from machines import Record
from machines.signals import listed
from machines.words import one_line, printable
from mk8s.amounts import duration, length
from mk8s.explaining.chains import Group, Root, chain_of, grouped, roots_of
from mk8s.explaining.doing import to_do
from mk8s.explaining.reasons import Reasons
from mk8s.explaining.scene import Scene
from mk8s.explaining.values import Reason, Try
from mk8s.identity import Simulation
from mk8s.last_words import MARK
from mk8s.screen.words import line_of
from mk8s.tables import titles_of

__all__ = ["cluster_as_text", "headline", "node_as_text"]

LAST = 8  # pieces of news that are shown
NAMED = 6  # nodes of a group that are named


def node_as_text(node: str, scene: Scene, reasons: Reasons) -> str:
    """One node: its reason, down to the roots; what was tried; what comes next; what to do."""
    reason = reasons.of(node)
    lines = [
        *_simulated(scene.simulation),
        f"{node} ({reason.role}) {reason.words}",
        f"  ({headline(scene)})",
        *_state(reason),
        *(f"  {line}" for line in _about(reason, scene)),
        *_chain(node, scene, reasons),
        *_tried(reason),
        *_news(node, scene),
        *(f"next: {step}" for step in reason.next),
        *_doing(to_do(scene, reasons, node)),
    ]
    return printable("\n".join(lines))


def cluster_as_text(scene: Scene, reasons: Reasons) -> str:
    """All nodes: the root causes first, then the rest in groups, and what to do."""
    every = reasons.all()
    roots = roots_of(reasons)
    shown = {name for root in roots for name in root.group.nodes}
    rest = grouped(reason for reason in every if reason.node not in shown)
    healthy = sum(reason.is_well for reason in every)
    lines = [
        *_simulated(scene.simulation),
        f"{scene.cluster.name}: {healthy} of {len(every)} healthy; {headline(scene)}",
    ]
    if roots:
        lines += ["what bounds it:", *(line for root in roots for line in _root(root, scene))]
    if rest:
        lines += ["the others:" if roots else "the nodes:", *(f"  {_subject(group)}" for group in rest)]
    return printable("\n".join([*lines, *_doing(to_do(scene, reasons))]))


def _simulated(simulation: Simulation | None) -> Iterator[str]:
    """Before everything else: whoever reads the rest takes it for what is."""
    if simulation:
        yield f"note: {simulation.words}"


def headline(scene: Scene) -> str:
    """Whether a run goes on, and which second the times are told by."""
    if scene.going is None:
        how = "the run has ended" if scene.history.finished else "no run goes on here"
        return f"{how}; as of the last record, at {duration(scene.history.at)} of the run"
    if scene.is_now_known:
        return f"a run goes on ({scene.going.holder}), about {duration(scene.now)} of it"
    return f"a run goes on ({scene.going.holder}); as of its last record, at {duration(scene.history.at)}"


def _state(reason: Reason) -> Iterator[str]:
    if reason.state and "~" not in reason.state:
        yield f"  in state {reason.state}"
    elif reason.state:
        yield f"  between {reason.state.partition('~')[0]} and the next state, on edge {reason.edge}"


def _about(reason: Reason, scene: Scene) -> Iterator[str]:
    """Since when, until when, who is there, what went wrong."""
    if reason.since is not None and reason.kind not in ("new", "gone"):
        ago = duration(max(scene.now - reason.since, 0.0))
        told = f"{ago} ago" if scene.is_now_known else f"{ago} before the last record"
        attempt = f", attempt {reason.attempt}" if reason.attempt and reason.kind == "working" else ""
        yield f"since {duration(reason.since)} of the run, {told}{attempt}"
    if reason.now:
        yield f"{'now' if scene.going else 'when it ended'}: {reason.now}"
    if reason.kind == "signal":
        yield from _who(reason)
    if reason.place:
        yield f"{reason.place} come before it in the plan"
    yield from (f"{bound.words}: {_at(bound.at, scene)}" for bound in reason.bounds)
    if reason.tries:
        yield f"tries: {reason.tries}"
    if reason.message:
        yield f"what went wrong: {_one(reason.message)}"
    if reason.remedy:
        yield f"hint: {_one(reason.remedy)}"


def _who(reason: Reason) -> Iterator[str]:
    total = len(reason.have) + len(reason.behind)
    yield f"{len(reason.have)} of {total} are there, {reason.need} are needed"
    if reason.have:
        yield f"there: {listed(reason.have)}"
    yield f"missing: {listed(reason.behind)}"


def _at(second: float, scene: Scene) -> str:
    """A second of the run, and how far away it is where that is known."""
    if not scene.is_now_known:
        return f"at {duration(second)} of the run"
    left = second - scene.now
    if left < 0:
        return f"at {duration(second)} of the run, which is over: it must end any moment"
    return f"at {duration(second)} of the run, in {duration(left)}"


def _chain(node: str, scene: Scene, reasons: Reasons) -> Iterator[str]:
    """Whom it waits for, and why those are where they are, down to the roots."""
    layers = chain_of(node, reasons)
    if layers:
        yield "because"
    for depth, layer in enumerate(layers):
        for group in layer:
            indent = "  " * (depth + 1)
            since = group.reason.since if group.reason.behind else None
            yield f"{indent}{_subject(group)}" + (f", since {duration(since)}" if since is not None else "")
            if not group.reason.behind:
                yield from (f"{indent}  {line}" for line in _about(group.reason, scene))


def _root(root: Root, scene: Scene) -> Iterator[str]:
    yield f"  {_subject(root.group)}"
    about = [f"    {line}" for line in _about(root.group.reason, scene)]
    if len(root.group.nodes) > 1 and about:
        yield f"    {root.group.nodes[0]} for one:"
    yield from about
    if root.holds_back:
        verb = "it holds" if len(root.group.nodes) == 1 else "they hold"
        yield f"    {verb} back {_names(root.holds_back)}"


def _subject(group: Group) -> str:
    reason = group.reason
    words = reason.words if len(group.nodes) == 1 else reason.plural or reason.words
    more = ""
    if reason.kind == "signal":
        more = f" ({len(reason.have)} of {len(reason.have) + len(reason.behind)} are there)"
    return f"{_names(group.nodes)} ({', '.join(group.roles)}) {words}{more}"


def _names(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: NAMED - 1])} and {len(names) - NAMED + 1} more"


def _tried(reason: Reason) -> Iterator[str]:
    if len(reason.tried) > 1 or (reason.tried and not reason.message):
        yield "what was tried:"
        yield from map(_try, reason.tried)


def _try(each: Try) -> str:
    wait = f"; again after {length(each.delay)}" if each.delay is not None else ""
    took = duration(each.ended - each.began)
    return f"  {duration(each.began):>7}  attempt {each.attempt}, {took}: {each.words or 'it failed'}{wait}"


def _news(node: str, scene: Scene) -> Iterator[str]:
    titles = titles_of(scene.spec)
    news = [
        f"  {duration(record.at):>7}  {line.text}"
        for record in _last(scene.own_records.get(node, ()))
        if (line := line_of(record, titles))
    ]
    if news:
        yield "what happened last:"
        yield from news[-LAST:]


def _last(records: Sequence[Record]) -> Sequence[Record]:
    return records[-4 * LAST :]


def _doing(steps: Sequence[str]) -> Iterator[str]:
    """The first on the line itself, so that one thing to do is one line."""
    for number, step in enumerate(steps):
        yield f"{'do:' if not number else '   '} {step}"


def _one(text: str) -> str:
    return one_line(text.split(MARK)[0].strip())
