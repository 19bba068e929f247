"""scripts/setup: what it refuses before it makes anything. scripts/test: that it leaves no test out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETUP = ROOT / "scripts" / "setup"


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
