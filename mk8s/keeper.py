"""What a distro needs for a cluster's whole life, made once and kept in the state folder.

``kept.json`` holds words, numbers and what each pair was asked for (`mk8s.ledger`); the pairs lie in
``pki/`` (`mk8s.pair_files`).

Laws:

1. Whatever is returned is durable already. A pair's key is written before its certificate, both
   before the entry in ``kept.json``: a run that was cut off at any point goes on from there.
2. Nothing is made twice. What has an entry, and is gone or damaged, is refused: nodes may have it.
3. A pair without an entry was made by a run that was cut off, and was given to nobody: it is taken as
   it is, if it is what is needed now.
4. What others can read is refused: the secret in it is not one any more.

The journal's lock lets one process at a time in here. This module knows no node.
Begin reading at `Keeper.keep`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mk8s.errors import ManifestError
from mk8s.ledger import (
    Ledger,
    NumberEntry,
    PairEntry,
    PairNeed,
    WordEntry,
    differences,
    free_number,
    read_ledger,
    request_of,
    write_ledger,
)
from mk8s.needs import (
    Authority,
    Certificate,
    Constant,
    Kept,
    KeyPair,
    Need,
    Number,
    Pair,
    Random,
    RandomKind,
    pretend,
)
from mk8s.pair_files import PairFiles
from mk8s.secrets import random_word
from mk8s.state import StateFolder

if TYPE_CHECKING:
    from mk8s.pki import Chance  # cryptography is imported only where there is a pair to make or to read

__all__ = ["Expiring", "Keeper", "expiry_notice"]

Write: TypeAlias = Callable[[Path, bytes], None]
"""Put a file into the state folder: private, whole, durable."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """A certificate that is kept, and when it ceases to be valid."""

    name: str
    when: datetime


class Keeper:
    """Keeps what is needed in a state folder, which exists (for `look` and `expiring` it may not)."""

    def __init__(
        self,
        folder: Path,
        *,
        given: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Chance | None = None,
        word: Callable[[RandomKind], str] = random_word,
        write: Write | None = None,
    ) -> None:
        """`given`: nodes have something of it already, so that what is gone cannot be made again."""
        self._state = StateFolder(folder)
        self._files = PairFiles(self._state)
        self._given = given
        self._now = now
        self._chance = chance
        self._word = word
        self._write = write or self._state.write_private

    def keep(self, needs: Sequence[Need]) -> Kept:
        """Everything that is needed, by name; what was missing is made first and kept.

        Raises ManifestError when something is asked for that differs from what was kept, or cannot be
        made; Mk8sError when what was kept is gone, damaged, open to others, or cannot be written.
        """
        _refuse_twins(needs)
        if not needs:
            return Kept()
        self._files.sweep()
        before = self._ledger()
        if before is None and self._given:
            raise self._files.gone(self._state.kept)
        ledger = before or Ledger()
        self._refuse_changes(needs, ledger)
        words = {
            need.name: self._word_for(need, ledger) for need in needs if isinstance(need, Random | Constant)
        }
        numbers = _numbers_for(needs, ledger)
        pairs = self._pairs(needs, ledger)
        after = Ledger(
            {**words, **ledger.words},
            {**numbers, **ledger.numbers},
            {**{need.name: _entry(need, pairs[need.name]) for need in _pair_needs(needs)}, **ledger.pairs},
        )
        if after != before:
            self._write(self._state.kept, write_ledger(after))
        return _kept(words, pairs, numbers)

    def look(self, needs: Sequence[Need]) -> Kept:
        """The same for one who only asks: nothing is made, and what is not there is pretended."""
        ledger = (self._ledger() if needs else None) or Ledger()
        self._refuse_changes(needs, ledger)
        pretended = pretend(needs)
        pairs = self._pairs([need for need in needs if _is_kept(need, ledger)], ledger)
        words = {name: entry for name, entry in ledger.words.items() if name in pretended.words}
        numbers = {name: entry for name, entry in ledger.numbers.items() if name in pretended.numbers}
        kept = _kept(words, pairs, numbers)
        return Kept(
            {**pretended.words, **kept.words},
            {**pretended.pairs, **kept.pairs},
            {**pretended.numbers, **kept.numbers},
        )

    def expiring(self, needs: Sequence[Need], within_days: float) -> list[Expiring]:
        """Certificates that are kept, needed, and valid for less than so many days; the first one first."""
        ledger = (self._ledger() if needs else None) or Ledger()
        end = self._now() + timedelta(days=within_days)
        kept = [
            need for need in _pair_needs(needs) if _is_kept(need, ledger) and not isinstance(need, KeyPair)
        ]
        found = [Expiring(need.name, self._expiry_of(need)) for need in kept]
        return sorted((one for one in found if one.when <= end), key=lambda one: (one.when, one.name))

    def _ledger(self) -> Ledger | None:
        path = self._state.kept
        content = self._files.read(path)
        if content is None:
            return None
        try:
            return read_ledger(content)
        except ValueError as error:
            raise self._files.unusable(path, str(error)) from None

    def _refuse_changes(self, needs: Sequence[Need], ledger: Ledger) -> None:
        found = differences(needs, ledger)
        if found:
            raise ManifestError(
                "the manifest asks for other keys than the cluster was made with:\n  " + "\n  ".join(found),
                cause="nodes may have what was made at first, and nothing that was kept is made anew",
                remedy="put the names and addresses in the manifest back as they were; "
                f"{self._state.kept} says what each was made for",
            )

    def _word_for(self, need: Random | Constant, ledger: Ledger) -> WordEntry:
        if need.name in ledger.words:
            return ledger.words[need.name]
        if isinstance(need, Constant):
            return WordEntry("constant", need.value)
        return WordEntry(need.kind, self._word(need.kind))

    def _pairs(self, needs: Sequence[Need], ledger: Ledger) -> dict[str, Pair]:
        """Authorities first: they sign the others."""
        pairs: dict[str, Pair] = {}
        for need in sorted(_pair_needs(needs), key=lambda need: not isinstance(need, Authority)):
            authority = pairs.get(need.authority) if isinstance(need, Certificate) else None
            pairs[need.name] = self._pair(need, authority, ledger)
        return pairs

    def _pair(self, need: PairNeed, authority: Pair | None, ledger: Ledger) -> Pair:
        """The pair from the disk, or made. An entry says that it must be there."""
        public, private = self._files.paths(need)
        entry = ledger.pairs.get(need.name)
        halves = self._files.read(public), self._files.read(private)
        if halves[0] is None and entry is None:  # the key is written first: nobody has had this pair
            return self._make(need, authority)
        if halves[0] is None or halves[1] is None:
            raise self._files.gone(private if halves[0] else public)
        pair = Pair(halves[0], halves[1])
        fault = _fault_of(need, pair, authority, entry)
        if fault and entry is None and not self._given:  # asked for otherwise by a run that was cut off
            return self._make(need, authority)
        if fault:
            raise self._files.unusable(public, fault)
        return pair

    def _make(self, need: PairNeed, authority: Pair | None) -> Pair:
        pair = self._made(need, authority)
        public, private = self._files.paths(need)
        self._write(private, pair.private)
        self._write(public, pair.public)
        return pair

    def _made(self, need: PairNeed, authority: Pair | None) -> Pair:
        from mk8s.pki import Chance, make_authority, make_key_pair, make_leaf

        chance = self._chance or Chance()
        with _refusing(need):
            if isinstance(need, Authority):
                return make_authority(need, self._now(), chance)
            if isinstance(need, KeyPair):
                return make_key_pair(chance)
            if authority is None:  # the driver's mistake
                raise KeyError(need.authority)
            return make_leaf(need, authority, self._now(), chance)

    def _expiry_of(self, need: PairNeed) -> datetime:
        from mk8s.pki import expiry_of

        path = self._files.paths(need)[0]
        content = self._files.read(path)
        if content is None:
            raise self._files.gone(path)
        try:
            return expiry_of(content)
        except ValueError:
            raise self._files.unusable(path, "it is no certificate") from None


def expiry_notice(expiring: Sequence[Expiring], now: datetime) -> str:
    """What to say of certificates that expire soon; empty when there are none."""
    if not expiring:
        return ""
    first = expiring[0]
    tense = "expired" if first.when <= now else "expires"
    names = ", ".join(one.name for one in expiring)
    return (
        f"the certificate {first.name} {tense} on {first.when:%Y-%m-%d %H:%M} UTC; "
        f"expired or soon to expire, of those that mk8s made: {len(expiring)} ({names})\n"
        "    hint: mk8s does not renew certificates yet: sign new ones for the same names with the authority "
        "kept in pki/, put them in their places here and on the nodes, and restart what uses them"
    )


@contextmanager
def _refusing(need: PairNeed) -> Iterator[None]:
    """Names that no certificate can hold come from the manifest."""
    try:
        yield
    except ValueError as error:
        raise ManifestError(
            f"the certificate {need.name} cannot be made: {error}",
            remedy="shorten or correct the names and addresses in the manifest",
        ) from error


def _numbers_for(needs: Sequence[Need], ledger: Ledger) -> dict[str, NumberEntry]:
    """In the order in which they are asked for. Raises ManifestError when a pool is used up."""
    everyone = dict(ledger.numbers)
    asked = [need for need in needs if isinstance(need, Number)]
    for need in asked:
        if need.name not in everyone:
            taken = [entry.number for entry in everyone.values() if entry.pool == need.pool]
            try:
                everyone[need.name] = NumberEntry(need.pool, free_number(need, taken))
            except ValueError as error:
                raise ManifestError(
                    str(error), remedy="give the cluster fewer nodes, or a larger network"
                ) from error
    return {need.name: everyone[need.name] for need in asked}


def _kept(
    words: Mapping[str, WordEntry], pairs: Mapping[str, Pair], numbers: Mapping[str, NumberEntry]
) -> Kept:
    return Kept(
        {name: entry.value for name, entry in words.items()},
        pairs,
        {name: entry.number for name, entry in numbers.items()},
    )


def _entry(need: PairNeed, pair: Pair) -> PairEntry:
    return PairEntry(request_of(need), _sha256(pair.public))


def _fault_of(need: PairNeed, pair: Pair, authority: Pair | None, entry: PairEntry | None) -> str:
    """Why a pair on the disk is not the one that is needed; empty when it is."""
    from mk8s.pki import fault_of

    renewable = isinstance(need, Certificate)  # by hand, for the same names and by the same authority
    if entry and not renewable and entry.sha256 != _sha256(pair.public):
        return "it is another one than was made for this cluster"
    return fault_of(need, pair, authority)


def _is_kept(need: Need, ledger: Ledger) -> bool:
    return need.name in ledger.pairs


def _pair_needs(needs: Sequence[Need]) -> list[PairNeed]:
    return [need for need in needs if isinstance(need, PairNeed)]


def _refuse_twins(needs: Sequence[Need]) -> None:
    """A driver's mistake, not the user's."""
    names = [need.name for need in needs]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f"needed twice: {', '.join(twins)}")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
