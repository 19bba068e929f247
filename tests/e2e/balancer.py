"""An address that the user runs, as manifests call it: a small TCP load balancer on this machine.

It stands in front of the API servers of a lab at the lab's own gateway address. A server that does not
answer is left out, and connections to it are closed, so that clients notice at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from weakref import WeakSet

__all__ = ["Balancer"]

LOOK = 1.0  # seconds between two looks at a server
ANSWER = 4.0  # seconds for its answer: one that is only slow is up
CHUNK = 1 << 16


class Balancer:
    """Listens while the block lasts; `port` of `address` leads to the same port of any server that is up."""

    def __init__(self, address: str, port: int, servers: Sequence[str]) -> None:
        self._address, self._port, self._servers = address, port, list(servers)
        self._up: set[str] = set()
        self._open: dict[str, set[asyncio.StreamWriter]] = {server: set() for server in servers}
        self._held = WeakSet[asyncio.WriteTransport]()
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=[self._serve()], daemon=True
        )
        self._started = threading.Event()
        self._over = asyncio.Event()

    def __enter__(self) -> Balancer:
        self._thread.start()
        assert self._started.wait(60), f"nobody can listen at {self._address}:{self._port}"
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)
        self._loop.close()

    async def _serve(self) -> None:
        listener = await asyncio.start_server(self._lead, self._address, self._port)
        self._started.set()
        watchers = [asyncio.create_task(self._watch(server)) for server in self._servers]
        await self._over.wait()
        for door in listener.sockets:  # not closed yet: whom it has let in by then, asyncio would forget
            self._loop.remove_reader(door.fileno())
        for task in watchers:
            task.cancel()
        # Whoever was accepted just now becomes a task of its own in one of the loop's next turns.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            self._abort_all()
            await asyncio.gather(*tasks, return_exceptions=True)
        listener.close()
        self._abort_all()
        await asyncio.sleep(0)  # what was closed last is gone after the loop's next turn

    def _abort_all(self) -> None:
        """Also those that are closing: they wait for somebody to read what they still hold."""
        for transport in self._held:
            transport.abort()

    async def _watch(self, server: str) -> None:
        while not self._over.is_set():  # a cancel may be forgotten: by wait_for, if it was just answered
            writer = await self._reach(server)
            if writer is None:
                self._up.discard(server)
                for lost in tuple(self._open[server]):
                    lost.close()
            else:
                self._up.add(server)
                writer[1].close()
            await asyncio.sleep(LOOK)

    async def _reach(self, server: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        with suppress(OSError, TimeoutError):
            found = await asyncio.wait_for(asyncio.open_connection(server, self._port), ANSWER)
            self._held.add(found[1].transport)
            return found
        return None

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, to whichever server is next."""
        self._held.add(writer.transport)
        up = [server for server in self._servers if server in self._up]
        self._turn += 1
        server = up[self._turn % len(up)] if up else ""
        found = await self._reach(server) if server else None
        if found is None or self._over.is_set():
            for end in (writer, found[1]) if found else (writer,):
                end.close()
            return
        ends = {writer, found[1]}
        self._open[server] |= ends
        await asyncio.gather(_pump(reader, found[1]), _pump(found[0], writer), return_exceptions=True)
        self._open[server] -= ends


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                target.write(data)
                await target.drain()
    finally:
        target.close()
