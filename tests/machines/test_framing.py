"""machines.framing: a torn tail is cut off, damage anywhere else is refused."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines.framing import JournalDamaged, JournalNewer, frame, looks_framed, parse
from machines.records import Header, Record

RECORDS = [
    Record(seq=seq, at=float(seq), kind="done", node=f"n{seq}", evidence={"words": "ä\n{}" * seq})
    for seq in range(1, 7)
]
LINES = [frame(record) for record in RECORDS]
DATA = b"".join(LINES)
LAST = len(DATA) - len(LINES[-1])  # where the last record begins


@given(st.integers(0, len(DATA)))
def test_a_journal_cut_at_any_byte_keeps_every_whole_record_before_it(cut: int) -> None:
    """What kill -9 or a power loss leaves: a prefix."""
    parsed = parse(DATA[:cut])
    assert parsed.records == RECORDS[: len(parsed.records)]
    assert DATA[: parsed.length] == b"".join(LINES[: len(parsed.records)])
    assert cut - parsed.length < max(map(len, LINES))


@given(st.integers(0, len(DATA)))
def test_whatever_a_crash_left_of_a_journal_looks_like_one(cut: int) -> None:
    """Also where not even its first checksum was written."""
    assert looks_framed(DATA[:cut])


@pytest.mark.parametrize("data", [b"\n", b"cafe\n", b"00000000\n{", b"0000000 {", b"0000000g {"])
def test_another_short_text_does_not_look_like_a_journal(data: bytes) -> None:
    """A whole line of one never ends before its record: nobody who names an empty line is refused for it."""
    assert not looks_framed(data)


@given(st.integers(LAST, len(DATA)), st.integers(1, 5000))
def test_zeros_after_a_cut_are_a_torn_tail_too(cut: int, zeros: int) -> None:
    """A file system may make a file longer before its bytes arrive."""
    parsed = parse(DATA[:cut] + b"\0" * zeros)
    assert parsed.records == RECORDS[:5] or cut == len(DATA)


@given(st.integers(0, LAST - 1), st.integers(1, 255))
def test_damage_at_any_byte_before_the_last_record_is_refused_with_its_offset(at: int, flip: int) -> None:
    """No crash explains it, and cutting there could lose an intent whose effect has happened."""
    damaged = bytearray(DATA)
    damaged[at] ^= flip
    with pytest.raises(JournalDamaged, match="damaged at byte") as caught:
        parse(bytes(damaged), "run/journal.jsonl")
    assert caught.value.offset <= at < caught.value.offset + max(map(len, LINES))
    assert "truncate -s" in str(caught.value)


@given(st.integers(LAST, len(DATA) - 2), st.integers(1, 255))
def test_damage_within_a_complete_last_record_is_refused(at: int, flip: int) -> None:
    """It was whole once: a torn record lacks its end."""
    damaged = bytearray(DATA)
    damaged[at] ^= flip
    with pytest.raises(JournalDamaged):
        parse(bytes(damaged))


@pytest.mark.parametrize("without", range(5))
def test_a_missing_record_in_the_middle_is_refused(without: int) -> None:
    """Numbers have no gap."""
    lines = LINES[:without] + LINES[without + 1 :]
    with pytest.raises(JournalDamaged, match=f"record {without + 2} follows record {without}"):
        parse(b"".join(lines))


def test_a_repeated_record_is_refused() -> None:
    """Neither do they repeat."""
    with pytest.raises(JournalDamaged, match="record 1 follows record 1"):
        parse(LINES[0] + LINES[0])


def line_of(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


HEADER = frame(
    Record(
        seq=1,
        at=0.0,
        kind="header",
        header=Header(schema=1, machine="m", version=1, machine_digest="d", program="9.9.0"),
    )
)


@pytest.mark.parametrize(
    "line",
    [
        b'{"seq":2,"at":0,"kind":"paused","node":"n"}',
        b'{"seq":2,"at":0,"kind":"done","node":"n","mood":"good"}',
        b'{"seq":2,"at":0,"kind":"resumed","header":{"schema":1,"machine":"m","version":1,'
        b'"machine_digest":"d","program":"9.9.0","planet":"x"}}',
        b'{"seq":2,"at":0,"kind":"resumed","header":{"schema":7,"program":"9.9.0"}}',
    ],
    ids=["a kind", "a field", "a field of the header", "a schema"],
)
def test_what_a_newer_version_wrote_is_no_damage(line: bytes) -> None:
    """It is told which one to use, and never to cut off what is sound."""
    with pytest.raises(JournalNewer) as caught:
        parse(HEADER + line_of(line), "run/journal.jsonl")
    said = str(caught.value)
    assert said.startswith(
        f"run/journal.jsonl: a newer version than this one wrote it: at byte {len(HEADER)}: "
    )
    assert "\nhint: use the version that wrote it (9.9.0), or a newer one; " in said
    assert "truncate" not in said
    assert caught.value.offset == len(HEADER)


def test_a_newer_version_that_no_header_names_is_told_without_its_number() -> None:
    """As that of a simulation."""
    with pytest.raises(JournalNewer, match=r"use the version that wrote it, or a newer one"):
        parse(line_of(b'{"seq":1,"at":0,"kind":"header","header":{"schema":7,"program":5}}'))


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"seq":"1","at":0,"kind":"done"}', b"\xff"])
def test_a_sound_line_that_is_no_record_of_any_version_is_damage(line: bytes) -> None:
    """What is known there has another type, or is missing: nobody would write that."""
    with pytest.raises(JournalDamaged, match="damaged at byte 0") as caught:
        parse(line_of(line))
    assert not isinstance(caught.value, JournalNewer)


def test_an_empty_journal_has_no_records() -> None:
    """The run that was killed before its first word."""
    assert parse(b"").records == []
