"""One libssh2 session, driven without blocking on trio or asyncio. Everything else stands on this.

Four laws make libssh2's non-blocking mode safe; each was bought with a hang or a crash:

A. A packet that left only in part must be finished by the *same call*, before any other call on that
   session. So a call is carried through while libssh2 wants to write, under the session's lock.
B. Handshake, login, opening a channel and starting a command keep their state in the session: one at
   a time. `call_held` keeps the lock to their end.
C. Any call may drain the socket into libssh2's queues, after which the socket's readiness says nothing
   to the others. So after every call each parked task's own queue is looked at, and exactly those whose
   input came are woken. One parked task, the leader, watches the socket. See `parking`.
D. A call that is given up in mid-state poisons the session: it is shut down and never used again.
   A cancelled `call_held` is therefore given GRACE seconds to end properly first.

And one for the end: libssh2 keeps the bare number of the socket, so the socket is closed last, by
whoever holds the last reference to the session. Closing it earlier would let a late packet go to the
next owner of that number.

This module knows sockets and libssh2's return codes; it knows no commands, keys, users or nodes.
Begin reading at `Driver.call`.
"""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.to_thread
import ssh2.session as libssh2
from ssh2 import exceptions as refused
from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN as EAGAIN
from ssh2.exceptions import SSH2Error
from ssh2.session import Session

from transports.ssh.parking import Parking
from transports.ssh.sockets import Wire, acknowledge_now

__all__ = ["EAGAIN", "GRACE", "Driver", "Lost", "farewell"]

Answer = TypeVar("Answer")
Loop: TypeAlias = Callable[[Callable[..., Any], tuple[Any, ...]], Awaitable[Any]]

OUTBOUND = libssh2.LIBSSH2_SESSION_BLOCK_OUTBOUND
GRACE = 1.0  # seconds that a cancelled call gets to end properly, so that the session stays usable
FLUSH_LOOK = 1.0  # seconds between looks at a socket that does not take a packet's rest

HUNG_UP = "the server closed the connection"
PLAINER = {
    "transport read": "nothing more could be read",
    "Unable to send channel data": "nothing more could be sent",
    "Waiting for password response": HUNG_UP,
}

# The peer said no, and the session is as good as before. Everything else means that it is lost.
ANSWERS = (
    refused.AuthenticationError,
    refused.ChannelClosedError,
    refused.ChannelEOFSentError,
    refused.ChannelFailure,
    refused.ChannelRequestDenied,
    refused.FileError,
    refused.KeyfileAuthFailedError,
    refused.MethodNotSupported,
    refused.PublickeyUnverifiedError,
    refused.RequestDeniedError,
)


class Lost(Exception):  # noqa: N818 - it is said of a session: lost
    """The session is of no use any more: the peer went, or a call was given up in mid-state."""


def has_room(sock: Wire) -> bool:
    """Whether the socket takes a small packet whole: it is writable while a third of its buffer is free."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(0))


def code_of(result: Any) -> int:
    """The return code in what libssh2 returned: a number, a tuple that begins with one, or an object."""
    if isinstance(result, tuple):
        result = result[0]
    return result if isinstance(result, int) else 0


class Driver:
    """A libssh2 session over a connected, non-blocking socket, which it owns from now on."""

    def __init__(self, sock: Wire) -> None:
        self.sock: Wire | None = sock
        self.session: Any = Session()
        self.session.set_blocking(False)
        self.lock = anyio.Lock(fast_acquire=True)
        self.grace = 0.0  # seconds, see GRACE; nothing is worth it before the session is of use
        self.is_precious = False  # a person had to answer questions for it: one connection is enough
        self.broken = ""  # why the session is of no use; empty while it is good
        self.dismissed = False  # the peer said goodbye before it went: it had enough, it did not break down
        self._parking = Parking()

    # ---- calls

    async def call(self, function: Callable[..., Any], *args: Any, ready: Callable[[], bool]) -> Any:
        """One call on a channel, to its end. While it waits for input others may go in between.

        `ready` says, without I/O, whether its input lies in libssh2's queue (law C). Raises Lost, or
        the SSH2Error with which the peer refused. A cancelled call has done nothing that matters.
        """
        while True:
            async with self.lock:
                result = await self._try(function, args)
                if code_of(result) != EAGAIN:
                    return result
            await self._parking.wait(
                self._wait_readable, ready
            )  # no checkpoint lies between the attempt and this

    async def call_held(
        self, function: Callable[..., Any], *args: Any, keep: Callable[[Any], object] | None = None
    ) -> Any:
        """One call whose state belongs to the session (law B). Nobody else gets in before its end.

        A cancelled call may still succeed in its time of grace; `keep` is given the result in any case.
        """

        def keeping(*args: Any) -> Any:
            result = function(*args)
            if keep is not None and code_of(result) != EAGAIN:
                keep(result)
            return result

        async with self.lock:
            return await self._see_through(self._carry, keeping, args)

    async def call_whole(self, function: Callable[[], Any]) -> Any:
        """A held call whose packet libssh2 makes on its stack: the end of a channel or of its input.

        Such a packet must leave in one piece. Its rest would have to be sent by a call from the very same
        depth of the stack, else libssh2 takes it for another packet and answers EAGAIN for ever; and an
        event loop resumes a task from other depths than it began it. So the socket has room first.
        """
        async with self.lock:
            while not has_room(self.socket()):
                await self._wait_writable()
            return await self._see_through(self._carry, function, ())

    async def call_in_thread(self, function: Callable[[Any], Answer], seconds: float) -> Answer:
        """A call that can only wait, or computes for long, in a worker thread, where libssh2 blocks.

        For logins: nobody else may use the session meanwhile. Raises TimeoutError after `seconds`; then,
        and when cancelled, the session is left to the thread, which may never return.
        """

        def work(session: Any, _: Wire) -> Answer:
            session.set_timeout(int(seconds * 1000))
            session.set_blocking(True)
            try:
                return function(session)
            finally:
                session.set_blocking(False)
                session.set_timeout(0)

        with anyio.fail_after(seconds):
            return await self.call_aside(work)

    async def call_aside(self, function: Callable[[Any, Wire], Answer]) -> Answer:
        """Let a function drive the session and its socket in a worker thread, for as long as it takes.

        For logins, as `call_in_thread`. Cancelled, the session is left to the thread.
        """
        session, wire = self.session, self.socket()
        try:
            return await anyio.to_thread.run_sync(function, session, wire, abandon_on_cancel=True)
        except ANSWERS:
            raise
        except SSH2Error as error:
            raise self._lost(error) from None
        except BaseException:
            self._disown("a login was given up")
            raise

    async def write(self, channel: Any, data: bytes) -> None:
        """Write data to a channel: all, or what was taken until the peer ended its output.

        Others may go in between, except while a packet is half sent.
        """

        def push_on() -> int:
            nonlocal data  # a try may take a part and leave the next packet half sent: go on behind that
            code, count = channel.write(data)
            data = data[max(count, 0) :]
            unfinished = (
                self._must_write() or not channel.eof()
            )  # a half sent packet is finished, wanted or not
            return EAGAIN if code == EAGAIN and data and unfinished else 0

        await self.call(push_on, ready=lambda: bool(channel.window_write() > 0 or channel.eof()))

    def attempt(self, function: Callable[..., Any], *args: Any) -> Any:
        """One try, without waiting. Wakes those whose input it drained. The lock must be held."""
        if self.broken:
            raise Lost(self.broken)
        try:
            return function(*args)
        except ANSWERS:
            raise
        except SSH2Error as error:
            raise self._lost(error) from None
        finally:
            self._parking.settle()

    def hung_up(self) -> Lost:
        """The peer ended the connection, where libssh2 called that a refusal. The lock must be free."""
        return self._lost(farewell(self.session))

    def _lost(self, error: SSH2Error) -> Lost:
        self.dismissed = isinstance(error, refused.SocketDisconnectError)
        self.poison(describe(error, self.session))
        return Lost(self.broken)

    # ---- waiting

    async def _try(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """One try, with the packet that it may have left half sent (law A)."""
        result = self.attempt(function, *args)
        if code_of(result) != EAGAIN or not self._must_write():
            return result
        return await self._see_through(self._push, function, args)

    async def _push(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        while True:
            await self._wait_writable()
            result = self.attempt(function, *args)
            if code_of(result) != EAGAIN or not self._must_write():
                return result

    async def _carry(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        while code_of(result := self.attempt(function, *args)) == EAGAIN:
            if self._must_write():
                await self._wait_writable()
            else:
                acknowledge_now(self.sock)
                await self._parking.wait(self._wait_readable, None, holds=True)
        return result

    async def _see_through(self, loop: Loop, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Run a loop of tries to its end. Cancelled, it has its grace; then the session is lost."""
        try:
            return await loop(function, args)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(self.grace, shield=True) as grace, suppress(Lost, SSH2Error):
                await loop(function, args)
            if grace.cancelled_caught:
                self.poison("a call was given up half way")
            raise

    def _must_write(self) -> bool:
        return self.session is not None and bool(self.session.block_directions() & OUTBOUND)

    async def _wait_writable(self) -> None:
        with anyio.move_on_after(FLUSH_LOOK):
            await anyio.wait_writable(self.socket())

    async def _wait_readable(self) -> None:
        await anyio.wait_readable(self.socket())

    def socket(self) -> Wire:
        """The socket, for waiting on it. Raises Lost once it is gone."""
        if self.sock is None:
            raise Lost(self.broken)
        return self.sock

    # ---- the end

    def poison(self, why: str) -> None:
        """Nobody may use this session again (law D). Never blocks; the first reason stays."""
        if self.broken:
            return
        self.broken = why
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
        self._parking.wake_all()

    def _disown(self, why: str) -> None:
        """Leave session and socket to a thread that still uses them; they go when it ends."""
        self.poison(why)
        self.session = self.sock = None

    async def close(self) -> None:
        """Say goodbye where the peer listens, then let go."""
        if self.session is not None and not self.broken:
            with anyio.move_on_after(GRACE, shield=True), suppress(Lost, SSH2Error):
                await self.call_held(self.session.disconnect)
        self.abort()

    def abort(self) -> None:
        """Let go at once: never blocks, and may be called twice."""
        if self.session is None:
            return
        self.poison("closed")
        session, self.session = self.session, None
        session.set_blocking(False)  # a blocking one would hold the interpreter while it says goodbye
        with suppress(SSH2Error):
            session.open_session()  # its read fails, so libssh2 knows: nothing is ever written there again
        sock, self.sock = self.sock, None
        if sock is None:
            return
        with suppress(Exception):
            anyio.notify_closing(sock)
        if sys.getrefcount(session) == 2:  # ours and the argument's; else a channel still holds it
            del session  # frees libssh2's session while the number is still ours
            sock.close()


def describe(error: SSH2Error, session: Any) -> str:
    """libssh2's words for an error, plainer where they are obscure; the class's name where it has none."""
    words = session.last_error() if session is not None else ""
    text = str(error) or (words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words))
    return PLAINER.get(text, text) or type(error).__name__


def farewell(session: Any) -> SSH2Error:
    """How the peer ended the connection: SocketDisconnectError where it said goodbye (SSH_MSG_DISCONNECT),
    SocketRecvError where it only went, or is silent.

    libssh2 keeps no note of that, but answers accordingly to what is asked of it next.
    """
    session.set_blocking(False)
    try:
        session.open_session()
    except refused.SocketDisconnectError:
        return refused.SocketDisconnectError(HUNG_UP)
    except SSH2Error:
        pass
    return refused.SocketRecvError(HUNG_UP)
