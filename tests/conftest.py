"""How hard Hypothesis tries, which tests share a process where several run at the same time, and what of the
tester's shell is no business of theirs.

Hypothesis takes the same examples every time, or, with `MK8S_HYPOTHESIS=nightly`, others and many more;
`tests.amounts.many` then multiplies what a test asks for.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

DISTROS = ("kubeadm", "vanilla")  # of real Kubernetes

# What a shell says of its terminal, and what it lets others read: tests judge words and modes of files.
for name in ("COLUMNS", "LINES", "COLORTERM", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
    os.environ.pop(name, None)
os.environ["TERM"] = "xterm"
os.umask(0o022)

settings.register_profile("usual", derandomize=True, deadline=None)
settings.register_profile(
    "nightly", derandomize=False, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("MK8S_HYPOTHESIS", "usual"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadscope`: the tests of a file run in one process, because they share hosts.

    Those about real Kubernetes make a cluster for each distro: of such a file, the tests of one distro do.
    """
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            parameter = test.partition("[")[2].partition("-")[0].rstrip("]")
            return f"{file}[{parameter}]" if parameter in DISTROS and "test_real_" in file else file

    return Sharing(config, log)
