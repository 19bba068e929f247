"""mk8s.forecast.sizes: which sizes of files a rehearsal counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mk8s.distros.base import load_distro
from mk8s.forecast.sizes import Sizes, sizes_at_hand, sizes_in_words
from mk8s.rehearsal import nominal_release
from tests.mk8s.examples import cluster

RKE2 = load_distro("rke2")


def at_hand(folder: Path) -> Sizes:
    return sizes_at_hand(cluster(artifacts_dir=folder), RKE2)


def test_a_file_that_is_here_counts_with_its_own_size(tmp_path: Path) -> None:
    """One that is not counts with a nominal one."""
    before = at_hand(tmp_path)
    before.release["binary"].path.write_bytes(b"x" * 1234)
    after = at_hand(tmp_path)

    assert after.release["binary"].size == 1234
    assert {name: file.size for name, file in after.release.items() if name != "binary"} == {
        name: file.size for name, file in before.release.items() if name != "binary"
    }
    assert before.assumed.keys() - after.assumed.keys() == {before.release["binary"].path.name}


def test_what_is_not_needed_and_not_here_is_left_out(tmp_path: Path) -> None:
    """Nobody would send it."""
    made = cluster(artifacts_dir=tmp_path)
    needed = {item.id for item in RKE2.artifacts(made) if item.required}

    assert at_hand(tmp_path).release.keys() == nominal_release(made, RKE2).keys() & needed


def test_a_folder_by_the_name_of_a_file_is_no_file(tmp_path: Path) -> None:
    """Nor is what lies in a folder that is none: sizes are counted, and nothing is refused."""
    place = at_hand(tmp_path).release["binary"].path
    place.mkdir()
    (tmp_path / "none").write_text("")

    assert place.name in at_hand(tmp_path).assumed
    assert place.name in at_hand(tmp_path / "none").assumed


def test_the_words_name_the_files_whose_sizes_are_made_up(tmp_path: Path) -> None:
    """None, some, all of them."""
    none = at_hand(tmp_path)
    none.release["binary"].path.write_bytes(b"x")
    some = at_hand(tmp_path)
    for file in none.release.values():
        file.path.write_bytes(b"x")

    assert sizes_in_words(none) == "nominal ones, as no file of the release is here"
    assert sizes_in_words(some) == (
        "1 file of the release is here; nominal ones stand for the others: "
        "sha256sum-amd64.txt 64.0 KiB, rke2-images.linux-amd64.tar.zst 850.0 MiB"
    )
    assert sizes_in_words(at_hand(tmp_path)) == "those of the 3 files of the release that are here"


def test_where_the_release_is_on_the_nodes_no_size_counts() -> None:
    """Nothing of it is sent."""
    sizes = sizes_at_hand(replace(cluster(), artifacts_mode="preinstalled"), RKE2)
    assert sizes_in_words(sizes) == "none, as no file of a release is sent"
