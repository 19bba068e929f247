"""How a download is told: bytes, rate and time left, for people and for programs.

Three shows of the same news: a live table on a terminal, plain lines elsewhere, JSON lines for programs.
Honest: a total of which a part is not known is said to be not known, and no time left is made up.

The clock comes in through the constructor. Begin reading at `Tally`, then `PlainShow`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from machines.words import one_line, printable
from mk8s.amounts import bytes_in_words, duration, time_left

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

__all__ = ["JsonShow", "LiveShow", "PlainShow", "Show", "Tally", "choose_show"]

EVERY = 5.0  # seconds between two plain lines
STEP = 0.1  # of the total: a plain line earlier than that
SMOOTH = 5.0  # seconds over which a rate is smoothed
SILENT = 5.0  # seconds without a byte, after which an old rate would be a lie
NO_RATE = 0.5  # seconds before a rate means something


@dataclass(slots=True)
class OneFile:
    """A file on its way. `start`: the bytes that were there before this run."""

    start: int
    here: int
    size: int | None


@dataclass(slots=True)
class Tally:
    """What has arrived of everything. Pure but for the clock."""

    clock: Callable[[], float] = time.monotonic
    files: dict[str, OneFile] = field(default_factory=dict)
    sizes: dict[str, int | None] = field(default_factory=dict)  # of files that are expected
    rate: float = 0.0  # bytes per second, smoothed; 0: not known yet
    _seen: tuple[float, int] | None = None
    _heard: float | None = None  # when the last news came

    def update(self, name: str, here: int, size: int | None) -> None:
        """`here` bytes of a file are here now. Fewer than before: it was begun anew."""
        known = self.files.get(name)
        if known is None:
            self.files[name] = OneFile(here, here, size)
        else:
            known.start, known.here, known.size = min(known.start, here), here, size
        self._measure()
        self._heard = self.clock()

    @property
    def silence(self) -> float:
        """Seconds without news, while files are on their way."""
        return 0.0 if self._heard is None else self.clock() - self._heard

    @property
    def here(self) -> int:
        return sum(file.here for file in self.files.values())

    @property
    def total(self) -> int | None:
        """Bytes of all files; None as long as the size of one is not known."""
        sizes = self.sizes | {name: file.size for name, file in self.files.items() if file.size is not None}
        known = [size for size in sizes.values() if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    @property
    def seconds_left(self) -> float | None:
        if self.total is None or self.rate <= 0:
            return None
        return max(0, self.total - self.here) / self.rate

    def words(self) -> str:
        """``12.0 MiB of 80.1 MiB, 8.1 MiB/s, 8 s left``; what is not known is left out or said."""
        total = self.total
        here = bytes_in_words(self.here)
        parts = [
            f"{here} of {bytes_in_words(total)}" if total is not None else f"{here}, the whole is not known"
        ]
        if self.silence >= SILENT:
            return ", ".join([*parts, f"no byte for {duration(self.silence)}"])
        if self.rate:
            parts.append(f"{bytes_in_words(self.rate)}/s")
        if self.seconds_left is not None:
            parts.append(f"{time_left(self.seconds_left)} left")
        return ", ".join(parts)

    def _measure(self) -> None:
        """A rate is bytes that came in this run; what was here before costs no time."""
        now = self.clock()
        came = sum(file.here - file.start for file in self.files.values())
        if self._seen is None or came < self._seen[1]:
            self._seen = now, came
            return
        elapsed = now - self._seen[0]
        if elapsed >= NO_RATE:
            weight = min(1.0, elapsed / SMOOTH) if self.rate else 1.0
            self.rate += weight * ((came - self._seen[1]) / elapsed - self.rate)
            self._seen = now, came


class Show(Protocol):
    """What a download tells while it works."""

    def expect(self, sizes: dict[str, int | None]) -> None:
        """These files will be fetched; bytes, None: not known."""
        ...

    def bytes(self, name: str, here: int, size: int | None) -> None: ...

    def done(self, name: str, verdict: str, words: str) -> None:
        """A file's end: here, cached, fetched, made or failed."""
        ...

    def say(self, words: str) -> None: ...

    def close(self) -> None: ...


class PlainShow:
    """Lines on stderr: each file when it is done, and how it goes, not more often than makes sense."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._tally = Tally(clock)
        self._said = clock(), 0.0

    def expect(self, sizes: dict[str, int | None]) -> None:
        self._tally.sizes |= sizes

    def bytes(self, name: str, here: int, size: int | None) -> None:
        self._tally.update(name, here, size)
        total = self._tally.total
        part = self._tally.here / total if total else 0.0
        when, before = self._said
        if self._clock() - when >= EVERY or part - before >= STEP:
            self._said = self._clock(), part
            self.say(f"  {self._tally.words()}")

    def done(self, name: str, verdict: str, words: str) -> None:
        self.say(f"{verdict:<8}{name}{f'  ({words})' if words else ''}")

    def say(self, words: str) -> None:
        self._stream.write(f"{printable(words)}\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


class JsonShow:
    """One JSON object a line on stdout. Keys are only ever added. Talk goes to stderr."""

    def __init__(self, stream: TextIO, talk: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._talk = talk
        self._clock = clock
        self._tally = Tally(clock)
        self._said = -EVERY

    def expect(self, sizes: dict[str, int | None]) -> None:
        self._tally.sizes |= sizes
        self.event("expect", files=sizes, total=self._tally.total)

    def bytes(self, name: str, here: int, size: int | None) -> None:
        self._tally.update(name, here, size)
        if self._clock() - self._said >= 1.0:
            self._said = self._clock()
            self.event("bytes", here=self._tally.here, total=self._tally.total, rate=round(self._tally.rate))

    def done(self, name: str, verdict: str, words: str) -> None:
        self.event("file", file=name, verdict=verdict, words=words)

    def say(self, words: str) -> None:
        self._talk.write(f"{printable(words)}\n")

    def close(self) -> None:
        self._stream.flush()

    def event(self, kind: str, **values: Any) -> None:
        self._stream.write(json.dumps({"event": kind, **values}) + "\n")
        self._stream.flush()


class LiveShow:
    """One line for each file on its way and one for all of them, redrawn on a terminal."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.live import Live

        self._tally = Tally(clock)
        self._open: set[str] = set()
        self._console = Console(file=stream)
        self._live: Live = Live(
            console=self._console, get_renderable=self._picture, refresh_per_second=8, transient=True
        )
        self._live.start()

    def expect(self, sizes: dict[str, int | None]) -> None:
        self._tally.sizes |= sizes

    def bytes(self, name: str, here: int, size: int | None) -> None:
        self._open.add(name)
        self._tally.update(name, here, size)

    def done(self, name: str, verdict: str, words: str) -> None:
        self._open.discard(name)
        self.say(f"{verdict:<8}{name}{f'  ({words})' if words else ''}")

    def say(self, words: str) -> None:
        self._console.print(printable(words), markup=False, highlight=False)

    def close(self) -> None:
        self._live.stop()

    def _picture(self) -> RenderableType:
        from rich.text import Text

        lines = [_line(name, self._tally.files[name]) for name in sorted(self._open)]
        known = bool(self._tally.sizes or lines)  # before that "0 B of 0 B" would be said
        whole = [f"all     {self._tally.words()}"] if known else []
        return Text("\n".join([*lines, *whole]), no_wrap=True, overflow="ellipsis")


def choose_show(
    output: str, stream: TextIO | None = None, environment: Mapping[str, str] = os.environ
) -> LiveShow | PlainShow | JsonShow:
    """By what was asked for and where it goes: standard error. Nothing can be drawn on a dumb terminal."""
    if output == "json":
        return JsonShow(sys.stdout, sys.stderr)
    stream = stream or sys.stderr
    return LiveShow(stream) if stream.isatty() and environment.get("TERM") != "dumb" else PlainShow(stream)


def _line(name: str, file: OneFile) -> str:
    part = f"{100 * file.here // file.size:3d} %" if file.size else "     "
    return f"{part}   {one_line(name)}  {bytes_in_words(file.here)}"
