"""Hosts that stand before others: one connection to a bastion carries the connections to all nodes behind.

A chain is a bastion that is itself reached through one (`via`). The connection opens at first need, again
after a loss, and ends when the last transport that uses it is closed. A second one is opened only where
the first gives no more tunnels, or waits for a host that may be down: openings go one at a time.

Laws: starts of connections are limited for each bastion apart from sessions; a failure to reach the bastion
is told to all who waited for the same attempt, and a refusal (login, host key) is not tried again: it would
ask people or lock them out once for each node behind.

This module knows no libssh2 and no nodes. Begin reading at `Bastion.dial`.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.to_thread

from transports.base import TransportError
from transports.ssh.connection import open_driver
from transports.ssh.driver import Driver
from transports.ssh.options import ConnectionStarts, SSHOptions
from transports.ssh.sockets import Wire
from transports.ssh.tunnels import OPENED, SLOW, Tunnels

__all__ = ["Bastion"]

STARTS = 10  # connections that have not logged in yet, behind one bastion
MOST = 8  # connections to one bastion
TUNNELS = 200  # over one connection
FAREWELL = 3.0  # seconds for a connection to end


class Bastion:
    """One bastion, shared by all who pass through it. Connects at first use."""

    def __init__(
        self,
        options: SSHOptions,
        *,
        via: Bastion | None = None,
        starts: ConnectionStarts | None = None,
        limit: int = STARTS,
        log: Callable[[str], None] | None = None,
        tunnels: Callable[[Driver], Tunnels] = Tunnels,
    ) -> None:
        self.via = via
        self.starts = ConnectionStarts(limit)  # of what lies behind
        self._options = options
        self._own_starts = starts
        self._make_tunnels = tunnels
        self._log = log
        self._lines: list[Tunnels] = []
        self._lock = anyio.Lock()
        self._users = 0
        self._failures = 0
        self._problem: TransportError | None = None  # of the last attempt to connect

    @property
    def name(self) -> str:
        """user@host:port, for messages."""
        return f"{self._options.user}@{self._options.address}"

    @property
    def way(self) -> str:
        """Its name and those of the bastions before it: which network lies behind it."""
        return f"{self.via.way} > {self.name}" if self.via is not None else self.name

    @property
    def trouble(self) -> str:
        """Why connections through it ended; empty where it is well."""
        return next((f"the bastion {self.name}: {line.broken}" for line in self._lines if line.broken), "")

    def hold(self) -> None:
        """One more uses it."""
        self._users += 1
        if self._users == 1 and self.via is not None:
            self.via.hold()

    async def release(self) -> None:
        """One less; the last one closes the connections, then those to the bastion before it."""
        self._users -= 1
        if self._users:
            return
        lines, self._lines = self._lines, []
        with anyio.CancelScope(shield=True):
            for line in lines:
                line.close()
            for line in lines:
                await anyio.to_thread.run_sync(line.join, FAREWELL)
        if self.via is not None:
            await self.via.release()

    async def ready(self, name: str) -> None:
        """Connect to it, unless that is done. Raises TransportError, in which `name` is who asked."""
        await self._line(name)

    async def dial(self, name: str, host: str, port: int) -> Wire:
        """A connection to a host behind it, as a socket. Raises TransportError, also of the bastion's own."""
        for _ in range(MOST + 1):
            line = await self._line(name)
            wire, reason = await knock(line, host, port)
            if wire is not None:
                return wire
            if reason and not line.broken and "resource shortage" not in reason:
                raise self._refused(name, host, port, reason)
            if reason and not line.broken:
                line.full = True
        raise self._refused(name, host, port, "it gives no more connections")

    # ---- its own connections

    async def _line(self, name: str) -> Tunnels:
        """A connection with room for one more tunnel."""
        seen = self._failures
        if (line := self._pick()) is not None:
            return line
        async with self._lock:
            if self._problem is not None and (self._problem.final or self._failures != seen):
                raise on_the_way(name, self._problem)
            if (line := self._pick()) is not None:
                return line
            if len(self._lines) >= MOST:
                return min(self._lines, key=lambda line: line.carries)
            return await self._connect(name)

    def _pick(self) -> Tunnels | None:
        for line in [line for line in self._lines if line.broken]:
            self._lines.remove(line)
        good = (line for line in self._lines if not (line.full or line.stuck or line.carries >= TUNNELS))
        return next(good, None)

    async def _connect(self, name: str) -> Tunnels:
        try:
            driver = await open_driver(
                f"the bastion {self.name}", self._options, self._own_starts, via=self.via
            )
        except TransportError as problem:
            self._failures += 1
            self._problem = problem
            raise on_the_way(name, problem) from None
        self._problem = None
        self._lines.append(self._make_tunnels(driver))
        if self._log is not None:
            self._log(f"logged in to the bastion {self.name}")
        return self._lines[-1]

    def _refused(self, name: str, host: str, port: int, reason: str) -> TransportError:
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if "prohibited" in reason:
            return TransportError(
                "connection.refused",
                "connection",
                message=f"{name}: the bastion {self.name} does not let {self._options.user} "
                f"connect on to {target}",
                remedy="allow it in the bastion's sshd_config (AllowTcpForwarding yes, no PermitOpen against "
                "it), and no `restrict` or `no-port-forwarding` before the key in its authorized_keys",
                final=True,
            )
        return TransportError(
            "connection.unreachable",
            "connection",
            message=f"{name}: the bastion {self.name} does not reach {target}: {reason}",
            remedy="the name and address count as the bastion sees them: "
            f"check that sshd runs there and that the bastion may reach it (`nc -zv {host} {port}` there)",
        )


async def knock(line: Tunnels, host: str, port: int) -> tuple[Wire | None, str]:
    """Try one connection: the socket; or the reason why not, empty where another one had better be asked."""
    wire, begun = line.open(host, port)
    try:
        while True:
            with anyio.move_on_after(SLOW):
                await anyio.wait_readable(wire)
                break
            if not begun() and line.stuck:
                wire.close()
                return None, ""
        if (word := wire.recv(1)) == OPENED:
            return wire, ""
        reason = (word + wire.recv(1000)).decode("utf-8", "replace")
    except BaseException:
        wire.close()
        raise
    wire.close()
    return None, reason or "it ended the connection"


def on_the_way(name: str, problem: TransportError) -> TransportError:
    """A problem of a bastion, told to somebody who wanted to pass through it."""
    if problem.message.startswith(f"{name}: "):
        return problem
    return TransportError(
        *problem.lineage,
        message=f"{name}: on the way there: {problem.message}",
        remedy=problem.remedy,
        ambiguous=False,
        final=problem.final,
    )
