"""Who has how much of which file, and what a node does next. Pure: no await, no clock, no chance.

A file is a row of pieces, and a node always has a beginning of it: so what it has is one number. A node
that wants more asks `next`, and is told to fetch a range from another node, to be sent one piece from
here, to wait until something changes, or that it has all.

Laws:

1. This machine sends a piece only where no other node that could hand it on has it, or is getting it.
   So each byte leaves here about once, however many nodes there are.
2. Whoever waits, waits for one that has more than it, or will have: so waits are never a circle, and the
   one that has most is always at work or has all.
3. A source that failed is not asked again by the same node; one that told lies, by no node.
4. No limit is ever exceeded: `Limits`.

Begin reading at `Shares.next`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["DONE", "WAIT", "Done", "Limits", "Move", "Pull", "Push", "Shares", "Wait"]

BATCH = 8  # pieces in one fetch, so that a place at a busy source is free again soon
STRIKES = 2  # nodes that a source may fail before nobody asks it any more


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may go on at the same time."""

    seeds: int = 2  # nodes that this machine sends to
    per_node: int = 3  # nodes that one node serves
    between_groups: int = 1  # fetches into one group from others
    direct: int = 8  # nodes that this machine sends to while nobody can serve them


@dataclass(frozen=True, slots=True)
class Pull:
    """Fetch so many pieces from the piece `first` on."""

    file: str
    node: str
    source: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Push:
    """This machine sends the piece `first`."""

    file: str
    node: str
    first: int
    count: int = 1
    alone: bool = False  # there is nobody who could serve this node


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again when something has changed."""


@dataclass(frozen=True, slots=True)
class Done:
    """It has all pieces."""


WAIT, DONE = Wait(), Done()
Move: TypeAlias = Pull | Push | Wait | Done


@dataclass(slots=True)
class _File:
    """One file's distribution."""

    pieces: int
    have: dict[str, int] = field(default_factory=dict)  # node -> verified pieces from the beginning
    under_way: dict[str, Pull | Push] = field(default_factory=dict)  # node -> what it is receiving

    def promised(self, node: str) -> int:
        """Pieces that the node has, or will have when what is under way succeeds."""
        move = self.under_way.get(node)
        return max(self.have[node], move.first + move.count if move else 0)


class Shares:
    """The whole cluster's distribution. `groups`: node -> rack or site, for every node."""

    def __init__(self, limits: Limits, groups: Mapping[str, str]) -> None:
        self._limits = limits
        self._groups = groups
        self._files: dict[str, _File] = {}
        self._pairs: set[tuple[str, str]] = set()  # (node, source) that do not work
        self._silent: set[str] = set()  # sources that nobody asks any more
        self._away: set[str] = set()  # nodes that do not answer us either; back with their next `want`
        self._alone: set[str] = set()  # nodes that cannot fetch
        self._strikes: dict[str, set[str]] = {}

    # What happens

    def want(self, file: str, node: str, pieces: int, have: int) -> None:
        """The node wants the file and has a verified beginning of it. Also after a failure, with less."""
        entry = self._files.setdefault(file, _File(pieces))
        self._away.discard(node)
        entry.have[node] = have
        entry.under_way.pop(node, None)

    def got(self, file: str, node: str, have: int) -> None:
        """So many pieces are there and verified; others may be served from them at once."""
        self._files[file].have[node] = have

    def ended(self, move: Pull | Push) -> None:
        """A move is over, well or not. Twice is fine."""
        under_way = self._files[move.file].under_way
        if under_way.get(move.node) is move:
            del under_way[move.node]

    def away(self, node: str) -> None:
        """The node does not answer: nobody is to count on it, until it wants something again."""
        self._away.add(node)

    def drop_pair(self, node: str, source: str) -> None:
        """The node cannot fetch from this source; after a few such nodes, nobody asks the source."""
        self._pairs.add((node, source))
        self._strikes.setdefault(source, set()).add(node)
        if len(self._strikes[source]) >= STRIKES:
            self._silent.add(source)

    def drop_source(self, source: str) -> None:
        """Nobody asks it any more: it cannot serve, or what it served was wrong."""
        self._silent.add(source)

    def drop_receiver(self, node: str) -> None:
        """The node cannot fetch from anybody, such as one without an ssh client."""
        self._alone.add(node)

    # What is known

    def has(self, file: str, node: str) -> int:
        """Verified pieces on the node."""
        return self._files[file].have[node]

    def moves(self) -> Iterator[Pull | Push]:
        """All that is under way."""
        for entry in self._files.values():
            yield from entry.under_way.values()

    # What comes next

    def next(self, file: str, node: str) -> Move:
        """What the node does now; a pull or a push counts as under way until `ended`."""
        entry = self._files[file]
        have = entry.have[node]
        if have >= entry.pieces:
            return DONE
        mates = [mate for mate in entry.have if self._may_serve(mate, node)]
        ahead = [mate for mate in mates if entry.promised(mate) > have]
        move = self._pull(entry, file, node, ahead) if ahead else self._push(file, node, have, not mates)
        if isinstance(move, Pull | Push):
            entry.under_way[node] = move
        return move

    def _may_serve(self, source: str, node: str) -> bool:
        return (
            source != node
            and node not in self._alone
            and source not in self._silent
            and source not in self._away
            and (node, source) not in self._pairs
        )

    def _pull(self, entry: _File, file: str, node: str, ahead: list[str]) -> Pull | Wait:
        """From the own group while anyone there has more, or will have; else from another one."""
        have = entry.have[node]
        near = [mate for mate in ahead if self._groups[mate] == self._groups[node]]
        if not near and self._entering(self._groups[node]) >= self._limits.between_groups:
            return WAIT
        ready = [
            mate
            for mate in near or ahead
            if entry.have[mate] > have and self._served_by(mate) < self._limits.per_node
        ]
        if not ready:
            return WAIT
        source = min(ready, key=lambda mate: (self._served_by(mate), -entry.have[mate], mate))
        return Pull(file, node, source, have, min(entry.have[source] - have, BATCH))

    def _push(self, file: str, node: str, first: int, alone: bool) -> Push | Wait:
        pushes = [move for move in self.moves() if isinstance(move, Push) and move.alone == alone]
        limit = self._limits.direct if alone else self._limits.seeds
        return WAIT if len(pushes) >= limit else Push(file, node, first, alone=alone)

    def _served_by(self, source: str) -> int:
        return sum(isinstance(move, Pull) and move.source == source for move in self.moves())

    def _entering(self, group: str) -> int:
        """Fetches under way into a group from others."""
        return sum(
            isinstance(move, Pull) and self._groups[move.node] == group and self._groups[move.source] != group
            for move in self.moves()
        )
