"""Plain lines on stderr: for logs, pipes and small terminals. One piece of news, one line."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from typing import Self, TextIO

from machines import Member, Record
from machines.words import one_line, printable
from mk8s.amounts import duration
from mk8s.forecast.beside import Prediction
from mk8s.screen.words import Pause, line_of, prediction_in_words
from mk8s.traffic import Moving

__all__ = ["PlainScreen"]

SILENCE = 30.0  # seconds without news of a node that is at work, after which its last note is shown


class PlainScreen:
    """``[ 3/6]    0:42  agent-2    joined``: how many are healthy, when, who, what."""

    def __init__(
        self,
        stream: TextIO,
        titles: Mapping[str, str],
        nodes: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`nodes`: every node's name and its state at the start. `clock`: seconds, for silences only."""
        self._clock = clock
        self._pause = Pause(clock)
        self._notes: dict[str, str] = {}  # what each node that is at work does or waits for
        self._heard: dict[str, float] = {}  # when a line about it was written last, by `clock`
        self._run_began = clock()  # by the clock; each record corrects it
        self._stream = stream
        self._titles = titles
        self._states = dict(nodes)
        self._width = max((len(name) for name in nodes), default=4)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def record(self, record: Record) -> None:
        self._run_began = self._clock() - record.at
        if record.kind == "state":
            self._states[record.node] = record.to
            self._notes.pop(record.node, None)
        line = line_of(record, self._titles)
        if line:
            self._say(record.at, line.node, line.text, line.said)

    def note(self, member: Member, text: str) -> None:
        """Passing news would drown the rest of a log; it is kept for a long silence."""
        self._notes[member.name] = text
        self._heard.setdefault(member.name, self._clock())

    def beat(self) -> None:
        now = self._clock()
        for node, text in self._notes.items():
            if now - self._heard[node] >= SILENCE:
                self._say(now - self._run_began, node, f"still: {one_line(text)}")

    def moving(self, total: Moving) -> None:
        if self._pause.is_over(total):
            self._say(self._clock() - self._run_began, "", f"on the nodes: {total.words}")

    def predicted(self, told: Prediction) -> None:
        self.say(prediction_in_words(told))

    def say(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def bug(self, member: Member, error: Exception) -> None:
        lines = printable("".join(traceback.format_exception(error)))
        self._stream.write(f"a mistake in mk8s, on {member.name}; please report it:\n{lines}")

    def _say(self, at: float, node: str, text: str, said: tuple[str, ...] = ()) -> None:
        healthy = sum(state == "healthy" for state in self._states.values())
        total = len(self._states)
        self._heard[node] = self._clock()
        done = f"[{healthy:>{len(str(total))}}/{total}]"
        self._stream.write(f"{done} {duration(at):>7}  {node or '*':<{self._width}}  {text}\n")
        self._stream.writelines(f"    | {line}\n" for line in said)
        self._stream.flush()
