"""Profiles: layers over each other, and files that hold one."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from mk8s.errors import UsageError
from mk8s.forecast.files import profile_text, read_profile, read_profile_text
from mk8s.forecast.profile import DEFAULTS, Layer, pooled
from transports.simulated import Links, Span

SLOW = Layer("a file", {"rke2.start": Span(2.0, 3.0)}, uplink=1e6)


def test_the_layer_above_wins_name_by_name() -> None:
    """What it does not name stays."""
    below = DEFAULTS.under(Layer("below", {"rke2.start": Span(1, 1), "unit.show": Span(0.5, 0.5)}, link=7.0))

    both = below.under(SLOW)

    assert both.durations == {"rke2.start": Span(2.0, 3.0), "unit.show": Span(0.5, 0.5)}
    assert both.links == Links(uplink=1e6, link=7.0)
    assert both.source == "the models' defaults; over that below; over that a file"


def test_an_empty_layer_changes_nothing() -> None:
    """Not even the words."""
    assert DEFAULTS.under(Layer("nobody")) == DEFAULTS


def test_a_profile_written_and_read_again_is_the_same(tmp_path: Path) -> None:
    """Rates too."""
    layer = Layer("me", {"a.b": Span(0.0001, 2.5, 5e8), "c:d": Span(90, 90)}, 1e6, 2e6, 0.0301, 0.0)
    (tmp_path / "profile.json").write_text(profile_text(layer))

    found = read_profile(tmp_path / "profile.json")

    assert (found.durations, found.links) == (layer.durations, layer.links)


@pytest.mark.parametrize("seconds", [0.0, 1e-7, 0.00003, 0.0001, 5e4])
@pytest.mark.parametrize("rate", [0.2, 1.0, 123456789.125, 6.7e18, 1e300])
def test_whatever_was_measured_can_be_read_again(seconds: float, rate: float) -> None:
    """A round trip of a loopback is some microseconds, and no number may have an exponent."""
    layer = Layer("me", {"a.b": Span(seconds, seconds, rate)}, rate, rate, seconds, seconds)
    found = read_profile_text(profile_text(layer).encode(), "p.json")
    assert found.latency == pytest.approx(seconds, abs=1e-4)
    assert found.uplink == found.link == found.durations["a.b"].rate


def test_the_same_layer_gives_the_same_text_in_any_order() -> None:
    """So that two profiles can be compared as files."""
    one = Layer("x", {"a": Span(1, 1), "b": Span(2, 2)})
    other = Layer("x", {"b": Span(2, 2), "a": Span(1, 1)})

    assert profile_text(one) == profile_text(other)


def test_unknown_keys_are_refused_with_their_line_and_what_was_meant() -> None:
    """A typing mistake must not be a profile that does nothing."""
    with pytest.raises(UsageError, match=r"(?s)p\.json:2.*uplnk.*did you mean 'uplink'"):
        read_profile_text(b'{"links":\n  {"uplnk": 5}}', "p.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"durations": {"a": {"low": 3, "high": 2}}}', "durations.a: 0 <= low <= high"),
        ('{"durations": {"a": {"low": 1, "high": 2, "rate": 0}}}', "a rate above 0"),
        ('{"links": {"uplink": 0}}', "links.uplink: bytes per second, above 0"),
        ('{"links": {"latency": -1}}', "links.latency"),
        ('{"durations": {"a": {"low": "soon", "high": 2}}}', "durations.a.low"),
        ("{", "is no profile of durations"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_by_name(text: str, words: str) -> None:
    """All of them at once."""
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        read_profile_text(text.encode(), "p.json")


def test_impossible_values_are_told_with_their_line() -> None:
    """As unknown keys are."""
    text = b'{"links":\n  {"uplink": 0,\n   "latency": -1}}'
    with pytest.raises(UsageError, match=r"(?s)p\.json:2:\d+: links\.uplink.*p\.json:3:\d+: links\.latency"):
        read_profile_text(text, "p.json")


def test_a_file_that_is_not_there_says_how_to_get_one(tmp_path: Path) -> None:
    """What, why, and what to do."""
    with pytest.raises(UsageError, match="--save-profile"):
        read_profile(tmp_path / "none.json")


def test_several_runs_are_pooled_to_their_middle() -> None:
    """Each counts alike; what only one measured is kept."""
    found = pooled(
        [
            Layer("a", {"x": Span(1, 2), "y": Span(5, 5)}, uplink=10.0),
            Layer("b", {"x": Span(3, 4)}, uplink=30.0),
        ]
    )

    assert found.durations == {"x": Span(2, 3, inf), "y": Span(5, 5)}
    assert (found.uplink, found.latency) == (20.0, None)
