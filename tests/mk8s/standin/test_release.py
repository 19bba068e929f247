"""The release folder: names, formats, layout, and that it says what it is."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from pathlib import Path

import pytest

from mk8s.standin import build_release
from mk8s.standin.containers import RawZstd
from mk8s.standin.release import unit

SIZE = 300_000  # more than two zstd blocks


def release(folder: Path, seed: int = 0) -> Path:
    return build_release(folder, images_size=SIZE, seed=seed)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def bundle(folder: Path, arch: str = "amd64") -> dict[str, tuple[bytes, int]]:
    found = {}
    with tarfile.open(folder / f"rke2.linux-{arch}.tar.gz") as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            found[member.name] = (file.read(), member.mode)
    return found


def unframe(frame: bytes) -> bytes:
    """Read a zstd frame of raw blocks without a content size (RFC 8878, 3.1.1)."""
    assert frame[:6] == b"\x28\xb5\x2f\xfd\x00\x50"
    at, data, last = 6, b"", False
    while not last:
        header = int.from_bytes(frame[at : at + 3], "little")
        size, kind, last = header >> 3, header >> 1 & 3, bool(header & 1)
        assert kind == 0
        assert size <= 128 << 10
        data += frame[at + 3 : at + 3 + size]
        at += 3 + size
    assert at == len(frame)
    return data


def test_a_release_has_the_real_file_names(tmp_path: Path) -> None:
    """What mk8s and install.sh look for, and a README that a real release has not."""
    assert set(content(release(tmp_path / "r"))) == {
        "rke2.linux-amd64.tar.gz",
        "rke2-images.linux-amd64.tar.zst",
        "sha256sum-amd64.txt",
        "install.sh",
        "README.txt",
    }


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two builds of one version and seed are equal, file by file."""
    assert content(release(tmp_path / "a")) == content(release(tmp_path / "b"))


def test_building_again_over_a_release_changes_nothing(tmp_path: Path) -> None:
    """A folder that is there is brought up to date, and nothing else is left in it."""
    before = content(release(tmp_path))
    assert content(release(tmp_path)) == before


def test_another_seed_gives_other_images(tmp_path: Path) -> None:
    """The noise depends on the seed."""
    name = "rke2-images.linux-amd64.tar.zst"
    assert content(release(tmp_path / "a"))[name] != content(release(tmp_path / "b", seed=1))[name]


def test_the_checksum_file_is_that_of_sha256sum(tmp_path: Path) -> None:
    """`<64 hex><2 spaces><basename>`, one line for each asset, and the hashes are right."""
    files = content(release(tmp_path))
    lines = files["sha256sum-amd64.txt"].decode().splitlines()
    named = [re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in lines]
    assert {match[2]: match[1] for match in named if match} == {
        name: hashlib.sha256(files[name]).hexdigest() for name in files if name.endswith((".gz", ".zst"))
    }


def test_the_bundle_has_the_real_layout(tmp_path: Path) -> None:
    """bin, units with their environment files, and share, as RKE2's package-bundle makes them."""
    modes = {name: mode for name, (_, mode) in bundle(release(tmp_path)).items()}
    assert modes == {
        "bin/rke2": 0o755,
        "bin/rke2-killall.sh": 0o755,
        "bin/rke2-uninstall.sh": 0o755,
        "lib/systemd/system/rke2-server.service": 0o644,
        "lib/systemd/system/rke2-server.env": 0o644,
        "lib/systemd/system/rke2-agent.service": 0o644,
        "lib/systemd/system/rke2-agent.env": 0o644,
        "share/rke2/LICENSE.txt": 0o644,
        "share/rke2/rke2-cis-sysctl.conf": 0o644,
    }


def test_the_images_are_a_tar_in_a_zstd_frame_of_the_size_asked(tmp_path: Path) -> None:
    """The list of images first, naming the runtime image of this version; then the noise."""
    frame = content(release(tmp_path))["rke2-images.linux-amd64.tar.zst"]
    with tarfile.open(fileobj=io.BytesIO(unframe(frame))) as tar:
        members = {member.name: member.size for member in tar}
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        assert b"rancher/rke2-runtime:v1.33.4-rke2r1" in manifest.read()
    assert members["standin.bin"] == SIZE


@pytest.mark.parametrize("size", [0, 1, 131_072, 131_073, 400_000])
def test_a_raw_frame_gives_back_what_was_written(size: int) -> None:
    """Empty, one byte, exactly a block, one more, several blocks."""
    data = hashlib.shake_256(b"x").digest(size)
    target = io.BytesIO()
    frame = RawZstd(target)
    frame.write(data)
    frame.close()
    assert unframe(target.getvalue()) == data


def test_more_images_can_be_asked_for(tmp_path: Path) -> None:
    """For clusters with another network plugin than canal: core and the plugin's file, both in the sums."""
    build_release(tmp_path, images_size=10, more_images=("core", "calico"))
    sums = (tmp_path / "sha256sum-amd64.txt").read_text()
    assert "rke2-images-core.linux-amd64.tar.zst" in sums
    assert "rke2-images-calico.linux-amd64.tar.zst" in sums


def test_the_other_architecture_has_its_own_names(tmp_path: Path) -> None:
    """All names carry arm64."""
    build_release(tmp_path, arch="arm64", images_size=10)
    assert (tmp_path / "sha256sum-arm64.txt").exists()
    assert "bin/rke2" in bundle(tmp_path, "arm64")


@pytest.mark.parametrize("version", ["1.33.4", "v1.33", "v1.33.4+k4s1", "v1.33.4+rke2r1; true"])
def test_a_version_that_no_distro_can_have_is_refused(tmp_path: Path, version: str) -> None:
    """The version ends up in a program's text, so only its real form gets there."""
    with pytest.raises(ValueError, match=r"versions such as RKE2 v1\.33\.4"):
        build_release(tmp_path, version)


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    """RKE2 on Linux is amd64 or arm64 here."""
    with pytest.raises(ValueError, match="amd64 and arm64"):
        build_release(tmp_path, arch="riscv64")


@pytest.mark.parametrize(
    "name",
    [
        "bin/rke2",
        "bin/rke2-killall.sh",
        "bin/rke2-uninstall.sh",
        "share/rke2/LICENSE.txt",
        "lib/systemd/system/rke2-server.service",
    ],
)
def test_every_part_says_that_it_is_a_stand_in(tmp_path: Path, name: str) -> None:
    """Nobody who opens a file takes it for Rancher's."""
    assert "stand-in" in bundle(release(tmp_path))[name][0].decode().lower()


@pytest.mark.parametrize("name", ["README.txt", "install.sh"])
def test_the_folder_says_that_it_is_a_stand_in(tmp_path: Path, name: str) -> None:
    """The same for what lies beside the bundle."""
    assert "STAND-IN" in content(release(tmp_path))[name].decode()


@pytest.mark.parametrize(
    ("version", "there", "not_there"),
    [
        ("v1.20.15+rke2r1", "Conflicts=rke2-agent", "Type=notify"),
        ("v1.33.4+rke2r1", "Type=notify", "ExecCondition"),
        ("v1.33.4+rke2r1", "nm-cloud-setup", "ExecCondition"),
        ("v1.33.7+rke2r1", "Conflicts=rke2-agent", "nm-cloud-setup"),
        ("v1.33.9+rke2r1", "ExecCondition", "Conflicts"),
        ("v1.37.0+rke2r1", "ExecCondition", "nm-cloud-setup"),
    ],
)
def test_the_unit_is_that_of_its_version(version: str, there: str, not_there: str) -> None:
    """RKE2's unit changed at known releases; the stand-in's changes with it."""
    text = unit("server", version)
    assert there in text
    assert not_there not in text


@pytest.mark.parametrize("role", ["server", "agent"])
def test_the_unit_restarts_and_never_times_out(role: str) -> None:
    """The properties that an installer has to live with."""
    text = unit(role, "v1.33.4+rke2r1")
    for line in ("Restart=always", "RestartSec=5s", "KillMode=process", "TimeoutStartSec=0", "Delegate=yes"):
        assert f"\n{line}\n" in text
    assert f"ExecStart=/usr/local/bin/rke2 {role}\n" in text
    assert "@" not in text
