"""How far many runs are, on stderr: one line written anew on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from mk8s.amounts import length, time_left
from mk8s.simulating.trial import Ended

__all__ = ["Progress", "line_on"]

OFTEN = 0.2  # seconds between two writings on a terminal
NOW_AND_THEN = 10.0  # seconds between two lines elsewhere
CLEAR = "\r\x1b[K"


class Progress:
    """Counts what came in. The clock is the real one: it is about how long people wait."""

    def __init__(self, total: int, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._stream = stream
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._began = self._told = clock()
        self._done = 0
        self._unexpected = 0

    def tell(self, ended: Ended) -> None:
        """One more is there."""
        self._done += 1
        self._unexpected += not ended.as_expected
        pause = OFTEN if self._is_terminal else NOW_AND_THEN
        now = self._clock()
        if now - self._told >= pause and self._done < self._total:
            self._told = now
            self._write(self._words(now))

    def close(self) -> None:
        """The last word."""
        took = self._clock() - self._began
        each = f", {1000 * took / self._done:.0f} ms each" if self._done else ""
        words = f"{self._done} of {self._total} runs in {length(took)}{each}"
        self._stream.write(f"{CLEAR if self._is_terminal else ''}{words}\n")
        self._stream.flush()

    def _words(self, now: float) -> str:
        left = (now - self._began) / self._done * (self._total - self._done)
        bad = f", {self._unexpected} not as expected" if self._unexpected else ""
        return f"{self._done} of {self._total} runs{bad}, {time_left(left)} left"

    def _write(self, words: str) -> None:
        self._stream.write(f"{CLEAR}{words}" if self._is_terminal else f"{words}\n")
        self._stream.flush()


@contextmanager
def line_on(stream: TextIO) -> Iterator[Callable[[str], None]]:
    """A line that is written anew on a terminal; elsewhere its first words alone are told."""
    is_terminal = stream.isatty()
    told = False

    def tell(words: str) -> None:
        nonlocal told
        if is_terminal:
            stream.write(f"{CLEAR}{words}")
            stream.flush()
        elif not told:
            stream.write(f"{words}\n")
        told = True

    try:
        yield tell
    finally:
        if is_terminal and told:
            stream.write(CLEAR)
            stream.flush()
