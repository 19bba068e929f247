"""Strict YAML: what is read, what is refused, and where every value stands."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from machines.documents import MAX_DEPTH, parse_document, show_path
from machines.errors import DocumentError, Fault

LOADERS: list[Any] = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]
each_loader = pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: str(loader.__name__))


def faults_of(text: bytes | str, **options: Any) -> tuple[Fault, ...]:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, "x.yaml", **options)
    return caught.value.faults


def faults_or_none(text: bytes | str, **options: Any) -> tuple[Fault, ...]:
    try:
        parse_document(text, "x.yaml", **options)
    except DocumentError as error:
        return error.faults
    return ()


MEANINGS: list[tuple[str, object]] = [
    ("true", True),
    ("false", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("7", 7),
    ("-7", -7),
    ("0", 0),
    ("True", "True"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("Null", "Null"),
    ("1.30", "1.30"),
    ("1e3", "1e3"),
    (".inf", ".inf"),
    ("12:30", "12:30"),
    ("12:30:45", "12:30:45"),
    ("010", "010"),
    ("0x1f", "0x1f"),
    ("+5", "+5"),
    ("-0", "-0"),
    ("1_000", "1_000"),
    ("2024-01-01", "2024-01-01"),
    ("=", "="),
    ("9" * 18, int("9" * 18)),
    ("9" * 19, "9" * 19),
    ("9" * 5000, "9" * 5000),
    ("'7'", "7"),
    ('"true"', "true"),
    ("'null'", "null"),
    ("''", ""),
    ("''''", "'"),
    ("fe80::1", "fe80::1"),
    ("a#b", "a#b"),
]


@each_loader
@pytest.mark.parametrize(("written", "value"), MEANINGS, ids=[text[:12] or "nothing" for text, _ in MEANINGS])
def test_a_scalar_means_what_it_looks_like(loader: Any, written: str, value: object) -> None:
    """Only true, false, null, ~ and plain decimal integers are anything but text."""
    read = parse_document(f"key: {written}\n", "x.yaml", loader=loader).value
    assert isinstance(read, dict)
    assert read == {"key": value}
    assert type(read["key"]) is type(value)


@each_loader
def test_block_text_survives_as_it_is_written(loader: Any) -> None:
    """Tabs, trailing spaces, quotes, '#' and empty lines inside are content."""
    text = "config: |\n  # not a comment\n  a:\t'b'  \n\n    deeper: *x\n  end\nnext: |-\n  x\n"
    read = parse_document(text, "x.yaml", loader=loader).value
    assert read == {"config": "# not a comment\na:\t'b'  \n\n  deeper: *x\nend\n", "next": "x"}


@each_loader
def test_line_ends_of_windows_are_line_ends(loader: Any) -> None:
    """A file that travelled through another system reads the same."""
    document = parse_document("a: |\r\n  x\r\n  y\r\nb: 1\r\n", "x.yaml", loader=loader)
    assert document.value == {"a": "x\ny\n", "b": 1}
    assert document.mark(("b",)) == (4, 1)


@each_loader
def test_lists_and_mappings_nest_in_both_styles(loader: Any) -> None:
    """Block and flow style are one language."""
    text = "a:\n  - b: [1, {c: d}]\n  -\n  - []\n  - {}\ne:\n"
    assert parse_document(text, "x.yaml", loader=loader).value == {
        "a": [{"b": [1, {"c": "d"}]}, None, [], {}],
        "e": None,
    }


@each_loader
@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_an_empty_document_is_null(loader: Any, text: str) -> None:
    """Whether that is a fault is for the form to say."""
    assert parse_document(text, "x.yaml", loader=loader).value is None


def test_a_byte_order_mark_is_skipped() -> None:
    """Some editors write one; columns count from the first real character."""
    document = parse_document(b"\xef\xbb\xbfa: 1", "x.yaml")
    assert document.value == {"a": 1}
    assert document.mark(("a",)) == (1, 1)


@each_loader
def test_every_key_and_item_has_a_place(loader: Any) -> None:
    """Lines and columns start at 1; a key's place is the key's, an item's the item's."""
    document = parse_document("a:\n  b: 1\nlist:\n  - x\n  - {k: v}\n  - y: 2\n", "x.yaml", loader=loader)
    places = {
        (): (1, 1),
        ("a",): (1, 1),
        ("a", "b"): (2, 3),
        ("list",): (3, 1),
        ("list", 0): (4, 5),
        ("list", 1): (5, 5),
        ("list", 1, "k"): (5, 6),
        ("list", 2): (6, 5),
        ("list", 2, "y"): (6, 5),
    }
    assert {path: document.mark(path) for path in places} == places


def test_what_is_missing_is_shown_at_its_nearest_ancestor() -> None:
    """A missing key's fault points at the mapping that lacks it."""
    document = parse_document("a:\n  b: 1\n", "x.yaml")
    assert document.mark(("a", "c", 3, "d")) == document.mark(("a",)) == (1, 1)
    assert document.mark(("a", "b", "c")) == (2, 3)


REFUSED: list[tuple[str, list[tuple[int, int]], str]] = [
    ("a: 1\na: 2\n", [(2, 1)], "the key 'a' stands twice"),
    ("x: {a: 1, b: 2, a: 3}\n", [(1, 17)], "the key 'a' stands twice"),
    ("1: x\n", [(1, 1)], "a key must be text, and 1 is not"),
    ("true: x\n", [(1, 1)], "a key must be text, and true is not"),
    (": x\n", [(1, 1)], "does not fit"),
    ("~: x\n", [(1, 1)], "a key must be text, and ~ is not"),
    ("a: [\n", [(2, 1)], "the text ends"),
    ("? [a]\n: b\n", [(1, 3)], "a key must be text"),
    ("{a: 1}: b\n", [(1, 1)], "a key must be text"),
    ("a: &x 1\n", [(1, 4)], "anchors"),
    ("a: &x 1\nb: *x\n", [(1, 4), (2, 4)], "anchors"),
    ("*x : 1\n", [(1, 1)], "anchors"),
    ("a: &\n", [(1, 4)], "anchors"),
    ("a: {b: 1}\n<<: 2\n", [(2, 1)], "merge keys"),
    ("a: !!str 1\n", [(1, 4)], "tags"),
    ("a: !python/object:os.system x\n", [(1, 4)], "tags"),
    ("!x\n- 1\n", [(1, 1)], "tags"),
    ("a: !<x\n", [(1, 4)], "tags"),
    ("a: 1\n---\nb: 1\n", [(2, 1)], "second document"),
    ("%YAML 1.1\n---\na: 1\n", [(1, 1)], "directives"),
    ("%FOO\n---\na: 1\n", [(1, 1)], "directives"),
    ("a: 1\n\tb: 2\n", [(2, 1)], "a tab stands"),
    ("a:\tb\n", [(1, 3)], "a tab stands"),
    ("a: b\tc\n", [(1, 5)], "a tab stands"),
    ("a: b\t# c\n", [(1, 5)], "a tab stands"),
    ("a: 'x'\t\n", [(1, 7)], "a tab stands"),
    ("a: |\n  \tx\n", [(2, 3)], "a tab stands"),
    ("a: 'x\n", [(1, 4)], "never closed"),
    ('a: "x\\q"\n', [(1, 4)], "in quotes"),
    ("a: [1, 2\n", [(1, 4)], "bracket"),
    ("a: [1, 2\nb: 3\n", [(1, 4)], "bracket"),
    ("a: b: c\n", [(1, 5)], "where no key can stand"),
    ("a: 1\n  b: 2\n", [(2, 4)], "where no key can stand"),
    ("a: @x\n", [(1, 4)], "cannot begin a value"),
    ("a: `x`\n", [(1, 4)], "cannot begin a value"),
    ("a: ]\n", [(1, 4)], "cannot begin a value"),
    ("a:\n  - b\n - c\n", [(3, 2)], "does not fit"),
    ("- a\nb: 1\n", [(2, 1)], "does not fit"),
    ("  a: 1\nb: 2\n", [(2, 1)], "does not fit"),
    ("a: 1\nb\n", [(2, 1)], "neither 'key: value'"),
    ("a: |x\n  y\n", [(1, 4)], "block text"),
    ("a: 1\x00\n", [(1, 5)], "U+0000"),
    ("a: 1\nb: \x1b[31m\n", [(2, 4)], "U+001B"),
    ("a: \u2028\n", [(1, 4)], "U+2028"),
    ("a: \ud800\n", [(1, 4)], "U+D800"),
    ('a: "\\e[31m"\n', [(1, 4)], "cannot be seen"),
]


@each_loader
@pytest.mark.parametrize(("text", "places", "words"), REFUSED, ids=[ascii(row[0])[:30] for row in REFUSED])
def test_a_fault_is_told_with_its_place_and_a_hint(
    loader: Any, text: str, places: list[tuple[int, int]], words: str
) -> None:
    """Whichever parser reads, the same places are told, and what to do about it."""
    faults = faults_of(text, loader=loader)
    assert [(fault.line, fault.column) for fault in faults] == places
    assert all(words in fault.message for fault in faults)
    assert all(fault.hint and fault.file == "x.yaml" for fault in faults)


def test_all_faults_before_a_broken_line_are_told_with_it() -> None:
    """One look at the messages shows everything that could be known."""
    faults = faults_of("a: 1\na: 2\nb: *x\nc: [1\n")
    assert [fault.line for fault in faults] == [2, 3, 4]


@pytest.mark.parametrize(
    ("data", "place"),
    [(b"\xff\xfea\x00", (1, 1)), (b"a: 1\nb: \xe9\n", (2, 4)), (b"\xef\xbb\xbfa\xc0", (1, 2))],
)
def test_what_is_not_utf8_is_refused_at_its_byte(data: bytes, place: tuple[int, int]) -> None:
    """Never decoded by guess: a wrong letter in a password is worse than a refusal."""
    (fault,) = faults_of(data)
    assert (fault.line, fault.column) == place
    assert "UTF-8" in fault.message


@pytest.mark.parametrize("text", [b"a" * 101, "a" * 101, "\u00e9" * 51])
def test_a_document_over_the_limit_is_not_read(text: bytes | str) -> None:
    """The limit is in bytes, whatever the document came as."""
    (fault,) = faults_of(text, max_bytes=100)
    assert "100 are the most" in fault.message


@each_loader
@pytest.mark.parametrize("unit", ["[", "- ", "{a: "])
def test_nesting_is_read_to_its_limit_and_refused_beyond(loader: Any, unit: str) -> None:
    """No depth of brackets can exhaust the stack."""
    closing = {"[": "]", "- ": "", "{a: ": "}"}[unit]
    parse_document(unit * MAX_DEPTH + closing * MAX_DEPTH, "x.yaml", loader=loader)
    (fault,) = faults_of(unit * 100_000, loader=loader)
    assert "deeper" in fault.message


BOMB = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*b{n - 1}, *b{n - 1}]\n" for n in range(1, 2000))


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "#\t" * 500_000,
        "- &a\n" * 200_000,
        "\t" * 1_000_000,
        "!" * 1_000_000,
        "a: " * 300_000,
        "'" * 1_000_001,
    ],
    ids=["aliases", "comment of tabs", "anchors", "tabs", "tags", "colons", "quotes"],
)
def test_hostile_text_is_refused_or_read_in_no_time(text: str) -> None:
    """No text within the limit costs more than a moment: the bound is ten times what is measured."""
    begun = time.process_time()
    faults = faults_or_none(text)
    assert len(faults) <= 100
    assert time.process_time() - begun < 5


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_text_whatever_causes_anything_but_a_document_error(text: bytes | str) -> None:
    """Random bytes and random text, with both parsers."""
    for loader in LOADERS:
        faults_or_none(text, loader=loader)


# fmt: off
YAML_BITS = st.sampled_from([
    "a", "b: ", "- ", "\n", "\n  ", "[", "]", "{", "}", ", ", "'", '"', "\\", "|\n", ">-\n", "#", "&x ",
    "*x", "!t ", "? ", ": ", "---\n", "...\n", "%", "\t", "1", "true", "<<", "@", "`", "\r\n", "\\x4",
    "\\UFFFFFFFF", "é",
])
# fmt: on


@given(st.lists(YAML_BITS, max_size=40).map("".join))
def test_no_heap_of_yaml_syntax_causes_anything_but_a_document_error(text: str) -> None:
    """The same with text that gets far into the parser; places stay inside the text."""
    lines = text.count("\n") + text.count("\r") + 1
    for loader in LOADERS:
        assert all(1 <= fault.line <= lines for fault in faults_or_none(text, loader=loader))


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz-_.", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(plain_values)
def test_what_json_can_say_is_read_as_json_says_it(value: object) -> None:
    """Quoted text, numbers, true, false and null mean the same in both."""
    text = json.dumps(value, ensure_ascii=False)
    for loader in LOADERS:
        assert parse_document(text, "x.yaml", loader=loader).value == value


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ((), ""),
        (("edges", 2, "retry", 0, "delay"), "edges[2].retry[0].delay"),
        ((0, "a"), "[0].a"),
        (("args", "a.b", "c d"), 'args["a.b"]["c d"]'),
        (("", 'x"y'), '[""]["x\\"y"]'),
    ],
)
def test_a_path_is_shown_as_people_write_it(path: tuple[str | int, ...], shown: str) -> None:
    """Names that would be ambiguous are quoted."""
    assert show_path(path) == shown
