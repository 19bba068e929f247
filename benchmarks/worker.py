"""A process for one measurement: `python -m benchmarks.worker MODULE:FUNCTION ARGUMENTS`.

The arguments are a JSON list; the last line of the output is the answer as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """Call the function that the command line names."""
    module, _, name = sys.argv[1].partition(":")
    answer = getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
