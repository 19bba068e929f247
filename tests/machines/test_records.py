"""machines.records: one kind of struct, and old ones load for ever."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines.framing import parse
from machines.records import SCHEMA, Header, Record, RecordError, decode, encode, machine_digest
from tests.machines.groups import BUILD, SPEC, with_edge


@given(
    node=st.text(st.characters(exclude_categories=["Cs"])),
    message=st.text(st.characters(exclude_categories=["Cs"])),
    used=st.floats(0, 1e9),
    clause=st.integers(-1, 99),
)
def test_a_record_survives_being_written_and_read(node: str, message: str, used: float, clause: int) -> None:
    """Whatever stands in it, quotes and line ends too, is one line and comes back as it was."""
    record = Record(seq=1, at=0.5, kind="error", node=node, message=message, used=used, clause=clause)
    line = encode(record)
    assert b"\n" not in line
    assert decode(line) == record


def test_what_is_not_said_takes_no_room() -> None:
    """Fields at their default are left out."""
    assert encode(Record(seq=7, at=1.5, kind="finished")) == b'{"seq":7,"at":1.5,"kind":"finished"}'


@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b'{"seq":1,"at":0,"kind":"dance"}', b'{"seq":1,"at":0,"kind":"done","x":1}']
)
def test_a_line_that_is_no_record_of_ours_is_refused(line: bytes) -> None:
    """An unknown kind or field is of a newer program: nothing is ignored."""
    with pytest.raises(RecordError, match="does not understand"):
        decode(line)


def test_a_journal_of_a_newer_schema_is_refused_with_both_numbers() -> None:
    """The person learns which program to use."""
    with pytest.raises(
        RecordError, match=rf"of schema {SCHEMA + 1}, and this program knows schemas up to {SCHEMA}"
    ):
        decode(b"{}", SCHEMA + 1)


def test_a_record_of_an_older_schema_is_brought_up_to_date_one_schema_at_a_time() -> None:
    """Upgrades are pure functions over the raw record; the file stays as it is."""

    def rename(raw: dict[str, object]) -> dict[str, object]:
        return {("node" if key == "host" else key): value for key, value in raw.items()}

    line = b'{"seq":1,"at":0.0,"kind":"done","host":"n1"}'
    assert decode(line, schema=0, upgrades={0: rename}) == Record(seq=1, at=0.0, kind="done", node="n1")


def test_a_machine_has_one_digest_until_anything_in_it_changes() -> None:
    """Layout does not matter, content does."""
    again = msgspec.json.decode(msgspec.json.encode(SPEC), type=type(SPEC))
    assert machine_digest(again) == machine_digest(SPEC)
    assert machine_digest(with_edge(BUILD.name, timeout=1.0)) != machine_digest(SPEC)


def test_a_header_in_the_middle_sets_the_schema_from_there_on() -> None:
    """A resumed run writes its own header; evidence that holds the word is no header."""
    from machines.framing import frame

    header = Header(schema=1, machine="m", version=1, machine_digest="d")
    records = [
        Record(seq=1, at=0.0, kind="header", header=header),
        Record(seq=2, at=0.0, kind="done", node="n", evidence={"header": "x"}),
        Record(seq=3, at=0.0, kind="resumed", header=header),
    ]
    assert parse(b"".join(map(frame, records))).records == records
