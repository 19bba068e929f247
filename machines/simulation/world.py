"""A world to simulate any machine in: every action takes time, has an effect, and suffers faults.

The world knows nothing of what an action means. The effect of an edge on a node is there or not; an
action brings it, the edge's probe looks for it, its undos take it away. That is enough to show whether
a table gets everyone home, and whether the engine ever acts twice without asking.

Begin reading at `World.registry`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import trio

from machines.errors import ActionError
from machines.registry import Context, Evidence, Guard, Registry
from machines.simulation.faults import FaultPlan, PlannedFault
from machines.spec import MachineSpec

__all__ = ["World"]

SLOWNESS = 20
PIECES = 100  # into which an action's way is cut, to tell how far it is
REBOOT = 75.0  # virtual seconds that a node is away
REFUSAL = 0.2  # virtual seconds until a node that is away refuses


@dataclass(slots=True)
class World:
    """The nodes' side of a simulation.

    `seconds` gives each edge's usual duration; others take 10 s. `applied` counts how often each effect
    was brought, by (node, edge).
    """

    plan: FaultPlan = field(default_factory=FaultPlan)
    seconds: Mapping[str, float] = field(default_factory=dict)
    present: dict[tuple[str, str], int] = field(default_factory=dict)
    applied: dict[tuple[str, str], int] = field(default_factory=dict)
    undone: list[tuple[str, str]] = field(default_factory=list)  # (node, edge), in order
    away: dict[str, float] = field(default_factory=dict)  # node -> second at which it is back

    def registry(self, spec: MachineSpec, guards: Mapping[str, Guard]) -> Registry:
        """Actions, probes and undos for every name of the machine, and the program's own guards."""
        registry = Registry()
        registry.guards.update(guards)
        for edge in spec.edges:
            if edge.do:
                registry.actions[edge.do] = self.act
            if edge.probe:
                registry.probes[edge.probe] = self.ask
            registry.undos.update(dict.fromkeys(edge.undo, self.take_back))
        return registry

    async def act(self, context: Context) -> Evidence:
        """Bring the effect of an edge, unless a fault prevents it."""
        await self._refuse_while_away(context)
        fault = self.plan.decide(context.member.name, context.edge, context.attempt, trio.current_time())
        seconds = self._seconds(context)
        if fault is not None:
            await self._suffer(fault, context, seconds)
        else:
            await trio.sleep(seconds)
            self._apply(context)
        return {"seconds": round(seconds, 3)}

    async def ask(self, context: Context) -> Evidence | None:
        """Whether the effect of an edge is there."""
        await self._refuse_while_away(context)
        await trio.sleep(REFUSAL)
        brought = self.present.get(_key(context))
        return None if brought is None else {"attempt": brought}

    async def take_back(self, context: Context) -> None:
        """Remove the effect of an edge."""
        await trio.sleep(REFUSAL)
        self.present.pop(_key(context), None)
        self.undone.append(_key(context))

    async def _suffer(self, fault: PlannedFault, context: Context, seconds: float) -> None:
        """What each kind of fault means here."""
        if fault.kind == "hang":
            await trio.sleep_forever()
        if fault.kind in ("slow", "apply-then-drop"):
            await trio.sleep(seconds * (SLOWNESS if fault.kind == "slow" else 1))
            context.reached(PIECES)
            self._apply(context)
            if fault.kind == "slow":
                return
        else:
            await trio.sleep(seconds * fault.fraction)
            context.reached(round(fault.fraction * PIECES))
        if fault.kind == "reboot":
            self.away[context.member.name] = trio.current_time() + REBOOT
        raise _refusal(fault)

    async def _refuse_while_away(self, context: Context) -> None:
        if trio.current_time() < self.away.get(context.member.name, 0.0):
            await trio.sleep(REFUSAL)
            raise ActionError("connection.refused", "connection", message="the node is rebooting")

    def _apply(self, context: Context) -> None:
        key = _key(context)
        self.present[key] = context.attempt
        self.applied[key] = self.applied.get(key, 0) + 1

    def _seconds(self, context: Context) -> float:
        """The usual duration, give or take, by the same key as faults."""
        key = f"{self.plan.seed}/seconds/{context.member.name}/{context.edge}/{context.attempt}"
        return self.seconds.get(context.edge, 10.0) * random.Random(key).uniform(0.7, 1.3)  # noqa: S311


def _key(context: Context) -> tuple[str, str]:
    return context.member.name, context.edge


def _refusal(fault: PlannedFault) -> ActionError:
    if fault.kind == "exit":
        return ActionError("exit.1", "exit", message="exit status 1")
    if fault.kind == "disk-full":
        return ActionError("disk.full", "disk", message="no space left on device")
    if fault.kind == "truncated":
        return ActionError("integrity", message="the answer broke off half-way")
    return ActionError("connection.lost", "connection", message="the connection was lost", ambiguous=True)
