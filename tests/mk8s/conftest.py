"""Nobody's environment: what a shell says of proxies, widths and colours is not what tests are about.

A test that is about one of these sets it itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
FOREIGN = (
    *PROXIES, *map(str.upper, PROXIES), "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR",  # whom we speak to
    "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE",  # how we look
    "SOURCE_DATE_EPOCH", "POSIXLY_CORRECT", "CDPATH", "ENV", "BASH_ENV",  # what programs and shells do
    "OMP_NUM_THREADS", "OMP_THREAD_LIMIT",  # how many processors nproc counts
)  # fmt: skip


@pytest.fixture(scope="package", autouse=True)
def nobodys_environment() -> Iterator[None]:
    """For these tests, and their fixtures; others in the same process have theirs back."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
        yield
