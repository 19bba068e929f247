"""How many members of a role may fail before the rest of the role stops. Pure.

A share is rounded down and must be exceeded: with ``20%`` of ten members two may fail, the third
spends the budget. A role without a budget may fail to the last member.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from machines.quantities import at_most
from machines.registry import Member
from machines.signals import listed

__all__ = ["Budgets", "Spent"]


@dataclass(frozen=True, slots=True)
class Spent:
    """More members of the role failed than its budget allows."""

    role: str
    allowed: int
    failed: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Words for the members that are held back."""
        return (
            f"the failure budget of role {self.role!r} is spent: {self.allowed} may fail, "
            f"{len(self.failed)} did ({listed(self.failed)})"
        )


class Budgets:
    """The failure budgets of one run. Raises ValueError for an amount that is neither count nor share."""

    def __init__(self, budgets: Mapping[str, str], members: Sequence[Member]) -> None:
        totals = {role: sum(member.role == role for member in members) for role in budgets}
        self._allowed = {role: at_most(amount, totals[role]) for role, amount in budgets.items()}
        self._failed: dict[str, dict[str, None]] = {role: {} for role in budgets}
        self._spent: dict[str, Spent] = {}

    def failed(self, member: Member) -> Spent | None:
        """A member ended in a failure outcome. Returns the news when that spends its role's budget."""
        if member.role not in self._allowed:
            return None
        failed = self._failed[member.role]
        failed[member.name] = None
        if member.role in self._spent or len(failed) <= self._allowed[member.role]:
            return None
        self._spent[member.role] = Spent(member.role, self._allowed[member.role], tuple(failed))
        return self._spent[member.role]

    def spent(self, role: str) -> Spent | None:
        """Why the role's members may open no new edge; None while they may."""
        return self._spent.get(role)
