"""How hard Hypothesis tries: the same examples every time, or, at night, others and many more.

`MK8S_HYPOTHESIS=nightly` takes the second profile; `tests.amounts.many` then multiplies what a test asks for.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("usual", derandomize=True, deadline=None)
settings.register_profile(
    "nightly", derandomize=False, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("MK8S_HYPOTHESIS", "usual"))
