"""Amounts as people say them. Pure; for messages, screens and checks alike.

A duration is written in one way wherever a person reads it: 44 s, 2:05, 1:10:00. `duration` is for a second
of a run and what is counted in whole ones, `length` for what may be so short that tenths matter, `time_left`
for what is to come.
"""

from __future__ import annotations

import math

__all__ = ["bytes_in_words", "counted", "duration", "length", "time_left"]

STEP = 1024
SHORT = 9.95  # seconds: below, tenths matter
UNITS = ("B", "KiB", "MiB", "GiB")


def bytes_in_words(count: float) -> str:
    """Bytes in the unit that a person would choose: 512 B, 38.2 MiB."""
    if count < STEP:
        return f"{int(count)} B"
    power = min(int(math.log(count, STEP)), len(UNITS) - 1)
    return f"{count / STEP**power:.1f} {UNITS[power]}"


def counted(count: int, noun: str) -> str:
    """So many of a thing whose plural ends in s: 1 node, 2 nodes."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """A second of a run, or how long something takes, whole seconds that are over: 4 s, 2:05, 1:10:00."""
    whole = int(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minute:02}:{second:02}"
    return f"{minutes}:{second:02}" if minutes else f"{whole} s"


def length(seconds: float) -> str:
    """A duration: 0.03 s, 4.2 s, 44 s, 2:05, 1:10:00. Whole seconds are those that a run's own lines say."""
    if seconds <= 0:
        return "0 s"
    if seconds < 1:
        return f"{seconds:.2g} s" if seconds >= 0.01 else "<0.01 s"
    return f"{seconds:.1f} s" if seconds < SHORT else duration(seconds)


def time_left(seconds: float) -> str:
    """How much time is left, as `duration`, but never less than it is: a begun second counts."""
    return duration(math.ceil(max(0.0, seconds)))
