"""machines.words: foreign words are shown and not obeyed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines.words import one_line, printable

HOSTILE = {
    "a cleared screen": ("\x1b[2J", "\\x1b[2J"),
    "a title of the window": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "an escape in one character": ("\x9b31m", "\\x9b31m"),
    "a line written over": ("failed\rhealthy", "failed\\rhealthy"),
    "letters taken back": ("failed\b\b", "failed\\x08\\x08"),
    "another direction of writing": ("\u202egnp.exe", "\\u202egnp.exe"),
    "half a character": ("\udc80", "\\udc80"),
}


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_what_a_terminal_would_obey_is_shown_as_its_escape(text: str, expected: str) -> None:
    """Colours, titles, bells, overwriting, and what turns or hides text."""
    assert printable(text) == expected


def test_ordinary_words_stay_as_they_are() -> None:
    """Letters of every language, and line ends."""
    assert printable("größer: 磁盘已满\n  hint: räumen ✓") == "größer: 磁盘已满\n  hint: räumen ✓"


def test_one_line_is_one_line() -> None:
    """Else a node could write a line that looks like ours."""
    assert one_line("no\n[6/6] all nodes are healthy\t!") == "no\\n[6/6] all nodes are healthy !"


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_unseen_gets_through(text: str) -> None:
    """Whatever it is."""
    assert one_line(text).isprintable()
