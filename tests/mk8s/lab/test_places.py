"""Where a lab keeps things."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.lab.places import cache_folder, lab_command, lab_folder

HOME = Path("/home/ann")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "/home/ann/.local/state/mk8s/lab/ci"),
        ({"XDG_STATE_HOME": "/var/state"}, "/var/state/mk8s/lab/ci"),
        ({"XDG_STATE_HOME": "relative"}, "/home/ann/.local/state/mk8s/lab/ci"),
        ({"XDG_STATE_HOME": "/var/state", "MK8S_LAB_DIR": "/labs"}, "/labs/ci"),
    ],
)
def test_a_labs_folder_follows_the_environment(environment: dict[str, str], folder: str) -> None:
    """mk8s' own variable first, then the XDG rule, which ignores relative paths."""
    assert lab_folder("ci", environment, HOME) == Path(folder)


def test_a_hint_names_the_lab_that_it_is_about() -> None:
    """Else `mk8s lab down` in a message about one lab would take another one down."""
    assert lab_command("ci", "down") == "`mk8s lab --name ci down`"
    assert lab_command("lab", "down") == "`mk8s lab down`"


def test_the_cache_is_shared_by_all_labs_of_a_user() -> None:
    assert cache_folder({}, HOME) == Path("/home/ann/.cache/mk8s")
    assert cache_folder({"XDG_CACHE_HOME": "/big"}, HOME) == Path("/big/mk8s")
