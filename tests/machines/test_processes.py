"""Real processes on a real clock: killed at once, interrupted once, interrupted twice."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from machines.files import read_journal
from machines.fold import fold
from tests.machines.groups import table


@contextmanager
def child(folder: Path, seconds: float = 0.01, grace: float = 0.0) -> Iterator[subprocess.Popen[str]]:
    """The program of `tests.machines.child`, gone when the block ends."""
    words = [sys.executable, "-m", "tests.machines.child", str(folder), str(seconds), str(grace)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_record(process: subprocess.Popen[str], number: int) -> None:
    """Return when the child has appended this record, or has ended."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line.split()[0]) >= number:
            return


def wait_for_kind(process: subprocess.Popen[str], kind: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.split()[1] == kind:
            return


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and everything that was said on standard error."""
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def states(folder: Path) -> dict[str, str]:
    history = fold(read_journal(folder), table())
    assert history is not None
    return {name: life.state for name, life in history.lives.items()}


def effects(folder: Path) -> list[tuple[str, str, str, int]]:
    """(begin or effect, node, edge, attempt), in order."""
    lines = (folder / "effects").read_text().splitlines()
    return [(what, node, edge, int(attempt)) for what, node, edge, attempt in map(str.split, lines)]


@pytest.mark.parametrize("step", [11, 13, 16])
def test_a_run_killed_again_and_again_comes_home(tmp_path: Path, step: int) -> None:
    """kill -9 every few records: no effect without its intent, and no join done twice."""
    for kills in range(1, 20):
        with child(tmp_path) as process:
            wait_for_record(process, kills * step)
            process.kill()
        if set(states(tmp_path).values()) == {"home"}:
            break
    assert set(states(tmp_path).values()) == {"home"}
    intents = {(r.node, r.edge, r.attempt) for r in read_journal(tmp_path) if r.kind == "intent"}
    assert {
        (node, edge, attempt) for what, node, edge, attempt in effects(tmp_path) if what == "begin"
    } <= intents
    joins = Counter((n, e) for what, n, e, _ in effects(tmp_path) if what == "effect" and e != "build")
    assert set(joins.values()) == {1}


def test_ctrl_c_lets_what_runs_end_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """Exit status 130; every action that ran has ended; nothing is said on standard error."""
    with child(tmp_path, seconds=math.inf, grace=60.0) as process:
        wait_for_kind(process, "intent")
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "")
    assert set(states(tmp_path).values()) <= {"new", "built"}
    assert "built" in states(tmp_path).values()
    with child(tmp_path) as process:
        assert ended(process) == (0, "")
    assert set(states(tmp_path).values()) == {"home"}


def test_after_the_grace_period_ctrl_c_cancels_what_runs(tmp_path: Path) -> None:
    """The journal says that it was stopped in the middle."""
    with child(tmp_path, seconds=60.0, grace=0.05) as process:
        wait_for_kind(process, "intent")
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "")
    assert [record.kind for record in read_journal(tmp_path)].count("stopped") >= 2


def test_a_second_signal_ends_the_run_at_once(tmp_path: Path) -> None:
    """Without the grace period, and with its journal whole."""
    with child(tmp_path, seconds=60.0, grace=60.0) as process:
        wait_for_kind(process, "intent")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (130, "")
    assert read_journal(tmp_path)[-1].kind == "stopped"
