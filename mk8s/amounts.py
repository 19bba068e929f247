"""Amounts as people say them. Pure; for messages, screens and checks alike."""

from __future__ import annotations

import math

__all__ = ["bytes_in_words", "time_in_words"]

STEP = 1024
UNITS = ("B", "KiB", "MiB", "GiB")


def bytes_in_words(count: float) -> str:
    """Bytes in the unit that a person would choose: 512 B, 38.2 MiB."""
    if count < STEP:
        return f"{int(count)} B"
    power = min(int(math.log(count, STEP)), len(UNITS) - 1)
    return f"{count / STEP**power:.1f} {UNITS[power]}"


def time_in_words(seconds: float) -> str:
    """A time to come, to the second up to an hour: 45s, 1m 3s, 2h 5m."""
    minutes, second = divmod(math.ceil(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minute}m"
    return f"{minute}m {second}s" if minute else f"{second}s"
