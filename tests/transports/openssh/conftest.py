"""What the tests of the user's own ssh share: both event loops, and ways to look closely."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.processes import children, name_of, read_of
from tests.transports import users
from tests.transports.openssh.calling import options_for
from tests.transports.ssh.conftest import sh
from tests.transports.sshd import Server, short_folder
from transports.base import TransportError
from transports.openssh import OpenSSHTransport

LOGIN = "true"


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def temporary_user() -> Iterator[users.TemporaryUser]:
    """A user for one test; skip, saying why, where none can be made."""
    reason = users.cannot_make_users() or ("" if shutil.which("sudo") else "sudo is not installed")
    if reason:
        pytest.skip(reason)
    with users.temporary_user() as user:
        yield user


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty folder whose path leaves room for sockets, as that of a test's own folder does not."""
    with short_folder() as folder:
        yield folder


@asynccontextmanager
async def connected(server: Server, **changes: Any) -> AsyncIterator[OpenSSHTransport]:
    """A transport to a server, closed at the end. `log` is its listener, all else are options."""
    log = changes.pop("log", None)
    transport = OpenSSHTransport("node-1", options_for(server, **changes), log=log)
    try:
        yield transport
    finally:
        with anyio.CancelScope(shield=True):
            await transport.close()


async def refused(server: Server, **changes: Any) -> TransportError:
    """The error of a login that fails. It is never ambiguous, and it leaves no process behind."""
    async with connected(server, **changes) as transport:
        with anyio.fail_after(60), pytest.raises(TransportError) as caught:
            await transport.run(sh(LOGIN))
    assert not caught.value.ambiguous
    assert caught.value.remedy
    assert masters() == []
    return caught.value


async def enters(server: Server, **changes: Any) -> bool:
    async with connected(server, **changes) as transport:
        return (await transport.run(sh("echo in"))).text == "in"


def masters() -> list[int]:
    """ssh processes that this process has started and that still are there, zombies too."""
    return named(os.getpid(), "ssh")


def named(pid: int, *names: str) -> list[int]:
    """The children of a process that bear one of these names."""
    return [child for child in children(pid) if name_of(child) in names]


def below(pid: int) -> list[int]:
    """The processes below one that ssh is, or has started."""
    found = named(pid, "ssh", "sh", "cat", "python", "python3")
    return [*found, *(more for child in found for more in below(child))]


def shown_by(pids: list[int]) -> list[bytes]:
    """What anybody may read of them; of one that is gone, nothing."""
    return [text for pid in pids for name in ("cmdline", "environ") if (text := read_of(pid, name))]
