"""`mk8s artifacts`: the list on stdout, and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mk8s.cli import main

MANIFEST = "distro: k3s\nversion: v1.33.4+k3s1\nnodes:\n  - {address: 10.0.0.1, role: server}\n"


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text(MANIFEST)
    return str(path)


def test_the_list_is_data_for_programs(manifest: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a distro that cannot be installed yet; stdout is one JSON value."""
    assert main(["artifacts", "list", manifest, "--output", "json"]) == 0

    data = json.loads(capsys.readouterr().out)
    assert [entry["file"] for entry in data["artifacts"]] == [
        "sha256sum-amd64.txt", "k3s", "k3s-airgap-images-amd64.tar.zst"
    ]  # fmt: skip


def test_the_list_is_a_table_for_people_and_says_what_is_next(
    manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["artifacts", "list", manifest]) == 0

    said = capsys.readouterr()
    assert said.out.startswith("id  ")
    assert said.err.endswith(f"3 files of k3s v1.33.4+k3s1.  Next: mk8s download {manifest}\n")


def test_without_a_verb_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["artifacts"]) == 0
    assert "mk8s artifacts list cluster.yaml" in capsys.readouterr().out


def test_a_fault_of_the_manifest_is_told_and_nothing_is_listed(
    manifest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(manifest).write_text(f"{MANIFEST}components: {{containerd: 1.7.27}}\n")
    assert main(["artifacts", "list", manifest]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert "components: has no meaning for k3s; a release has containerd" in said.err
