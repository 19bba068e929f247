"""What differs between a file on a node and the one that is wanted, for people. Pure.

It is never asked for a file that holds secrets. What a node says is foreign: made printable, and bounded.
"""

from __future__ import annotations

from difflib import unified_diff

from machines.words import printable

__all__ = ["LARGEST", "difference"]

LARGEST = 64 << 10  # bytes of either side; larger ones are told apart by their size
MOST_LINES = 60
LONGEST_LINE = 200  # characters


def difference(there: bytes, wanted: bytes) -> str:
    """A unified diff from what is there to what is wanted; a sentence where there is none to show."""
    if len(there) > LARGEST or len(wanted) > LARGEST:
        return f"{len(there)} bytes are there, {len(wanted)} are wanted: too long to compare line by line"
    try:
        before, after = there.decode(), wanted.decode()
    except UnicodeDecodeError:
        return f"{len(there)} bytes are there, {len(wanted)} are wanted; they are no text"
    lines = list(
        unified_diff(before.splitlines(), after.splitlines(), "on the node", "wanted", lineterm="", n=2)
    )
    if not lines:
        return "only line ends differ"
    more = len(lines) - MOST_LINES
    shown = [_shown(line) for line in lines[:MOST_LINES]]
    return "\n".join([*shown, *([f"... and {more} more lines"] if more > 0 else [])])


def _shown(line: str) -> str:
    text = printable(line)
    return text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + " ..."
