"""Files: the manifest itself, and those that it names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from mk8s.errors import ExitCode, ManifestError
from mk8s.manifest import load_cluster, load_cluster_text
from mk8s.manifest.reading import MAX_BYTES
from tests.mk8s.manifest.manifests import SERVER, SOUND, with_nodes


def refused(path: Path) -> str:
    with pytest.raises(ManifestError) as caught:
        load_cluster(path, home=path.parent, operator="anna")
    assert caught.value.exit_code is ExitCode.MANIFEST_NEEDS_YOU
    return str(caught.value)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "my.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_manifest_is_read_with_its_text_and_the_digest_of_its_bytes(tmp_path: Path) -> None:
    """Line ends and a byte order mark count."""
    data = b"\xef\xbb\xbf" + SOUND.replace("\n", "\r\n").encode()

    found = load_cluster(write(tmp_path, data))

    assert found.cluster.digest == hashlib.sha256(data).hexdigest()
    assert found.text.encode() == data


def test_text_is_read_as_the_file_is(tmp_path: Path) -> None:
    """The text of a loaded manifest gives the same cluster again."""
    path = write(tmp_path, SOUND)
    found = load_cluster(path)

    assert load_cluster_text(found.text, path) == found


def test_a_missing_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    """Not a traceback."""
    text = refused(tmp_path / "nope.yaml")

    assert text.startswith(f"'{tmp_path}/nope.yaml' cannot be read: No such file or directory\nhint: ")


def test_a_folder_is_not_a_manifest(tmp_path: Path) -> None:
    """The hint names a file in it."""
    assert f"it is a folder; name the manifest in it, such as {tmp_path}/cluster.yaml" in refused(tmp_path)


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe without a writer would hang, a device would never end."""
    os.mkfifo(tmp_path / "pipe")

    assert "is not an ordinary file" in refused(tmp_path / "pipe")
    assert "is not an ordinary file" in refused(Path("/dev/zero"))


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\x1b[2J"])
def test_a_name_that_cannot_be_a_file_is_told_without_control_characters(tmp_path: Path, name: str) -> None:
    """The terminal must not obey a file name."""
    text = refused(tmp_path / name)

    assert "cannot be read" in text
    assert text.replace("\n", "").isprintable()


def test_ten_megabytes_are_refused_by_their_size(tmp_path: Path) -> None:
    """The file is not read at all."""
    path = write(tmp_path, b"a" * 10_000_000)

    assert refused(path).split("\n")[1] == (
        f"{path}:1:1: the file has 10000000 bytes, and {MAX_BYTES} are the most that a manifest can have"
    )


def test_a_text_of_another_encoding_is_refused_at_its_first_odd_byte(tmp_path: Path) -> None:
    """Such as one that an old editor saved."""
    path = write(tmp_path, "name: café".encode("latin-1"))

    assert refused(path).split("\n")[1] == f"{path}:1:10: the byte 0xe9 is not UTF-8 text"


def test_a_binary_file_is_refused_as_no_text(tmp_path: Path) -> None:
    """Such as a release file in the manifest's place."""
    path = write(tmp_path, b"\x1f\x8b\x08\x00\xff\xfe")

    assert refused(path).split("\n")[0] == f"{path} is no manifest: it is no text"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("nowhere", "cannot be read: No such file or directory"),
        ("folder", "cannot be read: Is a directory"),
        ("loop", "cannot be read: Too many levels of symbolic links"),
        ("pipe", "is not an ordinary file"),
        ("good/below", "cannot be read: Not a directory"),
    ],
)
def test_a_key_file_must_be_there_and_readable(tmp_path: Path, key: str, problem: str) -> None:
    """Found now, not at the first connection."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "good").write_text("key")
    os.mkfifo(tmp_path / "pipe")
    path = write(tmp_path, with_nodes(f"{{address: a, role: server, ssh_key_path: {key}}}"))

    assert refused(path).split("\n")[1] == (
        f"{path}:4:32: nodes[0].ssh_key_path: the key file {tmp_path}/{key} {problem}"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_key_file_of_somebody_else_is_told(tmp_path: Path) -> None:
    """The system's words are kept."""
    (tmp_path / "key").write_text("key")
    (tmp_path / "key").chmod(0)

    assert "Permission denied" in refused(write(tmp_path, f"{SOUND}ssh: {{key_path: key}}\n"))


def test_a_public_key_is_not_taken_for_the_private_one(tmp_path: Path) -> None:
    """The usual slip."""
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA")

    text = refused(write(tmp_path, f"{SOUND}ssh: {{key_path: ~/id.pub}}\n"))

    assert f"name the private one: {tmp_path}/id" in text


def test_a_key_that_many_nodes_share_is_told_once(tmp_path: Path) -> None:
    """One missing file is one mistake."""
    nodes = [f"{{address: a{i}, role: server, ssh_key_path: ~/nowhere}}" for i in range(5)]

    assert "my.yaml: 1 mistake; " in refused(write(tmp_path, with_nodes(*nodes)))


def test_a_local_nodes_key_is_not_looked_for(tmp_path: Path) -> None:
    """It is never used."""
    path = write(tmp_path, with_nodes("{address: a, role: server, local: true, ssh_key_path: nowhere}"))

    assert load_cluster(path).cluster.primary.login.local


def test_keys_need_not_be_where_a_release_is_only_fetched(tmp_path: Path) -> None:
    """The machine with the internet reaches no node."""
    path = write(tmp_path, with_nodes("{address: a, role: server, ssh_key_path: nowhere}"))

    assert load_cluster(path, keys=False).cluster.primary.login.key_path == tmp_path / "nowhere"


def test_key_faults_stand_among_the_others_in_order(tmp_path: Path) -> None:
    """One list, in the order of the file."""
    path = write(tmp_path, f"ssh: {{key_path: nowhere}}\nname: X\n{SOUND}arch: sparc\n")

    with pytest.raises(ManifestError) as caught:
        load_cluster(path)

    assert [fault.path for fault in caught.value.faults] == ["ssh.key_path", "name", "arch"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere.yaml", "cannot be read: No such file or directory"),
        ("folder", "is a folder"),
        ("pipe", "is not an ordinary file"),
    ],
)
def test_a_file_to_apply_must_be_there_and_readable(tmp_path: Path, name: str, problem: str) -> None:
    """Found now, not when the cluster stands; each in its own line."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "good.yaml").write_text("kind: Namespace\n")
    os.mkfifo(tmp_path / "pipe")
    path = write(tmp_path, f"{SOUND}manifests:\n  - good.yaml\n  - {name}\n")

    assert refused(path).split("\n")[:2] == [
        f"{path}: 1 mistake; no node was touched",
        f"{path}:7:5: manifests[1]: {tmp_path}/{name} {problem}",
    ]


def test_files_to_apply_are_kept_in_their_order(tmp_path: Path) -> None:
    """What comes first may be needed by what comes next."""
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / name).write_text("kind: Namespace\n")

    cluster = load_cluster(write(tmp_path, f"{SOUND}manifests: [b.yaml, a.yaml]\n")).cluster

    assert cluster.manifests == (tmp_path / "b.yaml", tmp_path / "a.yaml")


def test_the_artifacts_folder_need_not_be_there_yet(tmp_path: Path) -> None:
    """It is looked for when the release is."""
    assert load_cluster(write(tmp_path, SOUND)).cluster.artifacts_dir == tmp_path / "artifacts"


def test_a_past_manifest_is_read_without_looking_for_its_files(tmp_path: Path) -> None:
    """They may be gone since."""
    text = f"{SOUND}ssh: {{key_path: gone}}\nmanifests: [gone.yaml]\n"

    cluster = load_cluster_text(text, tmp_path / "x.yaml").cluster

    assert cluster.primary.login.key_path == tmp_path / "gone"
    assert cluster.manifests == (tmp_path / "gone.yaml",)


def test_a_large_cluster_is_read() -> None:
    """Two thousand nodes, each with config of its own."""
    nodes = "".join(
        f"  - address: 10.0.{i >> 8}.{i & 255}\n    role: agent\n    config: |\n      node-label: [n={i}]\n"
        for i in range(2, 2000)
    )
    cluster = load_cluster_text(
        f"distro: rke2\nversion: v1.28.3+rke2r2\nnodes:\n{SERVER}{nodes}", Path("x")
    ).cluster

    assert len({node.name for node in cluster.nodes}) == 1999
