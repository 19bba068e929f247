"""One call of a program's code: an action, a probe or an undo, bounded in time.

Whatever happens in there comes out as an answer or as a `Failure`: a refusal of the world, the end of
its time, or a bug. Only cancellation by the run itself passes through.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgspec
import trio

from machines.errors import ActionError, Failure
from machines.registry import Context, Digest, Evidence
from machines.words import printable

__all__ = ["bug_in_words", "call", "describe", "seconds_in_words"]

LONGEST = 4000  # characters of a message that the journal keeps
OnBug = Callable[[Exception], None]


async def call(
    function: Callable[[Context], Awaitable[Evidence | None]],
    context: Context,
    seconds: float,
    on_bug: OnBug,
) -> Evidence | Failure | None:
    """What the function returned, or why it did not. `seconds` may be infinite."""
    doing = ""

    def note(text: str) -> None:
        nonlocal doing
        doing = text
        context.note(text)

    try:
        with trio.move_on_after(max(0.0, seconds)):
            return _journalable(await function(replace(context, note=note)))
    except Exception as error:  # a program's code may raise anything, and costs one node one edge
        return _failure_of(error, on_bug)
    return _out_of_time(seconds, doing)


def describe(digest: Digest | None, context: Context, on_bug: OnBug) -> str | Failure:
    """What an action says it is about to do, or the bug in saying so."""
    try:
        return digest(context) if digest is not None else ""
    except Exception as error:  # see `call`
        return _failure_of(error, on_bug)


def seconds_in_words(seconds: float) -> str:
    """A duration for people: ``90 s``, ``15 min``, ``2 h``."""
    if seconds >= 7200 and seconds % 3600 == 0:
        return f"{seconds / 3600:g} h"
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{round(seconds, 1):g} s"


def bug_in_words(error: Exception) -> str:
    """For the journal. The exception's own text stays out of it: nobody knows what it holds."""
    return f"a bug in the program, not in the node: {type(error).__name__}"


def _journalable(evidence: Evidence | None) -> Evidence | None:
    """Find out now, on this node's edge, whether the journal can hold it. Raises what msgspec raises."""
    if evidence is not None:
        msgspec.json.encode(evidence)
    return evidence


def _out_of_time(seconds: float, doing: str) -> Failure:
    """What it was doing, by its own last note, says more than that it took too long."""
    message = f"no end after {seconds_in_words(seconds)}"
    return _clean(Failure(("timeout",), f"{message}, while: {doing}" if doing else message, ambiguous=True))


def _failure_of(error: Exception, on_bug: OnBug) -> Failure:
    refusals = _refusals(error)
    if refusals:
        return _clean(refusals[0].failure)
    on_bug(error)
    return Failure(
        ("internal",),
        bug_in_words(error),
        remedy="report it with the traceback from the log",
        ambiguous=True,
        final=True,
    )


def _refusals(error: Exception) -> list[ActionError]:
    """The refusals that an exception, or a group of nothing else, stands for; empty for a bug."""
    if isinstance(error, ActionError):
        return [error]
    if not isinstance(error, ExceptionGroup):
        return []
    inner = [_refusals(each) for each in error.exceptions]
    return [refusal for each in inner for refusal in each] if all(inner) else []


def _clean(failure: Failure) -> Failure:
    """Words from a node may hold bytes that were never text, and sequences that a terminal would obey."""
    return Failure(
        failure.lineage, _text(failure.message), _text(failure.remedy), failure.ambiguous, failure.final
    )


def _text(words: str) -> str:
    text = printable(words[: LONGEST + 1].encode("utf-8", "replace").decode("utf-8"))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
