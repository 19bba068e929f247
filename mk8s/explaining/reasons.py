"""One node's reason: what it does, or what it waits for and who is to bring that. Pure.

The engine's own rules, asked from outside: a signal is counted from states that were reached, a place in a
limiter is given to the first in the plan, an attempt holds its place and a wait between attempts does not.
Begin reading at `Reasons.of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from machines import EdgeSpec, Life
from machines.quantities import at_least
from machines.signals import listed
from machines.words import one_line
from mk8s.amounts import duration
from mk8s.explaining.scene import Scene
from mk8s.explaining.values import Bound, Reason, Try
from mk8s.last_words import MARK

__all__ = ["Reasons"]

SHOWN_TRIES = 5
SILENT = 10.0  # seconds without the end of a command that are worth telling


class Reasons:
    """The reasons of all nodes of a scene, each found once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._wanted = {node.name: node for node in scene.cluster.nodes}
        self._found: dict[str, Reason] = {}
        self._holders: dict[str, list[str]] = {}
        self._counts: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._queues: dict[tuple[str, str], dict[str, int]] = {}

    def all(self) -> list[Reason]:
        """Every node's, in the manifest's order; those that it has lost at the end."""
        names = [node.name for node in self._scene.cluster.nodes]
        return [self.of(name) for name in [*names, *self._scene.history.missing(names)]]

    def of(self, node: str) -> Reason:
        """Why this node is where it is."""
        if node not in self._found:
            self._found[node] = self._reason(node)
        return self._found[node]

    def _reason(self, node: str) -> Reason:
        life, wanted = self._scene.life(node), self._wanted
        if life is None:
            words = "is not in a run yet: the next run begins with it"
            plural = "are not in a run yet: the next run begins with them"
            role = wanted[node].role if node in wanted else ""
            return Reason(
                node, role, "", "new", words, plural, next=self._next(self._scene.spec.initial, role)
            )
        if node not in wanted:
            words = "is in the journal and not in the manifest: a run refuses that"
            plural = "are in the journal and not in the manifest: a run refuses that"
            return Reason(node, life.role, life.state, "gone", words, plural)
        return self._of_life(life)

    def _of_life(self, life: Life) -> Reason:
        outcome = life.table.outcome(life.state)
        if outcome == "success":
            reason = self._plain(life, "healthy", "is healthy: nothing is left to do", "are healthy")
            return replace(reason, next=())
        if outcome == "failure":
            return self._failed(life)
        if life.blocked:
            return self._blocked(life)
        return self._in_flight(life) if life.edge is not None else self._between(life)

    def _plain(self, life: Life, kind: str, words: str, plural: str) -> Reason:
        source = life.edge.source if life.edge else life.state
        return Reason(
            life.name,
            life.role,
            life.state,
            kind,  # type: ignore[arg-type]  # each caller names one
            words,
            plural,
            since=self._scene.since(life.name),
            tried=self._tried(life),
            next=self._next(source, life.role),
        )

    # -- at an end ------------------------------------------------------------------------------------

    def _failed(self, life: Life) -> Reason:
        edge = life.failed_at.edge if life.failed_at else ""
        words = f"at: {self._title(edge)}" if edge else "at its last edge"
        verb = {"quarantined": "set aside", "rolled-back": "taken back"}.get(life.state, life.state)
        reason = self._plain(life, "failed", f"is {verb}, {words}", f"are {verb}, {words}")
        failure = life.failure
        again = f"mend it, then run again: it starts over at {edge or 'its first edge'}"
        return replace(
            reason,
            edge=edge,
            attempt=life.attempt,
            message=(failure.message or failure.kind) if failure else "",
            remedy=failure.remedy if failure else "",
            next=(again,),
        )

    def _blocked(self, life: Life) -> Reason:
        """By a signal that is lost, by a budget that is spent, or by its guards."""
        own = self._scene.own_records[life.name]
        signal = next((r.signal for r in reversed(own) if r.kind == "blocked"), "")
        reason = self._plain(life, "blocked", "is blocked", "are blocked")
        is_lost = signal in self._scene.spec.signals
        behind = self._counted(signal)[1] if is_lost else self._failed_of(life.role)
        words = f": {signal} can no longer come" if signal else f": {one_line(life.blocked)}"
        return replace(
            reason,
            words=reason.words + words,
            plural=reason.plural + words,
            waits_for=signal,
            behind=tuple(name for name in behind if name != life.name),
            message=life.blocked,
            next=("the next run goes on with it, once the others are mended",),
        )

    def _failed_of(self, role: str) -> tuple[str, ...]:
        """The nodes of a role that spent its budget."""
        lives = self._scene.history.lives.values()
        return tuple(o.name for o in lives if o.role == role and o.table.outcome(o.state) == "failure")

    # -- on an edge -----------------------------------------------------------------------------------

    def _in_flight(self, life: Life) -> Reason:
        assert life.edge is not None
        edge = life.table.edges[life.edge.edge]
        phase = self._scene.phase(life, edge)
        if phase.kind == "back-off":
            return self._backing_off(life, edge, phase.began)
        if phase.kind == "queue":
            return self._queueing(life, edge, phase.began)
        what = "taking back" if phase.kind == "undo" else "at work"
        title = self._title(edge.name)
        one, many = ("is", "are") if self._scene.going else ("was", "were")
        reason = self._plain(
            life,
            "undoing" if phase.kind == "undo" else "working",
            f"{one} {what}: {title}",
            f"{many} {what}: {title}",
        )
        return replace(
            reason,
            since=phase.began,
            edge=edge.name,
            attempt=phase.stretch.attempt if phase.stretch else max(life.attempt, 1),
            bounds=self._bounds(life, edge, phase.began, in_attempt=True),
            tries=self._tries(life, edge),
            now="" if phase.kind == "undo" else self._now(life.name, edge, phase.began),
        )

    def _backing_off(self, life: Life, edge: EdgeSpec, since: float) -> Reason:
        own = self._scene.own_records[life.name]
        retry = next((r for r in reversed(own) if r.kind == "retry"), None)
        title = self._title(edge.name)
        going = self._scene.going is not None
        one = "waits before it tries again" if going else "was to try again"
        many = "wait before they try again" if going else "were to try again"
        reason = self._plain(life, "back-off", f"{one}: {title}", f"{many}: {title}")
        again: tuple[Bound, ...] = ()
        if retry is not None and self._scene.going is not None:
            again = (Bound(f"attempt {retry.attempt + 1} begins", retry.at + retry.delay),)
        return replace(
            reason,
            since=since,
            edge=edge.name,
            attempt=life.attempt,
            bounds=(*again, *self._bounds(life, edge, since, in_attempt=False)),
            tries=self._tries(life, edge),
            message=life.failure.message or life.failure.kind if life.failure else "",
            remedy=life.failure.remedy if life.failure else "",
        )

    def _tries(self, life: Life, edge: EdgeSpec) -> str:
        """By the clause that the last failure was charged to."""
        own = self._scene.own_records[life.name]
        last = next((r.failure for r in reversed(own) if r.kind == "error" and r.edge == edge.name), None)
        clause = life.table.retry_index(edge.name, last) if last else None
        used = life.tries.get(clause, 0) if clause is not None else 0
        most = edge.retry[clause].attempts if clause is not None and used else None
        if clause is None or most is None:
            return ""
        anew = edge.retry[clause].renew == "progress"
        more = "; an attempt that gets further than all before it begins the count anew" if anew else ""
        return f"{used} of {most} are used up{more}"

    def _bounds(self, life: Life, edge: EdgeSpec, since: float, *, in_attempt: bool) -> tuple[Bound, ...]:
        """When an attempt and all of them end at the latest; active time only counts."""
        if self._scene.going is None:
            return ()  # nobody counts: the next run goes on with what is left
        bounds = []
        own = self._scene.own_records[life.name]
        counted = next((r for r in reversed(own) if r.kind in ("intent", "retry", "resumed")), None)
        if in_attempt and edge.timeout is not None:
            bounds.append(Bound("this attempt ends at the latest", since + edge.timeout))
        if edge.deadline is not None and counted is not None:
            left = edge.deadline - counted.used
            bounds.append(Bound("no attempt begins after", counted.at + left))
        return tuple(bounds)

    def _now(self, node: str, edge: EdgeSpec, since: float) -> str:
        """The step after the last one that ended, by the driver's list; and the last command."""
        last = self._scene.last_commands.get(node)
        if not self._scene.last_commands:
            return ""  # nothing was kept
        if last is None or last.at < since:
            silence = self._silence(since)
            return f"no command of this attempt has ended{silence}" if silence else ""
        words = self._scene.titles(node, edge)
        ended = [step.title for step in self._scene.steps_of(node) if step.at >= since]
        titles, done = list(words), [title for title in ended if title in words]
        place = titles.index(done[-1]) + 1 if done else 0
        step = words[titles[place]] if place < len(titles) else ""
        silence = self._silence(last.ended)
        command = f"the last command: {last.description}" + (
            f", and none has ended{silence}" if silence else ""
        )
        return "; ".join(one_line(each) for each in (step, command) if each)

    def _silence(self, since: float) -> str:
        """How long nothing was heard of a node, where that is long: a pulled cable shows here first."""
        silent = self._scene.now - since
        return f" for {duration(silent)}" if self._scene.is_now_known and silent >= SILENT else ""

    # -- between edges --------------------------------------------------------------------------------

    def _between(self, life: Life) -> Reason:
        edges = self._scene.ahead(life)
        latched = self._scene.history.latched
        closed = [edge for edge in edges if edge.signal and edge.signal not in latched]
        if edges and len(closed) == len(edges):
            return self._signalled(life, closed[0])
        edge = next((e for e in edges if e not in closed), None)
        if edge is not None and edge.limit:
            return self._queueing(life, edge, self._since_open(life, edge))
        reason = self._plain(life, "ready", "may go on: nothing holds it back", "may go on")
        return replace(reason, edge=edge.name if edge else "")

    def _since_open(self, life: Life, edge: EdgeSpec) -> float:
        came = [m.at for m in self._scene.timeline.moments if m.kind == "signal" and m.name == edge.signal]
        return max([self._scene.since(life.name), *came])

    def _signalled(self, life: Life, edge: EdgeSpec) -> Reason:
        signal = edge.signal or ""
        have, missing = self._counted(signal)
        reason = self._plain(life, "signal", f"waits for {signal}", f"wait for {signal}")
        return replace(
            reason,
            edge=edge.name,
            waits_for=signal,
            have=have,
            need=at_least(self._scene.spec.signals[signal].at_least, len(have) + len(missing)),
            behind=tuple(name for name in missing if name != life.name),
        )

    def _counted(self, signal: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who has brought a signal, and who has not."""
        if signal not in self._counts:
            spec = self._scene.spec.signals[signal]
            lives = [o for o in self._scene.history.lives.values() if o.role in spec.role]
            self._counts[signal] = (
                tuple(o.name for o in lives if spec.state in o.reached),
                tuple(o.name for o in lives if spec.state not in o.reached),
            )
        return self._counts[signal]

    # -- places ---------------------------------------------------------------------------------------

    def _queueing(self, life: Life, edge: EdgeSpec, since: float) -> Reason:
        """It waits for a place, where all are taken; else it is just about to begin."""
        limit = edge.limit or ""
        holders = [name for name in self._holding(limit) if name != life.name]
        capacity = self._scene.spec.limits.get(limit, 0)
        if len(holders) < capacity:
            reason = self._plain(life, "ready", "may go on: nothing holds it back", "may go on")
            return replace(reason, edge=edge.name)
        after = f"{limit} ({capacity} at a time), behind {listed(holders)}"
        reason = self._plain(life, "queue", f"queues for {after}", f"queue for {after}")
        place = self._queue(life, edge).get(life.name, 0)
        return replace(
            reason, since=since, edge=edge.name, waits_for=limit, place=place, behind=tuple(holders)
        )

    def _holding(self, limit: str) -> Sequence[str]:
        """Who has a place now: in an attempt, or between attempts where the edge keeps it."""
        if limit not in self._holders:
            self._holders[limit] = [o.name for o in self._scene.history.lives.values() if self._has(o, limit)]
        return self._holders[limit]

    def _has(self, life: Life, limit: str) -> bool:
        if life.edge is None:
            return False
        edge = life.table.edges[life.edge.edge]
        if edge.limit != limit:
            return False
        return edge.limit_scope == "edge" or self._scene.phase(life, edge).kind in ("attempt", "undo")

    def _queue(self, life: Life, edge: EdgeSpec) -> dict[str, int]:
        """Who queues for the same edge, and how many stand before each in the plan."""
        key = (life.state, edge.name)
        if key not in self._queues:
            lives = self._scene.history.lives.values()
            waiting = [o for o in lives if o.state == life.state and not o.blocked]
            names = [o.name for o in waiting if edge in self._scene.ahead(o)]
            self._queues[key] = {name: place for place, name in enumerate(names)}
        return self._queues[key]

    # -- behind and ahead -----------------------------------------------------------------------------

    def _title(self, edge: str) -> str:
        spec = self._scene.history.table.edges.get(edge)
        return (spec.title or spec.name) if spec else edge

    def _next(self, state: str, role: str) -> tuple[str, ...]:
        edges = self._scene.way(state, role)
        return tuple(f"{edge.name} ({edge.title or edge.name}) -> {edge.to}" for edge in edges)

    def _tried(self, life: Life) -> tuple[Try, ...]:
        """The failed attempts of the edge that it is on, or that it failed at."""
        edge = life.edge or life.failed_at
        lane = self._scene.lanes.get(life.name)
        if edge is None or lane is None:
            return ()
        retries = {
            (r.edge, r.attempt): r.delay for r in self._scene.own_records[life.name] if r.kind == "retry"
        }
        return tuple(
            Try(
                s.edge,
                s.attempt,
                s.began,
                s.ended,
                one_line(s.words.split(MARK)[0]),
                retries.get((s.edge, s.attempt)),
            )
            for s in lane.stretches
            if s.kind == "attempt" and s.edge == edge.edge and s.outcome == "error"
        )[-SHOWN_TRIES:]
