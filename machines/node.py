"""The walk of one node through the table, from where it is to an outcome, or until it is blocked.

Begin reading at `NodeTask.run`.
"""

from __future__ import annotations

from typing import ClassVar

from machines.attempts import EdgeRun
from machines.calls import bug_in_words
from machines.crew import Crew, Node, StopRequested, Walker
from machines.signals import Lost
from machines.spec import EdgeSpec

__all__ = ["NodeTask"]


class NodeTask:
    """The one task of one node."""

    attempts: ClassVar[type[EdgeRun]] = EdgeRun
    """What works on an edge. Tests put broken ones here, to show that an invariant notices."""

    def __init__(self, node: Node, crew: Crew) -> None:
        self._node = node
        self._life = node.life
        self._crew = crew

    async def run(self) -> None:
        """Walk to the end. A stop leaves the node where it is, resumable.

        Raises `JournalError`, and whatever is a bug of the engine: both end the run.
        """
        try:
            await self._walk()
        except StopRequested:
            self._write_stopped()
        except Exception:  # the journal's, or a bug: nothing can be written about it here
            raise
        except BaseException:  # cancelled in the middle of an attempt
            self._write_stopped()
            raise
        else:
            self._crew.gate.left()

    async def _walk(self) -> None:
        if self._life.edge is not None:  # resumed in flight
            await self._travel(self._crew.table.edges[self._life.edge.edge])
        while not self._life.blocked and self._crew.table.outcome(self._life.state) is None:
            await self._step()

    async def _travel(self, edge: EdgeSpec) -> None:
        if edge.do is not None:
            await self.attempts(self._node, edge, self._crew).run()
            return
        source = self._life.state
        self._crew.record(self._node, "state", edge=edge.name, source=source, to=edge.to)
        self._crew.gate.moved(self._node.member, edge.to)

    async def _step(self) -> None:
        """Take the first edge in document order that guards and signals open; or wait; or be blocked."""
        if self._crew.stopping:
            raise StopRequested
        try:
            edges = self._allowed()
        except Exception as error:  # a guard is a program's code: its bug costs one node
            self._crew.logbook.bug(self._node.member, error)
            self._block(f"a guard of an edge out of {self._life.state!r} raised: {bug_in_words(error)}")
            return
        edge = next((each for each in edges if each.signal is None or self._is_latched(each.signal)), None)
        held = self._crew.gate.why_held(self._node.member)
        if held:
            self._block(held)
        elif not edges:
            self._block(f"the guards of every edge out of {self._life.state!r} refuse it")
        elif edge is not None:
            await self._travel(edge)
        else:
            await self._wait_for_a_signal([each.signal for each in edges if each.signal is not None])

    def _allowed(self) -> list[EdgeSpec]:
        walker = Walker(self._node.member, self._life.state)
        table = self._crew.table
        return [edge for edge in table.edges_from(self._life.state) if table.is_open(walker, edge.name)]

    async def _wait_for_a_signal(self, names: list[str]) -> None:
        """Park until one of the signals is settled; when all of them are lost, the node is blocked."""
        events = {name: self._crew.gate.event(name) for name in names}
        open_names = [name for name, event in events.items() if event is None]
        if open_names:
            self._crew.logbook.note(self._node.member, f"waiting for {' or '.join(open_names)}")
            with self._crew.pausing(self._node):
                await self._crew.gate.park(self._node.member, open_names)
            return
        lost = [event for event in events.values() if isinstance(event, Lost)]
        self._block(f"signal {lost[0].signal!r} can no longer come: {lost[0].reason}", lost[0].signal)

    def _is_latched(self, signal: str) -> bool:
        event = self._crew.gate.event(signal)
        return event is not None and not isinstance(event, Lost)

    def _block(self, reason: str, signal: str = "") -> None:
        self._crew.record(self._node, "blocked", reason=reason, signal=signal)
        self._crew.gate.blocked(self._node.member)

    def _write_stopped(self) -> None:
        """Only a node that is on its way has anything to say."""
        edge = self._life.edge
        if edge is not None:
            self._crew.record(self._node, "stopped", edge=edge.edge, attempt=self._life.attempt)
