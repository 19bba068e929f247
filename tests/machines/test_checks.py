"""The static checks: each mistake is told where it stands, and sound machines are left alone."""

from __future__ import annotations

import time

import pytest

from machines.checks import check
from machines.errors import Fault, MachineError
from machines.loading import parse_machine
from machines.registry import Registry
from machines.spec import Catch, EdgeSpec, MachineSpec, StateSpec

MACHINE = """\
machine: example
version: 1
initial: new
states:
  new: {}
  ready: {}
  parked: {}
  done: {outcome: success}
  failed: {outcome: failure}
signals:
  all-ready: {role: [worker], state: ready, at_least: 50%}
limits: {slots: 3}
budgets: {worker: 20%}
edges:
  - name: prepare
    from: new
    to: ready
    guard: [is_awake, '!is_cordoned']
    do: prepare
    args: {fast: true}
    limit: slots
    timeout: 1m
    deadline: 1h
    probe: is_prepared
    retry:
      - {match: [connection.lost], attempts: 3, delay: 2s, backoff: 1.5, max_delay: 10s}
      - {match: [connection, timeout]}
    catch:
      - {match: [disk.full], to: failed, rollback: true}
      - {match: ['*'], to: failed}
    undo: [clean]
  - name: park
    from: ready
    to: parked
    guard: [is_cordoned]
  - name: finish
    from: [ready, parked]
    to: done
    signal: all-ready
"""

LINES = {line.strip(): number for number, line in enumerate(MACHINE.splitlines(), 1)}


def registry() -> Registry:
    names = Registry()

    async def act(_context: object) -> None:
        """Nothing to do."""

    names.actions["prepare"] = act
    names.probes["is_prepared"] = act
    names.undos["clean"] = act
    names.guards |= {"is_awake": bool, "is_cordoned": bool}
    return names


def faults_of(text: str) -> tuple[Fault, ...]:
    with pytest.raises(MachineError) as caught:
        parse_machine(text, "m.yaml", registry())
    return caught.value.faults


def test_a_sound_machine_has_no_faults() -> None:
    """The machine that all rows below break in one place."""
    assert parse_machine(MACHINE, "m.yaml", registry()).machine == "example"


def test_names_in_code_are_checked_only_against_a_registry() -> None:
    """A machine can be drawn and checked without the program that runs it."""
    text = MACHINE.replace("do: prepare", "do: conjure")
    assert parse_machine(text, "m.yaml").edges[0].do == "conjure"


# What is replaced, by what, the line of the one fault (None: of the replaced text), and its words.
# fmt: off
BROKEN: list[tuple[str, str, int | None, str, str]] = [
    ("initial: new", "initial: nwe", None, "there is no state 'nwe'", "did you mean 'new'?"),
    ("version: 1", "version: 0", None, "versions count from 1", ""),
    ("from: new", "from: nev", 16, "there is no state 'nev'", "did you mean 'new'?"),
    ("    to: parked\n", "    to: parkd\n", 34, "there is no state 'parkd'", "did you mean 'parked'?"),
    ("[disk.full], to: failed", "[disk.full], to: fialed", 29, "there is no state 'fialed'",
     "did you mean 'failed'?"),
    ("state: ready,", "state: raedy,", 11, "there is no state 'raedy'", "did you mean 'ready'?"),
    ("signal: all-ready", "signal: al-ready", 39, "there is no signal 'al-ready'",
     "did you mean 'all-ready'?"),
    ("limit: slots", "limit: slot", 21, "there is no limit 'slot'", "did you mean 'slots'?"),
    ("do: prepare", "do: prepair", None, "there is no action 'prepair'", "did you mean 'prepare'?"),
    ("[is_awake,", "[is_awak,", 18, "there is no guard 'is_awak'", "did you mean 'is_awake'?"),
    ("'!is_cordoned'", "'!cordoned'", 18, "there is no guard 'cordoned'", "did you mean 'is_cordoned'?"),
    ("'!is_cordoned'", "'!is_awake'", 18, "never hold together", "this edge could never open"),
    ("'!is_cordoned'", "'!!is_cordoned'", 18, "'!is_cordoned' is not a name", ""),
    ("probe: is_prepared", "probe: is_prepard", None,
     "there is no probe 'is_prepard'", "did you mean 'is_prepared'?"),
    ("undo: [clean]", "undo: [cleen]", None, "there is no undo 'cleen'", "did you mean 'clean'?"),
    ("name: park", "name: prepare", 32, "the edge 'prepare' stands twice", "it is edges[0] already"),
    ("from: [ready, parked]", "from: [ready, parked, done]", None, "'done' is an outcome", ""),
    ("from: [ready, parked]", "from: [ready, parked, ready]", None, "the state 'ready' stands twice",
     "keep one"),
    ("  parked: {}\n", "  parked: {}\n  lost: {}\n", 8, "the state 'lost'", ""),
    ("to: parked", "to: parked\n    timeout: 5s", 35,
     "'timeout' means nothing on edge 'park'", "add 'do', or remove this key"),
    ("to: parked", "to: parked\n    deadline: 5s", 35, "'deadline' means nothing", ""),
    ("to: parked", "to: parked\n    probe: is_prepared", 35, "'probe' means nothing", ""),
    ("to: parked", "to: parked\n    undo: [clean]", 35, "'undo' means nothing", ""),
    ("to: parked", "to: parked\n    limit: slots", 35, "'limit' means nothing", ""),
    ("to: parked", "to: parked\n    args: {a: 1}", 35, "'args' means nothing", ""),
    ("to: parked", "to: parked\n    catch: [{match: ['*'], to: failed}]", 35, "'catch' means nothing", ""),
    ("      - {match: ['*'], to: failed}\n", "", 28, "no catch for '*'", ""),
    ("[disk.full], to", "['*'], to", 30, "'*' never gets here: catch[0] takes '*' before", ""),
    ("[connection.lost]", "[connection]", 27, "'connection' never gets here: retry[0] takes 'connection'",
     ""),
    ("[connection, timeout]", "[connection.lost.by-reset, timeout]", None,
     "retry[0] takes 'connection.lost' before", ""),
    ("[connection.lost]", "['*']", 27, "never gets here: retry[0] takes '*' before", ""),
    ("[connection, timeout]", "[connection, connection]", None, "retry[1] takes 'connection' before", ""),
    ("[disk.full], to", "[], to", 29, "this catch clause matches nothing", ""),
    ("timeout: 1m", "timeout: 2h", None, "one attempt may take 7200 seconds, and all of them only 3600", ""),
    ("timeout: 1m", "timeout: 0", None, "a timeout of 0 seconds leaves no time", ""),
    ("attempts: 3", "attempts: 0", 26,
     "0 attempts are less than one", "attempts count tries: 1 means that nothing is repeated"),
    ("attempts: 3", "attempts: -1", 26, "-1 attempts are less than one", ""),
    ("    deadline: 1h\n", "", 26, "this clause repeats for ever",
     "give it attempts, or the edge a deadline"),
    ("delay: 2s", "delay: -2s", 26, "expected a duration", ""),
    ("backoff: 1.5", "backoff: 0.5", 26, "a backoff of 0.5 shortens the delay", "1 keeps it the same"),
    ("delay: 2s", "delay: 20s", 26, "longer than max_delay, 10", ""),
    ("role: [worker]", "role: []", 11, "this signal counts no role", ""),
    ("50%", "0%", 11, "'0%' is not an amount that can be reached", ""),
    ("50%", "101%", 11, "'101%' is not an amount", ""),
    ("50%", "0", 11, "'0' is not an amount", ""),
    ("50%", "half", 11, "'half' is not an amount", "a count from 1 such as 3, or a share from 1% to 100%"),
    ("50%", "-1", 11, "'-1' is not an amount", ""),
    ("slots: 3", "slots: 0", 12, "a limit of 0 lets nobody through", ""),
    ("worker: 20%", "worker: 120%", 13, "'120%' is not an amount of failures", ""),
    ("worker: 20%", "worker: few", 13, "'few' is not an amount of failures", ""),
    ("done: {outcome: success}", "done: {outcome: failure}", 4, "no state has the outcome success", ""),
    ("    undo: [clean]\n", "", 29, "there is nothing to roll back", "add 'undo' to an edge"),
    ("    guard: [is_cordoned]\n", "", 35, "from 'ready' this edge is never taken", ""),
    ("state: ready,", "state: done,", 11, "the signal 'all-ready' can never come", ""),
    ("    signal: all-ready\n", "", 11, "no edge waits for the signal 'all-ready'", "use it, or remove it"),
    ("    limit: slots\n", "", 12, "no edge uses the limit 'slots'", "use it, or remove it"),
]
# fmt: on


@pytest.mark.parametrize(
    ("old", "new", "line", "words", "hint"),
    BROKEN,
    ids=[f"{row[0].strip()}>{row[1].strip()}"[:50] for row in BROKEN],
)
def test_a_mistake_is_told_at_its_line(old: str, new: str, line: int | None, words: str, hint: str) -> None:
    """One change to the sound machine causes the fault it must cause, and none in any other line."""
    assert MACHINE.count(old) == 1
    if line is None:
        line = next(number for text, number in LINES.items() if old in text)
    faults = faults_of(MACHINE.replace(old, new))
    assert {fault.line for fault in faults} == {line}
    assert words in faults[0].message
    assert hint in faults[0].hint


def chain(*edges: str, signals: str = "") -> str:
    """A machine of the states a, b, c and the outcome z with these edges."""
    head = "machine: m\nversion: 1\ninitial: a\nstates: {a: {}, b: {}, c: {}, z: {outcome: success}}\n"
    return head + signals + "edges:\n" + "".join(f"  - {{{edge}}}\n" for edge in edges)


WHOLE: list[tuple[str, list[str], str, list[tuple[int, str]]]] = [
    (
        "a circle that nothing stops",
        [
            "name: one, from: a, to: b",
            "name: two, from: b, to: c",
            "name: back, from: c, to: b",
            "name: end, from: c, to: z, guard: [g]",
        ],
        "",
        [(7, "nodes would run in a circle for ever: b -> c -> b"), (9, "never taken")],
    ),
    (
        "an edge that leads to its own source",
        [
            "name: one, from: a, to: a",
            "name: two, from: a, to: b",
            "name: three, from: b, to: c",
            "name: four, from: c, to: z",
        ],
        "",
        [(6, "circle for ever: a -> a"), (7, "never taken")],
    ),
    (
        "a circle that a guard may stop has no way to an outcome",
        ["name: one, from: a, to: b, guard: [g]", "name: two, from: b, to: c", "name: three, from: c, to: a"],
        "",
        [(4, "no way from the state 'a'"), (4, "'b'"), (4, "'c'"), (4, "the state 'z' cannot be reached")],
    ),
    (
        "two signals that wait for each other",
        [
            "name: one, from: a, to: b, signal: s",
            "name: two, from: b, to: c, signal: t",
            "name: three, from: c, to: z",
        ],
        "signals:\n  s: {role: [x], state: c}\n  t: {role: [x], state: z}\n",
        [(6, "the signal 's' can never come"), (7, "the signal 't' can never come")],
    ),
    (
        "a signal whose state has another way is fine",
        [
            "name: one, from: a, to: b, guard: [g]",
            "name: two, from: [a], to: b, signal: s",
            "name: three, from: b, to: c",
            "name: four, from: c, to: z",
        ],
        "signals:\n  s: {role: [x], state: c}\n",
        [],
    ),
    (
        "an edge that leaves nothing",
        [
            "name: one, from: [], to: b",
            "name: two, from: a, to: b",
            "name: three, from: b, to: c",
            "name: four, from: c, to: z",
        ],
        "",
        [(6, "leaves no state")],
    ),
    (
        "the same guards and signal, written in another order",
        [
            "name: one, from: a, to: b, guard: [g, h]",
            "name: two, from: a, to: c, guard: [h, g, i]",
            "name: three, from: [a, b, c], to: z",
        ],
        "",
        [(7, "from 'a' this edge is never taken: 'one' is open before it")],
    ),
]


@pytest.mark.parametrize(
    ("edges", "signals", "expected"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE]
)
def test_the_ways_through_a_machine_are_followed(
    edges: list[str], signals: str, expected: list[tuple[int, str]]
) -> None:
    """What only the machine as a whole can say: circles, ends, and signals behind themselves."""
    try:
        parse_machine(chain(*edges, signals=signals), "m.yaml")
        faults: tuple[Fault, ...] = ()
    except MachineError as error:
        faults = error.faults
    assert [fault.line for fault in faults] == [line for line, _ in expected], [
        str(fault) for fault in faults
    ]
    for fault, (_, words) in zip(faults, expected, strict=True):
        assert words in fault.message


def test_mistakes_of_form_and_meaning_are_told_together() -> None:
    """A misspelt key in one edge does not hide a misspelt name in another."""
    text = (
        MACHINE.replace("timeout: 1m", "timeout: soon")
        .replace("signal: all-ready", "signal: al-ready")
        .replace("[worker], state: ready", "[worker], stat: ready")
        .replace("machine: example", "machine: Example")
    )
    assert [(fault.line, fault.path) for fault in faults_of(text)] == [
        (1, "machine"),
        (11, "signals.all-ready.stat"),
        (22, "edges[0].timeout"),
        (39, "edges[2].signal"),
    ]


def test_a_name_that_the_form_refuses_is_told_once() -> None:
    """The form and the checks know the same rule; people hear it from one of them."""
    faults = faults_of(MACHINE.replace("  parked: {}", "  Parked: {}"))
    assert [fault.path for fault in faults] == ["states.Parked", "edges[1].to", "edges[2].from[1]"]


@pytest.mark.parametrize(
    "text", ["", "[]", "edges: 3", "states: 3\nedges: [{}]", "edges: [3]\nstates: {a: 3, b: {}}"]
)
def test_a_document_that_is_hardly_a_machine_is_told_as_such(text: str) -> None:
    """Checks look at what is sound, however little that is."""
    assert all(fault.file == "m.yaml" for fault in faults_of(text))


def test_text_that_is_no_yaml_is_a_machine_error_too() -> None:
    """One exception for everything that can be wrong with a document."""
    (fault,) = faults_of("a: [")
    assert fault.line == 1


def test_a_spec_that_a_program_builds_is_checked_alike() -> None:
    """Such a spec can hold names and numbers that no document can say."""
    spec = MachineSpec(
        machine="m~1",
        version=1,
        initial="a.b",
        states={"a.b": StateSpec(), "end": StateSpec(outcome="success"), "bad": StateSpec(outcome="failure")},
        edges=[
            EdgeSpec(
                name="go~",
                source="a.b",
                to="end",
                do="go",
                timeout=-1,
                catch=[Catch(match=["*"], to="bad")],
            )
        ],
    )
    assert [problem.path for problem in check(spec)] == [
        ("machine",),
        ("edges", 0, "name"),
        ("states", "a.b"),
        ("edges", 0, "timeout"),
    ]


def test_a_machine_of_thousands_of_states_is_checked_in_no_time() -> None:
    """No check walks the whole machine once a state: the bound is many times what is measured."""
    size = 4000
    states = {f"s{n}": StateSpec() for n in range(size)} | {"end": StateSpec(outcome="success")}
    names = list(states)
    edges = [EdgeSpec(name=f"e{n}", source=names[n], to=names[n + 1]) for n in range(size)]
    begun = time.process_time()
    assert check(MachineSpec(machine="m", version=1, initial="s0", states=states, edges=edges)) == []
    assert time.process_time() - begun < 5
