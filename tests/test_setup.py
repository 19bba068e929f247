"""scripts/setup: what it refuses before it makes anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SETUP = Path(__file__).parents[1] / "scripts" / "setup"


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
