"""`python -m mk8s.lab`: the same as `mk8s lab`."""

from __future__ import annotations

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
