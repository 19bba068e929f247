"""Taking back what was done, newest first.

Each undo is durable before it runs and written off after it, so a rollback that was cut off goes on
where it stopped. An undo that fails is written down, and the rest still run: a half-done rollback
helps nobody.
"""

from __future__ import annotations

import math

from machines.calls import call
from machines.crew import Crew, Node
from machines.errors import Failure
from machines.registry import Context
from machines.spec import EdgeSpec

__all__ = ["roll_back"]


async def roll_back(node: Node, edge: EdgeSpec, crew: Crew) -> None:
    """Run the undos of this edge and of all finished ones, newest edge first, as each declares them."""
    edges = [edge, *(crew.table.edges[entry.edge] for entry in reversed(node.life.finished))]
    for each in edges:
        for undo in each.undo:
            if (each.name, undo) not in node.life.undone:
                await _take_back(node, each, undo, crew)


async def _take_back(node: Node, edge: EdgeSpec, undo: str, crew: Crew) -> None:
    await crew.logbook.durable(crew.record(node, "undo", edge=edge.name, undo=undo))
    context = Context(
        node.member,
        edge.name,
        max(node.life.attempt, 1),
        edge.args,
        lambda text: crew.logbook.note(node.member, text),
    )
    timeout = edge.timeout or math.inf
    answer = await call(
        crew.registry.undos[undo], context, timeout, lambda error: crew.logbook.bug(node.member, error)
    )
    failure = answer if isinstance(answer, Failure) else Failure(())
    crew.record(
        node,
        "undone",
        edge=edge.name,
        undo=undo,
        lineage=failure.lineage,
        message=failure.message,
        remedy=failure.remedy,
        ambiguous=failure.ambiguous,
    )
