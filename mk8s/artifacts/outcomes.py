"""What becomes of the files of a download, one by one, and how all that went wrong is told together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from mk8s.artifacts.fault import FetchError
from mk8s.artifacts.hashes import RECORDED
from mk8s.distros.base import ArtifactItem
from mk8s.errors import ExitCode, Mk8sError

__all__ = [
    "DownloadError",
    "Outcome",
    "Verdict",
    "explained_change",
    "explained_promise",
    "hashes_of",
    "refuse_failures",
]

Verdict: TypeAlias = Literal["here", "cached", "fetched", "made", "failed"]
NOT_FETCHED = "what was fetched is kept: once that is mended, the same command goes on with the others"


class DownloadError(Mk8sError):
    """Files of the release could not be had. Those that could are in the folder."""

    def __init__(
        self, problem: str, *, exit_code: ExitCode = ExitCode.MANIFEST_NEEDS_YOU, **words: str
    ) -> None:
        super().__init__(problem, **words)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    item: ArtifactItem
    verdict: Verdict
    sha256: str = ""
    size: int = 0  # bytes
    published: bool = False  # whether somebody but us vouches for the hash
    problem: Mk8sError | None = None


def hashes_of(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """File name -> sha256."""
    return {outcome.item.file: outcome.sha256 for outcome in outcomes}


def explained_change(error: Mk8sError, published: bool) -> Mk8sError:
    """A file that is another one than at its first download, and nobody but us knew that one."""
    if published or getattr(error, "kind", "") != "hash":
        return error
    remedy = f"if the new one is right, take its line out of {RECORDED}"
    said = f"{error.problem}; nobody publishes its hash, and at the first download it was another"
    return FetchError("hash", said, remedy=remedy)


def explained_promise(error: Mk8sError, item_id: str) -> Mk8sError:
    """A file that is not the one whose hash the manifest gives: it may be the manifest that is wrong."""
    if getattr(error, "kind", "") != "hash":
        return error
    key = f"artifacts.{item_id}.checksum"
    remedy = f"correct {key}, or leave it out where upstream publishes the hash; or mend the mirror"
    return FetchError("hash", error.problem, cause=f"{key} in the manifest says so", remedy=remedy)


def refuse_failures(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Raise DownloadError with all that went wrong, if anything did."""
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    if not problems:
        return
    grouped: dict[str, list[str]] = {}  # the same trouble of many files is told once
    for outcome in outcomes:
        if outcome.problem:
            grouped.setdefault(str(outcome.problem), []).append(outcome.item.file)
    lines = [f"{', '.join(files)}: {_indented(problem)}" for problem, files in grouped.items()]
    passing = all(problem.exit_code == ExitCode.NODES_NEED_YOU for problem in problems)
    raise DownloadError(
        f"{folder}: {len(problems)} of {len(outcomes)} files could not be fetched and verified:\n  "
        + "\n  ".join(lines),
        exit_code=ExitCode.NODES_NEED_YOU if passing else ExitCode.MANIFEST_NEEDS_YOU,
        remedy=NOT_FETCHED,
    )


def _indented(problem: str) -> str:
    return problem.replace("\n", "\n    ")
