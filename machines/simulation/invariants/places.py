"""Laws of queues: a free place is taken at once, and by whom the plan names first.

Who holds a place of a limit and who could take one is read from the records alone. A node is *ready*
for a limited edge when it rests in a state that the edge leaves, its guards allow it and its signal has
come; or when it is in flight on it and its back-off is over. It holds one from its next record on, or
from the moment at which it asks its probe (`probe`): who gets a place does one or the other at once.

What is judged is the instant: between two of them, everyone who could have gone on has had the chance
to. Begin reading at `Queues.see`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import ClassVar

from machines.records import Record
from machines.registry import Member
from machines.simulation.invariants.law import MOMENT, Invariant, Rules
from machines.spec import EdgeSpec

__all__ = ["NoIdlePlace", "PlanOrder", "Queues"]


@dataclass(slots=True)
class Queue:
    """The books of one limit."""

    name: str
    capacity: int
    held: dict[str, None] = field(default_factory=dict)
    ready: dict[str, float] = field(default_factory=dict)  # since which second, or from which on
    taken: list[tuple[int, str]] = field(default_factory=list)  # in this instant: (position, node)


class Queues(Invariant):
    """The books that both laws keep."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._edges = rules.edges
        self._out = _limited_ways(rules)
        self._members: dict[str, Member] = {member.name: member for member in rules.members}
        self._positions = {member.name: position for position, member in enumerate(rules.members)}
        self._queues = {name: Queue(name, capacity) for name, capacity in rules.capacities.items()}
        self._resting: dict[str, str] = dict.fromkeys(self._members, rules.spec.initial)
        self._latched: set[str] = set()
        self._spent: set[str] = set()
        self._at = 0.0
        self._before = rules.before
        self._stopped = False

    def judge(self, queue: Queue, now: float) -> None:
        """An instant is over, and the next record is of second `now`. Raises `Broken`."""

    def see(self, record: Record) -> None:
        if record.seq > self._before:
            self._pass(record.at)
        self._at = record.at
        change = _CHANGES.get(record.kind)
        if change is not None and (not record.node or record.node in self._members):
            change(self, record)

    def probe(self, node: str, edge: str, at: float) -> None:
        """It asks, so it has its place by now."""
        self._pass(at)
        self._at = at
        self._work(node, edge)

    def stop(self) -> None:
        self._stopped = True

    def _pass(self, now: float) -> None:
        """Time goes on to second `now`: what has been until then is judged."""
        if now <= self._at + MOMENT:
            return
        for queue in self._queues.values():
            if queue.ready and not self._stopped:
                self.judge(queue, now)
            queue.taken.clear()

    # What each kind of record changes

    def _on_header(self, _record: Record) -> None:
        for name in self._members:
            self._rest(name, self.rules.spec.initial)

    def _on_resumed(self, record: Record) -> None:
        if record.node:
            self._put_back(record)
            return
        self._stopped = False
        self._spent.clear()
        for queue in self._queues.values():
            queue.held.clear()
            queue.ready.clear()
        for name, state in self._resting.items():
            self._rest(name, state)

    def _put_back(self, record: Record) -> None:
        edge = self._edges.get(record.edge)
        if record.to in self._outcomes:
            self._rest(record.node, record.to)
        elif edge is not None and edge.limit is not None:
            self._await(self._queues[edge.limit], record.node, record.at)

    def _on_state(self, record: Record) -> None:
        if record.to in self._outcomes:
            self._leave(record.node)
            self._rest(record.node, record.to)
            return
        self._resting.pop(record.node, None)
        limit = self._edges[record.edge].limit
        if limit is not None:
            self._take(self._queues[limit], record.node)
        else:
            self._leave(record.node)

    def _on_signal(self, record: Record) -> None:
        self._latched.add(record.signal)
        for name, state in self._resting.items():
            self._rest(name, state)

    def _on_budget(self, record: Record) -> None:
        role = str(record.evidence.get("role", ""))
        self._spent.add(role)
        for queue in self._queues.values():
            for name in [name for name in queue.ready if self._members[name].role == role]:
                if name in self._resting:
                    del queue.ready[name]

    def _on_blocked(self, record: Record) -> None:
        self._leave(record.node)

    def _on_work(self, record: Record) -> None:
        """It works, so it has its place by now."""
        self._work(record.node, record.edge)

    def _on_undo(self, record: Record) -> None:
        """A rollback that goes on needs no attempt, and takes back other edges than the one it is on."""
        for queue in self._queues.values():
            if record.node in queue.ready:
                self._take(queue, record.node)

    def _on_retry(self, record: Record) -> None:
        """With a limit for attempts the place is given back, until the back-off is over."""
        edge = self._edges[record.edge]
        if edge.limit is None or edge.limit_scope == "edge":
            self._on_work(record)  # of a resumed run this may be the first word
            return
        queue = self._queues[edge.limit]
        queue.held.pop(record.node, None)
        self._await(queue, record.node, record.at + record.delay)

    # Helpers of those

    def _await(self, queue: Queue, node: str, since: float) -> None:
        """From that second on it is ready for a place."""
        queue.ready[node] = since

    def _work(self, node: str, edge: str) -> None:
        limit = self._edges[edge].limit
        if limit is not None and node in self._queues[limit].ready:
            self._take(self._queues[limit], node)

    def _take(self, queue: Queue, node: str) -> None:
        waited = node in queue.ready
        self._leave(node)
        queue.held[node] = None
        if waited:
            queue.taken.append((self._positions[node], node))

    def _leave(self, name: str) -> None:
        for queue in self._queues.values():
            queue.held.pop(name, None)
            queue.ready.pop(name, None)

    def _rest(self, name: str, state: str) -> None:
        """A node is in a state of the machine: it is ready where its first open edge is a limited one."""
        self._resting[name] = state
        ways = self._out.get(state)
        if ways is None or self._members[name].role in self._spent:
            return
        limit = self._way_of(self._members[name], ways)
        if limit is not None and name not in self._queues[limit].ready:
            self._await(self._queues[limit], name, self._at)

    def _way_of(self, member: Member, ways: tuple[EdgeSpec, ...]) -> str | None:
        """The limit of the first edge that is open to the member, if that has one."""
        for edge in ways:
            if (edge.signal is None or edge.signal in self._latched) and self._allows(edge, member):
                return edge.limit
        return None

    def _allows(self, edge: EdgeSpec, member: Member) -> bool:
        for name in edge.guard:
            guard = self.rules.guards.get(name.removeprefix("!"))
            if guard is None or bool(guard(member)) == name.startswith("!"):
                return False
        return True


class NoIdlePlace(Queues):
    """A window that slides, and no batches: nobody waits for the slowest of his turn."""

    name: ClassVar[str] = "no-idle-place"
    claim: ClassVar[str] = "no place of a limit is free while a member is ready for it"
    reason: ClassVar[str] = "a run is as long as its queues: a batch waits for its slowest member"

    def judge(self, queue: Queue, now: float) -> None:
        free = queue.capacity - len(queue.held)
        if free <= 0:
            return
        waiting = [name for name, since in queue.ready.items() if since + MOMENT < now]
        if waiting:
            raise self.broken(
                f"{queue.name}: {free} of {queue.capacity} places were free until second {now:g}, "
                f"held by {', '.join(queue.held) or 'nobody'}, and {', '.join(waiting)} waited"
            )


class PlanOrder(Queues):
    """The control plane stands first in a plan: agents must not be served before it."""

    name: ClassVar[str] = "plan-order"
    claim: ClassVar[str] = "a place goes to the member that stands first in the plan among those who wait"
    reason: ClassVar[str] = "whom the others wait for is served before them"

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._lines: dict[str, list[tuple[int, str]]] = {name: [] for name in self._queues}
        # Of each limit a heap of all who have been ready, in the plan's order: nobody goes over everyone.

    def judge(self, queue: Queue, now: float) -> None:  # noqa: ARG002 - what comes next plays no part
        if not queue.taken:
            return
        position, last = max(queue.taken)
        name = self._first(queue)
        if name is not None and self._positions[name] < position:
            raise self.broken(
                f"{queue.name}: {last} was given a place at second {self._at:g}, and {name}, which "
                f"stands before it, had been waiting since second {queue.ready[name]:g}"
            )

    def _await(self, queue: Queue, node: str, since: float) -> None:
        super()._await(queue, node, since)
        heappush(self._lines[queue.name], (self._positions[node], node))

    def _first(self, queue: Queue) -> str | None:
        """Who stands first in the plan among those who have been waiting for a place."""
        line, later = self._lines[queue.name], []
        first = None
        while line and first is None:
            since = queue.ready.get(line[0][1])
            if since is None:
                heappop(line)  # not ready any more
            elif since + MOMENT < self._at:
                first = line[0][1]
            else:
                later.append(heappop(line))  # in a back-off, or ready just now
        for each in later:
            heappush(line, each)
        return first


_CHANGES: Mapping[str, Callable[[Queues, Record], None]] = {
    "header": Queues._on_header,
    "resumed": Queues._on_resumed,
    "state": Queues._on_state,
    "signal": Queues._on_signal,
    "budget": Queues._on_budget,
    "blocked": Queues._on_blocked,
    "intent": Queues._on_work,
    "probed": Queues._on_work,
    "undo": Queues._on_undo,
    "error": Queues._on_work,
    "retry": Queues._on_retry,
}


def _limited_ways(rules: Rules) -> dict[str, tuple[EdgeSpec, ...]]:
    """The edges out of each state, in order of the document, where one of them has a limit."""
    out: dict[str, list[EdgeSpec]] = {}
    for edge in rules.spec.edges:
        for source in edge.sources:
            out.setdefault(source, []).append(edge)
    return {state: tuple(edges) for state, edges in out.items() if any(edge.limit for edge in edges)}
