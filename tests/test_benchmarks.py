"""That the benchmarks measure what they say: tables, turns, processes of their own. No figure is asserted."""

from __future__ import annotations

import sys

import pytest

from benchmarks.__main__ import NAMES, main
from benchmarks.measuring import NotMeasuredError, call, in_turns, measure
from benchmarks.simulation import framework
from benchmarks.tables import Table, count, percent, ratio, seconds


def test_a_table_is_markdown_with_figures_to_the_right() -> None:
    """So that it can be pasted into docs/benchmarks.md as it is."""
    table = Table("race", ["who", "wall"])
    table.add("mk8s", "1.0 s")
    table.add("another", "10.0 s")
    assert list(table.lines()) == [
        "## race",
        "",
        "| who     |   wall |",
        "|---------|-------:|",
        "| mk8s    |  1.0 s |",
        "| another | 10.0 s |",
        "",
    ]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (seconds(0.0000123), "12 µs"),
        (seconds(0.0123), "12.3 ms"),
        (seconds(0.5), "500 ms"),
        (seconds(1.234), "1.23 s"),
        (seconds(61.26), "61.3 s"),
        (count(12345.6), "12 346"),
        (percent(0.0312), "3.1 %"),
        (ratio(3, 2), "1.50"),
        (ratio(3, 0), "–"),
    ],
)
def test_figures_have_as_many_digits_as_matter(shown: str, expected: str) -> None:
    """And a ratio to nothing is none."""
    assert shown == expected


def test_contenders_take_turns_and_medians_are_taken_for_each_figure() -> None:
    """So that a slow moment of the machine meets everyone."""
    order: list[str] = []

    def contender(name: str, figures: list[list[float]]) -> list[float]:
        order.append(name)
        return figures[order.count(name) - 1]

    found = in_turns(
        3,
        {
            "a": lambda: contender("a", [[1, 30], [9, 10], [2, 20]]),
            "b": lambda: contender("b", [[4, 4], [5, 5], [6, 6]]),
        },
    )
    assert order == ["a", "b"] * 3
    assert found == {"a": [2, 20], "b": [5, 5]}


def test_a_worker_answers_with_its_own_time_and_memory() -> None:
    """The benchmark of ten simulated nodes, in a process of its own."""
    wall, cpu, records, memory = call(framework, 10)
    assert wall > 0
    assert cpu > 0
    assert records > 10 * 10  # a node's life has more records than that
    assert memory > 1 << 20


def test_what_fails_is_not_measured() -> None:
    """The words of the process are in the error."""
    with pytest.raises(NotMeasuredError, match=r"(?s)exit status 3.*no such host"):
        measure([sys.executable, "-c", "print('no such host'); raise SystemExit(3)"])


def test_a_benchmark_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names of those that do."""
    with pytest.raises(SystemExit):
        main(["spead"])
    said = capsys.readouterr().err
    assert all(name in said for name in NAMES)
