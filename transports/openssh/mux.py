"""Sessions of a running ssh: its control socket's language, and one session with its three pipes.

OpenSSH documents the language in PROTOCOL.mux (version 4, unchanged since 5.4 of 2010). Numbers are
big-endian words of four bytes; a packet is its length and its content; each descriptor travels beside a
zero byte.

Order: both say hello; we ask for a session with a command line and send three descriptors; the master opens a
channel, says so, and then lets the command go out; it tells the exit status where one came, and closes.

Law: nothing has begun on the node before the master says that the session is open.

This module knows no nodes and no shell. Begin reading at `Channel`.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.lowlevel

__all__ = ["CannotOpen", "Channel", "Lost", "Stalled", "is_served"]

HELLO, VERSION = 0x00000001, 4
NEW_SESSION = 0x10000002
ALIVE_CHECK = 0x10000004
REFUSED, FAILED, EXIT, ALIVE, OPENED = 0x80000002, 0x80000003, 0x80000004, 0x80000005, 0x80000006
NO_ESCAPE = 0xFFFFFFFF
REQUEST = 1  # of each control connection there is one
READ = 1 << 16  # bytes a read
PIPE = 1 << 20  # bytes that a pipe for a file holds, where the system allows it
F_SETPIPE_SZ = 1031
BUSY_PAUSE = 0.01  # seconds


class Lost(Exception):  # noqa: N818 - said of a connection
    """The master is gone or does not answer."""


class Stalled(Lost):
    """The node takes nothing more of a file; the connection may be good."""


class CannotOpen(Exception):  # noqa: N818 - said of a connection
    """The server gives no more sessions on this connection. Nothing was begun."""


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def text(data: bytes) -> bytes:
    return words(len(data)) + data


def session_request(line: str) -> bytes:
    """A session without terminal, X11, agent or subsystem, for one command line."""
    flags = words(0, 0, 0, 0)
    return (
        words(NEW_SESSION, REQUEST) + text(b"") + flags + words(NO_ESCAPE) + text(b"") + text(line.encode())
    )


def numbers(packet: bytes, count: int) -> tuple[int, ...]:
    """The words at the beginning of a packet. Raises Lost where it is shorter: that is no master."""
    if len(packet) < 4 * count:
        raise Lost("the control socket speaks another language")
    return struct.unpack_from(f">{count}I", packet)


class Channel:
    """One session: a control connection, and our ends of the command's three pipes.

    Use in this order: `request`, `opened`, then `read`, `feed`, `status` as you like, and always `close`.
    """

    def __init__(self) -> None:
        self.requested = False  # the master may open a session
        self.began = False  # the master has opened one: the command goes out
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._stdin = self._stdout = self._stderr = -1
        self._status: int | None = None

    async def request(self, path: Path, line: str, *, bulk: bool = False) -> None:
        """Ask the master for a session. Raises Lost."""
        try:
            await self._greet(path)
            self.requested = True
            await self._send(session_request(line))
            await self._hand_over(bulk=bulk)
        except OSError as error:
            raise Lost(f"its control socket: {error.strerror}") from None

    async def is_served(self, path: Path) -> bool:
        """Whether the master answers, instead of `request`: one that ends does not."""
        with suppress(Lost, OSError):
            await self._greet(path)
            await self._send(words(ALIVE_CHECK, REQUEST))
            kind, _ = numbers(await self._receive(), 2)
            return kind == ALIVE
        return False

    async def opened(self) -> None:
        """Wait until the command goes out. Raises Lost, CannotOpen."""
        kind, _ = numbers(packet := await self._receive(), 2)
        if kind in (REFUSED, FAILED):
            raise CannotOpen(packet[12:].decode("utf-8", "replace"))
        if kind != OPENED:
            raise Lost(f"the control socket answers {kind:#x}")
        self.began = True

    async def read_stdout(self) -> bytes:
        """What comes next; nothing at the end."""
        return await read(self._stdout)

    async def read_stderr(self) -> bytes:
        """What comes next; nothing at the end."""
        return await read(self._stderr)

    async def feed(self, data: bytes) -> bool:
        """Write to the command's stdin. False where it wants no more."""
        view = memoryview(data)
        while view:
            await anyio.lowlevel.checkpoint()
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._stdin)
            except BrokenPipeError:
                return False
        return True

    def feed_end(self) -> None:
        """Close the command's stdin."""
        if self._stdin >= 0:
            os.close(self._stdin)
        self._stdin = -1

    async def status(self) -> int | None:
        """The exit status, when the session is over; None where none came."""
        with suppress(Lost):
            while True:
                kind, _ = numbers(packet := await self._receive(), 2)
                if kind == EXIT:
                    self._status = numbers(packet, 3)[2]
        return self._status

    def close(self) -> None:
        """Let go of everything. The master closes a session that is still open, which ends no command."""
        self.feed_end()
        for handle in (self._stdout, self._stderr):
            if handle >= 0:
                os.close(handle)
        self._stdout = self._stderr = -1
        self._sock.close()

    async def _greet(self, path: Path) -> None:
        await self._connect(path)
        await self._send(words(HELLO, VERSION))
        kind, version = numbers(await self._receive(), 2)
        if (kind, version) != (HELLO, VERSION):
            raise Lost(f"the control socket speaks version {version}, not {VERSION}")

    async def _connect(self, path: Path) -> None:
        while True:
            try:
                self._sock.connect(str(path))
                return
            except BlockingIOError:  # its queue of callers is full
                await anyio.sleep(BUSY_PAUSE)

    async def _hand_over(self, *, bulk: bool) -> None:
        theirs: list[int] = []
        try:
            stdin, self._stdin = pipe(theirs)
            self._stdout, stdout = pipe(theirs, ours_reads=True)
            self._stderr, stderr = pipe(theirs, ours_reads=True)
            if bulk:
                enlarge(self._stdin)
            for handle in (stdin, stdout, stderr):
                await self._send_descriptor(handle)
        finally:
            for handle in theirs:
                os.close(handle)

    async def _send(self, packet: bytes) -> None:
        view = memoryview(text(packet))
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._sock)

    async def _send_descriptor(self, handle: int) -> None:
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]).tobytes())]
        while True:
            try:
                self._sock.sendmsg([b"\0"], beside)
                return
            except BlockingIOError:
                await anyio.wait_writable(self._sock)

    async def _receive(self) -> bytes:
        (size,) = struct.unpack(">I", await self._receive_exactly(4))
        return await self._receive_exactly(size)

    async def _receive_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self._sock.recv(size - len(data))
            except BlockingIOError:
                await anyio.wait_readable(self._sock)
                continue
            except OSError as error:
                raise Lost(f"its control socket: {error.strerror}") from None
            if not more:
                raise Lost("the ssh program has ended, or closed the session")
            data += more
        return data


async def is_served(path: Path, patience: float) -> bool:
    """Whether a master answers at its socket within `patience` seconds."""
    channel = Channel()
    try:
        with anyio.move_on_after(patience):
            return await channel.is_served(path)
    finally:
        channel.close()
    return False


def pipe(theirs: list[int], *, ours_reads: bool = False) -> tuple[int, int]:
    """A pipe whose one end is ours, and does not block; the other is noted, to be closed here."""
    reading, writing = os.pipe()
    ours, other = (reading, writing) if ours_reads else (writing, reading)
    theirs.append(other)
    os.set_blocking(ours, False)
    return reading, writing


def enlarge(handle: int) -> None:
    """Fewer turns for a large file. A user's share of large pipes may be used up."""
    with suppress(OSError):
        fcntl.fcntl(handle, F_SETPIPE_SZ, PIPE)


async def read(handle: int) -> bytes:
    """What comes next on a pipe; nothing at the end."""
    await anyio.lowlevel.checkpoint()  # a pipe that is never empty would starve everybody else
    while True:
        try:
            return os.read(handle, READ)
        except BlockingIOError:
            await anyio.wait_readable(handle)
