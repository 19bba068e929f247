"""Where keys may be: written before they are, and forgiving to what is not a note of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.cluster import Node
from mk8s.fanout.keys import addresses_of
from mk8s.fanout.places import FilePlaces
from mk8s.state import StateFolder
from tests.mk8s.examples import node


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder.open(tmp_path / "cluster.yaml", "test")


def test_the_next_run_knows_what_this_one_wrote(state: StateFolder) -> None:
    """Also when this one ends here and now."""
    FilePlaces(state).add("a", "ops")
    assert dict(FilePlaces(state).known()) == {"a": "ops"}


def test_the_file_is_gone_when_no_key_is_left(state: StateFolder) -> None:
    """Nothing to remember, nothing to keep."""
    places = FilePlaces(state)
    places.add("a", "ops")
    path = state.folder / "fan-out.json"
    assert path.stat().st_mode & 0o777 == 0o600
    places.remove("a")
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "\x00"])
def test_a_file_that_says_nothing_useful_counts_as_none(state: StateFolder, text: str) -> None:
    """Keys expire by themselves."""
    (state.folder / "fan-out.json").write_text(text)
    assert dict(FilePlaces(state).known()) == {}


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("a", address="10.0.0.1"), node("b", address="fd00::0:2")], "10.0.0.1,fd00::2"),
        ([node("a", address="10.0.0.1"), node("b")], ""),
        ([], ""),
    ],
)
def test_a_key_is_bound_to_addresses_where_all_are_known(nodes: list[Node], expected: str) -> None:
    """A host name might have others; sshd would look it up."""
    assert addresses_of(nodes) == expected
