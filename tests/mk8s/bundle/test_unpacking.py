"""From a bundle to a folder: whole or not at all, and nothing of anybody's is lost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mk8s.bundle.folders import read_folder, verify_folder
from mk8s.bundle.index import BundleError
from mk8s.bundle.unpacking import unpack
from tests.mk8s.bundle.making import FILES, bundle, contents, head_of, read, tree


def expected() -> dict[str, bytes]:
    return {**contents(), "bundle.json": head_of().content}


def test_a_bundle_is_unpacked_whole(tmp_path: Path) -> None:
    """Every member and the index, with their modes, and no stage is left."""
    done = unpack(read(bundle()), tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    assert tree(folder) == expected()
    assert (done.written, done.kept) == (len(expected()), 0)
    assert os.access(folder / "mk8s/mk8s", os.X_OK)
    assert (folder / "cluster.yaml").stat().st_mode & 0o777 == 0o600
    assert (folder / "README.txt").stat().st_mode & 0o777 == 0o644
    assert not (folder / ".mk8s-unpack").exists()


def test_tar_and_sha256sum_do_the_same(tmp_path: Path) -> None:
    """Without mk8s: `tar -xf` makes the same tree, and `sha256sum -c` finds nothing wrong."""
    (tmp_path / "b.tar").write_bytes(bundle())
    folder = tmp_path / "by-hand"
    folder.mkdir()
    subprocess.run(["tar", "-xf", "../b.tar"], cwd=folder, check=True)
    assert tree(folder) == expected()
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, check=True)
    assert checked.stdout.count(b": OK\n") == len(contents()) - 1


def test_a_second_time_writes_nothing(tmp_path: Path) -> None:
    """What is there with the right hash is kept as it is."""
    unpack(read(bundle()), tmp_path)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    done = unpack(read(bundle()), tmp_path)
    assert done.written == 0
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


def test_other_files_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    """A file of that name with other content may be somebody's work."""
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/images.tar.zst").write_bytes(b"mine")
    before = tree(tmp_path)
    with pytest.raises(BundleError, match=r"artifacts/images\.tar\.zst"):
        unpack(read(bundle()), tmp_path)
    assert tree(tmp_path) == before


def test_replace_is_what_it_says(tmp_path: Path) -> None:
    """With it the bundle wins; files that are not the bundle's stay."""
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/images.tar.zst").write_bytes(b"mine")
    (tmp_path / "artifacts/notes").write_bytes(b"mine")
    unpack(read(bundle()), tmp_path, replace=True)
    assert tree(tmp_path) == {**expected(), "artifacts/notes": b"mine"}


@pytest.mark.parametrize("replace", [True, False])
def test_an_edited_manifest_is_never_replaced(replace: bool, tmp_path: Path) -> None:
    """Secrets were filled in there by hand: the bundle's is put beside it."""
    (tmp_path / "cluster.yaml").write_bytes(b"name: test # edited\n")
    done = unpack(read(bundle()), tmp_path, replace=replace)
    assert done.manifest_beside
    assert (tmp_path / "cluster.yaml").read_bytes() == b"name: test # edited\n"
    assert (tmp_path / "cluster.yaml.new").read_bytes() == FILES["cluster.yaml"]


def test_a_manifest_that_nobody_edited_comes_up_to_date_with_the_release(tmp_path: Path) -> None:
    """Otherwise it would name the old version, and the new files would be installed under that name."""
    unpack(read(bundle()), tmp_path)
    newer = {**FILES, "cluster.yaml": b"name: test # of the next version\n"}
    done = unpack(read(bundle(newer)), tmp_path, replace=True)
    assert not done.manifest_beside
    assert tree(tmp_path)["cluster.yaml"] == newer["cluster.yaml"]


@pytest.mark.parametrize("at", ["artifacts", "artifacts/images.tar.zst", "bundle.json", ".mk8s-unpack"])
def test_no_link_in_the_folder_is_followed(at: str, tmp_path: Path) -> None:
    """A link would lead the bundle's files elsewhere."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / at).parent.mkdir(parents=True)
    (folder / at).symlink_to(elsewhere)
    with pytest.raises(BundleError, match="is a link"):
        unpack(read(bundle()), folder, replace=True)
    assert tree(elsewhere) == {}
    assert (folder / at).is_symlink()


def test_no_link_on_the_stage_comes_to_a_files_place(tmp_path: Path) -> None:
    """It leads to the right content, and may lead to other content later."""
    head = head_of()
    stage = tmp_path / "folder" / ".mk8s-unpack"
    stage.mkdir(parents=True)
    for number, entry in enumerate(head.index.members):
        (tmp_path / f"{number}").write_bytes(contents()[entry.path])
        (stage / f"{number:06d}").symlink_to(tmp_path / f"{number}")
    unpack(read(bundle()), tmp_path / "folder")
    assert tree(tmp_path / "folder") == expected()
    assert not any(path.is_symlink() for path in (tmp_path / "folder").rglob("*"))


def test_a_fault_at_the_very_end_leaves_nothing(tmp_path: Path) -> None:
    """Not even folders that were made for it."""
    spoilt = bundle(instead={"mk8s/mk8s": b"#!/bin/zz\n"})
    with pytest.raises(BundleError, match="mk8s/mk8s is damaged"):
        unpack(read(spoilt), tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_unpacking_wrote_is_not_written_again(tmp_path: Path) -> None:
    """Whole files on the stage are taken, damaged and half ones are not."""
    places = [*contents(), "bundle.json"]
    stage = tmp_path / ".mk8s-unpack"
    stage.mkdir()
    whole = stage / f"{places.index('artifacts/images.tar.zst'):06d}"
    whole.write_bytes(FILES["artifacts/images.tar.zst"])
    (stage / f"{places.index('mk8s/mk8s'):06d}").write_bytes(b"#!/bin/zz\n")
    (stage / f"{places.index('artifacts/rke2.linux-amd64.tar.gz'):06d}.tmp").write_bytes(b"rk")
    inode = whole.stat().st_ino
    unpack(read(bundle()), tmp_path)
    assert tree(tmp_path) == expected()
    assert (tmp_path / "artifacts/images.tar.zst").stat().st_ino == inode


@pytest.mark.parametrize("name", ["json.py", "site/added.pth", "__pycache__/empty.cpython-311.pyc"])
def test_what_was_added_to_the_program_is_found(name: str, tmp_path: Path) -> None:
    """Python would import it, source or compiled."""
    unpack(read(bundle()), tmp_path)
    verify_folder(tmp_path, read_folder(tmp_path))
    path = tmp_path / "mk8s/lib" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("evil\n")
    with pytest.raises(BundleError, match=f"mk8s/lib/{name}: added"):
        verify_folder(tmp_path, read_folder(tmp_path))
