"""How far an edge is on one node: over the steps of one attempt, and from a lost attempt to the next.

Two questions are answered here, both by the steps alone:

1. *How far is this attempt?* (`Headway.mark`). A step weighs one, an upload one more for each piece of the
   file. So a mark is the same in every attempt, over a resume too, and grows with each step that is done
   and each piece that arrived: what the engine compares where a retry rule says ``renew: progress``.
2. *Where does an attempt go on whose forerunner lost its connection?* (`Headway.behind`). Steps that were
   made true are left behind, as they would be had the connection held: no attempt looks back at what it has
   done. That holds only as long as the host has not booted since (`mk8s.facts.Facts.boot`), for the
   beginning of the list that is the same as it was, and for what is on the node itself. Whoever fails of
   anything else begins anew.

Nothing of it is kept on a disk: a run that is resumed trusts nothing, and checks every step.
It knows no transport and no engine. Begin reading at `Headway`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from mk8s.delivery import PIECE
from mk8s.steps import Run, Step, Upload, WaitFor

__all__ = ["Headway"]


def _untold(_mark: int) -> None:
    """Nobody compares."""


@dataclass(slots=True)
class Headway:
    """One attempt's way through its steps. `behind`: how many of the first ones need no look any more."""

    steps: Sequence[Step]
    reached: Callable[[int], None] = _untold
    behind: int = 0
    done: int = 0  # of the steps, from the first on
    mark: int = field(default=0, init=False)

    @classmethod
    def after(cls, before: Headway | None, steps: Sequence[Step], reached: Callable[[int], None]) -> Headway:
        """The way that goes on where the one before it was lost; without one, from the first step on."""
        known = before.steps[: before.done] if before is not None else ()
        behind = sum(1 for _ in takewhile(_holds, zip(known, steps, strict=False)))
        return cls(steps, reached, behind)

    def finished(self, step: Step) -> None:
        """The next step is true now."""
        self.done += 1
        self.mark += _weight(step)
        self.reached(self.mark)

    def arrived(self, size: int) -> None:
        """So many bytes of the file of the next step are on the node."""
        self.reached(self.mark + size // PIECE)


def _weight(step: Step) -> int:
    """More than any number of pieces of it that can have arrived before it is done."""
    return 1 + step.source.size // PIECE if isinstance(step, Upload) else 1


def _holds(pair: tuple[Step, Step]) -> bool:
    """Whether it is the same step, of this node: another one may have booted meanwhile.

    Waits are told by what they ask: what judges the answers is made anew for each list.
    """
    one, other = pair
    if isinstance(one, Run | WaitFor) and one.on is not None:
        return False
    if isinstance(one, WaitFor) and isinstance(other, WaitFor):
        return (one.title, one.command, other.on) == (other.title, other.command, None)
    return one == other
