"""What stands in a state folder's ``kept.json``: words, numbers, and what each pair was asked for. Pure.

An entry here says: this was made, is on the disk, and nodes may have it. So it is written after the
files of its pair, and what has an entry is never made again.

Laws:

1. Entries are added and never changed or removed: also of a node that is gone, whose number stays taken.
2. What is asked for under a name must be what was asked for at first, but for how long it is to be
   valid. A `Constant` may be asked for with another value; it keeps its first.

This module knows no file and no key. Begin reading at `Ledger` and `differences`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import msgspec

from mk8s.needs import Authority, Certificate, Constant, KeyPair, Need, Number, Random

__all__ = ["Ledger", "PairNeed", "differences", "free_number", "read_ledger", "request_of", "write_ledger"]

VERSION = 1
CONSTANT = "constant"
PairNeed: TypeAlias = Authority | Certificate | KeyPair
NOT_COMPARED = frozenset({"name", "days"})
WORDS = {"common_name": "common name", "dns": "names", "ips": "addresses", "server": "for servers"}
"""Fields of a request as people are told of them; the others are told by their own names."""


class WordEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word; `kind` is that of a `Random`, or ``constant``."""

    kind: str
    value: str


class NumberEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pool: str
    number: int


class PairEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`request` as `request_of` gives it; `sha256` of the file with the certificate or public key."""

    request: dict[str, Any]
    sha256: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every entry, by the name of its need."""

    words: Mapping[str, WordEntry] = field(default_factory=dict, repr=False)
    numbers: Mapping[str, NumberEntry] = field(default_factory=dict)
    pairs: Mapping[str, PairEntry] = field(default_factory=dict)


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    words: dict[str, WordEntry]
    numbers: dict[str, NumberEntry]
    pairs: dict[str, PairEntry]


def read_ledger(content: bytes) -> Ledger:
    """Raises ValueError, without a word of the content, when it is not what `write_ledger` writes."""
    try:
        document = msgspec.json.decode(content, type=_Document, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("it is not whole") from None
    if document.version != VERSION:
        raise ValueError(f"it is of version {document.version}; this mk8s reads {VERSION}")
    return Ledger(document.words, document.numbers, document.pairs)


def write_ledger(ledger: Ledger) -> bytes:
    """For people too: a line a value, sorted, so that two of them can be compared."""
    document = _Document(VERSION, dict(ledger.words), dict(ledger.numbers), dict(ledger.pairs))
    return json.dumps(msgspec.to_builtins(document), indent=1, sort_keys=True).encode() + b"\n"


def request_of(need: PairNeed) -> dict[str, Any]:
    """What a pair is asked for, as JSON values: kind and fields, lists sorted, defaults left out."""
    request: dict[str, Any] = {"kind": _kind_of(need)}
    for name, value in asdict(need).items():
        plain = sorted(set(value)) if isinstance(value, tuple) else value
        if name not in NOT_COMPARED and plain:
            request[name] = plain
    return request


def free_number(need: Number, taken: Iterable[int]) -> int:
    """The smallest that is free. Raises ValueError when none is left."""
    used = set(taken)
    for number in range(need.below):
        if number not in used:
            return number
    raise ValueError(
        f"{need.name}: all {need.below} of the pool {need.pool!r} are taken, also by nodes that are gone"
    )


def differences(needs: Iterable[Need], ledger: Ledger) -> list[str]:
    """Where what is asked for now is not what was kept: a line each. Empty: all of it fits."""
    return [line for need in needs for line in _differences(need, ledger)]


def _differences(need: Need, ledger: Ledger) -> Iterator[str]:
    before = _kept_kind(need.name, ledger)
    if before and before != _kind_of(need):
        yield f"{need.name} was kept as {before}, and is asked for as {_kind_of(need)}"
    elif isinstance(need, Number) and before:
        yield from _number_differences(need, ledger.numbers[need.name])
    elif isinstance(need, PairNeed) and before:
        yield from _request_differences(need.name, ledger.pairs[need.name].request, request_of(need))


def _number_differences(need: Number, kept: NumberEntry) -> Iterator[str]:
    if kept.pool != need.pool:
        yield f"{need.name} was taken from the pool {kept.pool!r}, and is asked for from {need.pool!r}"
    elif kept.number >= need.below:
        yield f"{need.name} is number {kept.number}, and the pool {need.pool!r} has only {need.below} now"


def _request_differences(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            yield f"{name}: {WORDS.get(key, key)}: was {_shown(before.get(key))}, now {_shown(now.get(key))}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value else "none"


def _kept_kind(name: str, ledger: Ledger) -> str:
    """What was kept under this name; empty: nothing."""
    if name in ledger.words:
        return ledger.words[name].kind
    if name in ledger.numbers:
        return "number"
    return str(ledger.pairs[name].request.get("kind")) if name in ledger.pairs else ""


def _kind_of(need: Need) -> str:
    match need:
        case Random(kind=kind):
            return kind
        case Constant():
            return CONSTANT
        case Number():
            return "number"
        case Authority():
            return "authority"
        case Certificate():
            return "certificate"
        case KeyPair():
            return "key pair"
