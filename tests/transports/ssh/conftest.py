"""What the tests of the SSH transport share: both event loops, and ways to look closely."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.transports import users
from tests.transports.sshd import Server
from transports.base import Command, Outcome
from transports.shell import Output
from transports.ssh import SSHTransport
from transports.ssh.commands import Job, converse, exchange_for
from transports.ssh.connection import open_driver
from transports.ssh.driver import Driver

Connect = Callable[..., AbstractAsyncContextManager[SSHTransport]]


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def temporary_user() -> Iterator[users.TemporaryUser]:
    """A user for one test; skip, saying why, where none can be made."""
    reason = users.cannot_make_users()
    if reason:
        pytest.skip(reason)
    with users.temporary_user() as user:
        yield user


@asynccontextmanager
async def connected(server: Server, **changes: Any) -> AsyncIterator[SSHTransport]:
    """A transport to a server, closed at the end."""
    transport = SSHTransport("node-1", server.options(**changes))
    try:
        yield transport
    finally:
        with anyio.CancelScope(shield=True):
            await transport.close()


@asynccontextmanager
async def driven(server: Server, **changes: Any) -> AsyncIterator[Driver]:
    """One logged-in session, for tests that look below the transport."""
    driver = await open_driver("node-1", server.options(**changes), None)
    try:
        yield driver
    finally:
        driver.abort()


async def run_on(
    driver: Driver, script: str, *, stdin: bytes | None = None, timeout: float = 30.0
) -> Outcome:
    """Run a script on one session."""
    command = sh(script, stdin=stdin, timeout=timeout)
    job = Job(name="node-1", user="-", command=command, sudo=False, password=None)
    output = Output()
    return output.outcome(await converse(driver, job, exchange_for(job, output)))


def sh(script: str, *args: str, **rest: Any) -> Command:
    """A command that is named by its script."""
    return Command(operation="test", description=script[:40], script=script, args=args, **rest)


async def until(condition: Callable[[], bool], patience: float = 60.0) -> None:
    """Look until a foreign process got there. Real processes have no event to wait for."""
    with anyio.fail_after(patience):
        while not condition():
            await anyio.sleep(0.005)
