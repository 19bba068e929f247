"""JSON lines on stdout, for programs: every record as it is journalled, with its words beside it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Self, TextIO

import msgspec

from machines import Member, Record
from machines.words import printable
from mk8s.forecast.beside import Prediction
from mk8s.screen.words import Pause, line_of, prediction_in_words
from mk8s.traffic import Moving

__all__ = ["EventScreen", "result_event"]


def result_event(code: int, states: Mapping[str, str], text: str) -> str:
    """The line that ends every stream of events: the exit code, where each node is, the words for people."""
    return msgspec.json.encode({"event": "result", "code": code, "states": states, "text": text}).decode()


class EventScreen:
    """One JSON object a line: `event` is the record's kind, or `note`, `moving`, `predicted`, `said`, `bug`.

    `text` is for people.
    """

    def __init__(
        self, stream: TextIO, titles: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pause = Pause(clock)
        self._stream = stream
        self._titles = titles

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def record(self, record: Record) -> None:
        fields = msgspec.to_builtins(record)
        line = line_of(record, self._titles)
        self._write({"event": fields.pop("kind"), **fields, "text": line.text if line else ""})

    def beat(self) -> None:
        """Programs are told each note as it comes."""

    def moving(self, total: Moving) -> None:
        """Bytes and seconds; `left` is null where nothing moves."""
        if self._pause.is_over(total):
            about = {"done": total.done, "size": total.size, "rate": round(total.rate), "left": total.left}
            self._write({"event": "moving", **about, "text": total.words})

    def predicted(self, told: Prediction) -> None:
        """Seconds from the beginning of this run."""
        about = {"low": told.low, "middle": told.middle, "high": told.high, "rests_on": told.rests_on}
        self._write({"event": "predicted", **about, "text": prediction_in_words(told)})

    def note(self, member: Member, text: str) -> None:
        self._write({"event": "note", "node": member.name, "text": printable(text)})

    def say(self, text: str) -> None:
        self._write({"event": "said", "text": text})

    def bug(self, member: Member, error: Exception) -> None:
        trace = "".join(traceback.format_exception(error))
        self._write({"event": "bug", "node": member.name, "text": str(error), "traceback": trace})

    def _write(self, event: Mapping[str, Any]) -> None:
        self._stream.write(msgspec.json.encode(event).decode() + "\n")
        self._stream.flush()
