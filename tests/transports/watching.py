"""Commands that start others or are struck, and a listener that learns their process numbers."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import anyio
import pytest

from tests.processes import is_alive
from tests.transports.ssh.conftest import sh, until
from tests.transports.sshd import Server
from transports.base import Stream, Transport, TransportError

GROUP = "sleep 1001 & echo $! $$; sleep 1002"
STUBBORN = (
    "trap '' TERM; (trap '' TERM; while :; do sleep 0.1; done) & echo $! $$; while :; do sleep 0.1; done"
)


class Pids:
    """Collects process numbers that a command prints."""

    def __init__(self) -> None:
        self.text = b""

    def __call__(self, stream: Stream, data: bytes) -> None:
        self.text += data if stream == "stdout" else b""

    def all(self, count: int) -> list[int]:
        words = self.text.split()
        return [int(word) for word in words] if len(words) == count and self.text.endswith(b"\n") else []


async def end_soon(pids: list[int]) -> None:
    """Return when these processes have ended: one that was killed needs its turn to die."""
    assert pids
    await until(lambda: not any(is_alive(pid) for pid in pids))


async def stopped_by_its_timeout(transport: Transport, script: str) -> list[int]:
    """The two process numbers that a script printed before its time was over and it was stopped.

    On a busy machine a short time is over before the script begins: then it gets more.
    """
    for timeout in (0.3, 3.0, 30.0):
        pids = Pids()
        with pytest.raises(TransportError) as caught:
            await transport.run(sh(script, timeout=timeout), on_output=pids)
        if pids.all(2):
            break
    assert caught.value.lineage == ("timeout.command", "timeout")
    assert "it was stopped" in caught.value.message
    return pids.all(2)


async def struck_in_a_command(
    transport: Transport, strike: Callable[[], object]
) -> tuple[TransportError, int]:
    """How a command ends that is struck once it runs, and its process number."""
    pids = Pids()

    async def striking() -> None:
        await until(lambda: bool(pids.all(1)))
        strike()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(striking)
        with anyio.fail_after(60), pytest.raises(TransportError) as caught:
            await transport.run(sh("echo $$; sleep 20"), on_output=pids)
    return caught.value, pids.all(1)[0]


@contextmanager
def halting(server: Server) -> Iterator[None]:
    """A server whose sessions get their turn only now and then, as on a busy machine."""
    over = Event()

    def halt() -> None:
        while not over.wait(0.005):
            server.signal_sessions(signal.SIGSTOP)
            over.wait(0.005)
            server.signal_sessions(signal.SIGCONT)

    thread = Thread(target=halt)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
