"""What mk8s has to do with every distro on real hosts, said once: the distros' own test files call it.

What proves a claim stands on the hosts: the stand-in's own log, and the identities of files and processes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tests.e2e.driving import Driver, Finished, intervals, states_of

__all__ = [
    "join_order_holds",
    "joining",
    "killed_and_resumed",
    "last_node",
    "nothing_changes",
    "spans_apart",
    "whole",
]

SNAPSHOT = """
find /etc /usr/local /opt /var/lib/mk8s {data} -xdev -type f ! -name 'standin-*' ! -path '*/db/*' \
  ! -path '*/standin/*' -printf '%p %i %T@ %m %u\\n' 2>/dev/null |
  grep -v -e /etc/resolv.conf -e leases | sort
systemctl show -p ActiveEnterTimestampMonotonic -p NRestarts -p MainPID {units}
"""


def whole(driver: Driver, done: Finished) -> None:
    """Everybody is healthy, by the exit code, the words and the journal."""
    count = len(driver.node_names())
    assert done.code == 0, done.err
    assert f"{count} of {count} nodes healthy" in done.err
    assert set(states_of(driver.records()).values()) == {"healthy"}


def last_node(driver: Driver) -> str:
    """Take the last host out of the manifest; what stood there."""
    head, mark, tail = driver.manifest.read_text().rpartition("  - address:")
    driver.manifest.write_text(head)
    return mark + tail


def joining(driver: Driver, node: str, manifest: Path) -> Driver:
    """A manifest with this node alone, which joins the cluster of the other driver: its token is in TOKEN."""
    alone = Driver(driver.lab, manifest, distro=driver.distro)
    text = driver.manifest.read_text()
    head = text[: text.index("nodes:")]
    join = f"join: {{address: {driver.lab.hosts[0].address}, token_env: TOKEN}}\n"
    manifest.write_text(f"{head}{join}nodes:\n{node}")
    return alone


def killed_and_resumed(driver: Driver, moments: random.Random, kills: int, longest: float) -> Finished:
    """kill -9 at random moments, then a run to its end; how that one ended."""
    struck = sum(driver.kill_after(moments.uniform(0.5, longest)) for _ in range(kills))
    assert struck >= kills - 1  # on a very quick machine the last may come too late
    return driver.run()


def join_order_holds(driver: Driver) -> None:
    """Servers after `primary-ready`, agents after `servers-healthy`."""
    records = driver.records()
    for signal, edge in (("primary-ready", "join-server"), ("servers-healthy", "join-agent")):
        (latched,) = [r.at for r in records if r.kind == "signal" and r.signal == signal]
        joins = intervals(records, edge)
        assert joins
        assert all(begin >= latched for begin, _ in joins.values())


def spans_apart(driver: Driver, hosts: Sequence[int], begin: str, end: str) -> None:
    """By their own logs these hosts were never between the two events at the same time."""
    spans = sorted(span for i in hosts if (span := _span(driver, i, begin, end)))
    assert len(spans) == len(hosts)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def _span(driver: Driver, i: int, begin: str, end: str) -> tuple[float, float] | None:
    times = {str(entry["event"]): float(str(entry["t"])) for entry in driver.evidence(i)}
    return (times[begin], times[end]) if begin in times and end in times else None


def nothing_changes(driver: Driver, data: str, *units: str) -> None:
    """A second run is a no-op: files, their inodes and times, units and processes are as before."""
    count = len(driver.node_names())
    hosts = range(1, count + 1)
    look = SNAPSHOT.format(data=data, units=" ".join(units))
    before = [driver.on_host(i, look) for i in hosts]
    second = driver.run()
    assert second.code == 0, second.err
    assert f"nothing to do: all {count} nodes are healthy" in second.err
    assert [driver.on_host(i, look) for i in hosts] == before
