"""The stand-ins' programs, asked through this machine's perl."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from mk8s.standin.release import program

__all__ = ["evaluate", "run", "written"]


def written(folder: Path, version: str) -> Path:
    """The program of that version, as a file."""
    path = folder / "program.pl"
    path.write_text(program(version, "amd64"))
    return path


def run(*command: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        input=text,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "LC_ALL": "C"},  # perl complains of a language that is not installed
    )


def evaluate(path: Path, code: str, *words: str) -> str:
    """Load the program without running it, then evaluate some perl; what it prints."""
    done = run("perl", "-e", f"use v5.20; require shift; {code}", path, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout
