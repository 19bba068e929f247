"""`mk8s init`: a manifest that is sound as it stands, and with every default written out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mk8s.cli import main
from mk8s.distros.base import load_distro
from mk8s.manifest import load_cluster_text
from mk8s.manifest.starting import VERSIONS, Start, starting_manifest


def read(text: str) -> list[str]:
    """The faults of its driver; a fault of the form is raised."""
    cluster = load_cluster_text(text, Path("cluster.yaml"), home=Path("/home/a"), operator="a").cluster
    return load_distro(cluster.distro).faults(cluster)


@pytest.mark.parametrize("distro", VERSIONS)
@pytest.mark.parametrize("servers", [1, 3])
def test_it_is_sound_as_it_stands(distro: str, servers: int) -> None:
    """Only the addresses have to be replaced."""
    assert read(starting_manifest(Start(distro, VERSIONS[distro], servers))) == []


@pytest.mark.parametrize("distro", VERSIONS)
def test_every_line_that_it_shows_may_be_put_in_force(distro: str) -> None:
    """Word for word: what it says of the defaults is no invention."""
    text = starting_manifest(Start(distro, VERSIONS[distro]))
    shown = re.sub(r"^#(?! )|^#(?=  )", "", text, flags=re.MULTILINE)

    assert shown.count("\nendpoint:") == 1
    assert read(shown) == []


def test_the_output_is_the_manifest_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """So that it can be redirected."""
    assert main(["init", "--distro", "k3s", "--servers", "1", "--agents", "0"]) == 0
    shown = capsys.readouterr()
    assert (read(shown.out), shown.err) == ([], "")
    assert shown.out.count("role:") == 1


def test_a_file_that_is_there_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be the manifest of a cluster."""
    target = tmp_path / "cluster.yaml"
    codes = [main(["init", "--to", str(target)]) for _ in range(2)]
    assert codes == [0, 2]
    assert "is there already" in capsys.readouterr().err
    assert read(target.read_text()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--distro", "k9s"], "k9s"),
        (["--servers", "0"], "0 servers"),
        (["--to", "/nowhere/x.yaml"], "/nowhere/x.yaml cannot be written"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Plainly, with exit code 2."""
    assert main(["init", *words]) == 2
    assert told in capsys.readouterr().err
