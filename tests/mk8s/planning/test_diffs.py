"""mk8s.planning.diffs: what differs in a file, for people."""

from __future__ import annotations

from mk8s.planning.diffs import LARGEST, MOST_LINES, difference


def test_lines_that_differ_are_shown_with_their_neighbours() -> None:
    """From what is there to what is wanted."""
    assert difference(b"a\nb\nc\n", b"a\nB\nc\n").splitlines()[2:] == [
        "@@ -1,3 +1,3 @@",
        " a",
        "-b",
        "+B",
        " c",
    ]


def test_a_long_difference_is_cut_and_says_so() -> None:
    """Nobody reads a thousand lines in a plan."""
    found = difference(b"", b"".join(b"%d\n" % number for number in range(1000))).splitlines()
    assert len(found) == MOST_LINES + 1
    assert found[-1].endswith("more lines")


def test_what_is_too_long_or_no_text_is_told_by_its_size() -> None:
    """It is compared by its hash anyway."""
    assert "too long to compare" in difference(b"x" * (LARGEST + 1), b"y")
    assert "no text" in difference(b"\xff\xfe", b"y")
    assert difference(b"a\r\n", b"a\n") == "only line ends differ"


def test_what_a_node_says_does_nothing_to_a_terminal() -> None:
    """A file's content is foreign."""
    assert "\x1b" not in difference(b"\x1b[2Jgone\n", b"here\n")
