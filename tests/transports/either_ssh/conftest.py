"""What the tests of both ssh transports share: the two kinds, on both event loops."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.transports.openssh import conftest as openssh
from tests.transports.ssh import conftest as ssh
from transports.base import Transport


@dataclass(frozen=True)
class Kind:
    """One of the two ways to speak ssh."""

    name: str
    connected: Callable[..., AbstractAsyncContextManager[Transport]]  # to a server; closed at the end
    fits: int  # bytes of an argument that its command line holds
    too_long: int  # bytes of one that it does not
    programs: int  # ssh processes of ours while it is connected


KINDS = [
    Kind("ssh", ssh.connected, fits=25_000, too_long=40_000, programs=0),
    Kind("openssh", openssh.connected, fits=90_000, too_long=120_000, programs=1),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param
