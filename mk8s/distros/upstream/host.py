"""Make a bare host fit for Kubernetes, and take all of it back. Pure.

What was there before a change is kept in /var/lib/mk8s/before, once: `unprepare` restores it.
"""

from __future__ import annotations

from mk8s.distros.base import Situation
from mk8s.steps import Step

__all__ = ["entries", "prepare", "unprepare"]


def prepare(s: Situation) -> list[Step]:
    """Kernel modules, kernel parameters, swap and hosts entries as the cluster wants them."""
    raise NotImplementedError


def unprepare(s: Situation) -> list[Step]:
    """Take all of `prepare` back, in reverse. May run again, and where nothing was prepared."""
    raise NotImplementedError


def entries(s: Situation) -> list[Step]:
    """All nodes' names in /etc/hosts, between marks; nothing unless the manifest asks for it."""
    raise NotImplementedError
