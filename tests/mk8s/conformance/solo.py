"""The example driver of docs/examples/driver, as tests use it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

__all__ = ["EXAMPLE", "Solo", "solo_module"]

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "driver"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("mk8s_solo", EXAMPLE / "mk8s_solo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mk8s_solo"] = module
    spec.loader.exec_module(module)
    return module


solo_module = _load()
if TYPE_CHECKING:
    from mk8s.distros.plain import PlainDriver as Solo
else:
    Solo = solo_module.Solo
