"""`mk8s bundle` as people type it: what is printed where, with which exit code, and what lies there after."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mk8s.cli import main
from tests.mk8s.bundle.making import bundle, written
from tests.mk8s.bundle.test_making import RELEASE, site

NAME = "prod-v1.33.4+rke2r1.mk8s.tar"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a manifest whose release is whole; the user vouches for nobody."""
    site(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return tmp_path


def mk8s(*words: str) -> int:
    try:
        return main(["bundle", *words])
    except SystemExit as end:
        return int(end.code or 0)


@pytest.fixture
def made(place: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A bundle without mk8s itself."""
    assert mk8s("create", "site/cluster.yaml", "--without-mk8s") == 0
    capsys.readouterr()
    return place / NAME


def key_at(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path


def test_create_prints_the_file_and_the_next_command(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout is data: the path alone."""
    assert mk8s("create", "site/cluster.yaml", "--without-mk8s") == 0
    said = capsys.readouterr()
    assert said.out == f"{NAME}\n"
    assert f"Next: mk8s bundle verify {NAME}" in said.err
    assert (place / NAME).exists()


def test_create_refuses_a_release_that_is_not_whole(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written, and the missing file is named."""
    (place / "release/rke2.linux-amd64.tar.gz").unlink()
    assert mk8s("create", "site/cluster.yaml") == 2
    assert "rke2.linux-amd64.tar.gz" in capsys.readouterr().err
    assert not (place / NAME).exists()


def test_create_refuses_a_damaged_release(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "release/rke2.linux-amd64.tar.gz").write_bytes(b"other")
    assert mk8s("create", "site/cluster.yaml") == 2
    assert "the release is damaged" in capsys.readouterr().err
    assert not (place / NAME).exists()


def test_create_does_not_overwrite_what_is_no_bundle(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the fingers must not cost the manifest."""
    before = (place / "site/cluster.yaml").read_text()
    assert mk8s("create", "site/cluster.yaml", "-o", "site/cluster.yaml", "--without-mk8s") == 2
    assert "is no bundle" in capsys.readouterr().err
    assert (place / "site/cluster.yaml").read_text() == before


def test_create_again_makes_the_same(made: Path) -> None:
    """Over the old one, which is a bundle."""
    before = made.read_bytes()
    assert mk8s("create", "site/cluster.yaml", "--without-mk8s") == 0
    assert made.read_bytes() == before


def test_verify_says_what_is_there(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mk8s("verify", NAME) == 0
    assert capsys.readouterr().out == f"{NAME}: every byte is as its index says; not signed\n"


def test_verify_as_data(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mk8s("verify", NAME, "--output", "json") == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["cluster"], verdict["version"]) == ("prod", "v1.33.4+rke2r1")
    assert verdict["signature"] == {"state": "none", "who": "", "key": ""}


def test_a_folder_is_verified_as_its_bundle(
    made: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also after the manifest was edited, which is what it is there for."""
    assert mk8s("unpack", NAME, "there") == 0
    (place / "there/cluster.yaml").write_text("edited: true\n")
    capsys.readouterr()
    assert mk8s("verify", "there") == 0
    assert capsys.readouterr().out == "there: every byte is as its index says; not signed\n"


def test_a_changed_folder_is_refused(made: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every file that is missing or changed is named."""
    assert mk8s("unpack", NAME, "there") == 0
    (place / "there/SHA256SUMS").write_text("")
    (place / "there/artifacts/rke2.linux-amd64.tar.gz").unlink()
    assert mk8s("verify", "there") == 2
    told = capsys.readouterr().err
    assert "SHA256SUMS: changed" in told
    assert "artifacts/rke2.linux-amd64.tar.gz: missing" in told


def test_verify_refuses_damage(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit status 2 and words, no traceback."""
    content = bytearray(made.read_bytes())
    content[-5000] ^= 1
    made.write_bytes(content)
    assert mk8s("verify", NAME) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {NAME}: ")


@pytest.mark.parametrize("what", ["nothing", "release", "/dev/null"])
def test_what_cannot_be_a_bundle_is_refused(
    what: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mk8s("verify", what) == 2
    assert "hint: " in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen here")
def test_a_signed_bundle_is_trusted_by_name(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the user's own list without being asked; the command to check by hand is printed, and works."""
    key = key_at(place / "key")
    signers = place / "config/mk8s/allowed_signers"
    signers.parent.mkdir(parents=True)
    signers.write_text(f"alice@example.org {key.with_suffix('.pub').read_text()}")
    assert mk8s("create", "site/cluster.yaml", "--without-mk8s", "--sign", "key") == 0
    assert (place / f"{NAME}.sig").read_text().startswith("-----BEGIN SSH SIGNATURE-----")
    capsys.readouterr()
    assert mk8s("verify", NAME, "--require-signature") == 0
    said = capsys.readouterr()
    assert "signed by alice@example.org (ED25519 SHA256:" in said.out
    commands = said.err[said.err.index("tar -xOf") :]
    assert subprocess.run(["sh", "-ec", commands], capture_output=True, check=True).stdout.startswith(b"Good")
    assert mk8s("unpack", NAME, "there", "--require-signature") == 0
    assert (place / "there/bundle.json.sig").read_bytes() == (place / f"{NAME}.sig").read_bytes()


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen here")
@pytest.mark.parametrize("option", [["--require-signature"], ["--signers", "nobody"]])
@pytest.mark.parametrize("signed", [True, False])
def test_what_is_not_trusted_is_not_unpacked(
    option: list[str], signed: bool, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unsigned, or by a stranger: nothing is written."""
    words = ["--sign", str(key_at(place / "key"))] if signed else []
    assert mk8s("create", "site/cluster.yaml", "--without-mk8s", *words) == 0
    (place / "nobody").touch()
    assert mk8s("unpack", NAME, "there", *option) == 2
    assert "a good signature is required" in capsys.readouterr().err
    assert not (place / "there").exists()


def test_a_signers_file_that_is_not_there_is_named(
    made: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not taken for one that vouches for nobody: its name may be mistyped."""
    del made
    assert mk8s("verify", NAME, "--signers", "nobdy") == 2
    assert "the signers file nobdy is not there" in capsys.readouterr().err


def test_unpack_says_what_is_left_to_do(made: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets did not travel: where they are missing, and the next command."""
    assert mk8s("unpack", NAME, "there") == 0
    said = capsys.readouterr()
    assert said.out == "there\n"
    assert "fill in what did not travel" in said.err
    assert "nodes[0].config" in said.err
    assert "Next: cd there && mk8s preflight cluster.yaml" in said.err
    assert {path.name: path.read_bytes() for path in (place / "there/artifacts").glob("rke2*")} == RELEASE


def test_unpack_says_what_would_be_run_and_is_not_of_the_bundle(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it found there it leaves alone; `verify` of the folder says to remove it."""
    written(place / "b", bundle())
    (place / "there/mk8s/lib").mkdir(parents=True)
    (place / "there/mk8s/lib/json.py").write_text("evil\n")
    assert mk8s("unpack", "b", "there") == 0
    assert "not of this bundle, and it would be run: mk8s/lib/json.py" in capsys.readouterr().err
    assert mk8s("verify", "there") == 2
    assert "or remove what was added" in capsys.readouterr().err


@pytest.mark.parametrize("manifest", [b"", b"\xff\xfe", b"a: [", b"just words"])
def test_a_manifest_that_is_none_is_no_riddle(
    manifest: bytes, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle of other making may hold anything: it is unpacked, and validate says what is wrong with it."""
    written(place / "b", bundle({"cluster.yaml": manifest}))
    assert mk8s("unpack", "b", "there") == 0
    assert "Next: cd there" in capsys.readouterr().err


def test_inspect_prints_files_and_needs(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mk8s("inspect", NAME) == 0
    printed = capsys.readouterr().out
    assert "cluster    prod: rke2 v1.33.4+rke2r1 for amd64" in printed
    assert "artifacts/rke2.linux-amd64.tar.gz" in printed
    assert "what each server must have:" in printed
    assert "9345 (RKE2's supervisor)" in printed


def test_inspect_as_data_is_the_index(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mk8s("inspect", NAME, "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["signed"] is False
    assert found["index"]["cluster"] == "prod"


def test_chunks_go_out_and_come_back(made: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """split, verify and unpack from chunks, join."""
    assert mk8s("split", NAME, "--size", "1MB", "--to", "media") == 0
    first, *_, listed = capsys.readouterr().out.split()
    assert (first, listed) == (f"media/{NAME}.001", f"media/{NAME}.parts.json")
    assert mk8s("verify", first) == 0
    assert mk8s("unpack", first, "there") == 0
    assert mk8s("join", first, "-o", "joined.mk8s.tar") == 0
    assert (place / "joined.mk8s.tar").read_bytes() == made.read_bytes()


def test_a_missing_chunk_is_named(made: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mk8s("split", NAME, "--size", "1MB", "--to", "media") == 0
    (place / "media" / f"{NAME}.002").unlink()
    assert mk8s("join", f"media/{NAME}.001") == 2
    assert f"{NAME}.002" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["4", "4 GB", "GB", "-1GB", "4GX", "1e9B"])
def test_a_size_without_sense_is_refused(size: str, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mk8s("split", NAME, f"--size={size}") == 2
    assert "is not a size" in capsys.readouterr().err


def test_a_delta_leads_from_one_version_to_the_next(
    made: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """diff writes it, verify and unpack take it with its base, and refuse it without."""
    manifest = place / "site/cluster.yaml"
    manifest.write_text(manifest.read_text() + "smoke_image: busybox:1.36\n")
    assert mk8s("create", "site/cluster.yaml", "--without-mk8s", "-o", "new.mk8s.tar") == 0
    capsys.readouterr()
    assert mk8s("diff", NAME, "new.mk8s.tar", "--output-bundle", "delta.mk8s.tar") == 0
    assert "~ cluster.yaml" in capsys.readouterr().out
    assert (place / "delta.mk8s.tar").stat().st_size < made.stat().st_size / 10
    assert mk8s("verify", "delta.mk8s.tar", "--base", NAME) == 0
    assert mk8s("unpack", "delta.mk8s.tar", "there") == 2
    assert "it needs the bundle of prod v1.33.4+rke2r1" in capsys.readouterr().err
    assert mk8s("unpack", "delta.mk8s.tar", "there", "--base", NAME) == 0
    assert mk8s("unpack", "new.mk8s.tar", "straight") == 0
    for path in (place / "straight").rglob("*"):
        if path.is_file():
            assert (place / "there" / path.relative_to(place / "straight")).read_bytes() == path.read_bytes()


def test_diff_as_data(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mk8s("diff", NAME, NAME, "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["members"] == []


@pytest.mark.parametrize("distro", ["k3s"])
def test_a_single_server_of_another_distro_can_be_bundled(
    distro: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it wants of its hosts is told from the bundle alone."""
    from mk8s.project import load_listing

    version = {"k3s": "v1.33.4+k3s1", "k0s": "v1.33.4+k0s.0"}[distro]
    manifest = place / "other.yaml"
    manifest.write_text(
        f"name: other\ndistro: {distro}\nversion: {version}\narch: amd64\nairgap: true\n"
        "artifacts_dir: files\n"
        "nodes:\n  - {address: 192.0.2.11, user: ops, role: server, primary: true}\n"
    )
    listing = load_listing(manifest)
    (place / "files").mkdir()
    for item in listing.catalogue.artifacts(listing.cluster):
        if not item.id.startswith("checksums"):
            (place / "files" / item.file).write_bytes(b"x")
        elif item.required:
            (place / "files" / item.file).write_text("")
    assert mk8s("create", "other.yaml", "--without-mk8s", "-o", "other.mk8s.tar") == 0
    assert mk8s("verify", "other.mk8s.tar") == 0
    assert mk8s("inspect", "other.mk8s.tar") == 0
    assert "6443 (the API server)" in capsys.readouterr().out
