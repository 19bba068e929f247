"""How much of something a test tries: as much as fits a day's work, or a night's."""

from __future__ import annotations

import os

__all__ = ["many"]


def many(usual: int) -> int:
    """So many examples; in the nightly run `MK8S_EXAMPLES` times as many."""
    return usual * int(os.environ.get("MK8S_EXAMPLES", "1"))
