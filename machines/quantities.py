"""Amounts of a group, as documents write them: ``"3"`` or ``"67%"``. Pure and exact."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

__all__ = ["at_least", "at_most"]


def at_least(amount: str, total: int) -> int:
    """How many of `total` an amount demands; a share is rounded up. Raises ValueError for anything else."""
    return ceil(_exactly(amount, total))


def at_most(amount: str, total: int) -> int:
    """How many of `total` an amount allows; a share is rounded down. Raises ValueError for anything else."""
    return floor(_exactly(amount, total))


def _exactly(amount: str, total: int) -> Fraction:
    text = amount.strip()
    try:
        number = Fraction(text.removesuffix("%"))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"expected a count such as 3 or a share such as 67%, got {amount!r}") from None
    if number < 0:
        raise ValueError(f"an amount cannot be negative, got {amount!r}")
    return number * total / 100 if text.endswith("%") else number
