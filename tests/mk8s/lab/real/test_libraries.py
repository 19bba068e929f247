"""Which libraries a program takes with it into an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.lab.errors import LabError
from mk8s.lab.real.libraries import closure, find_in, parse_needed

NEEDS = {
    "tool": ["libone.so.1", "libc.so.6"],
    "libone.so.1": ["libtwo.so.2", "libc.so.6"],
    "libtwo.so.2": ["libone.so.1"],
    "libc.so.6": ["ld-linux-x86-64.so.2"],
    "static": [],
}
DUMP = """
tool:     file format elf64-x86-64

Dynamic Section:
  NEEDED               libseccomp.so.2
  NEEDED               libc.so.6
  INIT                 0x0000000000001000
"""


def needs(path: Path) -> list[str]:
    return NEEDS.get(path.name, [])


def find(name: str) -> Path:
    return Path("/packages") / name


def test_libraries_of_libraries_come_along() -> None:
    """Also when they need each other in a circle; the loader goes where programs look for it."""
    assert closure([Path("tool")], needs, find) == {
        "lib/x86_64-linux-gnu/libone.so.1": Path("/packages/libone.so.1"),
        "lib/x86_64-linux-gnu/libtwo.so.2": Path("/packages/libtwo.so.2"),
        "lib/x86_64-linux-gnu/libc.so.6": Path("/packages/libc.so.6"),
        "lib64/ld-linux-x86-64.so.2": Path("/packages/ld-linux-x86-64.so.2"),
    }


def test_a_static_program_needs_nothing() -> None:
    """Not even the loader."""
    assert closure([Path("static")], needs, find) == {}


def test_only_needed_lines_count() -> None:
    assert parse_needed(DUMP) == ["libseccomp.so.2", "libc.so.6"]


def test_a_library_is_found_behind_its_links(tmp_path: Path) -> None:
    """An image holds the file that a version's name points to."""
    folder = tmp_path / "libc6/usr/lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    (folder / "libc-2.36.so").touch()
    (folder / "libc.so.6").symlink_to("libc-2.36.so")
    assert find_in([tmp_path / "libc6"])("libc.so.6") == folder / "libc-2.36.so"


def test_a_library_in_no_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"libx\.so\.1 is in none of libc6"):
        find_in([tmp_path / "libc6"])("libx.so.1")
