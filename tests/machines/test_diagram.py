"""The pictures: everything that can happen is drawn, and no name can break the drawing."""

from __future__ import annotations

import re
import shutil
import subprocess

import msgspec
import pytest

from machines.diagrams.dot import dot
from machines.diagrams.mermaid import mermaid
from machines.spec import MachineSpec
from machines.table import Table
from tests.machines.test_table import GUARDS, SPEC


@pytest.fixture
def table() -> Table:
    return Table(SPEC, GUARDS)


def drawn_by_dot(text: str) -> str:
    """What graphviz understood: its plain output, one line a node or edge."""
    program = shutil.which("dot")
    if program is None:
        pytest.skip("graphviz is not installed: nothing here can say whether its `dot` reads the drawing")
    done = subprocess.run(
        [program, "-Tplain"], input=text, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


MERMAID = """\
stateDiagram-v2
  state "new" as s0
  state "waiting" as s1
  state "join" as s2
  state "parked" as s3
  state "join" as s4
  state "running" as s5
  state "failed" as s6
  state "quarantined" as s7
  [*] --> s0
  s0 --> s1 : hold
  s1 --> s3 : park<br/>if not is_server
  s1 --> s2 : if is_server
  s3 --> s4 : if is_server
  s2 --> s5
  s4 --> s5
  s2 --> s7 : on exit
  s2 --> s6 : on any failure
  s4 --> s7 : on exit
  s4 --> s6 : on any failure
  s2 --> s2 : again on connection.refused#58; 2 tries, after 1s<br/>again on connection, timeout#58; until the deadline, after 1s
  s4 --> s4 : again on connection.refused#58; 2 tries, after 1s<br/>again on connection, timeout#58; until the deadline, after 1s
  s5 --> [*]
  s6 --> [*]
  s7 --> [*]
  classDef flight fill:#eef3fb,stroke:#7a8ba8,stroke-dasharray:4 3
  class s2,s4 flight
  classDef success fill:#e3f4e3,stroke:#2e7d32,stroke-width:2px
  class s5 success
  classDef failure fill:#fbe6e6,stroke:#b3261e,stroke-width:2px
  class s6,s7 failure
"""  # noqa: E501 - a drawing is compared as a whole


def test_mermaid_shows_every_way_through_the_table(table: Table) -> None:
    """States, in-flight states, conditions, retries, catches and outcomes: the whole text."""
    assert mermaid(table) == MERMAID


def test_dot_is_understood_by_graphviz_and_shows_as_many_ways(table: Table) -> None:
    """One node a state and one for the start; the same arrows as mermaid's, less those to its end."""
    plain = drawn_by_dot(dot(table)).splitlines()
    assert sum(line.startswith("node ") for line in plain) == len(table.states) + 1
    arrows = [line for line in MERMAID.splitlines() if "-->" in line and not line.endswith("--> [*]")]
    assert sum(line.startswith("edge ") for line in plain) == len(arrows)


def test_signals_limits_and_times_are_written_where_they_hold() -> None:
    """An arrow says what opens the edge; the in-flight state says how long it may take."""
    text = """{"machine": "m", "version": 1, "initial": "a",
      "states": {"a": {}, "z": {"outcome": "success"}, "x": {"outcome": "failure"}},
      "signals": {"go": {"role": ["r"], "state": "z"}}, "limits": {"slots": 2},
      "edges": [{"name": "work", "from": "a", "to": "z", "signal": "go", "do": "work", "limit": "slots",
        "timeout": 90, "deadline": 7200, "retry": [{"match": ["t"], "delay": 0.5, "attempts": 3}],
        "catch": [{"match": ["*"], "to": "x", "rollback": true}]}]}"""
    drawing = mermaid(Table(msgspec.json.decode(text, type=MachineSpec), {}))
    assert 'state "work<br/>90s a try, 2h in all" as s1' in drawing
    assert "s0 --> s1 : on go<br/>limit slots 2\n" in drawing
    assert "s1 --> s1 : again on t#58; 3 tries, after 500ms\n" in drawing
    assert "s1 --> s3 : on any failure<br/>roll back\n" in drawing


def test_counts_stand_behind_the_names_of_their_states(table: Table) -> None:
    """In-flight states are counted by themselves; a state without a count has no number."""
    counts = {"waiting": 3, "waiting~join": 0}
    drawing = mermaid(table, counts)
    assert 'state "waiting (3)" as s1' in drawing
    assert 'state "join (0)" as s2' in drawing
    assert 'state "join" as s4' in drawing
    assert "waiting (3)" in drawn_by_dot(dot(table, counts))


HOSTILE = [
    'a"b',
    "a\\",
    "a;b",
    "a:b",
    "a#b",
    "a\nb",
    "<b>",
    "{a}",
    "end",
    "note",
    "a--b",
    "%%a",
    "Ärger",
    "a|b",
    "][",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_can_break_a_drawing(name: str) -> None:
    """Documents cannot say such names; specs that a program builds can."""
    states = {**SPEC.states, name: SPEC.states["new"]}
    edge = msgspec.structs.replace(SPEC.edges[0], name=name, to=name)
    table = Table(
        msgspec.structs.replace(SPEC, machine=name, states=states, edges=[edge, *SPEC.edges]), GUARDS
    )
    assert sum(line.startswith("node ") for line in drawn_by_dot(dot(table)).splitlines()) >= len(
        table.states
    )
    for line in mermaid(table).splitlines():
        label = re.search(r'"(.*)" as|(?<= : )(.*)$', line)
        assert not label or not re.search(r'["\\{}<>%|:]', re.sub("#\\d+;|<br/>", "", label[1] or label[2]))
