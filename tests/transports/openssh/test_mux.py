"""The language of the control socket, with masters that speak it badly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from transports.openssh.mux import (
    ALIVE,
    FAILED,
    HELLO,
    OPENED,
    VERSION,
    CannotOpen,
    Channel,
    Lost,
    is_served,
    text,
    words,
)

pytestmark = pytest.mark.anyio
GREETING = text(words(HELLO, VERSION))


@asynccontextmanager
async def answering(folder: Path, answer: bytes, *, hang_up: bool = False) -> AsyncIterator[Path]:
    """A socket that says these bytes to everybody, and then hears them out or hangs up."""
    path = folder / "s"

    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.send(answer)
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while not hang_up and await stream.receive():
                    pass

    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield path
        tasks.cancel_scope.cancel()


async def asked(path: Path) -> Channel:
    """A session that was asked for, closed again."""
    channel = Channel()
    try:
        with anyio.fail_after(60):
            await channel.request(path, "true")
            await channel.opened()
    finally:
        channel.close()
    return channel


async def test_another_version_is_not_spoken_to(short_path: Path) -> None:
    """Its words may mean anything."""
    async with answering(short_path, text(words(HELLO, 5))) as path:
        with pytest.raises(Lost, match="version 5"):
            await asked(path)


@pytest.mark.parametrize("answer", [b"", b"\0\0\0\1", text(b"\0")], ids=["nothing", "half", "short"])
async def test_half_a_greeting_is_a_loss(short_path: Path, answer: bytes) -> None:
    """Not an error of ours, and no hang."""
    async with answering(short_path, answer, hang_up=True) as path:
        with pytest.raises(Lost):
            await asked(path)


async def test_nobody_there_is_a_loss(short_path: Path) -> None:
    """The process ended, and its socket with it."""
    with pytest.raises(Lost, match="No such file"):
        await asked(short_path / "absent")


async def test_a_refusal_carries_its_reason(short_path: Path) -> None:
    """Nothing was begun."""
    reason = text(words(FAILED, 1) + text(b"Session open refused by peer"))
    async with answering(short_path, GREETING + reason) as path:
        with pytest.raises(CannotOpen, match="refused by peer"):
            await asked(path)


async def test_an_answer_that_is_none_is_a_loss(short_path: Path) -> None:
    """Such as one to another question."""
    async with answering(short_path, GREETING + text(words(0x80000009, 1))) as path:
        with pytest.raises(Lost, match="0x80000009"):
            await asked(path)


async def test_the_word_that_it_opened_is_understood(short_path: Path) -> None:
    """From then on a command may have run."""
    async with answering(short_path, GREETING + text(words(OPENED, 1, 7))) as path:
        assert (await asked(path)).began


@pytest.mark.parametrize(
    ("answer", "served"),
    [
        (GREETING + text(words(ALIVE, 1, 4711)), True),
        (GREETING + text(words(FAILED, 1)), False),
        (GREETING, False),
        (b"", False),
    ],
    ids=["alive", "another answer", "no answer", "no greeting"],
)
async def test_a_master_that_answers_lives_on(short_path: Path, answer: bytes, served: bool) -> None:
    """Its process may go on for a while after it has closed its sessions: that is no sign of life."""
    async with answering(short_path, answer, hang_up=not served) as path:
        assert await is_served(path, 60) == served


async def test_a_master_that_is_silent_does_not_live_on(short_path: Path) -> None:
    async with answering(short_path, GREETING) as path:
        assert not await is_served(path, 0.01)


async def test_a_master_whose_socket_is_gone_does_not_live_on(short_path: Path) -> None:
    assert not await is_served(short_path / "s", 60)
