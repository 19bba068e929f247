"""The shells of this machine, so that tests run a driver's scripts in every kind that a host may have."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from transports.base import Command, File, Outcome, digest_of_file

__all__ = ["SHELLS", "Sh", "file_of", "put_tool", "shell_among"]

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
Sh: TypeAlias = Callable[[Command], Outcome]


def put_tool(folder: Path, name: str, text: str) -> None:
    """A program that stands in for one of the host's."""
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def file_of(path: Path) -> File:
    """A file here, as a release's files are known."""
    return File(path, path.stat().st_size, digest_of_file(path))


def shell_among(tools: Path, name: str) -> Sh:
    """Run commands in the shell `name`. What lies in `tools` stands in for the host's programs."""
    shell = ["busybox", "sh"] if name == "busybox" else [name]

    def run(command: Command) -> Outcome:
        words = [*shell, "-c", command.script, "sh", *command.args]
        env = {"PATH": f"{tools}:/usr/bin:/bin", "LC_ALL": "C"}
        done = subprocess.run(words, capture_output=True, check=False, env=env)
        return Outcome(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    return run
