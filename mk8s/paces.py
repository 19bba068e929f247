"""Durations that many models share: what a look, a small change and an answer of kubectl take, and rates.

All are orders of magnitude for a current server (four cores or more, SSD), where no source is named.
Used by simulation alone. A run's own numbers come from `mk8s.forecast`, and win.
"""

from __future__ import annotations

from collections.abc import Mapping

from transports.simulated import QUICK, SimulatedHost, Span

__all__ = [
    "ASKING",
    "CHANGE",
    "GLANCE",
    "HASHING",
    "IMPORTING",
    "LOOK",
    "RATES",
    "UNPACKING",
    "takes_time",
    "work",
]

GLANCE = QUICK  # a shell that looks at a file
CHANGE = Span(0.02, 0.06)  # a shell that writes a few files, and waits for the disk
LOOK = Span(0.02, 0.08)  # a shell that asks systemd
ASKING = Span(0.08, 0.25)  # kubectl: most of it is its own start (0.1 s, seen with v1.20.2)

HASHING, UNPACKING, IMPORTING = "hashing", "unpacking", "importing"

RATES: Mapping[str, Span] = {
    HASHING: Span(0.0, 0.0, 400e6),  # sha256 on one core of a current server
    UNPACKING: Span(0.0, 0.0, 50e6),  # bytes of a gzip archive, written to disk
    IMPORTING: Span(0.0, 0.0, 30e6),  # `ctr images import`, measured on two busy cores with v1.20.2's images
}
"""Bytes per second, beside what an operation takes anyway."""

SMALL = 1 << 20  # bytes; less takes no time that anybody would see


def takes_time(size: int) -> bool:
    """Whether so many bytes are work at all; to wait for less costs an event, and changes nothing."""
    return size >= SMALL


async def work(host: SimulatedHost, rate: str, size: int) -> None:
    """Let the time pass that so many bytes take at that rate. None for small ones."""
    if takes_time(size):
        await host.spend(rate, size)
