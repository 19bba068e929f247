"""How long, how much CPU, how much memory: of a section, and of a whole process tree.

CPU seconds of a tree are what the kernel counted for the process and all it waited for. Memory of a
tree is sampled: the sum of proportional set sizes (pages that several share are shared out), so a peak
shorter than `SAMPLE` can be missed.

Begin reading at `call`, then `measure`.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

__all__ = [
    "NotMeasuredError",
    "Stopwatch",
    "Usage",
    "call",
    "in_turns",
    "measure",
    "medians",
    "peak_memory",
    "scratch",
]

SAMPLE = 0.1  # seconds
Who = TypeVar("Who", bound=Hashable)


class NotMeasuredError(RuntimeError):
    """A process that was to be measured did not do its work."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree took. `memory` in bytes: the peak, 0 where it was not watched."""

    wall: float
    cpu: float
    memory: int
    output: str


class Stopwatch:
    """Wall and CPU seconds of a with block, in this process and the children that ended in it."""

    wall = 0.0
    cpu = 0.0

    def __enter__(self) -> Stopwatch:
        self._cpu, self._wall = _cpu(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall, self.cpu = time.perf_counter() - self._wall, _cpu() - self._cpu

    def each(self, times: int) -> list[float]:
        """Wall and CPU seconds of one of so many."""
        return [self.wall / times, self.cpu / times]


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def peak_memory() -> int:
    """The most bytes that this process ever had resident (VmHWM; ru_maxrss would count the parent's)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of a benchmark in a new process, with arguments and an answer that JSON can say.

    Raises NotMeasuredError with what it said when it does not answer.
    """
    return json.loads(measure(command(function, *args)).output.splitlines()[-1])


def command(function: Callable[..., Any], *args: Any) -> list[str]:
    """The command line that calls a function in a new process."""
    name = f"{function.__module__}:{function.__qualname__}"
    return [sys.executable, "-m", "benchmarks.worker", name, json.dumps(args)]


def measure(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    watch: bool = False,
    cwd: Path | None = None,
) -> Usage:
    """Run a command to its end. `watch`: sample the memory of its tree. Raises NotMeasuredError."""
    began = time.perf_counter()
    with (
        _watched() as (peak, look),
        subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(env) if env is not None else None,
            cwd=cwd,
        ) as process,
    ):
        if watch:
            look(process.pid)
        output = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
    if process.returncode:
        raise NotMeasuredError(f"{' '.join(words)[:200]}: exit status {process.returncode}\n{output[-2000:]}")
    return Usage(wall, used.ru_utime + used.ru_stime, peak[0], output)


@contextmanager
def _watched() -> Iterator[tuple[list[int], Callable[[int], None]]]:
    """The peak so far, and a function that begins to watch a process and those below it."""
    peak, over = [0], threading.Event()
    threads: list[threading.Thread] = []

    def watch(pid: int) -> None:
        while not over.wait(SAMPLE):
            peak[0] = max(peak[0], _memory(pid))

    def begin(pid: int) -> None:
        threads.append(threading.Thread(target=watch, args=(pid,), daemon=True))
        threads[-1].start()

    try:
        yield peak, begin
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _memory(pid: int) -> int:
    import psutil

    try:
        top = psutil.Process(pid)
        tree = [top, *top.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for process in tree:
        with suppress(psutil.Error):  # it ended while we looked
            total += process.memory_full_info().pss
    return total


def in_turns(rounds: int, contenders: Mapping[Who, Callable[[], list[float]]]) -> dict[Who, list[float]]:
    """Let everyone do their part, one after the other, so many times; the medians of their figures."""
    figures: dict[Who, list[list[float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            figures[name].append(contender())
    return {name: medians(rows) for name, rows in figures.items()}


def medians(rows: Sequence[Sequence[float]]) -> list[float]:
    """The median of each column."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def scratch() -> Path:
    """A folder in memory, so that no disk takes part; the usual one where there is none."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else Path("/tmp")
