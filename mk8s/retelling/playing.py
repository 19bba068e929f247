"""A recorded run once more: from record to record, at once, step by step, or with its time made shorter.

Whoever looks on gets the same records as the screen of a run. Time is brought by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from machines import History, Record, Table
from machines.fold import begun
from mk8s.retelling.frames import counts_in_words

__all__ = ["RunClock", "play", "step_through"]


@dataclass(slots=True)
class RunClock:
    """Seconds of the run, at `speed` times the clock's own."""

    clock: Callable[[], float]
    speed: float
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def __call__(self) -> float:
        return (self.clock() - self.began) * self.speed

    def left_until(self, at: float) -> float:
        """Real seconds until that second of the run; negative where it is over."""
        return (at - self()) / self.speed


def play(
    records: Sequence[Record],
    tell: Callable[[Record], None],
    clock: RunClock,
    sleep: Callable[[float], None],
) -> None:
    """Every record at its time."""
    for record in records:
        left = clock.left_until(record.at)
        if left > 0:
            sleep(left)
        tell(record)


def step_through(
    records: Sequence[Record],
    table: Table,
    tell: Callable[[Record, str], None],
    ask: Callable[[], str | None],
    picture: Callable[[int], None],
) -> None:
    """Record by record: each with how many nodes are in each state; `ask` says whether to go on.

    `ask` returns what was typed: nothing goes on, t shows all nodes after that record, q or None ends.
    Raises HistoryError.
    """
    history: History | None = None
    for record in records:
        if history is None:
            history = begun(record, table)
        else:
            history.take(record)
        tell(record, counts_in_words(history))
        if not _goes_on(ask, picture, record.seq):
            return


def _goes_on(ask: Callable[[], str | None], picture: Callable[[int], None], seq: int) -> bool:
    while (typed := ask()) is not None:
        word = typed.strip().lower()
        if word in ("q", "quit"):
            return False
        if word != "t":
            return True
        picture(seq)
    return False
