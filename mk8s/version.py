"""mk8s' own version."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

__all__ = ["version"]


def version() -> str:
    """The installed version, or words for a source tree that is not installed."""
    try:
        return installed("mk8s")
    except PackageNotFoundError:
        return "0 (source tree)"
