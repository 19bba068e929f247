"""A document against its form: what is accepted, and every deviation told with its place."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from machines.documents import Value, parse_document
from machines.errors import Fault
from machines.forms import SCALARS, duration, read_form
from machines.spec import Seconds


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Door(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    width: Annotated[int, msgspec.Meta(ge=1, le=9)]
    colour: Colour = Colour.RED


class House(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(pattern="^[a-z]+$", description="a lower-case word")]
    source: str | list[str] = msgspec.field(name="from")
    doors: list[Door] = []
    kind: Literal["flat", "villa"] = "flat"
    height: float = 1.0
    wait: Seconds = 1.0
    rest: Seconds | None = None
    args: dict[str, str | int | bool] = {}
    config: str | dict[str, Any] | None = None
    lit: bool = False
    code: str = ""
    rooms: Annotated[list[str], msgspec.Meta(min_length=1, max_length=2)] = msgspec.field(
        default_factory=lambda: ["x"]
    )
    tags: tuple[str, ...] = ()
    set: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.name == "forbidden":
            raise ValueError("no house has this name")


MINIMUM = "name: home\nfrom: a\n"


def read(text: str) -> House:
    form, faults = read_form(parse_document(text, "h.yaml"), House)
    assert faults == []
    assert form is not None
    return form


def faults_of(text: str, form: Any = House) -> list[Fault]:
    result, faults = read_form(parse_document(text, "h.yaml"), form)
    assert result is None
    return faults


def test_what_is_left_out_has_its_default() -> None:
    """Only required keys are required."""
    assert read(MINIMUM) == House(name="home", source="a")


ACCEPTED: list[tuple[str, str, object]] = [
    ("from: [a, b]", "source", ["a", "b"]),
    (
        "doors: [{width: 3}, {width: 4, colour: blue}]",
        "doors",
        [Door(width=3), Door(width=4, colour=Colour.BLUE)],
    ),
    ("kind: villa", "kind", "villa"),
    ("height: 1.5", "height", 1.5),
    ("height: 2", "height", 2.0),
    ("wait: 500ms", "wait", 0.5),
    ("wait: 90", "wait", 90.0),
    ("rest: 2h", "rest", 7200.0),
    ("rest: null", "rest", None),
    ("args: {a: 1, b: x, c: true, d: 1.5}", "args", {"a": 1, "b": "x", "c": True, "d": "1.5"}),
    ("config: {a: [1, {b: ~}]}", "config", {"a": [1, {"b": None}]}),
    ("config: |\n  a:\tb\n", "config", "a:\tb\n"),
    ("lit: true", "lit", True),
    ("code: 7", "code", "7"),
    ("code: 007", "code", "007"),
    ("code: 1.30", "code", "1.30"),
    ("rooms: [a, b]", "rooms", ["a", "b"]),
    ("tags: [a, b]", "tags", ("a", "b")),
    ("set: [a, a]", "set", frozenset("a")),
]


@pytest.mark.parametrize(("line", "field", "value"), ACCEPTED, ids=[row[0][:20] for row in ACCEPTED])
def test_a_value_is_read_as_its_type(line: str, field: str, value: object) -> None:
    """The value and its type, both."""
    text = line + "\nname: home\n" + ("" if field == "source" else "from: a\n")
    found = getattr(read(text), field)
    assert found == value
    assert type(found) is type(value)


# fmt: off
REFUSED: list[tuple[str, str, str, str]] = [
    ("lit: yes", "lit", "expected true or false, found 'yes'", "write true, without quotes"),
    ("lit: 1", "lit", "expected true or false, found 1", ""),
    ("code: true", "code", "expected text, found true", 'put it in quotes: "true"'),
    ("code:", "code", "expected text, found nothing", "write a value, or remove the key"),
    ("code: [x]", "code", "expected text, found a list", ""),
    ("height: high", "height", "expected a number, found 'high'", ""),
    ("height: true", "height", "expected a number, found true", ""),
    ("height: nan", "height", "expected a number, found 'nan'", ""),
    ("kind: vila", "kind", "expected one of flat, villa, found 'vila'", "did you mean 'villa'?"),
    ("kind: 3", "kind", "expected one of flat, villa, found 3", ""),
    ("wait: soon", "wait", "expected a duration such as 500ms, 10s, 5m, 2h or 1d, found 'soon'", ""),
    ("wait: -5", "wait", "expected a duration such as 500ms, 10s, 5m, 2h or 1d, found -5", ""),
    ("wait: 1.5", "wait", "expected a duration such as 500ms, 10s, 5m, 2h or 1d, found '1.5'", ""),
    ("rest: {}", "rest", "expected a duration, found a mapping", ""),
    ("doors: {}", "doors", "expected a list, found a mapping", ""),
    ("rooms: x", "rooms", "expected a list, found 'x'", "write it in brackets: [x]"),
    ("rooms: []", "rooms", "at least 1 items are needed, and 0 are here", ""),
    ("rooms: [a, b, c]", "rooms", "at most 2 items are allowed, and 3 are here", ""),
    ("doors: [3]", "doors[0]", "expected a mapping, found 3", ""),
    ("doors: [{width: 12}]", "doors[0].width", "expected a number that is at most 9, found 12", ""),
    ("doors: [{width: 03}]", "doors[0].width",
     "expected a whole number, found '03'", "write 3: plain digits, without quotes"),
    ("doors: [{}]", "doors[0]", "the key 'width' is missing", "expected is a whole number"),
    ("doors: [{width: 1, color: red}]", "doors[0].color",
     "the key 'color' is not known", "did you mean 'colour'?"),
    ("doors: [{width: 1, colour: green}]", "doors[0].colour",
     "expected one of blue, red, found 'green'", "known are: blue, red"),
    ("zzz: 1", "zzz", "the key 'zzz' is not known", ""),
    ("args: {a: [1]}", "args.a", "expected text or a whole number or true or false, found a list", ""),
    ("config: [1]", "config", "expected text or a mapping, found a list", ""),
    ("tags: [true]", "tags[0]", "expected text, found true", 'put it in quotes: "true"'),
]
# fmt: on


@pytest.mark.parametrize(("line", "path", "message", "hint"), REFUSED, ids=[row[0][:24] for row in REFUSED])
def test_a_deviation_is_told_with_path_and_hint(line: str, path: str, message: str, hint: str) -> None:
    """What was expected, what was found, and what to do."""
    (fault,) = faults_of(MINIMUM + line)
    assert (fault.file, fault.line, fault.path, fault.message) == ("h.yaml", 3, path, message)
    if hint or path != "zzz":
        assert fault.hint == hint


def test_all_deviations_are_told_at_once_in_document_order() -> None:
    """Nobody has to run a program five times to find five mistakes."""
    faults = faults_of("from: true\nkind: x\ndoors:\n  - width: 0\n  - {}\nname: BIG\nlit: no\n")
    assert [(fault.line, fault.path) for fault in faults] == [
        (1, "from"),
        (2, "kind"),
        (4, "doors[0].width"),
        (5, "doors[1]"),
        (6, "name"),
        (7, "lit"),
    ]


def test_a_description_stands_for_the_pattern() -> None:
    """People are told what is meant, not a regular expression."""
    (fault,) = faults_of("name: Home\nfrom: a\n")
    assert fault.message == "expected a lower-case word, found 'Home'"


def test_the_end_of_a_pattern_is_the_end_of_the_text() -> None:
    """Python's `$` would let a last newline through, into file names and journals."""
    (fault,) = faults_of('name: "home\\n"\nfrom: a\n')
    assert fault.message == "expected a lower-case word, found 'home\\n'"


def test_a_misspelt_required_key_is_one_mistake() -> None:
    """It is not told as missing as well."""
    (fault,) = faults_of("name: home\nform: a\n")
    assert (fault.message, fault.hint) == ("the key 'form' is not known", "did you mean 'from'?")


def test_a_struct_may_refuse_what_its_types_allow() -> None:
    """A ValueError of `__post_init__` is a fault of the document."""
    (fault,) = faults_of("name: forbidden\nfrom: a\n")
    assert fault.message == "no house has this name"


@pytest.mark.parametrize("text", ["", "[]", "x", "7"])
def test_a_document_of_another_kind_is_one_fault(text: str) -> None:
    """The form is a mapping."""
    (fault,) = faults_of(text)
    assert fault.message.startswith("expected a mapping, found ")
    assert (fault.line, fault.column) == (1, 1)


def test_a_part_of_a_document_can_be_read_by_itself() -> None:
    """Positions and paths stay those of the whole."""
    document = parse_document("houses:\n  - {name: home, from: a, kind: x}\n", "h.yaml")
    form, (fault,) = read_form(document, House, path=("houses", 0))
    assert form is None
    assert (fault.path, fault.line, fault.column) == ("houses[0].kind", 2, 27)


def test_a_program_may_bring_units_of_its_own() -> None:
    """A unit is a name in the type and a function in the program."""

    def size(value: Value) -> int:
        if not isinstance(value, str) or not value.endswith("M"):
            raise ValueError("a size such as 5M")
        return int(value[:-1]) << 20

    class Disk(msgspec.Struct):
        size: Annotated[int, msgspec.Meta(extra={"unit": "size"})]

    good, bad = parse_document("size: 5M", "d"), parse_document("size: 5", "d")
    hooks = {**SCALARS, "size": size}
    assert read_form(good, Disk, scalars=hooks) == (Disk(size=5 << 20), [])
    (fault,) = read_form(bad, Disk, scalars=hooks)[1]
    assert fault.message == "expected a size such as 5M, found 5"
    with pytest.raises(TypeError, match="no hook is given for the unit 'size'"):
        read_form(good, Disk)


def test_a_type_that_no_document_can_say_is_the_programmers_mistake() -> None:
    """It is found by the first test that reads the form, never by a user."""

    class Blob(msgspec.Struct):
        data: bytes

    with pytest.raises(TypeError, match="a form cannot hold"):
        read_form(parse_document("data: x", "b"), Blob)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("0s", 0.0),
        ("10s", 10.0),
        ("1.5m", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        (0, 0.0),
        (7, 7.0),
    ],
)
def test_a_duration_is_a_number_with_a_unit_or_whole_seconds(written: Value, seconds: float) -> None:
    """Durations are seconds everywhere inside."""
    assert duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "s", "5", "-5s", "5 s", "5S", "1h30m", "1e3s", "5min", "\u0665s", True, None, -1, []]
)
def test_what_is_no_duration_is_refused(written: Value) -> None:
    """One spelling each: no sums, no spaces, no signs, no other alphabets' digits."""
    with pytest.raises(ValueError, match="a duration such as"):
        duration(written)
