"""mk8s.report.markup: what is escaped, what is taken as it is, and what is refused."""

from __future__ import annotations

import pytest

from mk8s.report.markup import Html, el, fragment, percent, words


def test_words_are_escaped_wherever_they_go() -> None:
    """As text and as the value of an attribute."""
    made = el("p", "a < b & 'c'", title='"><script>')
    assert made == '<p title="&quot;&gt;&lt;script&gt;">a &lt; b &amp; &#x27;c&#x27;</p>'


def test_markup_is_taken_as_it_is() -> None:
    """What was made here is not escaped again."""
    assert el("p", el("b", "x"), " & y") == "<p><b>x</b> &amp; y</p>"


def test_what_cannot_be_seen_is_shown_as_its_escape() -> None:
    """Turned writing would let one name look like another."""
    assert words("a\u202eb\x1b[0m\x00") == "a\\u202eb\\x1b[0m\\x00"


def test_none_and_false_leave_out_and_true_is_a_bare_name() -> None:
    """Attributes are given as Python has them."""
    assert el("input", None, type="checkbox", checked=True, hidden=False, id=None, aria_label="x") == (
        '<input type="checkbox" checked aria-label="x">'
    )


@pytest.mark.parametrize("attribute", ["style", "onclick", "onload"])
def test_what_the_policy_would_block_is_refused(attribute: str) -> None:
    """It would be there and do nothing, which nobody notices."""
    with pytest.raises(ValueError, match="policy blocks"):
        el("p", **{attribute: "x"})


def test_parts_of_a_picture_end_themselves() -> None:
    """A short form, for there are thousands of them; with a title inside they are elements like others."""
    assert el("rect", width=1.5) == '<rect width="1.5"/>'
    assert el("rect", el("title", "x")) == "<rect><title>x</title></rect>"


def test_a_share_is_a_length() -> None:
    """Three digits behind the point, none for nothing."""
    assert [percent(share) for share in (0, 0.125, 1 / 3, 1)] == ["0%", "12.5%", "33.333%", "100%"]


def test_a_fragment_leaves_out_what_is_not_there() -> None:
    """Parts that may be missing are None."""
    assert fragment("a", None, Html("<br>")) == "a<br>"
