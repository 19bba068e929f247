"""Processes that cannot be taken for others, and commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mk8s.lab.errors import LabError, UnfitError
from mk8s.lab.processes import Process, find_process, parse_start, run, send_signal

LINE = "4711 ({name}) {state} 1 4711 4711 0 -1 4194560 0 0 0 0 3 2 0 0 20 0 1 0 987654 1000 200 0 0"

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_the_start_time_is_found_whatever_the_process_calls_itself() -> None:
    """A program may put blanks and brackets into its name."""
    assert parse_start(LINE.format(name="x) Z 1 (", state="S")) == 987654


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_zombie_does_not_run(state: str) -> None:
    """The machine's process 1 may leave one for seconds."""
    assert parse_start(LINE.format(name="init", state=state)) is None


@linux
def test_a_process_is_itself_only_with_its_start_time() -> None:
    """The number alone may belong to somebody else by now."""
    me = find_process(os.getpid())
    assert me is not None
    assert me.runs
    assert not Process(me.pid, me.started - 1).runs


@linux
def test_a_signal_is_not_sent_to_a_stranger_with_the_same_number() -> None:
    """The stranger here is this test, which would not live to say so."""
    me = find_process(os.getpid())
    assert me is not None
    send_signal(Process(me.pid, me.started + 1))
    assert find_process(os.getpid()) == me


@linux
def test_a_signal_ends_the_process_it_is_meant_for() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        process = find_process(child.pid)
        assert process is not None
        send_signal(process)
        assert child.wait(60) == -9


@linux
def test_a_process_is_found_whatever_bytes_its_name_has() -> None:
    """The kernel cuts names after fifteen bytes, also in the middle of a letter."""
    code = "open('/proc/self/comm', 'wb').write('fünfzehn Byte–'.encode()); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        assert b"\xe2" in Path(f"/proc/{child.pid}/comm").read_bytes()
        assert find_process(child.pid) is not None
        child.communicate(b"\n")


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(LabError, match="ended with 3") as caught:
        run(["sh", "-c", "echo no space >&2; exit 3"])
    assert caught.value.cause == "no space"


def test_a_failure_that_is_expected_is_an_answer() -> None:
    assert run(["sh", "-c", "exit 3"], check=False).returncode == 3


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(UnfitError, match="`no-such-program` is not installed"):
        run(["no-such-program"])
