"""What a modelled command answers, in the forms that most answers have. For models alone.

Many hosts answer alike, and many times: each answer is made once.
"""

from __future__ import annotations

from functools import lru_cache

from transports.base import Outcome

__all__ = ["NO", "YES", "refuse", "says"]

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
