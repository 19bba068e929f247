"""`python -m mk8s`."""

import sys

from mk8s.cli import main

sys.exit(main())
