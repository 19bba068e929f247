"""Who gets what from whom: by examples, and by claims over every order of events that chance makes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from mk8s.fanout.shares import DONE, WAIT, Limits, Move, Pull, Push, Shares

FILE = "f" * 64


def shares(*nodes: str, pieces: int = 10, groups: Mapping[str, str] | None = None, **limits: int) -> Shares:
    """Nodes that want one file and have nothing of it."""
    made = Shares(Limits(**limits), groups or dict.fromkeys(nodes, ""))
    for node in nodes:
        made.want(FILE, node, pieces, 0)
    return made


def done(made: Shares, move: Move) -> None:
    """A move succeeds."""
    assert isinstance(move, Pull | Push)
    made.got(FILE, move.node, move.first + move.count)
    made.ended(move)


def test_one_node_is_sent_a_piece_and_the_others_wait_for_it() -> None:
    """Law 1: what another is getting already does not leave here again."""
    made = shares("a", "b", "c")
    assert made.next(FILE, "a") == Push(FILE, "a", 0)
    assert made.next(FILE, "b") == WAIT


def test_a_piece_is_handed_on_while_the_next_one_comes() -> None:
    """A node serves what it has while it still receives."""
    made = shares("a", "b", "c")
    done(made, made.next(FILE, "a"))
    assert made.next(FILE, "a") == Push(FILE, "a", 1)
    assert made.next(FILE, "b") == Pull(FILE, "b", "a", 0, 1)


def test_who_has_all_is_done() -> None:
    """Nothing is fetched behind the last piece."""
    made = shares("a", "b")
    made.got(FILE, "a", 10)
    assert made.next(FILE, "a") == DONE


def test_a_source_serves_no_more_than_its_limit() -> None:
    """The third of two waits, though there is something to fetch."""
    made = shares("a", "b", "c", "d", per_node=2)
    made.got(FILE, "a", 10)
    assert [type(made.next(FILE, node)) for node in "bc"] == [Pull, Pull]
    assert made.next(FILE, "d") == WAIT


def test_the_own_group_is_asked_first() -> None:
    """The link between racks is the slow one."""
    made = shares("far", "near", "me", groups={"far": "x", "near": "y", "me": "y"})
    made.got(FILE, "far", 10)
    made.got(FILE, "near", 2)
    assert made.next(FILE, "me") == Pull(FILE, "me", "near", 0, 2)


def test_one_node_of_a_group_fetches_from_elsewhere_and_the_others_wait_for_it() -> None:
    """Each piece crosses into a group about once."""
    made = shares("far", "one", "two", groups={"far": "x", "one": "y", "two": "y"})
    made.got(FILE, "far", 10)
    assert made.next(FILE, "one") == Pull(FILE, "one", "far", 0, 8)
    assert made.next(FILE, "two") == WAIT


def test_a_pair_that_failed_is_not_tried_again() -> None:
    """The node takes another source, or is sent the file from here."""
    made = shares("a", "b", "c", pieces=4)
    made.got(FILE, "a", 4)
    move = made.next(FILE, "b")
    assert isinstance(move, Pull)
    made.ended(move)
    made.drop_pair("b", "a")
    assert made.next(FILE, "b") == Push(FILE, "b", 0)
    assert isinstance(made.next(FILE, "c"), Pull | type(WAIT))


def test_a_source_that_failed_two_nodes_is_asked_by_none() -> None:
    """It is the source that is broken, not the ways to it."""
    made = shares("a", "b", "c", "d")
    made.got(FILE, "a", 10)
    made.drop_pair("b", "a")
    made.drop_pair("c", "a")
    assert isinstance(made.next(FILE, "d"), Push)


def test_a_node_that_does_not_answer_is_not_counted_on_until_it_is_back() -> None:
    """Its pieces are of no use while it is away."""
    made = shares("a", "b")
    made.got(FILE, "a", 10)
    made.away("a")
    assert made.next(FILE, "b") == Push(FILE, "b", 0, alone=True)
    made.ended(Push(FILE, "b", 0, alone=True))
    made.want(FILE, "a", 10, 10)
    made.want(FILE, "b", 10, 0)
    assert isinstance(made.next(FILE, "b"), Pull)


def test_nodes_that_cannot_fetch_are_sent_to_as_without_fan_out() -> None:
    """They are not held back by the limit on seeds."""
    made = shares(*"abcd", seeds=1, direct=3)
    for node in "abcd":
        made.drop_receiver(node)
    moves = [made.next(FILE, node) for node in "abcd"]
    assert moves == [*(Push(FILE, node, 0, alone=True) for node in "abc"), WAIT]


# Whatever happens


@dataclass
class World:
    """Chance lets moves succeed or fail, in any order, until all nodes have all or nothing can move."""

    made: Shares
    files: Mapping[str, int]  # file -> pieces
    nodes: tuple[str, ...]
    limits: Limits
    groups: Mapping[str, str]
    chance: random.Random
    failing: float
    active: list[Pull | Push] = field(default_factory=list)
    sent: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: int = 0

    def run(self) -> None:
        wants = [(file, node) for file in self.files for node in self.nodes]
        self.chance.shuffle(wants)
        for file, node in wants:
            self.made.want(file, node, self.files[file], 0)
        unfinished = dict.fromkeys(wants)
        while unfinished:
            self._begin(unfinished)
            self._keep_limits()
            if unfinished:
                assert self.active, f"nothing moves, and {list(unfinished)} are not done"
                self._end_one()

    def _begin(self, unfinished: dict[tuple[str, str], None]) -> None:
        idle = [w for w in unfinished if not any((m.file, m.node) == w for m in self.active)]
        self.chance.shuffle(idle)
        for file, node in idle:
            move = self.made.next(file, node)
            if move is DONE:
                del unfinished[file, node]
            elif isinstance(move, Pull | Push):
                self._check(move)
                self.active.append(move)

    def _check(self, move: Pull | Push) -> None:
        assert move.first == self.made.has(move.file, move.node)
        if isinstance(move, Pull):
            assert self.made.has(move.file, move.source) >= move.first + move.count
        else:
            self.sent[move.file, move.first] += 1

    def _keep_limits(self) -> None:
        pulls = [move for move in self.active if isinstance(move, Pull)]
        pushes = [move for move in self.active if isinstance(move, Push)]
        assert all(n <= self.limits.per_node for n in Counter(move.source for move in pulls).values())
        assert sum(not move.alone for move in pushes) <= self.limits.seeds
        assert sum(move.alone for move in pushes) <= self.limits.direct
        entering = Counter(
            self.groups[move.node] for move in pulls if self.groups[move.node] != self.groups[move.source]
        )
        assert all(n <= self.limits.between_groups for n in entering.values())

    def _end_one(self) -> None:
        move = self.active.pop(self.chance.randrange(len(self.active)))
        fails = self.chance.random() < self.failing
        came = self.chance.randrange(move.count) if fails else move.count
        self.made.got(move.file, move.node, move.first + came)
        self.made.ended(move)
        if fails:
            self.failures += 1
            self._punish(move)

    def _punish(self, move: Pull | Push) -> None:
        if isinstance(move, Push):
            return
        match self.chance.randrange(4):
            case 0:
                self.made.drop_source(move.source)
            case 1:
                self.made.drop_receiver(move.node)
            case 2:
                self.made.away(move.source)
            case _:
                self.made.drop_pair(move.node, move.source)


def world(seed: int, nodes: int, failing: float) -> World:
    chance = random.Random(seed)
    names = tuple(f"n{number}" for number in range(nodes))
    groups = {name: chance.choice(["", "x", "y"][: chance.randint(1, 3)]) for name in names}
    limits = Limits(*(chance.randint(1, 3) for _ in range(4)))
    files = {letter * 64: chance.randint(1, 25) for letter in "ab"[: chance.randint(1, 2)]}
    return World(Shares(limits, groups), files, names, limits, groups, chance, failing)


SEEDS = st.integers(0, 2**32)
NODES = st.integers(1, 12)


@given(SEEDS, NODES, st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=150, deadline=None)
def test_everyone_gets_everything_and_no_limit_is_exceeded(seed: int, nodes: int, failing: float) -> None:
    """Whatever fails and in whichever order things end: no circle of waits, and every limit holds."""
    world(seed, nodes, failing).run()


@given(SEEDS, NODES)
@settings(max_examples=100, deadline=None)
def test_where_nothing_fails_each_piece_leaves_here_once(seed: int, nodes: int) -> None:
    """Law 1: the operator's link carries each byte once, whatever the limits and groups."""
    played = world(seed, nodes, 0.0)
    played.run()
    assert set(played.sent.values()) == {1}
    assert len(played.sent) == sum(played.files.values())
