"""The example of docs/framework.md works as it stands, and so does its simulation."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from machines.files import read_journal

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "tea_round.py"


@pytest.fixture
def tea() -> dict[str, Any]:
    """The example as a module, not run."""
    return runpy.run_path(str(EXAMPLE))


def test_the_tea_round_makes_everyone_happy_and_its_second_run_pours_nothing(tmp_path: Path) -> None:
    """As a person would run it, twice."""
    for _ in range(2):
        words = [sys.executable, str(EXAMPLE), str(tmp_path)]
        ran = subprocess.run(words, cwd=DOCS.parent, capture_output=True, text=True, check=True)
        assert ran.stdout == "{'ada': 'happy', 'bob': 'happy', 'cleo': 'happy'}\n"
    intents = [(r.node, r.edge, r.attempt) for r in read_journal(tmp_path) if r.kind == "intent"]
    assert sorted(intents) == [
        ("ada", "boil", 1),
        ("bob", "pour", 1),
        ("bob", "pour", 2),
        ("cleo", "pour", 1),
    ]


def test_the_simulation_in_the_documentation_runs_as_it_stands(
    tea: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Pasted below the example."""
    (snippet,) = re.findall(
        r"```python\n(from machines.simulation.*?)```", (DOCS / "framework.md").read_text(), re.S
    )
    exec(compile(snippet, "framework.md", "exec"), tea)
    assert "'ada': 'happy'" in capsys.readouterr().out
