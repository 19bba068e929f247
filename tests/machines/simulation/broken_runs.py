"""How a run can be wrong with its nodes, signals, budgets and stops: broken on purpose, each in one thing.

`mutants` puts them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import trio

from machines.attempts import EdgeRun
from machines.budgets import Spent
from machines.fold import Life
from machines.gate import Gate
from machines.node import NodeTask
from machines.registry import Member
from machines.signals import Event, Latched
from machines.spec import EdgeSpec
from machines.supervisor import Supervisor

# -- a run that goes on ---------------------------------------------------------------------------------


class BeginsAnew(Supervisor):
    """Puts every node back to where the machine begins, whatever it has done."""

    def _put_back(self, life: Life) -> None:
        if self.table.outcome(life.state) is None:
            start = self.table.spec.initial
            self.logbook.record("resumed", node=life.name, edge="build", source=life.state, to=start)


class ForgetsAttempts(Supervisor):
    """Goes on where a node was, as if it had tried nothing yet."""

    def _put_back(self, life: Life) -> None:
        life.attempt = 0
        super()._put_back(life)


class ForgetsTime(Supervisor):
    """Gives an edge its whole deadline again."""

    def _put_back(self, life: Life) -> None:
        life.used = 0.0
        super()._put_back(life)


class TooFarBack(Supervisor):
    """Puts a node that failed back to where the machine begins."""

    def _put_back(self, life: Life) -> None:
        if life.failed_at is not None:
            life.failed_at = replace(life.failed_at, source=self.table.spec.initial)
        super()._put_back(life)


class DeafToStops(Supervisor):
    """Begins what comes next although somebody asked it to stop."""

    @property
    def stopping(self) -> bool:
        return False


# -- signals, budgets, ends -----------------------------------------------------------------------------


class DeafToSignals(NodeTask):
    """Takes every signal for given."""

    def _is_latched(self, signal: str) -> bool:
        return True


class HastyGate(Gate):
    """Lets the signal come with the first member that moves at all."""

    named: ClassVar[list[str]] = ["lead"]

    def moved(self, member: Member, state: str) -> None:
        early: list[Event] = [Latched("lead-joined", {"have": 1, "need": 1, "members": self.named})]
        if self.event("lead-joined") is None:
            self._signals.restore(["lead-joined"])
            self._handle(early)
        super().moved(member, state)


class ModestGate(HastyGate):
    """Lets it come at once, and names nobody who brought it."""

    named: ClassVar[list[str]] = []


class RepeatingGate(Gate):
    """Says everything twice."""

    def _handle(self, events: Any) -> None:
        several = list(events)
        super()._handle(several)
        super()._handle(several)


class TardyGate(Gate):
    """Says what has come to pass when somebody moves at a later second."""

    _kept: Sequence[Event] = ()
    _since = 0.0

    def _handle(self, events: Any) -> None:
        if trio.current_time() > self._since:
            kept, self._kept, self._since = self._kept, (), trio.current_time()
            super()._handle(kept)
        self._kept = [*self._kept, *events]


class HopelessGate(Gate):
    """Gives a signal up with the first member that fails."""

    def moved(self, member: Member, state: str) -> None:
        super().moved(member, state)
        if self._table.outcome(state) == "failure":
            self._handle(self._signals.give_up("lead-joined", "somebody failed"))


class MiserlyGate(Gate):
    """Allows one failure less than it was told."""

    def moved(self, member: Member, state: str) -> None:
        super().moved(member, state)
        if self._table.outcome(state) == "failure":
            self._handle_spent(Spent(member.role, 0, (member.name,)))


class SpendthriftGate(Gate):
    """Holds nobody back."""

    def why_held(self, member: Member) -> str:
        return ""


class PatientGate(Gate):
    """Never says that a signal cannot come."""

    def _handle(self, events: Any) -> None:
        super()._handle(event for event in events if isinstance(event, Latched))


class Unguarded(NodeTask):
    """Takes every edge of its state for open."""

    def _allowed(self) -> list[EdgeSpec]:
        return list(self._crew.table.edges_from(self._life.state))


class LastWay(NodeTask):
    """Takes the last edge that is open."""

    def _allowed(self) -> list[EdgeSpec]:
        return super()._allowed()[::-1]


class Stubborn(NodeTask):
    """Goes on although it is blocked."""

    async def _walk(self) -> None:
        await super()._walk()
        if self._life.blocked:
            await self._travel(self._crew.table.edges["follow"])


class GoesOn(NodeTask):
    """Begins anew where a node has ended."""

    async def _walk(self) -> None:
        await super()._walk()
        self._life.state = self._crew.table.spec.initial
        await self._step()


class ForgetsOne(NodeTask):
    """Leaves one node on its way, and says nothing of it."""

    async def _step(self) -> None:
        await super()._step()
        if self._life.name == "f1" and self._life.state == "joined":
            raise Forgotten

    async def run(self) -> None:
        try:
            await super().run()
        except Forgotten:
            self._crew.gate.left()


class Forgotten(Exception):  # noqa: N818 - nobody remembers it
    """The task is over."""


class Jumps(EdgeRun):
    """Writes the target's successor as where the node is, and where it came from wrongly."""

    def _succeed(self) -> None:
        self._record("state", source=self._crew.table.spec.initial, to=self._edge.to)
        self._crew.gate.moved(self._node.member, self._edge.to)
