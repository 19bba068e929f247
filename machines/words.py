"""Small words for messages: what a value is called, and what somebody may have meant.

Pure text. Used by everything that reports faults, so that the same mistake reads the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "known_as", "nearest", "one_line", "printable", "shown"]

_WIDEST = 60
_MOST_NAMED = 12
_MOST_COMPARED = 500  # comparing is slow, and nobody misspells one name of so many


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that this one was probably meant to be."""
    candidates = sorted(known)
    if len(candidates) > _MOST_COMPARED:
        return None
    folded = {candidate.lower().replace("_", "-"): candidate for candidate in candidates}
    found = get_close_matches(word.lower().replace("_", "-"), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the nearest known word, or all of them where none is near."""
    candidates = sorted(known)
    near = nearest(word, candidates)
    return f"did you mean {near!r}?" if near else known_as(candidates)


def known_as(known: Iterable[str]) -> str:
    """A hint: what exists."""
    names = sorted(known)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"known are: {', '.join(names[:_MOST_NAMED])}{more}" if names else "there are none"


def shown(value: object) -> str:
    """A value of a document as a message shows it, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def printable(text: str) -> str:
    """A text that a terminal shows and does not obey: what cannot be seen is written as its escape.

    Foreign words may hold sequences that clear a screen, set a title, turn the direction of writing or
    hide what stands before them. Line ends stay.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else _escape(character)
        for character in text
    )


def one_line(text: str) -> str:
    """The same on one line, so that no foreign words look like a line of ours."""
    return printable(text).replace("\n", "\\n")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode() if character != "\t" else " "
