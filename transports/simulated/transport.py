"""The road to a modelled host: the same contract as SSH, with faults where a plan asks for them.

An operation has an attempt number per node and operation name, which a plan of faults decides by. What
a fault means for each kind of operation stands in `faults.FAULT_KINDS`. Uploads and downloads are the
operations `file.put`, `file.append` and `file.get`.

Modelled: the first connection and reconnects, latency, upload time, hosts that are off, cut off or
booting, connections that die with their host, and what arrived of a piece by then. Not modelled: logins
and sudo (both always succeed), and parts of files that a broken upload leaves behind.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath
from typing import TypeAlias, TypeVar

import anyio

from transports.appending import too_short, wrong_piece
from transports.base import (
    ArgumentError,
    Bytes,
    Command,
    OnOutput,
    OnProgress,
    Outcome,
    Piece,
    Source,
    TransportError,
)
from transports.files import disk_full, not_whole
from transports.shell import OUTPUT_LIMIT, check
from transports.simulated.disk import SimulatedFile
from transports.simulated.faults import FAULT_KINDS, FaultLike, FaultSource
from transports.simulated.host import SimulatedHost
from transports.simulated.network import SimulatedNetwork

__all__ = ["SimulatedTransport"]

T = TypeVar("T")
Told: TypeAlias = OnProgress | None

CONNECT_TIMEOUT = 10.0  # seconds until a host that does not answer is given up
SILENCE = 15.0  # seconds until a connection whose other end is silent is given up
HANDSHAKES = 8  # round trips from the first packet to the first command
STALL = 60.0  # seconds without progress until a transfer is given up
SLOWNESS = 20
SIMULATED = "a simulated fault"


class SimulatedTransport:
    """One road to one modelled host. Satisfies `transports.base.Transport`."""

    def __init__(
        self,
        name: str,
        host: SimulatedHost,
        network: SimulatedNetwork,
        *,
        faults: FaultSource | None = None,
        latency: float | None = None,
    ) -> None:
        """`latency` is one round trip in seconds; by default the network's. `host` must be on it."""
        if network.hosts.get(host.address) is not host:
            raise ValueError(f"{host.name} is not on this network; add it first")
        self._name = name
        self._host = host
        self._network = network
        self._faults = faults
        self._latency = network.pace.links.latency if latency is None else latency
        self._attempts: dict[str, int] = {}
        self._connected: int | None = None  # the host's lifetime that the connection belongs to
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    async def run(self, command: Command, *, on_output: OnOutput | None = None) -> Outcome:
        """See the contract. Raises UnknownCommand when nobody modelled the command."""
        check(command)
        fault = self._fault(command.operation)
        await self._connect()
        outcome = await self._guarded(command.description, command.timeout, lambda: self._run(command, fault))
        return _hand_on(outcome, on_output) if on_output is not None else _kept(outcome)

    async def put(
        self,
        source: Source,
        target: PurePosixPath,
        *,
        mode: int = 0o644,
        owner: str | None = None,
        sudo: bool = False,  # noqa: ARG002 - logins are not modelled: whoever comes in may do all
        on_progress: OnProgress | None = None,
    ) -> None:
        """See the contract."""
        _refuse_nul(target)
        fault = self._fault("file.put")
        await self._connect()
        content = source.content if isinstance(source, Bytes) else None
        file = SimulatedFile(source.sha256, source.size, mode, owner or "root", content)
        await self._guarded(
            f"write {target}", _patience(fault), lambda: self._put(source, target, file, fault, on_progress)
        )

    async def append(
        self,
        piece: Piece,
        part: PurePosixPath,
        *,
        sudo: bool = False,  # noqa: ARG002 - as above
        on_progress: OnProgress | None = None,
    ) -> None:
        """See the contract."""
        _refuse_nul(part)
        fault = self._fault("file.append")
        await self._connect()
        await self._guarded(
            f"write {part}", _patience(fault), lambda: self._append(piece, part, fault, on_progress)
        )

    async def get(self, source: PurePosixPath, *, sudo: bool = False, limit: int = 1 << 24) -> bytes:  # noqa: ARG002
        """See the contract."""
        _refuse_nul(source)
        fault = self._fault("file.get")
        await self._connect()
        return await self._guarded(
            f"read {source}", _patience(fault), lambda: self._get(source, limit, fault)
        )

    async def close(self) -> None:
        self._closed = True
        self._connected = None

    # The connection

    def _fault(self, operation: str) -> FaultLike | None:
        attempt = self._attempts[operation] = self._attempts.get(operation, 0) + 1
        fault = self._faults.decide(self._name, operation, attempt) if self._faults else None
        if fault is not None and fault.kind not in FAULT_KINDS:
            raise ValueError(f"unknown kind of fault {fault.kind!r}; known: {', '.join(FAULT_KINDS)}")
        return fault

    async def _connect(self) -> None:
        """Make sure that the host answers. Raises connection.{closed,timeout,refused}."""
        if self._closed:
            raise self._error(
                "connection.closed", "connection", message="this transport was closed", final=True
            )
        if not self._host.powered or self._is_cut:
            self._connected = None
            await anyio.sleep(CONNECT_TIMEOUT)
            raise self._error(
                "connection.timeout",
                "connection",
                message=f"{self._host.address} did not answer within {CONNECT_TIMEOUT:g} s",
                remedy="is the host on, and is the address right?",
            )
        if not self._host.up:
            self._connected = None
            await anyio.sleep(self._latency)
            raise self._error(
                "connection.refused",
                "connection",
                message=f"{self._host.address} refuses connections",
                remedy="is it booting, or is the port wrong?",
            )
        if self._connected != self._host.lifetime:
            await anyio.sleep(HANDSHAKES * self._latency)
            self._connected = self._host.lifetime

    @property
    def _is_cut(self) -> bool:
        """Whether no packet gets through between the operator and this host, whatever its power."""
        return self._host.cut or self._network.uplink_down

    async def _guarded(self, doing: str, timeout: float | None, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work on the host; turn its end, the cable's or the timeout's into an error."""
        host = self._host
        lifetime = host.lifetime
        with anyio.CancelScope() as scope:
            if timeout is not None:
                scope.deadline = anyio.current_time() + timeout
            host.running[scope] = None
            try:
                result = await work()
            finally:
                del host.running[scope]
        if host.up and not self._is_cut and host.lifetime == lifetime and not scope.cancelled_caught:
            return result
        raise await self._broken(doing, timeout, lost=host.lifetime != lifetime or self._is_cut)

    async def _broken(self, doing: str, timeout: float | None, *, lost: bool) -> TransportError:
        """Why no answer came; after the silence that it takes to notice."""
        if lost:
            if self._is_cut or not self._host.powered:
                await anyio.sleep(SILENCE)
            return self._lost(doing)
        return self._error(
            "timeout",
            message=f"{doing}: no answer within {timeout:g} s",
            remedy="look at the load of the host",
            ambiguous=True,
        )

    # The three operations

    async def _run(self, command: Command, fault: FaultLike | None) -> Outcome:
        await anyio.sleep(self._latency + self._host.seconds(command.operation))
        kind = fault.kind if fault else ""
        if kind == "exit":
            return Outcome(status=1, stderr=f"{SIMULATED}\n".encode())
        if kind == "disk-full":
            return Outcome(status=1, stderr=f"{os.strerror(errno.ENOSPC)}\n".encode())
        outcome = await self._with(fault, command.description, lambda: self._host.perform(command))
        return _cut(outcome, fault.fraction) if fault and kind == "truncated" else outcome

    async def _put(
        self, source: Source, target: PurePosixPath, file: SimulatedFile, fault: FaultLike | None, told: Told
    ) -> None:
        doing = f"write {target}"
        kind = fault.kind if fault else ""
        if kind == "exit":
            raise self._refused("write", target, SIMULATED)
        if kind == "disk-full" or file.size > self._host.free:
            raise disk_full(self._name, file.size, target, 0 if kind else self._host.free)
        if fault and kind in ("drop", "reboot", "truncated"):
            arrived = int(file.size * fault.fraction)
            await self._carry(doing, arrived, None)
            if kind == "truncated":
                raise not_whole(self._name, source, target, str(arrived))
            self._strike(kind, doing)

        async def place() -> None:
            await self._carry(doing, file.size, told)
            self._place(target, file)

        await self._with(fault, doing, place)

    def _place(self, target: PurePosixPath, file: SimulatedFile) -> None:
        try:
            self._host.disk.place(target, file)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # something else took the room meanwhile
                raise disk_full(self._name, file.size, target, self._host.free) from None
            raise self._refused("write", target, str(error.strerror)) from None

    async def _append(self, piece: Piece, part: PurePosixPath, fault: FaultLike | None, told: Told) -> None:
        doing = f"write {part}"
        kind = fault.kind if fault else ""
        if kind == "exit":
            raise self._refused("write", part, SIMULATED)
        if kind == "disk-full":
            raise disk_full(self._name, piece.size, part, 0)

        def arrived(done: int, size: int) -> None:
            self._grow(piece, part, done)
            if told is not None:
                told(done, size)

        self._grow(piece, part, 0)
        if fault and kind in ("drop", "reboot", "truncated"):
            await self._network.carry(
                self._host, int(piece.size * fault.fraction), arrived, latency=self._latency
            )
            if kind == "truncated":
                raise wrong_piece(self._name, piece, part, str(self._host.files[part].size))
            self._strike(kind, doing)
        await self._with(fault, doing, lambda: self._carry(doing, piece.size, arrived))

    def _grow(self, piece: Piece, part: PurePosixPath, size: int) -> None:
        try:
            self._host.disk.grow(part, piece.whole or piece.sha256, piece.start, size)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise disk_full(self._name, piece.size, part, 0) from None
            if error.errno == errno.EINVAL:
                there = self._host.files.get(part)
                raise too_short(self._name, piece, part, str(there.size if there else 0)) from None
            raise self._refused("write", part, str(error.strerror)) from None

    async def _get(self, source: PurePosixPath, limit: int, fault: FaultLike | None) -> bytes:
        doing = f"read {source}"
        kind = fault.kind if fault else ""
        if kind in ("exit", "disk-full"):
            raise self._refused("read", source, SIMULATED)

        async def read() -> bytes:
            content = self._read(source)
            if len(content) > limit:
                raise self._error(
                    "exit.too-large", "exit", message=f"{source} is larger than {limit} bytes", final=True
                )
            await self._carry(doing, len(content), None)
            return content

        content = await self._with(fault, doing, read)
        if kind == "truncated":
            raise self._error("integrity", message=f"{source} arrived cut")
        return content

    def _read(self, source: PurePosixPath) -> bytes:
        try:
            return self._host.disk.read(source)
        except OSError as error:
            raise self._refused("read", source, str(error.strerror)) from None

    async def _carry(self, doing: str, size: int, told: Told) -> None:
        if not await self._network.carry(self._host, size, told, latency=self._latency):
            await anyio.sleep(SILENCE)
            raise self._lost(doing)

    # Faults

    async def _with(self, fault: FaultLike | None, doing: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work with those faults around it that mean the same for every operation."""
        if fault is None:
            return await work()
        if fault.kind == "hang":
            await anyio.sleep_forever()
        early = fault.kind == "drop" or (fault.kind == "reboot" and fault.fraction < 0.5)
        if early:
            self._strike(fault.kind, doing)
        began = anyio.current_time()
        result = await work()
        if fault.kind == "slow":
            await anyio.sleep((SLOWNESS - 1) * (anyio.current_time() - began + self._latency))
        if fault.kind in ("apply-then-drop", "reboot"):
            self._strike(fault.kind, doing)
        return result

    def _strike(self, kind: str, doing: str) -> None:
        """Lose the connection now, with or without a reboot of the host."""
        if kind == "reboot":
            self._host.reboot()
        self._connected = None
        raise self._lost(doing)

    # Errors

    def _error(
        self, *lineage: str, message: str, remedy: str = "", ambiguous: bool = False, final: bool = False
    ) -> TransportError:
        return TransportError(
            *lineage, message=f"{self._name}: {message}", remedy=remedy, ambiguous=ambiguous, final=final
        )

    def _lost(self, doing: str) -> TransportError:
        return self._error(
            "connection.lost",
            "connection",
            message=f"{doing}: the connection was lost before an answer came",
            remedy="it is asked again once the host answers",
            ambiguous=True,
        )

    def _refused(self, doing: str, path: PurePosixPath, words: str) -> TransportError:
        return self._error(
            "exit.1",
            "exit",
            message=f"cannot {doing} {path}: {words}",
            remedy="check that the folder or file exists",
        )


def _refuse_nul(path: PurePosixPath) -> None:
    if "\0" in str(path):
        raise ArgumentError(f"a path cannot hold NUL: {str(path)!r}")


def _patience(fault: FaultLike | None) -> float | None:
    """How long a transfer may take: only one that hangs makes no progress."""
    return STALL if fault is not None and fault.kind == "hang" else None


def _cut(outcome: Outcome, fraction: float) -> Outcome:
    keep = int(len(outcome.stdout) * fraction)
    return Outcome(status=outcome.status, stdout=outcome.stdout[:keep], stderr=outcome.stderr, truncated=True)


def _kept(outcome: Outcome) -> Outcome:
    """As much output as a transport keeps."""
    if len(outcome.stdout) + len(outcome.stderr) <= OUTPUT_LIMIT:
        return outcome
    stdout = outcome.stdout[:OUTPUT_LIMIT]
    stderr = outcome.stderr[: OUTPUT_LIMIT - len(stdout)]
    return Outcome(status=outcome.status, stdout=stdout, stderr=stderr, truncated=True)


def _hand_on(outcome: Outcome, on_output: OnOutput) -> Outcome:
    if outcome.stdout:
        on_output("stdout", outcome.stdout)
    if outcome.stderr:
        on_output("stderr", outcome.stderr)
    return Outcome(status=outcome.status, truncated=outcome.truncated)
