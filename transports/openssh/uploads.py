"""Feeding a file to a session's stdin: chunk by chunk, at the shared pace, with an eye on the progress.

ssh encrypts in its own process, so nothing here needs a thread but reading the file.
Begin reading at `feed_source`.
"""

from __future__ import annotations

from typing import BinaryIO

import anyio
import anyio.to_thread

from transports.base import Bytes, OnProgress, Piece, Source
from transports.files import open_source, unreadable
from transports.openssh.mux import Channel, Stalled
from transports.pace import Pace

__all__ = ["STALL", "feed_source"]

CHUNK = 1 << 20  # bytes
STALL = 60.0  # seconds without progress after which an upload is given up


async def feed_source(
    channel: Channel,
    source: Source | Piece,
    on_progress: OnProgress | None,
    *,
    pace: Pace | None = None,
    stall: float = STALL,
) -> None:
    """Feed a whole source, but not the end of the input. Raises Stalled, or TransportError ``integrity``."""
    most, done = min(CHUNK, pace.share) if pace else CHUNK, 0
    with open_source(source) as stream:
        while done < source.size and (chunk := await read(source, stream, min(most, source.size - done))):
            if pace is not None:
                await anyio.sleep(pace.delay(len(chunk)))
            with anyio.move_on_after(stall) as watch:
                wanted = await channel.feed(chunk)
            if watch.cancelled_caught:
                raise Stalled(f"no progress for {stall:g} s")
            if not wanted:
                return  # the command ended before its input did: it will say why
            done += len(chunk)
            if on_progress is not None:
                on_progress(done, source.size)


async def read(source: Source | Piece, stream: BinaryIO, size: int) -> bytes:
    if isinstance(source, Bytes):
        return stream.read(size)
    try:
        return await anyio.to_thread.run_sync(stream.read, size)
    except OSError as error:
        raise unreadable(source.path, error) from error
