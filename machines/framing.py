"""Records as lines of bytes: ``crc32hex SP json LF``. Pure; knows no file and no clock.

A line that was torn by a crash is the last one and lacks its LF: a line is written in one piece, its
LF last. Any whole line that does not fit its checksum is damage, and is refused with its byte offset:
cutting it off could lose an intent whose effect has happened.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from machines.records import (
    SCHEMA,
    NewerRecord,
    Record,
    RecordError,
    decode,
    encode,
    program_in,
    schema_of,
)

__all__ = ["JournalDamaged", "JournalNewer", "Lines", "Parsed", "frame", "looks_framed", "parse"]

CHECKSUM = 8  # hex digits of a crc32, before the space
BEGINNING = re.compile(rb"[0-9a-f]{8} (\{|\Z)|[0-9a-f]{0,8}\Z")  # the other ways: what a crash left of it
REMEDY = (
    "put back a copy of the file, or, if what follows may be repeated, cut it there with "
    "`truncate -s {offset} {file}`"
)


class JournalDamaged(ValueError):  # noqa: N818 - it says what is wrong
    """Bytes in a journal that no crash can explain. `offset` is where the bad line begins."""

    def __init__(self, file: str, offset: int, problem: str, text: str = "") -> None:
        remedy = REMEDY.format(offset=offset, file=file)
        super().__init__(text or f"{file}: damaged at byte {offset}: {problem}\nhint: {remedy}")
        self.file = file
        self.offset = offset


class JournalNewer(JournalDamaged):
    """Not damaged at all: a line that fits its checksum, of a kind or with fields that came later.

    `program`: the version that wrote it, where a header says so.
    """

    def __init__(self, file: str, offset: int, problem: str, program: str) -> None:
        by = f" ({program})" if program else ""
        remedy = f"use the version that wrote it{by}, or a newer one; nothing is damaged, so cut nothing off"
        text = f"{file}: a newer version than this one wrote it: at byte {offset}: {problem}\nhint: {remedy}"
        super().__init__(file, offset, problem, text)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The sound records, and how many bytes they take: what follows is a torn tail."""

    records: list[Record]
    length: int


def frame(record: Record) -> bytes:
    """The record as a line of a journal."""
    line = encode(record)
    return b"%08x %s\n" % (zlib.crc32(line), line)


def looks_framed(data: bytes) -> bool:
    """Whether the bytes begin as a line of a journal does; a journal that is damaged there does not."""
    return BEGINNING.match(data) is not None


def parse(data: bytes, file: str = "journal") -> Parsed:
    """Every record of a journal. Raises `JournalDamaged` with the file's name and the byte offset."""
    lines = Lines(file)
    return Parsed(lines.take(data), lines.offset)


class Lines:
    """A journal read piece by piece: for looking on while another process appends to it."""

    def __init__(self, file: str = "journal") -> None:
        self._file = file
        self._schema = SCHEMA
        self._program = ""  # the version that the last header tells
        self._count = 0
        self.offset = 0  # bytes of whole lines that were taken

    def take(self, data: bytes) -> list[Record]:
        """The records of the whole lines in `data`, which begins at `offset`; a torn tail is left.

        Raises `JournalDamaged`.
        """
        records: list[Record] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            records.append(self._record(data[start:end]))
            self.offset += end + 1 - start
            start = end + 1
        return records

    def _record(self, line: bytes) -> Record:
        if not _is_sound(line):
            raise JournalDamaged(self._file, self.offset, "the line does not fit its checksum")
        text = line[CHECKSUM + 1 :]
        try:
            self._schema = schema_of(text, self._schema)
            record = decode(text, self._schema)
        except NewerRecord as error:
            program = program_in(text) or self._program
            raise JournalNewer(self._file, self.offset, str(error), program) from error
        except RecordError as error:
            raise JournalDamaged(self._file, self.offset, str(error)) from error
        if record.seq != self._count + 1:
            problem = f"record {record.seq} follows record {self._count}"
            raise JournalDamaged(self._file, self.offset, problem)
        self._count = record.seq
        if record.header is not None:
            self._program = record.header.program
        return record


def _is_sound(line: bytes) -> bool:
    return (
        line[:CHECKSUM] == b"%08x" % zlib.crc32(line[CHECKSUM + 1 :])
        and line[CHECKSUM : CHECKSUM + 1] == b" "
    )
