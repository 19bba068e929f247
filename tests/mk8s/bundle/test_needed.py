"""Requirements and markers: read as packaging reads them."""

from __future__ import annotations

from importlib import metadata

import pytest
from packaging.requirements import Requirement as Reference

from mk8s.bundle.needed import Requirement, environment, plain_name, read_requirement

HERE = environment((3, 11), "x86_64")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anyio>=4.6,<5", Requirement("anyio", frozenset(), "")),
        ("PyYAML", Requirement("pyyaml", frozenset(), "")),
        ("httpx[http2, Socks_x]>=0.28", Requirement("httpx", frozenset({"http2", "socks-x"}), "")),
        ('a.b ; python_version < "3"', Requirement("a-b", frozenset(), 'python_version < "3"')),
        ("lib @ https://example.org/lib.whl ; extra == 'x'", Requirement("lib", frozenset(), "extra == 'x'")),
    ],
)
def test_a_requirement_is_its_name_extras_and_marker(text: str, expected: Requirement) -> None:
    """Versions were chosen by the installer; who names a thing in which spelling does not matter."""
    assert read_requirement(text) == expected


def test_what_is_no_requirement_is_refused() -> None:
    """Metadata is foreign text."""
    with pytest.raises(ValueError, match="no requirement"):
        read_requirement("; nothing")


@pytest.mark.parametrize(
    ("marker", "met"),
    [
        ('python_version < "3.11"', False),
        ('python_version >= "3.9"', True),  # as numbers: as text 3.11 would be less
        ('python_version == "3.11.0"', True),
        ('python_version == "3.*"', True),
        ('python_version != "3.11.*"', False),
        ('sys_platform == "win32" or (os_name == "posix" and python_version > "3")', True),
        ('platform_machine in "x86_64 amd64"', True),
        ('platform_machine not in "x86_64 amd64"', False),
        ('extra == "dev"', False),
        ('python_version ~= "3.8"', True),  # not read: too much is better than too little
        ('unheard_of == "1"', True),
        ("__import__('os')", True),
    ],
)
def test_markers_are_judged_for_the_python_there(marker: str, *, met: bool) -> None:
    """Versions compare as numbers, all else as text, and nothing is executed."""
    assert Requirement("x", frozenset(), marker).applies(HERE, frozenset()) is met


def test_an_extra_counts_where_it_was_asked_for() -> None:
    """httpx[http2] needs what httpx says of http2."""
    wanted = Requirement("h2", frozenset(), 'extra == "http2" and python_version >= "3"')
    assert wanted.applies(HERE, frozenset({"http2"}))
    assert not wanted.applies(HERE, frozenset({"socks"}))


def test_real_metadata_is_judged_as_packaging_judges_it() -> None:
    """Every requirement of everything that is installed beside mk8s."""
    texts = sorted({text for one in metadata.distributions() for text in one.requires or []})
    variables = {**HERE, "extra": ""}
    differing = []
    for text in texts:
        reference = Reference(text)
        expected = reference.marker is None or reference.marker.evaluate(variables)
        mine = read_requirement(text)
        if (mine.name, mine.applies(HERE, frozenset())) != (plain_name(reference.name), expected):
            differing.append(text)
    assert len(texts) > 50
    assert differing == []
