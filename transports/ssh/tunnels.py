"""One connection to a bastion as a bundle of tunnels: each carries another connection to a host behind.

The bastion's session belongs to one thread, which moves bytes between its channels (direct-tcpip) and
socket pairs; the other end of each pair looks like a connected socket to whoever asked for the tunnel.
A thread, because tunnels have no task that could own them, and because encryption so leaves the event loop.

Laws: the four of `driver` hold here too. A packet that left in part is finished by the same call before any
other (`_whole`); one channel is being opened at a time; every call may drain input of all, so after each
round all tunnels are looked at. An opening that nobody waits for any more is seen to its end all the same:
given up half way it would cost all the others their connection.

This module knows no keys, no nodes and no chains. Begin reading at `Tunnels.open`, then `Tunnels._round`.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ssh2.exceptions import ChannelFailure, SSH2Error

from transports.ssh.driver import ANSWERS, EAGAIN, OUTBOUND, Driver, code_of, describe
from transports.ssh.sockets import Wire

__all__ = ["OPENED", "Tunnels"]

OPENED = b"\x06"  # the first byte through a tunnel: it leads somewhere. Anything else is the reason why not.
CHUNK = 1 << 16  # bytes
ROUND = 1000  # milliseconds between rounds in which nothing moves
CLOSING_PATIENCE = 10.0  # seconds that the bastion has to answer the end of a tunnel
SLOW = 1.0  # seconds after which an opening is no reason to wait for: its host may be down


class Tunnel:
    """One channel, and our end of its socket pair."""

    def __init__(self, host: str, port: int, sock: socket.socket) -> None:
        self.host = host
        self.port = port
        self.sock = sock
        self.channel: Any = None
        self.to_bastion = b""  # read from the pair, not yet taken by the channel
        self.to_us = b""  # read from the channel, not yet taken by the pair
        self.we_ended = False  # no more will come from the pair
        self.they_ended = False  # no more will come from the channel
        self.began = 0.0  # when its opening began, by the monotonic clock; 0 before that
        self.ended = 0.0  # when its closing began

    @property
    def over(self) -> bool:
        """Whether there is nothing left to be moved. SSH has no use for half a connection."""
        return (self.we_ended and not self.to_bastion) or (self.they_ended and not self.to_us)

    @property
    def wants(self) -> int:
        """What to wait for at the pair."""
        events = 0
        if not self.we_ended and not self.to_bastion:
            events |= select.POLLIN
        if self.to_us:
            events |= select.POLLOUT
        return events

    @property
    def listens(self) -> bool:
        """Whether a round will read for it."""
        return bool(self.to_bastion or self.ended) or not (self.to_us or self.they_ended)

    def pull(self) -> None:
        """Take bytes from the pair."""
        if self.we_ended or self.to_bastion:
            return
        try:
            self.to_bastion = self.sock.recv(CHUNK)
            self.we_ended = not self.to_bastion
        except BlockingIOError:
            pass
        except OSError:
            self.we_ended = True

    def push(self) -> None:
        """Give bytes to the pair. What nobody reads any more is dropped."""
        while self.to_us:
            try:
                self.to_us = self.to_us[self.sock.send(self.to_us) :]
            except BlockingIOError:
                return
            except OSError:
                self.to_us, self.we_ended, self.they_ended = b"", True, True


class Tunnels:
    """A logged-in session of a bastion, owned by a thread from now on. `open` and `close` never block."""

    def __init__(self, driver: Driver, *, thread: Callable[..., threading.Thread] = threading.Thread) -> None:
        self.full = False  # the bastion said that it gives no more on this connection
        self.broken = ""  # why no tunnel leads anywhere any more; empty while all is well
        self._driver = driver
        self._session = driver.session
        self._outer = driver.socket()
        self._asked: deque[Tunnel] = deque()  # not yet begun to be opened
        self._opening: Tunnel | None = None
        self._open: list[Tunnel] = []
        self._lock = threading.Lock()  # of _asked, broken and the bell
        self._stopping = False
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = thread(target=self._run, name="mk8s-tunnels", daemon=True)
        self._thread.start()

    @property
    def stuck(self) -> bool:
        """Whether an opening lasts so long that others had better not wait for its end."""
        tunnel = self._opening
        return tunnel is not None and time.monotonic() - tunnel.began > SLOW

    @property
    def carries(self) -> int:
        """How many tunnels there are, the unfinished ones with them."""
        return len(self._open) + len(self._asked) + (self._opening is not None)

    def open(self, host: str, port: int) -> tuple[Wire, Callable[[], bool]]:
        """Ask for a tunnel; and whether its opening has begun, so that it can no longer be asked elsewhere.

        The socket's first byte is OPENED, or it ends with the reason why there is none.
        """
        ours, theirs = socket.socketpair()
        tunnel = Tunnel(host, port, theirs)
        ours.setblocking(False)
        theirs.setblocking(False)
        with self._lock:
            if self.broken or self._stopping:
                refuse(theirs, self.broken or "it was closed")
            else:
                self._asked.append(tunnel)
                os.eventfd_write(self._bell, 1)
        return Wire(fileno=ours.detach()), lambda: bool(tunnel.began)

    def close(self) -> None:
        """Let go of the bastion and of all tunnels. Twice is fine."""
        with self._lock:
            if self.broken:
                return
            self._stopping = True
            os.eventfd_write(self._bell, 1)

    def join(self, patience: float) -> None:
        """Wait until the thread has ended. Blocks."""
        self._thread.join(patience)

    # ---- the thread

    def _run(self) -> None:
        reason = "it failed"
        try:
            while not self._stopping:
                self._round()
                self._wait()
            reason = "closed"
        except SSH2Error as error:
            reason = describe(error, self._session)
        except OSError as error:
            reason = error.strerror or str(error)
        finally:
            self._end(reason)

    def _round(self) -> None:
        """Move whatever can be moved, until nothing does."""
        moved = True
        while moved and not self._stopping:
            self._go_on_opening()
            moved = False
            for tunnel in list(self._open):
                moved = self._move(tunnel) or moved
                if tunnel.over:
                    self._bury(tunnel)

    def _move(self, tunnel: Tunnel) -> bool:
        """One step in each direction. Whether it moved anything from or to the bastion."""
        tunnel.pull()
        tunnel.push()  # first: what lies in libssh2's queue is not told by any socket
        sent = bool(tunnel.to_bastion) and self._send(tunnel)
        received = self._receive(tunnel)
        tunnel.push()
        return sent or received

    def _send(self, tunnel: Tunnel) -> bool:
        before = len(tunnel.to_bastion)

        def write() -> int:
            code, count = tunnel.channel.write(tunnel.to_bastion)
            tunnel.to_bastion = tunnel.to_bastion[max(count, 0) :]
            return EAGAIN if code == EAGAIN and tunnel.to_bastion else 0

        try:
            self._whole(write)
        except ANSWERS:  # the host ended meanwhile
            tunnel.to_bastion, tunnel.we_ended = b"", True
        return len(tunnel.to_bastion) < before

    def _receive(self, tunnel: Tunnel) -> bool:
        if tunnel.they_ended or tunnel.to_us:
            return False

        received = b""

        def read() -> int:
            nonlocal received
            code, data = tunnel.channel.read_ex(CHUNK, 0)
            received += data
            return int(code)

        try:
            self._whole(read)
        except ANSWERS:
            tunnel.they_ended = True
        if not received and tunnel.channel.eof():
            tunnel.they_ended = True
        tunnel.to_us = received
        return bool(received)

    def _go_on_opening(self) -> None:
        tunnel = self._opening or self._next()
        if tunnel is None:
            return
        try:
            channel = self._whole(
                lambda: self._session.direct_tcpip_ex(tunnel.host, tunnel.port, "127.0.0.1", 0)
            )
        except ChannelFailure as error:
            self._opening = None
            refuse(tunnel.sock, describe(error, self._session))
            return
        if channel is not None and code_of(channel) != EAGAIN:
            tunnel.channel, self._opening = channel, None
            tunnel.to_us = OPENED
            self._open.append(tunnel)

    def _next(self) -> Tunnel | None:
        """The next that is to be opened. Who hung up meanwhile is passed over."""
        with self._lock:
            while self._asked and self._opening is None:
                tunnel = self._asked.popleft()
                if hung_up(tunnel.sock):
                    tunnel.sock.close()
                    continue
                tunnel.began = time.monotonic()
                self._opening = tunnel
            return self._opening

    def _bury(self, tunnel: Tunnel) -> None:
        """Close the channel; the bastion's answer may come in a later round, or never."""
        tunnel.ended = tunnel.ended or time.monotonic()
        tunnel.we_ended, tunnel.to_us = True, b""
        with suppress(*ANSWERS):
            waits = self._whole(tunnel.channel.close) == EAGAIN
            if waits and time.monotonic() - tunnel.ended < CLOSING_PATIENCE:
                return
        self._open.remove(tunnel)
        tunnel.channel = None
        tunnel.sock.close()

    def _whole(self, call: Callable[[], Any]) -> Any:
        """One try of a call, with the packet that it may have left half sent."""
        while True:
            result = call()
            if code_of(result) != EAGAIN or not self._session.block_directions() & OUTBOUND:
                return result
            if self._stopping:
                raise OSError(errno.ECONNABORTED, "closed")
            wait = select.poll()
            wait.register(self._outer, select.POLLOUT)
            wait.poll(ROUND)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        poll.register(self._outer, select.POLLIN if self._listens() else select.POLLRDHUP)
        for tunnel in self._open:
            if tunnel.wants:
                poll.register(tunnel.sock, tunnel.wants)
        for number, events in poll.poll(ROUND):
            if number == self._bell:
                os.eventfd_read(self._bell)
            if number == self._outer.fileno() and not events & select.POLLIN:
                raise OSError(errno.ECONNRESET, "it ended the connection")

    def _listens(self) -> bool:
        """Whether anybody would take what comes: else it stays in the socket, and only its end is awaited."""
        return self._opening is not None or any(tunnel.listens for tunnel in self._open)

    def _end(self, reason: str) -> None:
        """The last breath: all pairs are closed, then the session, then its socket."""
        with self._lock:
            self.broken = reason
            left = [*self._asked, *([self._opening] if self._opening else []), *self._open]
            self._asked.clear()
            os.close(self._bell)
        self._opening, self._open = None, []
        self._driver.poison(reason)
        with suppress(SSH2Error):
            self._session.open_session()  # its read fails: libssh2 writes nothing when the channels go
        for tunnel in left:
            if tunnel.channel is None:
                refuse(tunnel.sock, reason)
            tunnel.channel = None
            tunnel.sock.close()
        self._session = None
        self._driver.abort()


def hung_up(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, 0)
    return bool(poll.poll(0))


def refuse(sock: socket.socket, reason: str) -> None:
    """Tell the other end of a pair why it leads nowhere."""
    with suppress(OSError):
        sock.send(reason.encode()[:1000])
    sock.close()
