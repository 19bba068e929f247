"""How wide words are, roughly: nobody here has the fonts that will show them. Pure.

Generous, so that a browser with wide letters still finds room.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

__all__ = ["shortened", "width_of", "wrapped"]

LETTER = 0.58  # of the font's size: between Arial and DejaVu Sans
WIDE = 1.05  # East Asian letters, and pictures


def width_of(text: str, size: float) -> float:
    """In pixels, for a font of that size."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return size * (LETTER * (len(text) - wide) + WIDE * wide)


def shortened(text: str, most: int) -> str:
    """At most so many characters; what is left out is marked."""
    return text if len(text) <= most else text[: most - 1] + "…"


def wrapped(text: str, most: int) -> Iterator[str]:
    """Lines of at most so many characters, broken between words where there are any."""
    line = ""
    for word in text.split():
        while len(word) > most:
            if line:
                yield line
                line = ""
            yield word[:most]
            word = word[most:]
        if line and len(line) + 1 + len(word) > most:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    if line:
        yield line
