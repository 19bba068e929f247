"""The live screen: one row a node, redrawn on a terminal (stderr). Falls silent about nothing.

What is on it comes from the same words as the plain log. It keeps only what it shows.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TextIO

from machines import Member, Record
from machines.words import one_line, printable
from mk8s.amounts import duration
from mk8s.forecast.beside import Prediction
from mk8s.screen.words import Line, line_of, span_in_words
from mk8s.traffic import Moving

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

__all__ = ["LiveScreen"]

STATES = ("pending", "staged", "bootstrapped", "waiting", "running", "healthy")
STYLES = {"good": "green", "bad": "red", "wait": "yellow", "plain": ""}
KEEP_NEWS = 6
REFRESH = 8  # times a second


@dataclass(slots=True)
class Row:
    """What is shown of one node. `since` is when its state was entered, on the local clock."""

    role: str
    state: str
    since: float
    text: str = ""
    tone: str = "plain"


class LiveScreen:
    """A table of all nodes above the last news of the whole run."""

    def __init__(
        self,
        stream: TextIO,
        titles: Mapping[str, str],
        nodes: Mapping[str, str],
        roles: Mapping[str, str],
        *,
        title: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: what durations are told by, in seconds; a replay has one of its own."""
        from rich.console import Console
        from rich.live import Live

        now = clock()
        self._clock = clock
        self._titles = titles
        self._title = title
        self._began = now
        self._rows = {name: Row(roles.get(name, ""), state, now) for name, state in nodes.items()}
        self._news: list[Line] = []
        self._expected = ""  # how long the run will take, after how long it took
        self._moving = ""  # how far files are on all nodes together
        self._console: Console = Console(file=stream)
        self._live = Live(
            console=self._console, get_renderable=self._picture, refresh_per_second=REFRESH, transient=False
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def record(self, record: Record) -> None:
        if record.kind == "state" and record.node in self._rows:
            row = self._rows[record.node]
            row.state, row.since = record.to, self._clock()
        line = line_of(record, self._titles)
        if line and line.text != record.to:  # a state has its column: the reason for it stays beside it
            self._tell(line)

    def beat(self) -> None:
        """It moves by itself."""

    def moving(self, total: Moving) -> None:
        self._moving = f"on the nodes: {total.words}" if total.done < total.size else ""

    def predicted(self, told: Prediction) -> None:
        self._expected = f" of {span_in_words(told)} predicted"

    def note(self, member: Member, text: str) -> None:
        row = self._rows.get(member.name)
        if row:
            row.text, row.tone = one_line(text), "plain"

    def say(self, text: str) -> None:
        self._tell(Line("", text, "wait"))

    def bug(self, member: Member, error: Exception) -> None:
        lines = printable("".join(traceback.format_exception(error)))
        self._console.print(f"a mistake in mk8s, on {member.name}; please report it:\n{lines}", markup=False)

    def _tell(self, line: Line) -> None:
        row = self._rows.get(line.node)
        if row:
            row.text, row.tone = line.text, line.tone
        else:
            self._news = [*self._news, line][-KEEP_NEWS:]

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table

        table = Table(box=None, pad_edge=False, expand=False, header_style="dim")
        for heading in ("node", "role", "progress", "state", "for", "now"):
            table.add_column(heading, no_wrap=heading != "now", overflow="ellipsis")
        for name, row in self._shown():
            table.add_row(name, row.role, *self._cells(row))
        return Group(self._headline(), table, *self._latest())

    def _shown(self) -> list[tuple[str, Row]]:
        """All nodes where they fit; else those that are not healthy yet, first."""
        room = max(4, self._console.height - KEEP_NEWS - 5)
        rows = list(self._rows.items())
        if len(rows) > room:
            rows.sort(key=lambda item: item[1].state == "healthy")
        return rows[:room]

    def _cells(self, row: Row) -> tuple[str, Text, str, Text]:
        from rich.text import Text

        state = row.state.split("~")[0]
        reached = STATES.index(state) if state in STATES else -1
        bar = "●" * (reached + 1) + "○" * (len(STATES) - reached - 1)
        tone = "green" if state == "healthy" else "red" if reached < 0 else ""
        elapsed = duration(self._clock() - row.since) if state != "healthy" else ""
        return bar, Text(state, style=tone), elapsed, self._news_of(row, state)

    def _news_of(self, row: Row, state: str) -> Text:
        """On one line while things go well, so that rows stay where they are; trouble is told whole."""
        from rich.text import Text

        text = "" if state == "healthy" else row.text
        return Text(text, style=STYLES[row.tone], no_wrap=row.tone != "bad", overflow="ellipsis")

    def _headline(self) -> Text:
        from rich.text import Text

        healthy = sum(row.state == "healthy" for row in self._rows.values())
        hidden = len(self._rows) - len(self._shown())
        more = f", {hidden} more not shown" if hidden else ""
        elapsed = duration(self._clock() - self._began)
        words = f"{self._title}  {healthy} of {len(self._rows)} healthy{more}  {elapsed}{self._expected}"
        line = f"{words}  {self._moving}".rstrip()
        if len(line) > self._console.width:  # the time left stands at its end
            line = f"{words}\n{self._moving}"
        return Text(line, style="bold", no_wrap=True, overflow="ellipsis")

    def _latest(self) -> list[Text]:
        from rich.text import Text

        return [Text(f"* {line.text}", style=STYLES[line.tone]) for line in self._news]
