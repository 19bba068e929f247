"""scripts/setup: what it refuses before it makes anything. scripts/test: that it leaves no test out."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUP = ROOT / "scripts" / "setup"
PROGRAMS = {
    ".venv/bin/mk8s": "echo compiled; exit $CODE",
    ".venv/bin/python": 'echo "tested: $*"',
    "bin/make": "echo linted",
    "bin/id": "echo 0",
    "bin/uname": "echo Linux",
    "bin/renice": "true",
}


def test_a_python_that_is_named_is_never_replaced_by_another() -> None:
    """Who asks for 3.13 and gets 3.11 without a word tests the wrong one."""
    ended = subprocess.run(
        [SETUP],
        env={**os.environ, "PYTHON": "python-that-is-not"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "PYTHON=python-that-is-not does not run, or is older than 3.11" in ended.stderr


def test_every_end_to_end_test_lies_in_a_folder_that_is_asked_for() -> None:
    """Collecting only these saves half a minute; a test elsewhere would never run."""
    mark = "pytest.mark." + "e2e"
    files = (path for path in (ROOT / "tests").rglob("*.py") if mark in path.read_text())
    folders = {path.parent.relative_to(ROOT).as_posix() for path in files}
    assert folders == {"tests/e2e", "tests/mk8s/bundle"}
    asked = [(ROOT / name).read_text() for name in ("scripts/test", "Makefile")]
    assert all("tests/e2e tests/mk8s/bundle" in text for text in asked)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs Linux's /proc and setsid")
@pytest.mark.parametrize(("code", "ends"), [(0, 0), (2, 0), (1, 1)])
def test_all_checks_end_as_the_builder_of_real_kubernetes_did(tmp_path: Path, code: int, ends: int) -> None:
    """A machine that cannot build it skips its tests; one that failed to says how, and runs none of them."""
    for name, text in PROGRAMS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "test", tmp_path / "scripts")
    ended = subprocess.run(
        [tmp_path / "scripts" / "test"],
        env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "CODE": str(code)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == ends
    assert "compiled" in ended.stderr
    asked = [line.split(" -m ")[2] for line in ended.stdout.splitlines() if line.startswith("tested:")]
    real = ["real tests/e2e tests/mk8s/bundle"] if ends == 0 else []
    assert asked == ["not e2e", "e2e and not real tests/e2e tests/mk8s/bundle", *real]
