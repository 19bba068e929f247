"""Where data files are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.resources import find_in, spec_path


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(str(folder))
    return folder


def test_the_wheels_own_copy_comes_first(tmp_path: Path) -> None:
    """A source tree that happens to lie beside an installed mk8s belongs to another version."""
    wheel, tree = make(tmp_path / "wheel", "a/b.yaml"), make(tmp_path / "tree", "a/b.yaml", "a/c.yaml")

    assert find_in((wheel, tree), "a", "b.yaml") == wheel / "a/b.yaml"
    assert find_in((wheel, tree), "a", "c.yaml") == tree / "a/c.yaml"


def test_shipped_data_is_found_in_the_source_tree() -> None:
    assert spec_path("problems", "rke2.yaml").is_file()


def test_a_missing_data_file_says_where_it_was_looked_for() -> None:
    with pytest.raises(FileNotFoundError, match=r"problems/nothing\.yaml is missing; looked in .*specs"):
        spec_path("problems", "nothing.yaml")
