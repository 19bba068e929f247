"""Commands, and processes that cannot be taken for others.

Laws:

1. A process is known by its number *and* its start time. Numbers are used again soon, and a signal
   to a stranger is the worst that a lab can do to a machine.
2. A zombie does not run: the machine's process 1 may take seconds to reap it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError, UnfitError

__all__ = ["Process", "find_process", "parse_start", "run", "send_signal", "wait_until"]

PATIENT = 0.02  # seconds between two looks at something that takes milliseconds


@dataclass(frozen=True, slots=True)
class Process:
    """`started` is in clock ticks since the machine booted (proc(5), field 22)."""

    pid: int
    started: int

    @property
    def runs(self) -> bool:
        return find_process(self.pid) == self


def find_process(pid: int) -> Process | None:
    """The process that has this number now; None if there is none, or only a zombie."""
    try:
        stat = (
            Path(f"/proc/{pid}/stat").read_bytes().decode(errors="replace")
        )  # a name may be cut in a letter
    except OSError:
        return None
    started = parse_start(stat)
    return None if started is None else Process(pid, started)


def parse_start(stat: str) -> int | None:
    """The start time in a /proc/PID/stat line; None for a zombie. The name in it may hold anything."""
    fields = stat.rsplit(")", 1)[1].split()
    return None if fields[0] in "ZX" else int(fields[19])


def send_signal(process: Process, number: int = signal.SIGKILL) -> None:
    """Send it if the process still runs. One that ended meanwhile is no error."""
    if process.runs:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Look until it is true; False when the time is over."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(PATIENT)
    return True


def run(
    words: Sequence[str | Path],
    *,
    check: bool = True,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Raises UnfitError if it is not there, LabError if it fails and `check`."""
    command = [str(word) for word in words]
    try:
        done = subprocess.run(
            command, text=True, capture_output=True, input=stdin, env=env, cwd=cwd, check=False
        )
    except FileNotFoundError as error:
        raise UnfitError(f"`{command[0]}` is not installed on this machine") from error
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"`{' '.join(command)}` ended with {done.returncode}", cause=said)
    return done
