"""Who has not answered yet, said every few seconds while preflight waits. It asks nobody and judges nothing.

Laws
1. Where every node answers soon, nothing is said.
2. A node is named when it was itself waited for a while, not because others came before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from machines.signals import listed

__all__ = ["Waiting"]

BEAT = 5.0  # seconds from line to line
SLOW = 4.0  # seconds without an answer that are worth a line; less than a beat, so that the first tells it


@dataclass(slots=True)
class Waiting:
    """The nodes that are asked now. `say` gets a line; `patience`: seconds after which a node is given up."""

    say: Callable[[str], None]
    patience: float
    _since: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, node: str) -> Iterator[None]:
        """Around the question to a node."""
        self._since[node] = anyio.current_time()
        try:
            yield
        finally:
            del self._since[node]

    async def tell(self) -> None:
        """Until it is cancelled: whom it still waits for."""
        while True:
            await anyio.sleep(BEAT)
            now = anyio.current_time()
            late = [node for node, since in self._since.items() if now - since >= SLOW]
            if late:
                noun = "has" if len(late) == 1 else "have"
                self.say(
                    f"preflight: still: {listed(late)} {noun} not answered "
                    f"(given up after {self.patience:g} s at the latest)"
                )
