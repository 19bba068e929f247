"""mk8s' own version: the one place where it stands; the build reads it from here."""

from __future__ import annotations

__all__ = ["VERSION"]

VERSION = "0.1.0"
