"""What a journal holds: one kind of struct, its kinds, and its versions.

A record says what happened, in the words of the table. State is never stored; `fold` derives it. The
same bytes come from the same run, so nothing here depends on a wall clock, a process id or a hash
order: the wall clock stands in the header alone, as text that the caller brings.

Rules of this room:

1. Kinds and field names are written to disk. Never rename one, never give one a new meaning: raise
   `SCHEMA`, add an upgrade to `UPGRADES`, and keep a journal of the old kind in tests/machines/journals.
2. No secret: a record holds names, numbers, evidence and messages that people may read.

This module knows no file, no clock and no table. Begin reading at `Record`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec

from machines.errors import Failure
from machines.spec import MachineSpec

__all__ = [
    "SCHEMA",
    "Header",
    "Kind",
    "NewerRecord",
    "Record",
    "RecordError",
    "decode",
    "encode",
    "machine_digest",
    "program_in",
]

SCHEMA = 1

Kind: TypeAlias = Literal[
    "header",  # the first record: what this is a journal of
    "state",  # a node went from `source` to `to` by `edge`
    "probed",  # a probe answered: `found` or not, with evidence
    "intent",  # durable before the effect: attempt `attempt` of `edge` begins
    "done",  # the action succeeded, with evidence
    "error",  # the attempt failed; `clause` is the retry clause that it is charged to
    "retry",  # the next attempt comes after `delay` seconds
    "undo",  # durable before a compensation of `edge` runs
    "undone",  # it ended; with a lineage: it failed
    "signal",  # a signal latched, with the evidence that fired it
    "lost",  # a signal can no longer come
    "budget",  # a role has spent its failure budget
    "blocked",  # a node can go no further in this run
    "stopped",  # an edge (or, without a node, the run) was interrupted
    "resumed",  # a run goes on (without a node), or a node continues or is put back
    "finished",  # every node has ended
]

MOST = 1e15  # seconds, attempts: what is more was not written by a run
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=MOST)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=int(MOST))]

Raw: TypeAlias = dict[str, Any]
Upgrade: TypeAlias = Callable[[Raw], Raw]

UPGRADES: Mapping[int, Upgrade] = {}
"""Schema number -> what makes a record of the next schema of one of this. Pure; the file is never edited."""


class RecordError(ValueError):
    """Bytes that are whole, and still no record that this program can read."""


class NewerRecord(RecordError):  # noqa: N818 - it says what is the case
    """A record with what this program has no name for: a newer one wrote it."""


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a run is about. Written when a journal is begun, and again by each run that resumes it."""

    schema: int  # always written
    machine: str
    version: int
    machine_digest: str
    plan_digest: str = ""  # given by the caller: what the members were made from
    program: str = ""  # the program's own version
    members: tuple[tuple[str, str], ...] = ()  # (name, role), in the order of the plan
    started: str = ""  # wall clock, as text for people; empty in simulation
    subject: str = ""  # what the group is to the caller, who alone compares it; empty: not said
    marks: tuple[str, ...] = ()  # what the caller knows each member by, in the order of `members`; or none
    simulated: bool = False  # nothing of what follows was done to anyone


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that happened. Which fields are set depends on the kind; the rest keep their defaults."""

    seq: Count  # from 1, without a gap
    at: Seconds  # seconds of the run, six digits, never less than the one before, going on over a resume
    kind: Kind
    node: str = ""
    edge: str = ""
    attempt: Count = 0  # from 1; counts on over a resume
    source: str = ""
    to: str = ""
    digest: str = ""  # in one word, what an attempt is about to do
    evidence: Mapping[str, Any] = {}
    found: bool = False
    lineage: tuple[str, ...] = ()
    message: str = ""
    remedy: str = ""
    ambiguous: bool = False
    final: bool = False  # no retry clause is looked at any more
    clause: Annotated[int, msgspec.Meta(ge=-1, le=int(MOST))] = -1  # index of a retry clause; -1: none
    delay: Seconds = 0.0
    used: Seconds = 0.0  # seconds of the edge's deadline that are used up
    reached: Count = 0  # how far an attempt that failed had got, where a retry clause of its edge asks
    undo: str = ""
    signal: str = ""
    reason: str = ""  # words for people: why blocked, why lost
    header: Header | None = None

    @property
    def failure(self) -> Failure | None:
        """The failure that an `error` or `undone` record carries."""
        if not self.lineage:
            return None
        return Failure(self.lineage, self.message, self.remedy, self.ambiguous, self.final)


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What the decoder raises for bytes that are no record: no JSON, other types, no text, nested without end."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)
_raw_decoder = msgspec.json.Decoder(dict[str, Any])


def encode(record: Record) -> bytes:
    """The record as one line of JSON, without the line's end."""
    return _encoder.encode(record)


def decode(line: bytes, schema: int = SCHEMA, upgrades: Mapping[int, Upgrade] = UPGRADES) -> Record:
    """The record that a line of this schema holds, brought up to today's. Raises `RecordError`."""
    try:
        if schema == SCHEMA and not upgrades:
            return _decoder.decode(line)
        return msgspec.convert(_upgraded(_raw_decoder.decode(line), schema, upgrades), Record)
    except UNREADABLE as error:
        problem = NewerRecord if _has_unknown(line) else RecordError
        raise problem(f"this program does not understand the record: {error}") from error


def program_in(line: bytes) -> str:
    """The version of the program that began a run, by the line of its header; else empty."""
    header = _raw(line).get("header")
    program = header.get("program", "") if isinstance(header, dict) else ""
    return program if isinstance(program, str) else ""


def schema_of(line: bytes, default: int) -> int:
    """The schema that holds from this line on: a header's own, else the one that held before."""
    if b'"header"' not in line:
        return default
    try:
        header = _raw_decoder.decode(line).get("header")
    except UNREADABLE as error:
        raise RecordError(f"not a record: {error}") from error
    schema = header.get("schema") if isinstance(header, dict) else default
    if not isinstance(schema, int):
        raise RecordError(f"its schema is no number: {schema!r}")
    return schema


def machine_digest(spec: MachineSpec) -> str:
    """The sha256 of a machine, however its document was laid out: 64 hex digits."""
    return hashlib.sha256(msgspec.json.encode(spec, order="deterministic")).hexdigest()


def _has_unknown(line: bytes) -> bool:
    """Whether it has a kind, or a field, that programs up to this one do not write."""
    raw = _raw(line)
    header, kind = raw.get("header"), raw.get("kind", "done")
    fields = set(raw) - set(Record.__struct_fields__)
    fields |= set(header) - set(Header.__struct_fields__) if isinstance(header, dict) else set()
    return bool(fields) or (isinstance(kind, str) and kind not in get_args(Kind))


def _raw(line: bytes) -> Raw:
    """The line's fields, whoever wrote them; none where it is no object."""
    try:
        return _raw_decoder.decode(line)
    except UNREADABLE:
        return {}


def _upgraded(raw: Raw, schema: int, upgrades: Mapping[int, Upgrade]) -> Raw:
    if schema > SCHEMA:
        raise NewerRecord(f"it is of schema {schema}, and this program knows schemas up to {SCHEMA}")
    for number in range(schema, SCHEMA):
        if number not in upgrades:
            raise RecordError(f"it is of schema {number}, which there never was")
        raw = upgrades[number](raw)
    return raw
