"""mk8s.simulating.tally and words: what many seeds came to."""

from __future__ import annotations

import json
import random

from mk8s.simulating.tally import histogram, spread_of, tally_as_data, tally_of
from mk8s.simulating.trial import Bad, Ended
from mk8s.simulating.words import tally_as_text

GOOD = [Ended(seed, "healthy", nodes=3, seconds=600.0 + seed, ha_at=400.0 + seed) for seed in range(8)]
BAD = Bad("agent-1", "agent", "failed", "stage", "connection.lost", "gone", "drop")
FAILED = Ended(
    8, "failed", nodes=3, seconds=1000.0, ha_at=500.0, bad=(BAD,), struck={"drop": 4}, as_expected=False
)
BROKEN = Ended(9, "broken", invariant="one-life", evidence="one-life: died twice", as_expected=False)
ALL = [*GOOD, FAILED, BROKEN]
COMMANDS = {ended.seed: f"mk8s simulate m --seed {ended.seed}" for ended in ALL}


def test_the_summary_counts_endings_nodes_and_faults() -> None:
    """Over all seeds."""
    tally = tally_of(ALL)
    assert tally.endings == {"healthy": 8, "failed": 1, "broken": 1}
    assert tally.nodes == {"healthy": 26, "failed": 1}
    assert tally.struck == {"drop": 4}
    assert tally.invariants == {"one-life": 1}
    assert (tally.seeds, tally.as_expected) == (10, 8)


def test_the_order_in_which_results_come_changes_nothing() -> None:
    """They come as processes end."""
    mixed = list(ALL)
    random.Random(1).shuffle(mixed)
    assert tally_of(mixed) == tally_of(ALL)


def test_the_worst_seed_stands_first() -> None:
    """A broken invariant before a failed node, that before one that only took long."""
    assert [ended.seed for ended in tally_of(ALL).worst][:3] == [9, 8, 7]


def test_a_cause_names_edge_failure_and_the_fault_before() -> None:
    """With a node and a seed to look at."""
    cause = tally_of(ALL).causes[0]
    assert (cause.edge, cause.kind, cause.after, cause.nodes, cause.seeds) == (
        "stage",
        "connection.lost",
        "drop",
        1,
        1,
    )
    assert (cause.example.node, cause.seed) == ("agent-1", 8)


def test_runs_without_an_end_have_no_length() -> None:
    """They would make the others look quick."""
    spread = tally_of(ALL).end
    assert spread is not None
    assert spread.runs == 9
    assert (spread.quantiles[0.0], spread.quantiles[0.5], spread.quantiles[1.0]) == (600.0, 604.0, 1000.0)


def test_every_value_stands_in_one_bar_of_a_width_that_people_read() -> None:
    """And no more bars than fit."""
    draw = random.Random(2)
    values = sorted(draw.uniform(100, 5000) for _ in range(500))
    bins = histogram(values)
    assert sum(one.runs for one in bins) == 500
    assert len(bins) <= 12
    assert {one.high - one.low for one in bins} == {600}
    assert bins[0].low <= values[0]
    assert bins[-1].high > values[-1]


def test_one_value_is_one_bar() -> None:
    """Seeds may all take the same time."""
    spread = spread_of([61.0] * 3)
    assert spread is not None
    assert [(one.low, one.high, one.runs) for one in spread.bins] == [(61, 62, 3)]


def test_the_text_names_the_command_that_repeats_each_bad_seed() -> None:
    """To be copied."""
    text = tally_as_text(tally_of(ALL), COMMANDS)
    assert "10 runs, 8 as expected" in text
    assert "mk8s simulate m --seed 9" in text
    assert "one-life: died twice" in text
    assert "1 node in 1 run: stage, connection.lost -> failed; after drop; e.g. agent-1, seed 8" in text


def test_the_data_are_json() -> None:
    """With the same numbers."""
    data = json.loads(json.dumps(tally_as_data(tally_of(ALL), COMMANDS)))
    assert data["endings"] == {"healthy": 8, "failed": 1, "broken": 1}
    assert data["seconds"]["quantiles"]["50%"] == 604.0
    assert data["worst"][0]["repeat"] == "mk8s simulate m --seed 9"
    assert data["causes"][0]["example"] == {"seed": 8, "node": "agent-1"}
