"""Profiles: layers over each other, and files that hold one."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path

import pytest

from mk8s.errors import UsageError
from mk8s.forecast.files import profile_text, read_profile, read_profile_text
from mk8s.forecast.profile import DEFAULTS, MODELS, Layer, Origin, pooled
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


KNOWN = Layer(
    "all of it",
    {"a.b": Span(1, 2), "c:d": Span(3, 4), "e.f": Span(5, 6), "g.h": Span(7, 8)},
    uplink=1e6,
    origins={
        "a.b": Origin("learnt from old", 12),
        "c:d": Origin("learnt from old", 0),
        "uplink": Origin("learnt from old", 3),
        "e.f": Origin("given in cluster.yaml"),
        "g.h": Origin(MODELS, models=True),
    },
)


def test_a_profile_that_is_kept_remembers_where_each_number_is_from() -> None:
    """The run, and how many samples of it; what was given, what was carried over, what is the models' own."""
    found = DEFAULTS.under(read_profile_text(profile_text(KNOWN).encode(), "site.json"))

    assert found.origins == {
        "a.b": Origin("learnt from old, kept in site.json", 12),
        "c:d": Origin("learnt from old, kept in site.json", 0),
        "uplink": Origin("learnt from old, kept in site.json", 3),
        "e.f": Origin("given in cluster.yaml, kept in site.json"),
        "g.h": Origin("site.json", models=True),
    }
    assert found.source == "the models' defaults; over that site.json (learnt from old)"


def test_a_profile_without_origins_is_given_by_its_file() -> None:
    """Such as one of an older version, or of somebody's own hand."""
    found = DEFAULTS.under(read_profile_text(profile_text(SLOW).encode(), "p.json"))

    assert set(found.origins.values()) == {Origin("p.json")}


def test_a_name_that_no_origin_has_is_given_by_the_file() -> None:
    """Whoever changes a number takes its name out of there."""
    text = profile_text(KNOWN).replace('"a.b": 12,', "")

    assert read_profile_text(text.encode(), "p.json").origin_of("a.b") == Origin("p.json")


@pytest.mark.parametrize(
    ("origins", "words"),
    [
        ('{"learnt": {"a run": {"a": -1}}}', 'origins.learnt["a run"].a: a number of samples'),
        ('{"learnt": {"a run": {"a": "many"}}}', "origins.learnt"),
        ('{"lernt": {}}', "did you mean 'learnt'"),
    ],
)
def test_origins_that_cannot_be_meant_are_refused(origins: str, words: str) -> None:
    """As all that stands in a profile."""
    with pytest.raises(UsageError, match=re.escape(words)):
        read_profile_text(f'{{"origins": {origins}}}'.encode(), "p.json")


def test_words_of_a_profile_cannot_write_over_the_screen() -> None:
    """It is a file that people hand to each other."""
    text = '{"links": {"uplink": 5}, "origins": {"learnt": {"a\\nrun": {"uplink": 2}}}}'
    layer = read_profile_text(text.encode(), "p.json")

    assert "\n" not in layer.source + layer.origin_of("uplink").source
    with pytest.raises(UsageError, match="a character that cannot be seen"):
        read_profile_text(text.replace("\\n", "\\u001b[2J").encode(), "p.json")


def test_a_run_in_a_folder_with_a_strange_name_can_be_kept() -> None:
    """What a profile says of its source is readable again."""
    layer = Layer("x", {"a.b": Span(1, 2)}, origins={"a.b": Origin('learnt from a\x1b\nb: {"é"}', 3)})

    assert read_profile_text(profile_text(layer).encode(), "p.json").origin_of("a.b").samples == 3
