"""A driver of another party is found by its entry point, as `pip install` leaves it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.mk8s.conformance.solo import EXAMPLE

ROOT = Path(__file__).resolve().parents[3]
MANIFEST = """\
distro: solo
version: v1.33.4+solo1
nodes:
  - {address: 10.0.0.1, role: server}
  - {address: 10.0.0.2, role: agent}
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with what installing the example leaves in one of Python's own."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [line for group, entries in groups for line in (f"[{group}]", *_entries(entries))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "mk8s_solo.py").write_bytes((EXAMPLE / "mk8s_solo.py").read_bytes())
    (tmp_path / "cluster.yaml").write_text(MANIFEST)
    return tmp_path


def _entries(entries: dict[str, str]) -> list[str]:
    return [f"{name} = {place}" for name, place in entries.items()]


def mk8s(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """mk8s as a user calls it, beside whatever is installed in `path`."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    command = [sys.executable, "-m", "mk8s", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_an_installed_driver_rehearses_a_manifest_of_its_distro(installed: Path) -> None:
    finished = mk8s(installed, "simulate", str(installed / "cluster.yaml"))

    assert (finished.returncode, finished.stdout.splitlines()[-2:]) == (
        0,
        ["10-0-0-1\thealthy", "10-0-0-2\thealthy"],
    )


def test_one_that_is_not_installed_is_not_known(
    installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    finished = mk8s(tmp_path_factory.mktemp("empty"), "simulate", str(installed / "cluster.yaml"))

    assert finished.returncode != 0
    assert "'solo'" in finished.stderr
