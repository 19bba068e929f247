"""mk8s.simulating.scenario: scenario files are read strictly, with the place of every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from machines import DocumentError
from machines.simulation import FAULT_KINDS
from mk8s.errors import UsageError
from mk8s.simulating.happenings import WHATS
from mk8s.simulating.scenario import (
    ExpectForm,
    FaultForm,
    RatesForm,
    ScenarioForm,
    WhenForm,
    load_scenario,
    parse_scenario,
    shipped_scenarios,
)

HEAD = "scenario: bad-day\nfaults:\n"


def refused(text: str) -> list[tuple[int, int, str, str]]:
    """Line, column, words and hint of every mistake."""
    with pytest.raises(DocumentError) as caught:
        parse_scenario(text, "bad-day.yaml")
    return [(fault.line, fault.column, fault.message, fault.hint) for fault in caught.value.faults]


def test_a_scenario_says_who_what_and_when() -> None:
    """All keys of a fault at a moment."""
    text = HEAD + (
        "  - node: server[1]\n    what: power-off\n    when: {edge: join-server, is: done}\n"
        "    after: 10s\n    for: 5m\n"
    )
    fault = parse_scenario(text, "x").faults[0]
    assert (fault.node, fault.what, fault.after, fault.for_) == ("server[1]", "power-off", 10.0, 300.0)
    assert fault.when is not None
    assert (fault.when.edge, fault.when.is_, fault.when.node) == ("join-server", "done", None)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("{node: primary, what: drop}", "drop meets an operation, and none is named", "operation"),
        ("{node: primary, what: reboot}", "it needs a moment", "at: 4m"),
        ("{node: primary, what: reboot, at: 1m, for: 1m}", "a reboot takes as long", "power-off"),
        ("{node: primary, what: slow-link, at: 1m}", "slow-link needs a `rate`", "2MB/s"),
        ("{node: primary, what: power-off, at: 1m, rate: 1MB/s}", "power-off has no `rate`", "slow-link"),
        ("{node: primary, what: uplink-down, at: 1m}", "is of the operator's link", "remove it"),
        ("{what: power-off, at: 1m}", "the key 'node' is missing", "agents[0:3]"),
        ('{node: "agents[", what: power-off, at: 1m}', "'agents[' names no nodes", "server[1]"),
        ("{node: primary, what: cable-out, operation: x.y}", "has a moment", "`at` or `when`"),
        ("{node: primary, what: drop, operation: x.y, at: 1m}", "'at' is of faults at a moment", "remove"),
        ("{node: primary, what: reboot, at: 1m, fraction: 0.2}", "'fraction' is of faults that", "operation"),
        ("{node: primary, what: reboot, at: 1m, after: 1s}", "'after' counts from `when`", "`at`"),
        ("{node: primary, what: reboot, when: {edge: join-sever}}", "no edge 'join-sever'", "join-server"),
        ("{node: primary, what: port-taken, at: 1m}", "`port` belongs to port-taken", "6443"),
        ("{what: uplink-down, when: {edge: stage}}", "the key 'node' is missing", "whose edge"),
        ("{node: primary, what: rebot, at: 1m}", "found 'rebot'", "did you mean 'reboot'?"),
        ("{node: primary, what: slow-link, at: 1m, rate: fast}", "expected a rate such as 20MB/s", ""),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place_and_a_hint(line: str, message: str, hint: str) -> None:
    """A person can mend it without looking anything up."""
    found = refused(f"{HEAD}  - {line}\n")
    assert len(found) == 1
    assert found[0][0] == 3
    assert message in found[0][2]
    assert hint in found[0][3]


def test_chances_that_are_more_than_certain_are_refused() -> None:
    """All kinds together."""
    found = refused("scenario: x\nrates:\n  - kinds: {drop: 0.6, slow: 0.6}\n")
    assert [(line, words) for line, _, words, _ in found] == [(3, "together these chances are more than 1")]


def test_every_mistake_is_told_at_once() -> None:
    """In the order of the file."""
    found = refused(HEAD + "  - {node: primary, what: drop}\n  - {node: '[', what: reboot, at: 1s}\n")
    assert [line for line, *_ in found] == [3, 4]


def test_a_name_that_is_not_shipped_is_refused_with_those_that_are() -> None:
    """The nearest one is named."""
    with pytest.raises(
        UsageError, match=r"no scenario 'slow-upling' is shipped\nhint: did you mean 'slow-uplink'"
    ):
        load_scenario("slow-upling")


def test_a_file_of_ones_own_is_named_by_its_path(tmp_path: Path) -> None:
    """Its mistakes carry its name."""
    file = tmp_path / "mine.yaml"
    file.write_text("scenario: mine\ntitel: x\n")
    with pytest.raises(UsageError, match=r"mine.yaml:2:1: titel: the key 'titel' is not known"):
        load_scenario(str(file))


def test_a_file_that_is_there_is_read_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To hear that no such scenario is shipped helps nobody who sees the file."""
    monkeypatch.chdir(tmp_path)
    Path("mine").write_text("scenario: mine\nfaults: []\n")
    assert load_scenario("mine").scenario == "mine"


def test_another_kind_of_file_is_told_as_what_it_is(tmp_path: Path) -> None:
    """Not by where its YAML is wrong."""
    file = tmp_path / "page.html"
    file.write_text("<!doctype html>\n<title>a: b: c</title>\n")
    with pytest.raises(
        UsageError, match=r"page.html is no scenario: it is a page for a browser\nhint: name a"
    ):
        load_scenario(str(file))


def test_every_shipped_scenario_has_its_own_name_a_title_a_reason_and_an_expectation() -> None:
    """So each of them is a test, and says of what."""
    for name, path in shipped_scenarios().items():
        form = parse_scenario(path.read_bytes(), str(path))
        assert form.scenario == name
        assert form.title
        assert form.about
        assert form.expect is not None


def documented() -> str:
    return (Path(__file__).parents[3] / "docs" / "simulation.md").read_text()


def test_every_shipped_scenario_stands_in_the_documentation_with_its_title() -> None:
    """Who looks for a fear finds it there."""
    text = documented()
    for name, path in shipped_scenarios().items():
        assert f"| `{name}` | {parse_scenario(path.read_bytes(), str(path)).title} |" in text


def test_every_key_stands_in_the_documentation() -> None:
    """Of all forms."""
    text = documented()
    for form in (ScenarioForm, FaultForm, RatesForm, ExpectForm, WhenForm):
        for key in form.__struct_encode_fields__:
            assert f"`{key}`" in text or f".{key}`" in text or f"{key}:" in text, key


def test_every_kind_of_fault_stands_in_the_documentation() -> None:
    """Those of operations, and those of moments."""
    text = documented()
    for what in (*FAULT_KINDS, *WHATS):
        assert f"`{what}`" in text, what
