"""The error catalogue: known words of foreign programs, translated once into classes with a remedy.

The entries are data, ``specs/problems/<name>.yaml``, each with its source and an example that a test
holds against its pattern. Edges match classes, never texts, so nothing else in mk8s reads messages.

A text is searched from its last line back: what was said last is what is wrong now.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from machines.errors import ActionError
from mk8s.resources import spec_path

__all__ = ["Catalogue", "CatalogueError", "Finding", "Problem", "load_catalogue", "read_catalogue"]


class Problem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One known problem. `final`: repeating cannot help, so a unit that says it is not waited for."""

    id: str
    pattern: str  # a regular expression, searched in one line, upper and lower case alike
    lineage: tuple[str, ...]  # most specific first
    final: bool
    cause: str
    remedy: str
    source: str  # where the words and their meaning come from
    example: str  # a line as the program writes it


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    problems: tuple[Problem, ...]


class CatalogueError(ValueError):
    """A catalogue's file is wrong: a mistake in mk8s or a plug-in, never in a manifest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A known problem and the line that showed it."""

    problem: Problem
    line: str

    @property
    def message(self) -> str:
        return f"{self.problem.cause}: {self.line}"

    def as_error(self) -> ActionError:
        known = self.problem
        return ActionError(*known.lineage, message=self.message, remedy=known.remedy, final=known.final)


class Catalogue:
    """All problems of one program, in the order in which a line is held against them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        self._patterns = [(re.compile(known.pattern, re.IGNORECASE), known) for known in problems]

    def find(self, text: str) -> Finding | None:
        """The problem that was said last, or None."""
        for line in reversed(text.splitlines()):
            for pattern, known in self._patterns:
                if pattern.search(line):
                    return Finding(known, line.strip())
        return None


@cache
def load_catalogue(name: str) -> Catalogue:
    """The shipped catalogue `specs/problems/<name>.yaml`. Raises FileNotFoundError, CatalogueError."""
    path = spec_path("problems", f"{name}.yaml")
    return read_catalogue(path.read_bytes(), path)


def read_catalogue(content: bytes, file: Path) -> Catalogue:
    """A catalogue from YAML, strictly. Raises CatalogueError and names the entry."""
    try:
        document = msgspec.yaml.decode(content, type=_Document, strict=True)
    except msgspec.DecodeError as error:
        raise CatalogueError(f"{file}: {error}") from error
    seen: set[str] = set()
    for problem in document.problems:
        _check(problem, seen, file)
        seen.add(problem.id)
    return Catalogue(document.problems)


def _check(problem: Problem, seen: set[str], file: Path) -> None:
    if problem.id in seen:
        raise CatalogueError(f"{file}: {problem.id} is there twice")
    if not problem.lineage or not all((*problem.lineage, problem.cause, problem.remedy, problem.source)):
        raise CatalogueError(f"{file}: {problem.id}: lineage, cause, remedy and source must say something")
    try:
        re.compile(problem.pattern)
    except re.error as error:
        raise CatalogueError(f"{file}: {problem.id}: pattern: {error}") from error
