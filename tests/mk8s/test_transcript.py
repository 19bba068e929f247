"""mk8s.transcript: what is read back of a transcript's lines, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mk8s.transcript import beside_journal, is_of_journal, lines_of, read_transcript

BEGUN = json.dumps({"operation": "run", "started": "now"})
STEP: dict[str, Any] = {
    "node": "srv-1", "operation": "step", "kind": "upload", "description": "put it there", "at": 1.0,
    "seconds": 2.5, "status": 0, "bytes": 7, "changed": True,
}  # fmt: skip
COMMAND = {**STEP, "operation": "file.hash"}


def test_steps_and_commands_of_the_run_are_read() -> None:
    """Each as it was written; what another run did is left out."""
    other = json.dumps({"operation": "run", "started": "before"})
    lines = [other, json.dumps(STEP), BEGUN, json.dumps(STEP), json.dumps(COMMAND)]
    found = read_transcript(lines, ["now"])
    assert [(step.title, step.ended) for step in found.steps] == [("put it there", 3.5)]
    assert [command.operation for command in found.commands] == ["file.hash"]


@pytest.mark.parametrize(
    "key", ["node", "description", "at", "seconds", "status", "bytes", "changed", "kind"]
)
@pytest.mark.parametrize("value", ["left out", None, [1], float("nan"), -1.5])
def test_an_entry_that_lacks_something_is_left_out(key: str, value: object) -> None:
    """A file that was changed by hand costs its bad lines, and nobody gets a traceback."""
    odd = {name: held for name, held in {**STEP, key: value}.items() if held != "left out"}
    lines = [BEGUN, json.dumps(odd), json.dumps(STEP)]
    assert len(read_transcript(lines, ["now"]).steps) == 1


@pytest.mark.parametrize("key", ["at", "seconds", "bytes"])
@pytest.mark.parametrize("value", [10**400, 1e300, float("inf")])
def test_numbers_that_no_run_has_are_left_out(key: str, value: float) -> None:
    """They can be added to nothing."""
    assert not read_transcript([BEGUN, json.dumps({**COMMAND, key: value})], ["now"]).commands


@pytest.mark.parametrize("line", ["", "{", "null", "[]", '{"operation": ["a"]}', "[" * 100_000])
def test_a_line_that_is_no_entry_is_left_out(line: str) -> None:
    """Torn by a crash, or nothing that was written here."""
    assert len(read_transcript([BEGUN, line, json.dumps(STEP)], ["now"]).steps) == 1


def test_a_beginning_that_names_no_run_ends_the_one_before() -> None:
    """What follows it cannot be told to be of this run."""
    lines = [BEGUN, json.dumps({"operation": "run", "started": ["now"]}), json.dumps(STEP)]
    assert read_transcript(lines, ["now"]).steps == []


def test_a_simulated_runs_transcript_is_read_back_as_it_was() -> None:
    """Every field of every step and command; its journal has no wall clock to know it by."""
    odd = {**COMMAND, "description": "\x1b[2J\n\udcff", "status": "timeout", "changed": False}
    whole = read_transcript([BEGUN, *map(json.dumps, (STEP, COMMAND, odd))], ["now"])
    lines = list(lines_of(whole, "d1gest"))
    assert read_transcript(lines, [""]) == whole
    assert is_of_journal(lines[0])
    assert is_of_journal(lines[0], "d1gest")
    assert not is_of_journal(lines[0], "other")


@pytest.mark.parametrize("line", ["", "{", "[]", BEGUN, json.dumps(STEP), '{"operation":"run","journal":5}'])
def test_another_first_line_begins_no_transcript_of_a_simulation(line: str) -> None:
    """Neither a real run's, nor anything else that lies there."""
    assert not is_of_journal(line)


def test_the_transcript_has_a_name_beside_its_journal() -> None:
    """With the same ending, so that both are found together."""
    assert beside_journal(Path("a/sim.jsonl")) == Path("a/sim.transcript.jsonl")
    assert beside_journal(Path("sim")) == Path("sim.transcript")
