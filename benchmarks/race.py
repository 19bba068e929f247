"""The race: 200 MB to each of N hosts, checked by sha256, then 20 commands in order on each."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.contest import BASE, Entry, contests
from benchmarks.entries import by_asyncssh, by_mk8s, by_pyinfra, by_scp
from benchmarks.tables import Table

__all__ = ["run"]

COMMANDS = 20
ENTRIES: dict[str, Entry] = {
    BASE: by_mk8s,
    "asyncssh": by_asyncssh,
    "scp": by_scp(check=True),
    "pyinfra": by_pyinfra,
}


def run(quick: bool) -> Iterator[Table]:
    """A table for each number of hosts."""
    sizes = ((1, 3), (8, 1)) if quick else ((1, 5), (8, 3), (32, 3))
    amount = 50_000_000 if quick else 200_000_000
    yield from contests(
        sizes,
        amount,
        f"race: {{megabytes}} MB to {{hosts}} hosts, then {COMMANDS} commands on each",
        ENTRIES,
        COMMANDS,
    )
