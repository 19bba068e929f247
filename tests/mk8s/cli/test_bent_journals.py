"""Verbs over journals that somebody bent, checksums renewed: an answer, or a plain refusal; no traceback.

A checksum proves nothing about who wrote a line. Every kind of record of a simulated run is bent: other
types, states, edges, kinds and numbers, fields that are missing, records out of order, gone or doubled.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machines.framing import parse
from machines.records import encode
from machines.simulation import ScriptedFault
from mk8s.cli import main
from mk8s.contradictions import faults_in
from mk8s.errors import Mk8sError
from mk8s.past import past_of
from mk8s.project import Project, load_project
from mk8s.session import open_journal, trusted_states
from tests.mk8s.cli.recorded import as_real, keep, manifest_in, run_of

Raw: TypeAlias = dict[str, Any]

FULL = ScriptedFault("srv-3", "file.append", "disk-full", attempt=None)
DROP = ScriptedFault("srv-2", "rke2.unit", "drop", attempt=1)
DEEP: list[Any] = []
for _ in range(30):
    DEEP = [DEEP]
NAMES = ["srv-1", "srv-2", "agent-1", "nobody", "", "\x1b[2J"]
STATES = ["", "pending", "pending~stage", "waiting~join-server", "running", "healthy", "failed", "nope", "~"]
EDGES = ["", "stage", "start-primary", "join-server", "verify", "nope"]
NUMBERS = [0, 1, 2, 99, 10**9, 10**18, 1e15, 1e300, -1, 0.5, 10**40]
EVIDENCE = [
    {},
    {"members": 5},
    {"members": [1, None]},
    {"members": ["nobody"], "have": {}, "need": None},
    {"changed": "x", "seen": 5},
    {"changed": 3, "uploaded": "lots", "handed_on": []},
    {"changed": 0, "seen": {"a": 1}},
    {"changed": True, "uploaded": -1, "seen": [None]},
]
KINDS = [
    "header", "state", "probed", "intent", "done", "error", "retry", "undo", "undone", "signal", "lost",
    "budget", "blocked", "stopped", "resumed", "finished", "dance",
]  # fmt: skip
OTHER: dict[str, Sequence[Any]] = {
    "seq": NUMBERS,
    "at": NUMBERS,
    "kind": KINDS,
    "node": NAMES,
    "edge": EDGES,
    "attempt": NUMBERS,
    "source": STATES,
    "to": STATES,
    "evidence": EVIDENCE,
    "found": [True, False],
    "lineage": [[], ["exit.1", "exit"], [""]],
    "message": ["", "m", "\x1b[2J", "a\nb"],
    "remedy": ["", "r\nq"],
    "ambiguous": [True, False],
    "clause": [-1, 0, 99, -5],
    "delay": NUMBERS,
    "used": NUMBERS,
    "undo": ["", "stop_unit", "nope"],
    "signal": ["", "primary-ready", "nope"],
    "reason": ["", "why\x1b"],
    "header": [None, {}, {"schema": 2}, {"schema": 1, "machine": "node", "version": 1, "machine_digest": ""}],
}
TYPES = ["", "x", 7, -1.5, True, None, [], ["x"], {}, {"a": {"b": [1]}}]
MEMBERS = [[], [["srv-1", "agent"]], [["srv-1", "primary"], ["srv-1", "server"]], [["zz", "boss"]], 5]
READING = [
    ["journal", "--errors", "--steps"],
    ["replay", "--at", "10m"],
    ["replay"],
    ["explain"],
    ["explain", "srv-3"],
    ["explain", "agent-1", "--output", "json"],
    ["explain", "srv-2", "join-server"],
    ["status"],
    ["graph", "--run"],
    ["graph", "--sequence"],
    ["report", "--no-prediction", "--out", "-"],
]
BUILDING = [["simulate", "--from-state"], ["plan", "--seeds", "1"]]


class Bench:
    """A cluster's folder, into whose journal anything can be put."""

    def __init__(self, folder: Path) -> None:
        self.manifest = manifest_in(folder)
        self.project: Project = load_project(self.manifest)
        records = as_real(run_of(self.manifest, FULL, DROP).records)
        self.whole: list[Raw] = [json.loads(encode(record)) for record in records]
        self.file = keep(self.manifest, [])

    def put(self, records: Sequence[Raw]) -> None:
        self.file.write_bytes(b"".join(map(line, records)))

    def call(self, verb: str, *words: str) -> tuple[int, str]:
        """The exit code, and what was said on stderr."""
        said = io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(said):
            return main([verb, str(self.manifest), *words]), said.getvalue()


def line(raw: Raw) -> bytes:
    """With a checksum that fits."""
    data = json.dumps(raw).encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bent"))


def renumbered(records: Sequence[Raw]) -> list[Raw]:
    return [{**raw, "seq": number} for number, raw in enumerate(records, 1)]


@st.composite
def bends(draw: st.DrawFn, whole: Sequence[Raw]) -> list[Raw]:
    """The journal, cut where it likes, with one to three bends in it."""
    records = [dict(raw) for raw in whole[: draw(st.integers(2, len(whole)))]]
    for _ in range(draw(st.integers(1, 3))):
        _bend(draw, records)
    return renumbered(records) if draw(st.integers(0, 9)) else records


def _bend(draw: st.DrawFn, records: list[Raw]) -> None:
    place = draw(st.integers(0, len(records) - 1))
    how = draw(
        st.sampled_from(["value", "value", "value", "type", "member", "less", "gone", "twice", "swap"])
    )
    raw = records[place]
    if how == "value":
        field = draw(st.sampled_from(sorted(OTHER)))
        raw[field] = draw(st.sampled_from(OTHER[field]))
    elif how == "type":
        raw[draw(st.sampled_from(sorted(raw)))] = draw(st.sampled_from(TYPES))
    elif how == "member" and isinstance(records[0].get("header"), dict):
        records[0]["header"] = {**records[0]["header"], "members": draw(st.sampled_from(MEMBERS))}
    elif how == "less":
        del raw[draw(st.sampled_from(sorted(raw)))]
    elif how == "gone" and len(records) > 1:
        del records[place]
    elif how == "twice":
        records.insert(place, dict(raw))
    elif how == "swap":
        other = draw(st.integers(0, len(records) - 1))
        records[place], records[other] = records[other], records[place]


def refuse_traceback(code: int, said: str, words: object) -> None:
    assert code in (0, 1, 2), (words, said)
    assert "Traceback" not in said


QUICK = settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(QUICK, max_examples=40)
@given(data=st.data())
def test_no_verb_that_reads_ends_in_a_traceback(bench: Bench, data: st.DataObject) -> None:
    """Each answers, or refuses in words with exit code 1 or 2."""
    bench.put(data.draw(bends(bench.whole)))
    for words in READING:
        refuse_traceback(*bench.call(*words), words)


@settings(QUICK, max_examples=12)
@given(data=st.data())
def test_no_verb_that_simulates_from_it_ends_in_a_traceback(bench: Bench, data: st.DataObject) -> None:
    """Nor is it said that mk8s broke a law of its own."""
    bench.put(data.draw(bends(bench.whole)))
    for words in BUILDING:
        code, said = bench.call(*words)
        refuse_traceback(code, said, words)
        assert "repeat it: " not in said


def refusal(bench: Bench) -> str:
    """What a run says before it asks a node; empty: it goes on."""
    try:
        with open_journal(bench.project.state()) as journal:
            trusted_states(journal, bench.project.cluster, str(bench.manifest))
    except Mk8sError as error:
        return str(error)
    return ""


@settings(QUICK, max_examples=60)
@given(data=st.data())
def test_a_run_goes_on_from_it_or_refuses_it_before_any_node_is_asked(
    bench: Bench, data: st.DataObject
) -> None:
    """Whatever is refused is left as it is. What it goes on from is no contradiction."""
    bench.put(data.draw(bends(bench.whole)))
    before = bench.file.read_bytes()
    said = refusal(bench)
    if said:
        assert str(bench.file) in said
        assert "\nhint: " in said or "begin anew" in said
    else:
        assert bench.call("replay", "--at", "1m")[0] == 0
    assert bench.file.read_bytes() == before


@pytest.mark.parametrize(
    ("bent", "told"),
    [
        (b'{"seq":2,"at":0,"kind":"finished","message":"\xff"}', "can't decode byte 0xff"),
        (
            b'{"seq":2,"at":0,"kind":"done","evidence":{"a":' + b"[" * 99999 + b"]" * 99999 + b"}}",
            "recursion",
        ),
        (b'{"seq":2,"at":-1,"kind":"finished"}', "Expected `float` >= 0"),
        (b'{"seq":2,"at":1e300,"kind":"finished"}', "Expected `float` <= 1000000000000000"),
        (b'{"seq":2,"at":1e999,"kind":"finished"}', "Number out of range"),
        (b'{"seq":2,"at":0,"kind":"finished","message":"\\ud800"}', "does not understand the record"),
        (b'{"seq":3,"at":0,"kind":"finished"}', "record 3 follows record 1"),
    ],
    ids=["no text", "nested", "negative", "huge", "infinite", "half a letter", "left out"],
)
def test_bytes_that_are_no_record_are_damage_with_their_place(bench: Bench, bent: bytes, told: str) -> None:
    """What, where, why, what to do."""
    bench.file.write_bytes(line(bench.whole[0]) + b"%08x %s\n" % (zlib.crc32(bent), bent))
    code, said = bench.call("journal")
    assert code == 1
    assert f"{bench.file}: damaged at byte {len(line(bench.whole[0]))}: " in said
    assert told in said
    assert "\nhint: put back a copy of the file" in said


@pytest.mark.parametrize("words", [["status"], ["explain"], ["replay"], ["simulate", "--from-state"]])
def test_a_journal_of_a_newer_version_is_told_as_such(bench: Bench, words: list[str]) -> None:
    """It is not damaged, and whoever cut it there would lose what was done."""
    bent = [{**bench.whole[0], "header": {**bench.whole[0]["header"], "program": "9.9.0"}}, bench.whole[1]]
    bench.put([bent[0], {**bent[1], "mood": "good"}])
    code, said = bench.call(*words)
    assert code == 1
    assert (
        f"error: {bench.file}: a newer version than this one wrote it: at byte {len(line(bent[0]))}: " in said
    )
    assert "unknown field `mood`" in said
    assert "\nhint: use the version that wrote it (9.9.0), or a newer one; nothing is damaged" in said
    assert refusal(bench) in said


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        ({"kind": "done"}, "a record of kind 'done' has to say its node and its edge"),
        ({"kind": "error", "node": "srv-1", "edge": "stage"}, "has to say its lineage"),
        ({"kind": "state", "edge": "stage", "source": "pending", "to": "staged"}, "has to say its node"),
        ({"kind": "signal", "signal": "primary-ready", "evidence": {"members": 5}}, "are no list of names"),
        ({"kind": "lost", "signal": "primary-ready", "evidence": {"members": [1]}}, "are no list of names"),
        ({"kind": "budget", "evidence": {"a": DEEP}}, "its evidence is nested without end"),
        ({"kind": "finished", "node": "srv-1"}, "a record of kind 'finished' is of the whole run"),
        ({"kind": "resumed"}, "says which node continues"),
        ({"kind": "blocked", "node": "nobody", "reason": "x"}, "is of node 'nobody', which no header names"),
        ({"kind": "intent", "node": "srv-1", "edge": "nope", "attempt": 1}, "says edge 'nope' (record 2)"),
    ],
    ids=["done", "error", "state", "signal", "lost", "deep", "finished", "resumed", "nobody", "edge"],
)
def test_a_record_that_no_run_writes_is_refused_with_its_number(bench: Bench, bend: Raw, told: str) -> None:
    """By every verb in the same words, since one place asks."""
    bench.put([bench.whole[0], {"seq": 2, "at": 0.0, **bend}])
    for words in ("explain", "status", "journal"):
        code, said = bench.call(words)
        assert code == 1
        assert told in said
        assert "record 2" in said
        assert f"error: {bench.file}: " in said
        assert "\n  because no run of this mk8s (" in said
        assert "\nhint: use the mk8s that wrote it, or put back a copy of the file" in said
    assert told in refusal(bench)


def test_nothing_is_learnt_from_a_record_that_no_run_writes(bench: Bench) -> None:
    """The run may be one of another version, and of another cluster: its records say what they have to."""
    (bench.file.parent.parent / "manifest.yaml").write_text(bench.manifest.read_text())
    bench.put([bench.whole[0], {"seq": 2, "at": 0.0, "kind": "signal", "evidence": {"members": 5}}])
    code, said = bench.call("simulate", "--learn")
    assert code == 1
    assert f"error: {bench.file}: record 2 " in said
    assert "a record of kind 'signal' has to say its signal" in said


def test_records_that_contradict_each_other_are_no_beginning(bench: Bench) -> None:
    """An effect that nobody began: what follows from it would mean nothing."""
    begun = next(at for at, raw in enumerate(bench.whole) if raw["kind"] == "intent")
    bench.put(renumbered([raw for at, raw in enumerate(bench.whole) if at != begun]))
    code, said = bench.call("simulate", "--from-state")
    assert code == 1
    assert f"{bench.file} contradicts itself: no simulation can go on from it" in said
    assert "stage is done, and no attempt of it was begun" in said
    assert f"hint: look at it: mk8s replay {bench.manifest}; put back a copy" in said


def test_a_law_that_the_past_broke_is_none_that_mk8s_breaks(bench: Bench) -> None:
    """A retry of what never failed fits each record before it; a run is held to more."""
    retry = next(at for at, raw in enumerate(bench.whole) if raw["kind"] == "retry")
    assert bench.whole[retry - 1]["kind"] == "error"
    bench.put(renumbered([*bench.whole[: retry - 1], *bench.whole[retry:]]))
    code, said = bench.call("simulate", "--from-state")
    assert code == 1
    assert f"record {retry}: nothing had failed (tries-kept)" in said
    assert bench.call("plan", "--seeds", "1")[0] == 1


def test_a_run_of_its_own_never_contradicts_itself(bench: Bench) -> None:
    """Faults, retries and a blocked node are no contradictions."""
    records = parse(b"".join(map(line, bench.whole))).records
    past = past_of(bench.project, records, bench.file)
    assert past is not None
    assert faults_in(records, past.history.table) == []
