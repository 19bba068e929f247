"""What a lab remembers of its making."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.lab.errors import LabError
from mk8s.lab.lab import Lab
from mk8s.lab.saved import Saved

SAVED = Saved("10.90.0.0/24", "box-", "/cache/debian-1", 0)


def test_a_lab_that_was_made_is_remembered(tmp_path: Path) -> None:
    assert Saved.load(tmp_path) is None
    SAVED.store(tmp_path)
    assert Saved.load(tmp_path) == SAVED
    assert [path.name for path in tmp_path.iterdir()] == ["lab.json"]


def test_a_lab_keeps_the_subnet_and_the_names_that_it_was_made_with(tmp_path: Path) -> None:
    """Whatever a later command says or leaves out."""
    SAVED.store(tmp_path)
    assert Lab(tmp_path).layout.host(1).name == "box-1"
    assert Lab(tmp_path).layout.host(1).address == "10.90.0.11"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"subnet": "10.0.0.0/24"}', '{"colour": "red"}'])
def test_a_damaged_memory_is_told_with_the_way_out(tmp_path: Path, content: str) -> None:
    """Never a traceback."""
    (tmp_path / "lab.json").write_text(content)
    with pytest.raises(LabError, match=r"lab\.json cannot be read") as caught:
        Saved.load(tmp_path)
    assert f"mk8s lab --name {tmp_path.name} down" in caught.value.remedy


def test_a_tree_that_is_gone_is_told(tmp_path: Path) -> None:
    """Disks are changes over it, so another one would not do."""
    with pytest.raises(LabError, match="is gone"):
        Saved("10.90.0.0/24", "box-", str(tmp_path / "gone"), 0).existing_tree()
