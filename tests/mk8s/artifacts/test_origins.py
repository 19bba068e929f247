"""Which release a file in the folder belongs to, where mk8s brought it there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mk8s.artifacts.origins import Came, is_of_another, read_origins, write_origins

OLD, NEW = "https://example.org/v1/rke2.tar.gz", "https://example.org/v2/rke2.tar.gz"
FIRST, OTHER = "1" * 64, "2" * 64


def unpacked(tmp_path: Path, members: object) -> Path:
    """A folder of release files beside the index of a bundle."""
    (tmp_path / "bundle.json").write_text(json.dumps({"members": members}))
    folder = tmp_path / "artifacts"
    folder.mkdir()
    return folder


def member(path: str, url: str = OLD) -> dict[str, object]:
    return {"path": path, "size": 1, "sha256": FIRST, "details": [{"id": "binary", "url": url}]}


def test_a_bundle_says_where_its_files_came_from(tmp_path: Path) -> None:
    """After the manifest names another version, they are told to be the old one's."""
    came = read_origins(unpacked(tmp_path, [member("artifacts/rke2.tar.gz")]))

    assert came == {"rke2.tar.gz": Came(OLD, FIRST)}
    assert is_of_another(came["rke2.tar.gz"], FIRST, NEW)
    assert not is_of_another(came["rke2.tar.gz"], FIRST, OLD)


def test_a_file_that_was_changed_since_is_not_the_bundles(tmp_path: Path) -> None:
    """Its hash decides: whoever brought another one knows what it is."""
    came = read_origins(unpacked(tmp_path, [member("artifacts/rke2.tar.gz")]))

    assert not is_of_another(came["rke2.tar.gz"], OTHER, NEW)


def test_what_was_fetched_here_wins_over_the_bundle(tmp_path: Path) -> None:
    """It came later."""
    folder = unpacked(tmp_path, [member("artifacts/rke2.tar.gz")])
    write_origins(folder, {"rke2.tar.gz": Came(NEW, OTHER)})

    assert read_origins(folder) == {"rke2.tar.gz": Came(NEW, OTHER)}


@pytest.mark.parametrize(
    "members",
    [
        "none",
        [member("mk8s/lib/rke2.tar.gz")],
        [member("artifacts/../rke2.tar.gz")],
        [{"path": "artifacts/rke2.tar.gz"}],
        [{**member("artifacts/rke2.tar.gz"), "details": []}],
        [{**member("artifacts/rke2.tar.gz"), "sha256": 7}],
    ],
)
def test_an_index_that_says_nothing_of_this_folder_adds_nothing(tmp_path: Path, members: object) -> None:
    """Nothing is made of it: the strict reading of bundles is elsewhere."""
    assert read_origins(unpacked(tmp_path, members)) == {}
