"""How far files have come on their way to nodes: bytes, rate and time left, of one file and of a whole run.

What stands on a node when a delivery begins is done, and is no rate: nobody sent it just now. A rate is
that of the last seconds, so that it follows the line.

Pure: time comes in with each call. It knows no node, no transport and no screen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mk8s.amounts import bytes_in_words, time_left
from transports.base import File

__all__ = ["Expected", "Moving", "Rate", "Traffic"]

WINDOW = 10.0  # seconds that a rate looks back

Expected: TypeAlias = Mapping[str, tuple[File, int]]
"""By sha256: a file that nodes want, and how many of them."""


@dataclass(frozen=True, slots=True)
class Moving:
    """How far it is. `rate` is in bytes per second; 0 where nothing moves."""

    done: int  # bytes
    size: int  # bytes
    rate: float = 0.0

    @property
    def left(self) -> float | None:
        """Seconds, at this rate; None where nothing moves."""
        return (self.size - self.done) / self.rate if self.rate > 0 else None

    @property
    def words(self) -> str:
        """``38.2 MiB of 800.0 MiB, 12.1 MiB/s, 1:03 left``."""
        said = f"{bytes_in_words(self.done)} of {bytes_in_words(self.size)}"
        if self.left is None or self.done >= self.size:
            return said
        return f"{said}, {bytes_in_words(self.rate)}/s, {time_left(self.left)} left"


@dataclass(slots=True)
class Rate:
    """Bytes per second over the last WINDOW seconds."""

    began: float
    _moved: deque[tuple[float, int]] = field(default_factory=deque)
    _sum: int = 0

    def add(self, count: int, at: float) -> None:
        """So many bytes have moved since the last call."""
        self._moved.append((at, count))
        self._sum += count
        self._forget(at)

    def at(self, now: float) -> float:
        """The rate now."""
        self._forget(now)
        seconds = min(now - self.began, WINDOW)
        return self._sum / seconds if seconds > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._moved and self._moved[0][0] < now - WINDOW:
            self._sum -= self._moved.popleft()[1]


@dataclass(slots=True)
class Traffic:
    """All files of a run, on their way to all nodes.

    `expected` is asked once, at the first word: what nodes want of which nothing was said yet.
    """

    expected: Callable[[], Expected] = dict
    _waiting: dict[str, tuple[int, int]] | None = None  # sha256 -> size, and nodes that have not begun
    _files: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # -> bytes done, size
    _rate: Rate | None = None

    def told(self, node: str, target: str, file: File, done: int, at: float, *, begins: bool) -> None:
        """So many bytes of a file are on a node. `begins`: they stood there when its delivery began."""
        if self._waiting is None:
            self._waiting = {sha: (one.size, count) for sha, (one, count) in self.expected().items()}
        key = (node, target)
        if key not in self._files:
            size, count = self._waiting.get(file.sha256, (file.size, 0))
            self._waiting[file.sha256] = (size, max(0, count - 1))
        before, _ = self._files.get(key, (0, 0))
        self._files[key] = (done, file.size)
        if self._rate is None:
            self._rate = Rate(at)
        if not begins:
            self._rate.add(max(0, done - before), at)

    def total(self, now: float) -> Moving | None:
        """The whole run; None as long as nothing was said."""
        if self._rate is None or self._waiting is None:
            return None
        done = sum(done for done, _ in self._files.values())
        begun = sum(size for _, size in self._files.values())
        waiting = sum(size * count for size, count in self._waiting.values())
        return Moving(done, begun + waiting, self._rate.at(now))
