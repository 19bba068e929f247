"""That the benchmarks measure what they say: tables, turns, processes of their own. No figure is asserted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks import leftovers
from benchmarks.__main__ import NAMES, main
from benchmarks.contest import Entry, Trial, contest, target_of
from benchmarks.entries import ansible_host, scp_script
from benchmarks.measuring import NotMeasuredError, Usage, call, in_turns, measure
from benchmarks.servers import Door
from benchmarks.simulation import framework
from benchmarks.tables import Table, count, percent, ratio, seconds

DOOR = Door("127.0.7.1", 2022, "admin", "/keys/a key", "/keys/known_hosts-1")


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


# Contests


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """A file for two hosts."""
    source = tmp_path / "payload"
    source.write_bytes(b"what is sent")
    other = Door("127.0.7.2", 2022, "admin", "/keys/b", "/keys/known_hosts-2")
    return Trial((DOOR, other), source, tmp_path / "arrived")


def contender(wall: float, cpu: float, memory: int, content: bytes = b"what is sent") -> Entry:
    """Brings this content to each host, at this cost."""

    def entry(trial: Trial) -> Usage:
        for door in trial.to:
            Path(target_of(trial.folder, door.host)).write_bytes(content)
        return Usage(wall, cpu, memory, "")

    return entry


def rows(table: Table) -> Iterable[list[str]]:
    return [list(row) for row in table.rows]


def test_a_contest_shows_what_each_took_and_how_many_times_mk8s_that_is(trial: Trial) -> None:
    """Wall, CPU and memory: the three that the aims are about."""
    entries = {"mk8s": contender(2, 1, 20 << 20), "peer": contender(3, 4, 10 << 20)}
    assert rows(contest("push", trial, 1, entries)) == [
        ["mk8s", "2.00 s", "1.00 s", "20 MiB", "1.00", "1.00", "1.00"],
        ["peer", "3.00 s", "4.00 s", "10 MiB", "1.50", "4.00", "0.50"],
    ]


def test_a_contest_leaves_nothing_of_one_contender_to_the_next(trial: Trial) -> None:
    """Who finds the file would skip it."""
    contest("push", trial, 2, {"mk8s": contender(1, 1, 1)})
    assert not trial.folder.exists()


def test_a_peer_that_brings_less_is_named_and_has_no_row(trial: Trial) -> None:
    """A figure of work that was not done is none."""
    table = contest("push", trial, 1, {"mk8s": contender(1, 1, 1), "peer": contender(1, 1, 1, b"what")})
    assert [row[0] for row in table.rows] == ["mk8s"]
    assert table.notes == ["peer: not measured: 0 of 2 files arrived"]


def test_a_peer_that_cannot_be_run_is_named_with_its_last_words(trial: Trial) -> None:
    """And the others go on."""

    def missing(_trial: Trial) -> Usage:
        raise NotMeasuredError("peer: exit status 1\nTraceback\nno module is called peer\n")

    table = contest("push", trial, 2, {"missing": missing, "mk8s": contender(1, 1, 1)})
    assert [row[0] for row in table.rows] == ["mk8s"]
    assert table.notes == ["missing: not measured: peer: exit status 1: no module is called peer"]


def test_without_mk8s_there_is_no_contest(trial: Trial) -> None:
    """All ratios are to it."""
    with pytest.raises(NotMeasuredError, match="0 of 2 files arrived"):
        contest("push", trial, 1, {"mk8s": contender(1, 1, 1, b"what"), "peer": contender(1, 1, 1)})


# How the peers in pushing are called


@pytest.mark.parametrize(("check", "sums"), [(False, 0), (True, 1 + 2)])
def test_scp_copies_to_each_host_and_hashes_only_where_asked(trial: Trial, check: bool, sums: int) -> None:
    """Once here, and once on each host: alone, it checks nothing."""
    stubs = """\
scp() { echo copied >>"$count"; }
ssh() { echo hashed >>"$count"; echo sum; }
sha256sum() { echo hashed >>"$count"; echo sum; }
"""
    count = trial.source.with_name("count")
    script = f"count={count}\n{stubs}{scp_script(trial, count.parent, check=check)}"
    subprocess.run(["sh", "-c", script], check=True)
    said = count.read_text().split()
    assert (said.count("copied"), said.count("hashed")) == (len(trial.to), sums)


def test_a_shell_of_copies_fails_where_one_failed(trial: Trial, tmp_path: Path) -> None:
    """Nobody listens at these doors, or the program is not there: either is no figure."""
    with pytest.raises(NotMeasuredError, match="exit status"):
        measure(["sh", "-c", scp_script(trial, tmp_path, check=False)])


def test_ansible_logs_in_by_the_same_door_as_the_others() -> None:
    """Its key, its port, its known host, and nothing of the machine's own configuration."""
    line = ansible_host(DOOR)
    assert line.startswith("127.0.7.1 ansible_port=2022 ansible_user=admin ")
    for part in ("-F none", "/keys/a key", "UserKnownHostsFile=/keys/known_hosts-1"):
        assert part in line


LEAVES_ONE = """\
import os, signal, sys, time
here, there = os.pipe()
if os.fork() == 0:
    os.setsid()
    for number in (0, 1, 2):
        os.close(number)
    while time.process_time() < 0.3:
        pass
    os.write(there, b"busy no more")
    signal.pause()
os.read(here, 1)
sys.exit(int(sys.argv[1]))
"""  # as Ansible's master connections: it works, and stays when its parent has ended
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to an ancestor")


def leaving_one(status: int) -> list[str]:
    return [sys.executable, "-I", leftovers.__file__, sys.executable, "-I", "-c", LEAVES_ONE, str(status)]


@linux_only
def test_what_a_program_leaves_running_is_ended_and_its_cpu_counted() -> None:
    """Else the CPU of Ansible's master connections, which do the sending, would be in no figure."""
    assert measure(leaving_one(0)).cpu >= 0.3


@linux_only
def test_the_exit_status_behind_leftovers_is_the_programs_own() -> None:
    """So that a failed peer has no row."""
    with pytest.raises(NotMeasuredError, match="exit status 3"):
        measure(leaving_one(3))
