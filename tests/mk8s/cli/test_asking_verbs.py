"""`mk8s health` and `mk8s smoke` at the command line: what is refused before any node is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.cli import main

MANIFEST = """\
distro: vanilla
version: v1.20.2
artifacts_dir: .
nodes:
  - {address: 192.0.2.1, role: server, primary: true}
ssh: {user: root}
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(MANIFEST)
    return path


def test_smoke_needs_an_image_and_says_which_kind(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is asked of any node without one."""
    assert main(["smoke", str(manifest)]) == 2
    said = capsys.readouterr().err
    assert "does not say from which image" in said
    assert "a shell and busybox's httpd" in said
    assert not (manifest.parent / ".mk8s").exists()


def test_health_of_a_cluster_that_was_never_run_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not there is no riddle then. A node on loopback whose port is closed is away at once."""
    path = tmp_path / "cluster.yaml"
    path.write_text(
        MANIFEST.replace("192.0.2.1", "127.0.0.1").replace("{user: root}", "{user: root, port: 1}")
    )
    assert main(["health", str(path)]) == 1
    assert f"cluster has not been run from here yet\nNext: mk8s run {path}" in capsys.readouterr().err


@pytest.mark.parametrize("time", ["10", "0s", "soon", "-1s"])
@pytest.mark.parametrize("verb", [["health", "--wait"], ["health", "--patience"], ["smoke", "--patience"]])
def test_a_time_needs_its_unit(
    verb: list[str], time: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a bare 10 nobody can tell."""
    with pytest.raises(SystemExit) as refused:
        main([verb[0], str(manifest), f"{verb[1]}={time}"])
    assert refused.value.code == 2
    assert repr(time) in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["health", "smoke"])
def test_the_overview_names_the_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert f"\n  {verb} " in capsys.readouterr().out
