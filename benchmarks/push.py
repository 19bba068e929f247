"""Direct push, links unshaped: 200 MB to each of N hosts, and nothing else.

By mk8s as a run does it and by its peers, with checks and, where a peer has none of its own, without.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.contenders import GCM
from benchmarks.contest import BASE, Entry, contests
from benchmarks.entries import NOT_COMPRESSED, by_ansible, by_asyncssh, by_mk8s, by_pyinfra, by_scp
from benchmarks.tables import Table

__all__ = ["run"]

ENTRIES: dict[str, Entry] = {
    BASE: by_mk8s,
    "scp (checks nothing)": by_scp(check=False),
    "scp, sha256sum": by_scp(check=True),
    "scp aes-gcm, sha256sum": by_scp("-c", GCM, check=True),
    "asyncssh, sha256sum": by_asyncssh,
    "pyinfra, sha256sum": by_pyinfra,
    "ansible (sha1)": by_ansible(),
    "ansible without -C (sha1)": by_ansible(ssh_args=NOT_COMPRESSED),
}


def run(quick: bool) -> Iterator[Table]:
    """A table for each number of hosts."""
    sizes = ((1, 1), (4, 1)) if quick else ((1, 3), (8, 1), (32, 1))
    amount = 50_000_000 if quick else 200_000_000
    yield from contests(sizes, amount, "push: {megabytes} MB to {hosts} hosts", ENTRIES)
