"""The whole way on one machine: a release and a manifest, a bundle, a folder, the mk8s in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mk8s.bundle.index import BOM, MANIFEST, README
from mk8s.bundle.runtime import LAUNCHER, target_words
from mk8s.cli import main
from mk8s.manifest.blanks import PLACEHOLDER
from mk8s.standin import build_release

TOKEN = "hush-hush-token"
MANIFEST_TEXT = f"""\
distro: rke2
version: v1.28.3+rke2r2
artifacts_dir: ./release
nodes:
  - address: 10.0.0.1
    role: server
    primary: true
    config: |
      token: {TOKEN}  # not {TOKEN}2
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with production.mk8s.tar, and the same unpacked in `there`."""
    folder = tmp_path_factory.mktemp("carrying")
    build_release(folder / "release", "v1.28.3+rke2r2", "amd64")
    (folder / "production.yaml").write_text(MANIFEST_TEXT)
    bundle = str(folder / "production.mk8s.tar")
    assert main(["bundle", "create", str(folder / "production.yaml"), "-o", bundle]) == 0
    assert main(["bundle", "unpack", bundle, str(folder / "there")]) == 0
    return folder / "there"


def own(there: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The mk8s of the bundle, with no environment."""
    return subprocess.run(
        [str(there / LAUNCHER), *words],
        env={"MK8S_PYTHON": str(Path(sys.executable).resolve())},
        cwd=there,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_file_of_a_bundle_has_the_secret(made: Path) -> None:
    """Looked for in every byte of every file."""
    found = [path for path in made.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert found == []


def test_its_own_mk8s_refuses_the_manifest_until_the_secret_is_there(made: Path) -> None:
    """And then finds the release whole, and the cluster under its old name."""
    manifest = made / MANIFEST
    refused = own(made, "validate", MANIFEST)
    assert refused.returncode == 2
    assert "nodes[0].config.token: the secret is missing" in refused.stderr
    text = manifest.read_text()
    manifest.write_text(text.replace(f"token: {PLACEHOLDER}", f"token: {TOKEN}"))
    try:
        checked = own(made, "validate", MANIFEST)
    finally:
        manifest.write_text(text)
    assert checked.returncode == 0, checked.stderr
    assert "hashes verified" in checked.stderr
    assert "well formed: production, rke2" in checked.stderr


def test_its_files_can_be_checked_without_mk8s(made: Path) -> None:
    """By coreutils alone, as README.txt says."""
    ended = subprocess.run(
        ["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"], cwd=made, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, b"")


def test_its_readme_says_what_the_machines_must_have(made: Path) -> None:
    """Before anybody has started anything."""
    text = (made / README).read_text()
    assert f"The mk8s of this bundle needs {target_words()}." in text
    assert "what each server must have:\n" in text


def test_its_bill_lists_the_release(made: Path) -> None:
    """Every file of the release folder, by its own hash and its publisher's address."""
    document = json.loads((made / BOM).read_text())
    listed = {one["bom-ref"]: one for one in document["components"]}
    for path in (made / "artifacts").iterdir():
        assert listed[f"artifacts/{path.name}"]["purl"].startswith("pkg:github/rancher/rke2@v1.28.3%2Brke2r2")


def test_its_own_mk8s_makes_the_same_bundle(made: Path, tmp_path: Path) -> None:
    """Filled in, and bundled again where there is no network: the same bytes."""
    manifest = made / MANIFEST
    text = manifest.read_text()
    manifest.write_text(text.replace(PLACEHOLDER, TOKEN))
    try:
        again = own(made, "bundle", "create", MANIFEST, "-o", str(tmp_path / "again.mk8s.tar"))
    finally:
        manifest.write_text(text)
    assert again.returncode == 0, again.stderr
    first = made.parent / "production.mk8s.tar"
    assert (tmp_path / "again.mk8s.tar").read_bytes() == first.read_bytes()
