"""The drawn picture, plantuml, what a run did, and a run as messages: from the rows, and unbreakable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from machines.diagrams.dot import dot
from machines.diagrams.drawing import Drawing, Label, Placed
from machines.diagrams.layout import layout
from machines.diagrams.measure import wrapped
from machines.diagrams.mermaid import mermaid
from machines.diagrams.picture import Way, picture_of
from machines.diagrams.plantuml import plantuml
from machines.diagrams.sequence import mermaid_sequence, plantuml_sequence
from machines.diagrams.story import Message, Note, story_of
from machines.diagrams.svg import machine_svg
from machines.diagrams.taken import taken_by
from machines.errors import ActionError
from machines.fold import HistoryError
from machines.loading import load_machine
from machines.records import Record
from machines.registry import Context
from machines.spec import Catch, EdgeSpec, Retry, StateSpec
from machines.table import Table
from tests.machines import groups
from tests.machines.test_diagram import HOSTILE
from tests.machines.test_table import GUARDS, SPEC

NODE = Path(__file__).parents[2] / "specs" / "machines" / "node.yaml"
FAR = "a-state-with-a-name-so-long-that-it-has-to-be-broken-into-several-lines-of-its-box"
ODD = msgspec.structs.replace(
    SPEC,
    states={**SPEC.states, FAR: StateSpec(title="many words " * 12), "back": StateSpec()},
    edges=[
        *SPEC.edges,
        EdgeSpec(name="away", source="new", to="back", guard=["!is_server"]),
        EdgeSpec(name="again", source="back", to="waiting", guard=["is_server"]),
        EdgeSpec(
            name="far",
            source="back",
            to=FAR,
            do="far",
            catch=[Catch(match=["a" * 30, "b" * 30], to="waiting"), Catch(match=["*"], to="failed")],
        ),
        EdgeSpec(name="home", source=FAR, to="running"),
    ],
)


def shipped() -> Table:
    spec = load_machine(NODE)
    return Table(spec, {name.lstrip("!"): bool for edge in spec.edges for name in edge.guard})


TABLES = {
    "example": Table(SPEC, GUARDS),
    "group": groups.table(),
    "shipped": shipped(),
    "odd": Table(ODD, GUARDS),
}


def recorded(followers: int, failing: Sequence[str] = ()) -> list[Record]:
    """The journal of a run in which some members never get their thing built."""

    async def build(context: Context) -> None:
        if context.member.name in failing:
            raise ActionError("exit.1", "exit", message="the plank broke")

    return list(groups.run(groups.people(followers), groups.registry(build=build)).records)


def boxes_of(drawing: Drawing) -> list[tuple[float, float, float, float]]:
    return [(p.x, p.y, p.x + p.width, p.y + p.height) for p in drawing.boxes]


def label_box(label: Label) -> tuple[float, float, float, float]:
    left = label.x - label.width if label.anchor == "end" else label.x
    return (left, label.y - 10, left + label.width, label.y + 2)


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("name", TABLES)
def test_no_box_and_no_label_covers_another(name: str) -> None:
    """Whatever the machine: boxes, labels, and both of them together."""
    drawing = layout(picture_of(TABLES[name]))
    placed = [*boxes_of(drawing), *map(label_box, drawing.labels)]
    assert [pair for pair in combinations(placed, 2) if overlap(*pair)] == []


@pytest.mark.parametrize("name", TABLES)
def test_everything_drawn_lies_on_the_sheet(name: str) -> None:
    """Boxes, labels and lines, all within the width and height that the file says."""
    drawing = layout(picture_of(TABLES[name]))
    corners = [(x, y) for route in drawing.routes for x, y in route.points]
    for box in [*boxes_of(drawing), *map(label_box, drawing.labels)]:
        corners += [box[:2], box[2:]]
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in corners)


@pytest.mark.parametrize("name", TABLES)
def test_each_way_out_of_a_box_leads_to_a_box(name: str) -> None:
    """Every arrow of the picture is a line that begins at its source; retries stand in their box."""
    picture = picture_of(TABLES[name])
    drawing = layout(picture)
    states = list(picture.boxes)
    placed = {states[[b.id for b in picture.boxes.values()].index(p.box.id)]: p for p in drawing.boxes}
    begins = {
        state
        for route in drawing.routes
        for state, box in placed.items()
        if touches(box, route.points[0]) or touches(box, route.points[-1])
    }
    wanted = {state for a in picture.arrows if a.kind != "retry" for state in (a.source, a.target)}
    assert begins >= wanted


def touches(box: Placed, point: tuple[float, float]) -> bool:
    x, y = point
    return box.x - 0.1 <= x <= box.x + box.width + 0.1 and box.y - 0.1 <= y <= box.y + box.height + 0.1


@pytest.mark.parametrize("name", TABLES)
def test_the_svg_is_one_element_that_refers_to_nothing_outside(name: str) -> None:
    """It is read as XML, has every state in it, and loads nothing."""
    text = machine_svg(TABLES[name])
    root = ElementTree.fromstring(text)
    shown = "".join(root.itertext())
    assert root.tag.endswith("}svg")
    assert all(state in shown.replace(" ", "") for state in TABLES[name].spec.states if len(state) < 40)
    assert not re.search(r'href|url\((?!#)|src=|<script|http(?!://www\.w3\.org/2000/svg")', text)


def test_counts_stand_at_their_boxes_and_nothing_is_not_counted() -> None:
    """A number for each state that has members; states and work apart."""
    text = machine_svg(TABLES["shipped"], {"healthy": 412, "waiting~join-agent": 50, "failed": 0})
    assert re.findall(r'm-count-text"[^>]*>(\d+)<', text) == ["50", "412"]


@pytest.mark.parametrize("name", [*HOSTILE, "\x1b[2J", "\x00", "\ud800", "\u202e"])
def test_no_name_can_break_a_picture(name: str) -> None:
    """In svg and in plantuml: what means something there is written otherwise."""
    states = {**SPEC.states, name: msgspec.structs.replace(SPEC.states["new"], title=name)}
    edge = msgspec.structs.replace(SPEC.edges[0], name=name, to=name, title=name)
    spec = msgspec.structs.replace(SPEC, machine=name, states=states, edges=[edge, *SPEC.edges])
    table = Table(spec, GUARDS)
    ElementTree.fromstring(machine_svg(table))
    lines = plantuml(table).splitlines()
    drawn = len(plantuml(Table(msgspec.structs.replace(spec, machine="m"), GUARDS)).splitlines())
    assert len(lines) == drawn
    for line in lines:
        label = re.search(r'"(.*)" as|(?<= : )(.*)$', line)
        said = re.sub(r"<U\+[0-9A-F]{4,}>|\\n", "", (label[1] or label[2]) if label else "")
        assert not re.search(r'["\\{}<>%|:\x00-\x1f]|--', said)


def test_plantuml_draws_the_same_arrows_as_mermaid() -> None:
    """One line each; only their look differs."""
    arrows = [line.split(" : ")[0].split() for line in plantuml(TABLES["group"]).splitlines() if ">" in line]
    others = [line.split(" : ")[0].split() for line in mermaid(TABLES["group"]).splitlines() if "-->" in line]
    assert [(a[0], a[2]) for a in arrows if len(a) == 3] == [(a[0], a[2]) for a in others]


def test_what_a_run_did_is_counted_way_by_way() -> None:
    """Begun, done, repeated and caught, and where everyone is in the end."""
    taken = taken_by(recorded(2, failing=["f1"]), groups.table())
    assert taken.states == {"home": 2, "failed": 1}
    assert taken.ways[Way("new", "build", "begin")] == 3
    assert taken.ways[Way("new~build", "build", "ok")] == 2
    assert taken.ways[Way("new~build", "build", "retry", 0)] == 5
    assert taken.ways[Way("new~build", "build", "catch", 0)] == 1


def test_repetitions_of_an_older_table_are_counted_by_their_class() -> None:
    """Its clauses stood elsewhere: a number in its journal means another one now."""
    clauses = [Retry(match=["timeout"]), *groups.SPEC.edges[0].retry]
    newer = groups.table(groups.with_edge(groups.SPEC.edges[0].name, retry=clauses))
    taken = taken_by(recorded(2, failing=["f1"]), newer)
    assert taken.ways[Way("new~build", "build", "retry", 1)] == 5
    assert taken.ways[Way("new~build", "build", "retry", 0)] == 0


def test_what_a_run_did_stands_in_every_format() -> None:
    """Behind the names of states, on the arrows, and in the retry clauses."""
    table = groups.table()
    taken = taken_by(recorded(2, failing=["f1"]), table)
    for text in (mermaid(table, taken=taken), dot(table, taken=taken), plantuml(table, taken=taken)):
        assert "home (2)" in text
        assert "taken 3x" in text
        assert "after 5s (5x)" in text
    drawn = machine_svg(table, taken=taken)
    assert "begun 3x, done 2x" in drawn
    assert "on any failure · 1x" in drawn
    assert "m-untaken" in drawn


def test_records_of_another_machine_are_not_counted() -> None:
    """They are refused, as a resume would refuse them."""
    with pytest.raises(HistoryError, match="machine 'group'"):
        taken_by(recorded(1), TABLES["example"])


def test_the_story_of_a_few_names_each_of_them() -> None:
    """What each was told, what came of it, and the signal over all."""
    records = recorded(2)
    story = story_of(records, groups.SPEC)
    assert story.participants == {"lead": "lead (lead)", "f0": "f0 (follower)", "f1": "f1 (follower)"}
    begun = [e for e in story.events if isinstance(e, Message) and e.kind == "begin" and e.who == "f1"]
    assert [event.text.split("  ")[1] for event in begun] == ["build", "follow"]
    assert any(isinstance(e, Note) and "signal lead-joined" in e.text for e in story.events)


def test_a_failure_in_the_story_has_its_reason_and_not_all_of_its_repetitions() -> None:
    """Three of them, and then that there are more."""
    story = story_of(recorded(1, failing=["f0"]), groups.SPEC)
    failed = [e for e in story.events if isinstance(e, Message) and e.kind == "failed"]
    assert len(failed) == 4  # three attempts, and the end
    assert failed[-1].text.split("  ")[1].startswith("failed, after ")


def test_the_story_of_many_is_as_long_as_that_of_few() -> None:
    """They stand together by role; an edge is two messages."""
    many, more = (story_of(recorded(n), groups.SPEC) for n in (20, 60))
    assert many.participants == {"lead": "lead (1)", "follower": "follower (20)"}
    assert len(many.events) == len(more.events) < 20
    assert any("build: 20 done" in event.text for event in many.events)


def test_the_story_of_many_says_who_failed_and_why() -> None:
    """The count in the message, the last reasons as notes."""
    story = story_of(recorded(20, failing=["f7"]), groups.SPEC)
    assert any("build: 19 done, 1 failed, 5 retries" in event.text for event in story.events)
    notes = [e.text.split("  ")[1] for e in story.events if isinstance(e, Note) and e.who == "follower"]
    assert notes == ["f7: the plank broke"]


def test_of_many_who_failed_the_story_names_the_first() -> None:
    """And how many more there are."""
    story = story_of(recorded(20, failing=[f"f{n}" for n in range(5)]), groups.SPEC)
    notes = [e.text.split("  ")[1] for e in story.events if isinstance(e, Note) and e.who == "follower"]
    assert (len(notes), notes[-1]) == (4, "and 2 more")


@pytest.mark.parametrize("draw", [mermaid_sequence, plantuml_sequence])
def test_no_message_of_a_node_can_break_a_sequence(draw: object) -> None:
    """What a node said is on one line, without anything that the language understands."""
    assert callable(draw)
    records = [
        msgspec.structs.replace(r, message='x"; end\n@enduml\nO->>O: #<b>-- %%') if r.lineage else r
        for r in recorded(1, failing=["f0"])
    ]
    plain = draw(story_of(recorded(1, failing=["f0"]), groups.SPEC))
    text = draw(story_of(records, groups.SPEC))
    assert len(text.splitlines()) == len(plain.splitlines())
    said = [line.split(": ", 1)[1] for line in text.splitlines() if "attempt 1" in line]
    assert said
    assert all(not re.search(r'[";<>%]', re.sub(r"#\d+;|<U\+[0-9A-F]+>", "", line)) for line in said)


def test_words_are_broken_only_where_there_is_no_other_way() -> None:
    """Between words; a word longer than a line is cut."""
    assert list(wrapped("one two three", 7)) == ["one two", "three"]
    assert list(wrapped("abcdefghij k", 4)) == ["abcd", "efgh", "ij k"]
