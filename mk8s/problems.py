"""The error catalogue: known words of foreign programs, translated once into classes with a remedy.

The entries are data, ``specs/problems/<name>.yaml``, each with its source and an example that a test
holds against its pattern. Edges match classes, never texts, so nothing else in mk8s reads messages.

A text is searched from its last line back: what was said last is what is wrong now.

What several programs say alike stands once, in ``specs/problems/parts/``; a program's file names the parts
it takes (`include`), and the words for what differs (`words`), which stand there as ``@{port}``. Its own
entries come before those of its parts, and replace those of the same id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from machines.errors import ActionError
from mk8s.last_words import plain_words
from mk8s.resources import spec_path

__all__ = ["Catalogue", "CatalogueError", "Finding", "Problem", "load_catalogue", "read_catalogue"]

T = TypeVar("T")

PARTS = "parts"
WORD = re.compile(r"@\{([a-z-]+)\}")


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


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    problems: tuple[Problem, ...]


class _Document(_Part, frozen=True, forbid_unknown_fields=True):
    include: tuple[str, ...] = ()
    words: dict[str, str] = {}


class CatalogueError(ValueError):
    """A catalogue's file is wrong: a mistake in mk8s or a plug-in, never in a manifest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A known problem and the line that showed it."""

    problem: Problem
    line: str

    @property
    def message(self) -> str:
        """Cause and line; the line without its clock, and without what looks like a secret."""
        return f"{self.problem.cause}: {plain_words(self.line)}"

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
    """A catalogue from YAML, strictly; its parts lie in `parts` beside it. Raises CatalogueError."""
    document = _decoded(content, file, _Document)
    found = {known.id: known for known in _checked(document.problems, document.words, file)}
    for name in document.include:
        path = file.parent / PARTS / f"{name}.yaml"
        for known in _checked(_part(path, file), document.words, path):
            found.setdefault(known.id, known)
    return Catalogue(tuple(found.values()))


def _part(path: Path, file: Path) -> tuple[Problem, ...]:
    try:
        return _decoded(path.read_bytes(), path, _Part).problems
    except OSError as error:
        raise CatalogueError(f"{file}: include: {error}") from error


def _decoded(content: bytes, file: Path, form: type[T]) -> T:
    try:
        return msgspec.yaml.decode(content, type=form, strict=True)
    except msgspec.DecodeError as error:
        raise CatalogueError(f"{file}: {error}") from error


def _checked(problems: tuple[Problem, ...], words: Mapping[str, str], file: Path) -> Iterator[Problem]:
    """The same, with the program's own words in them. Raises CatalogueError and names the entry."""
    seen: set[str] = set()
    for raw in problems:
        problem = _spoken(raw, words, file)
        _check(problem, seen, file)
        seen.add(problem.id)
        yield problem


def _spoken(problem: Problem, words: Mapping[str, str], file: Path) -> Problem:
    """With each ``@{word}`` in place; in a pattern, its characters stand for themselves."""

    def word(found: re.Match[str]) -> str:
        if found[1] not in words:
            raise CatalogueError(f"{file}: {problem.id}: {found[0]} is not among the words of the catalogue")
        return words[found[1]]

    def escaped(found: re.Match[str]) -> str:
        return re.escape(word(found))

    said = {name: WORD.sub(word, getattr(problem, name)) for name in ("cause", "remedy", "example")}
    return msgspec.structs.replace(problem, pattern=WORD.sub(escaped, problem.pattern), **said)


def _check(problem: Problem, seen: set[str], file: Path) -> None:
    if problem.id in seen:
        raise CatalogueError(f"{file}: {problem.id} is there twice")
    if not problem.lineage or not all((*problem.lineage, problem.cause, problem.remedy, problem.source)):
        raise CatalogueError(f"{file}: {problem.id}: lineage, cause, remedy and source must say something")
    try:
        re.compile(problem.pattern)
    except re.error as error:
        raise CatalogueError(f"{file}: {problem.id}: pattern: {error}") from error
