"""Failures as data, faults of documents, and the exceptions that carry them.

A failure has a *lineage*, most specific class first: ``("exit.17", "exit")``. Edges match classes,
never texts, so whoever meets a foreign error translates it once, here into a `Failure`.

This module knows no I/O, no time and no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ActionError", "DocumentError", "Failure", "Fault", "MachineError", "matches"]

ANY = "*"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not succeed, as data that the journal can hold.

    `lineage` is most specific first. `ambiguous` says that the effect may have happened all the
    same (the answer was lost), so a probe must be asked before the attempt is repeated.
    `final` says that repeating cannot help: no retry clause is looked at.
    """

    lineage: tuple[str, ...]
    message: str = ""
    remedy: str = ""
    ambiguous: bool = False
    final: bool = False

    @property
    def kind(self) -> str:
        """The most specific class."""
        return self.lineage[0]


class ActionError(Exception):
    """What an action, a probe or an undo raises when the world refused.

    Anything else that escapes an action is a bug: the engine turns it into class ``internal``.
    """

    def __init__(
        self, *lineage: str, message: str = "", remedy: str = "", ambiguous: bool = False, final: bool = False
    ) -> None:
        self.failure = Failure(lineage or ("error",), message, remedy, ambiguous, final)
        super().__init__(message or self.failure.kind)


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a document: where it stands and what is wrong. Lines and columns start at 1."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        text = f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"
        return f"{text}\n    hint: {self.hint}" if self.hint else text


class DocumentError(ValueError):
    """A document is wrong. Carries every fault that was found, in document order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class MachineError(DocumentError):
    """A machine's document is wrong: its text, its form, or what it says."""


def matches(patterns: Sequence[str], failure: Failure) -> bool:
    """Whether any pattern is ``*`` or one of the failure's classes."""
    return any(pattern == ANY or pattern in failure.lineage for pattern in patterns)
