"""The roads that the contract suite walks, and the server that real ones lead to.

A transport joins the suite by one more `Road` in ROADS.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from trio.testing import MockClock

from tests.transports import sshd
from tests.transports.openssh.calling import options_for
from tests.transports.simulated.contract_model import modelled_node
from transports.base import Transport
from transports.local import LocalTransport
from transports.openssh import OpenSSHTransport
from transports.ssh import Bastion, SSHTransport

MakeServer = Callable[..., sshd.Server]


@dataclass(frozen=True)
class Rig:
    """An open transport, and a folder on its node that exists and is empty."""

    transport: Transport
    folder: PurePosixPath
    is_real: bool = True  # scripts really run, so that their text may be tested too


@dataclass(frozen=True)
class Road:
    """One kind of transport on one event loop. `open` may ask pytest for fixtures."""

    kind: str
    backend: Any
    open: Callable[[pytest.FixtureRequest, Path], AbstractAsyncContextManager[Rig]]

    def __str__(self) -> str:
        return f"{self.kind}-{self.backend if isinstance(self.backend, str) else self.backend[0]}"


@asynccontextmanager
async def over_ssh(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Rig]:
    server: sshd.Server = request.getfixturevalue("server")
    transport = SSHTransport("node-1", server.options())
    yield Rig(transport, PurePosixPath(folder))
    await transport.close()


@asynccontextmanager
async def over_bastions(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Rig]:
    """A chain of two bastions before the node. All three are one server: it is the way that counts."""
    server: sshd.Server = request.getfixturevalue("server")
    outer = Bastion(server.options())
    transport = SSHTransport("node-1", server.options(), via=Bastion(server.options(), via=outer))
    yield Rig(transport, PurePosixPath(folder))
    await transport.close()


@asynccontextmanager
async def over_the_users_ssh(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Rig]:
    server: sshd.Server = request.getfixturevalue("server")
    transport = OpenSSHTransport("node-1", options_for(server))
    yield Rig(transport, PurePosixPath(folder))
    await transport.close()


@asynccontextmanager
async def on_this_machine(_: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Rig]:
    transport = LocalTransport("node-1")
    yield Rig(transport, PurePosixPath(folder))
    await transport.close()


@asynccontextmanager
async def to_a_model(_: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Rig]:
    transport = modelled_node("node-1", PurePosixPath(folder))
    yield Rig(transport, PurePosixPath(folder), is_real=False)
    await transport.close()


VIRTUAL_TIME = {"clock": MockClock(autojump_threshold=0)}

ROADS = [
    Road("ssh", "trio", over_ssh),
    Road("ssh", "asyncio", over_ssh),
    Road("ssh-jump", "trio", over_bastions),
    Road("ssh-jump", "asyncio", over_bastions),
    Road("openssh", "trio", over_the_users_ssh),
    Road("openssh", "asyncio", over_the_users_ssh),
    Road("local", "trio", on_this_machine),
    Road("local", "asyncio", on_this_machine),
    Road("simulated", ("trio", VIRTUAL_TIME), to_a_model),
    Road("simulated", "asyncio", to_a_model),
]


@pytest.fixture(scope="session")
def can_serve() -> None:
    """Skip, saying why, where no sshd can be started."""
    reason = sshd.missing()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def server(can_serve: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    """One server for all tests that leave it as it is."""
    with sshd.running(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def make_server(can_serve: None, tmp_path: Path) -> Iterator[MakeServer]:
    """Servers of a test's own, to be stopped, frozen or configured."""
    numbers = itertools.count()
    with ExitStack() as made:

        def make(*, start: bool = True, **options: Any) -> sshd.Server:
            one = sshd.Server(tmp_path / f"sshd{next(numbers)}", **options)
            made.callback(one.close)
            if start:
                one.start()
            return one

        yield make
