"""Problems that the person at the keyboard can read and act on, and the exit codes.

Never for bugs: a promise broken inside mk8s stays an AssertionError and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from machines.errors import Fault

__all__ = ["ExitCode", "ManifestError", "Mk8sError", "UsageError"]


class ExitCode(IntEnum):
    """What mk8s tells the shell. The whole list; docs/exit-codes.md explains each."""

    DONE = 0
    NODES_NEED_YOU = 1  # at least one node did not become healthy
    MANIFEST_NEEDS_YOU = 2  # the manifest, a file it names or the command line is wrong; no node was touched
    LOCKED = 75  # another mk8s works on this cluster (EX_TEMPFAIL)
    INTERNAL = 70  # a bug in mk8s (EX_SOFTWARE)
    INTERRUPTED = 130  # stopped by Ctrl-C; run again to resume


class Mk8sError(Exception):
    """A problem with a cause and a remedy. The class says which exit code it has."""

    exit_code = ExitCode.NODES_NEED_YOU

    def __init__(self, problem: str, *, cause: str = "", remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        text = self.problem
        if self.cause:
            text += f"\n  because {self.cause}"
        if self.remedy:
            text += f"\nhint: {self.remedy}"
        return text


class ManifestError(Mk8sError):
    """The manifest asks for the impossible. Carries every fault; no node was touched.

    `faults` holds those that have a place in the file, in its order; `problem` tells them already.
    """

    exit_code = ExitCode.MANIFEST_NEEDS_YOU

    def __init__(
        self, problem: str, *, cause: str = "", remedy: str = "", faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(problem, cause=cause, remedy=remedy)
        self.faults = tuple(faults)


class UsageError(Mk8sError):
    """The command line is wrong."""

    exit_code = ExitCode.MANIFEST_NEEDS_YOU
