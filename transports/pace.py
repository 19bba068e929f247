"""A limit on bytes per second that all nodes share.

Whoever is about to send asks how long to wait; the answer counts what all have taken before. Sleeping is
the asker's business, so that a thread, a task and a test can each do it in their own way.

This module knows no socket and no node.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]

BURST = 0.5  # seconds' worth of bytes that may go at once after a silence
SHARE = 0.25  # seconds' worth of bytes to ask for at once: larger ones would not be smooth


class Pace:
    """Bytes per second for all who hold it. Any thread may ask."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` in bytes per second. Raises ValueError for one that lets nothing through."""
        if rate <= 0:
            raise ValueError(f"a pace of {rate:g} bytes a second lets nothing through")
        self.rate = rate
        self.share = max(1, int(rate * SHARE))  # bytes; the most to ask for at once
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock()  # when all that was asked for so far has gone

    def delay(self, size: int) -> float:
        """Take `size` bytes; how many seconds to wait before they are sent."""
        with self._lock:
            now = self._clock()
            begin = max(self._free_at, now - BURST)
            self._free_at = begin + size / self.rate
            return max(0.0, begin - now)
