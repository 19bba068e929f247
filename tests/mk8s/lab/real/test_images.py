"""Images that are written by hand: what readers find in them, and that their bytes are always the same."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mk8s.lab.real.images import Image, Layer, write_archive, write_layer


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF")
    path.chmod(0o700)
    return path


def layer_of(program: Path) -> Layer:
    return Layer(
        files={"usr/bin/tool": program},
        texts={"etc/passwd": "root\n", "etc/group": "root\n"},
        links={"bin/sh": "../usr/bin/tool"},
        folders={"tmp": 0o1777},
    )


def archive_of(images: list[Image], folder: Path) -> Path:
    folder.mkdir()
    write_archive(images, folder / "images.tar", folder)
    return folder / "images.tar"


def read_member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        member = tar.extractfile(name)
        assert member
        return member.read()


def entries_of(archive: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(read_member(archive, "manifest.json"))
    return found


def test_a_layer_holds_files_texts_links_and_all_their_folders(program: Path, tmp_path: Path) -> None:
    """Each with its kind and mode; who owns the file here does not matter."""
    write_layer(layer_of(program), tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as tar:
        found = {(i.name, i.type, oct(i.mode), i.linkname, i.uid, i.mtime) for i in tar}
    assert found == {
        ("bin", tarfile.DIRTYPE, "0o755", "", 0, 0),
        ("bin/sh", tarfile.SYMTYPE, "0o777", "../usr/bin/tool", 0, 0),
        ("etc", tarfile.DIRTYPE, "0o755", "", 0, 0),
        ("etc/group", tarfile.REGTYPE, "0o644", "", 0, 0),
        ("etc/passwd", tarfile.REGTYPE, "0o644", "", 0, 0),
        ("tmp", tarfile.DIRTYPE, "0o1777", "", 0, 0),
        ("usr", tarfile.DIRTYPE, "0o755", "", 0, 0),
        ("usr/bin", tarfile.DIRTYPE, "0o755", "", 0, 0),
        ("usr/bin/tool", tarfile.REGTYPE, "0o755", "", 0, 0),
    }


def test_a_folder_comes_before_what_lies_in_it(program: Path, tmp_path: Path) -> None:
    """Who unpacks makes it with its mode, not with a default."""
    write_layer(layer_of(program), tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as tar:
        names = tar.getnames()
    assert names.index("usr") < names.index("usr/bin") < names.index("usr/bin/tool")


def test_the_list_of_images_comes_first(program: Path, tmp_path: Path) -> None:
    """Its reader need not look through gigabytes."""
    archive = archive_of([Image("r/a:1", layer_of(program))], tmp_path / "out")
    with tarfile.open(archive) as tar:
        assert tar.next() is not None
        assert tar.getnames()[0] == "manifest.json"


def test_every_image_has_its_config_and_layer_under_their_digests(program: Path, tmp_path: Path) -> None:
    """A container runtime checks each: the config's name, and the layer against the config."""
    images = [
        Image("r/a:1", layer_of(program), command=["a"]),
        Image("r/b:2", Layer(), entrypoint=["/b"]),
    ]
    archive = archive_of(images, tmp_path / "out")
    entries = entries_of(archive)
    assert [entry["RepoTags"] for entry in entries] == [["r/a:1"], ["r/b:2"]]
    for entry in entries:
        config = read_member(archive, entry["Config"])
        assert f"{hashlib.sha256(config).hexdigest()}.json" == entry["Config"]
        (layer,) = entry["Layers"]
        digest = hashlib.sha256(read_member(archive, layer)).hexdigest()
        assert json.loads(config)["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{digest}"]}


def test_a_config_says_what_is_started(program: Path, tmp_path: Path) -> None:
    """No entrypoint is null, not an empty list: runtimes tell them apart."""
    archive = archive_of([Image("r/a:1", layer_of(program), command=["a", "-v"])], tmp_path / "out")
    config = json.loads(read_member(archive, entries_of(archive)[0]["Config"]))
    assert (config["config"]["Entrypoint"], config["config"]["Cmd"]) == (None, ["a", "-v"])
    assert (config["architecture"], config["os"]) == ("amd64", "linux")


def test_images_with_the_same_layer_share_it(program: Path, tmp_path: Path) -> None:
    """The archive holds it once."""
    images = [Image(name, layer_of(program)) for name in ("r/a:1", "r/b:1")]
    archive = archive_of(images, tmp_path / "out")
    with tarfile.open(archive) as tar:
        assert len([name for name in tar.getnames() if name.endswith("layer.tar")]) == 1


def test_the_same_content_gives_the_same_bytes(program: Path, tmp_path: Path) -> None:
    """Whatever the times of the files, and the order in which they are named."""
    first = archive_of([Image("r/a:1", layer_of(program))], tmp_path / "one").read_bytes()
    os.utime(program, (1, 1))
    layer = layer_of(program)
    again = Layer(layer.files, dict(reversed(list(layer.texts.items()))), layer.links, layer.folders)
    second = archive_of([Image("r/a:1", again)], tmp_path / "two").read_bytes()
    assert first == second


def test_an_archive_is_a_plain_tar(program: Path, tmp_path: Path) -> None:
    """A reader without a file to seek in reads it, too."""
    archive = archive_of([Image("r/a:1", layer_of(program))], tmp_path / "out")
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes()), mode="r|") as tar:
        assert [member.isreg() for member in tar] == [True, True, True]
