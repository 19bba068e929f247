"""What holds nodes back: signals that have not come, and budgets that are spent.

Nobody polls. A node that may not go on parks here and is woken when a signal that it waits for is
settled, or its role's budget is spent. When everyone who still lives is parked, nothing can change
any more: the signals they wait for are lost, and they end as blocked instead of hanging.

Begin reading at `Gate.moved`, then `Gate.park`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import trio

from machines.budgets import Budgets, Spent
from machines.logbook import Logbook
from machines.registry import Member
from machines.signals import Event, Latched, Lost, Signals, listed
from machines.table import Table

__all__ = ["Gate"]


@dataclass(slots=True)
class _Parked:
    """A node that waits, and for which signals."""

    member: Member
    signals: tuple[str, ...]
    woken: trio.Event


class Gate:
    """Owns the signals and budgets of one run. Raises ValueError for amounts that make no sense."""

    def __init__(
        self, table: Table, members: Sequence[Member], budgets: Mapping[str, str], logbook: Logbook
    ) -> None:
        self._table = table
        self._logbook = logbook
        self._signals = Signals(table.spec.signals, members)
        self._budgets = Budgets(budgets, members)
        self._parked: dict[str, _Parked] = {}
        self._awake = 0
        self._closed = False

    def start(self, members: Sequence[Member], latched: Iterable[str]) -> None:
        """Count what the members have reached by now; all who have not ended are awake."""
        lives = self._logbook.history.lives
        ended = [m for m in members if self._table.outcome(lives[m.name].state)]
        self._awake = len(members) - len(ended)
        self._signals.restore(latched)
        for member in members:
            for state in lives[member.name].reached:
                self._handle(self._signals.reached(member, state))
        for member in ended:
            self._handle(self._signals.gone(member))
        self._handle(self._signals.settle())

    def moved(self, member: Member, state: str) -> None:
        """A member entered a state: signals and budgets follow from it."""
        self._handle(self._signals.reached(member, state))
        outcome = self._table.outcome(state)
        if outcome is not None:
            self._handle(self._signals.gone(member))
        if outcome == "failure":
            self._handle_spent(self._budgets.failed(member))

    def blocked(self, member: Member) -> None:
        """A member goes no further in this run."""
        self._handle(self._signals.gone(member))

    def why_held(self, member: Member) -> str:
        """Why the member may open no new edge; empty when it may."""
        spent = self._budgets.spent(member.role)
        return spent.reason if spent else ""

    def event(self, signal: str) -> Latched | Lost | None:
        """How a signal was settled; None while it is open."""
        return self._signals.event(signal)

    async def park(self, member: Member, signals: Sequence[str]) -> None:
        """Wait until one of the signals is settled, or something else concerns the member."""
        parked = self._parked[member.name] = _Parked(member, tuple(signals), trio.Event())
        self._asleep()
        try:
            await parked.woken.wait()
        finally:
            self._wake(member.name)

    def close(self) -> None:
        """The run is being stopped: nobody concludes from the silence that a signal cannot come."""
        self._closed = True

    def left(self) -> None:
        """A member's task is over, for whatever reason."""
        self._asleep()

    def _asleep(self) -> None:
        self._awake -= 1
        if not self._awake and self._parked and not self._closed:
            self._give_up()

    def _give_up(self) -> None:
        """Everyone alive waits for someone else: say so, and let them end."""
        waiting = list(self._parked.values())
        reason = f"everyone who could still bring it is waiting too: {listed(p.member.name for p in waiting)}"
        for signal in dict.fromkeys(name for parked in waiting for name in parked.signals):
            self._handle(self._signals.give_up(signal, reason))

    def _handle(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Latched):
                self._logbook.record("signal", signal=event.signal, evidence=event.evidence)
            else:
                self._logbook.record("lost", signal=event.signal, reason=event.reason)
            self._wake_all(parked for parked in self._parked.values() if event.signal in parked.signals)

    def _handle_spent(self, spent: Spent | None) -> None:
        if spent is None:
            return
        evidence = {"role": spent.role, "allowed": spent.allowed, "failed": list(spent.failed)}
        self._logbook.record("budget", evidence=evidence, reason=spent.reason)
        self._wake_all(parked for parked in self._parked.values() if parked.member.role == spent.role)

    def _wake_all(self, parked: Iterable[_Parked]) -> None:
        for name in [entry.member.name for entry in parked]:
            self._wake(name)

    def _wake(self, name: str) -> None:
        """Awake from this moment on, though its task runs later. Waking twice is fine."""
        parked = self._parked.pop(name, None)
        if parked is not None:
            self._awake += 1
            parked.woken.set()
