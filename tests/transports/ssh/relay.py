"""A road to a server that may end at any moment without a word, as one does whose machine goes down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio
from anyio.abc import SocketAttribute, SocketStream

from tests.transports.sshd import HOST, Server

__all__ = ["relay"]


@asynccontextmanager
async def relay(server: Server, ends: Callable[[], bool]) -> AsyncIterator[int]:
    """Yield a port that leads to the server. A connection ends when `ends` says so as the client speaks."""
    async with (
        await anyio.create_tcp_listener(local_host=HOST) as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, partial(carry, server, ends))
        yield int(listener.listeners[0].extra(SocketAttribute.local_port))
        tasks.cancel_scope.cancel()


async def carry(server: Server, ends: Callable[[], bool], ours: SocketStream) -> None:
    async with (
        ours,
        await anyio.connect_tcp(server.host, server.port) as theirs,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(move, theirs, ours, bool)
        await move(ours, theirs, ends)
        tasks.cancel_scope.cancel()


async def move(source: SocketStream, sink: SocketStream, ends: Callable[[], bool]) -> None:
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            data = await source.receive()
            if ends():
                return
            await sink.send(data)
