"""How far a long reading or writing is, told on stderr: one line that grows, where there is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from mk8s.amounts import bytes_in_words, time_left

__all__ = ["Progress"]

EVERY = 0.5  # seconds


class Progress:
    """Called with bytes as they are spent. Silent where nobody watches, and for what is quickly done."""

    def __init__(
        self,
        doing: str,
        total: int,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._doing = doing
        self._total = max(total, 1)
        self._stream = stream or sys.stderr
        self._clock = clock
        self._begun = self._told = clock()
        self._spent = 0
        self._watched = self._stream.isatty()

    def __call__(self, count: int) -> None:
        self._spent += count
        now = self._clock()
        if self._watched and (now - self._told >= EVERY):
            self._told = now
            self._stream.write(f"\r{self._words(now)}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._watched and self._told > self._begun:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()

    def _words(self, now: float) -> str:
        rate = self._spent / max(now - self._begun, 0.001)
        left = (self._total - self._spent) / rate if rate else 0
        share = min(self._spent * 100 // self._total, 100)
        return (
            f"{self._doing}: {share} % of {bytes_in_words(self._total)}, "
            f"{bytes_in_words(rate)}/s, {time_left(left)} left"
        )
