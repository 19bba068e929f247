"""Which Python and which C library a bundle's mk8s needs."""

from __future__ import annotations

import pytest

from mk8s.bundle.target import OLDEST_GLIBC, Target, glibc_of, with_glibc_for

TARGET = Target((3, 12), "aarch64", OLDEST_GLIBC, ".cpython-312-aarch64-linux-gnu.so")


@pytest.mark.parametrize(
    ("tags", "oldest"),
    [
        (["py3-none-any"], (0, 0)),
        (["cp311-abi3-manylinux_2_34_x86_64"], (2, 34)),
        (["cp311-cp311-manylinux2014_x86_64", "cp311-cp311-manylinux_2_28_x86_64"], (2, 17)),
        (["cp311-cp311-manylinux1_x86_64"], (2, 5)),
    ],
)
def test_a_wheel_runs_with_the_oldest_libc_of_its_tags(tags: list[str], oldest: tuple[int, int]) -> None:
    """PEP 600: each tag is a promise of its own."""
    assert glibc_of(tags) == oldest


def test_what_was_built_here_needs_the_libc_of_here() -> None:
    """A wheel of linux_x86_64 promises nothing about other machines."""
    assert glibc_of(["cp311-cp311-linux_x86_64"]) >= OLDEST_GLIBC


def test_the_most_demanding_library_decides() -> None:
    """All of them are loaded."""
    found = with_glibc_for(
        TARGET, [["py3-none-any"], ["a-b-manylinux_2_34_aarch64"], ["a-b-manylinux_2_28_aarch64"]]
    )
    assert found.glibc == (2, 34)
    assert found.words == "CPython 3.12 on aarch64 with glibc 2.34 or newer"
