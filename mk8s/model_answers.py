"""What a modelled command answers, in the forms that most answers have. For models alone.

Many hosts answer alike, and many times: each answer is made once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedHost

__all__ = ["NO", "YES", "disk_words", "handler", "refuse", "says"]

YES, NO = Outcome(status=0), Outcome(status=1)
KNOWN = 1 << 12  # answers that are kept


@lru_cache(KNOWN)
def says(text: str) -> Outcome:
    """It is done, and this is printed with a line's end."""
    return Outcome(status=0, stdout=f"{text}\n".encode())


@lru_cache(KNOWN)
def refuse(words: str, status: int = 1) -> Outcome:
    """It is not done, and these words on stderr say why."""
    return Outcome(status=status, stderr=f"{words}\n".encode())


def disk_words(error: OSError) -> str:
    """What the modelled disk refused, as programs say it."""
    return f"{error.filename}: {error.strerror}"


def handler(
    answer: Handler,
    errors: tuple[type[Exception], ...] = (OSError,),
    in_words: Callable[[Any], str] = disk_words,
) -> Handler:
    """The same model, whose errors are what the command says on stderr as it fails."""

    def handle(host: SimulatedHost, command: Command) -> Outcome | Awaitable[Outcome]:
        try:
            said = answer(host, command)
        except errors as error:
            return refuse(in_words(error))
        return said if isinstance(said, Outcome) else awaited(said)

    async def awaited(said: Awaitable[Outcome]) -> Outcome:
        try:
            return await said
        except errors as error:
            return refuse(in_words(error))

    return handle
