"""The road to a modelled host: the same contract as SSH, with faults where a plan asks for them.

An operation has an attempt number per node and operation name, which a plan of faults decides by. What
a fault means for each kind of operation stands in `faults.FAULT_KINDS`. Uploads and downloads are the
operations `file.put`, `file.append` and `file.get`.

Modelled: the first connection and reconnects, latency, this machine's own work, upload time, hosts that are
off, cut off or booting, connections that die with their host, and what arrived of a piece by then. Not
modelled: logins and sudo (both always succeed).

A command that is brief and meets no fault costs one wake-up and no more: see `road` for what that means.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Iterator
from pathlib import PurePosixPath

from transports.base import ArgumentError, Command, OnOutput, OnProgress, Outcome, Piece, Source
from transports.shell import OUTPUT_LIMIT, check
from transports.simulated.faults import FaultLike, FaultSource
from transports.simulated.files import SIMULATED, Files
from transports.simulated.host import SimulatedHost
from transports.simulated.network import SimulatedNetwork
from transports.simulated.road import BRIEF, Road
from transports.simulated.watching import Ahead, Told, Watch

__all__ = ["SimulatedTransport"]


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
        latency = network.pace.links.latency if latency is None else latency
        self._host = host
        self._network = network
        self._road = Road(name, host, network, faults, latency)
        self._files = Files(self._road)
        self._ahead: Ahead | None = None  # drawn for the next command by the watch that leads to it

    @property
    def name(self) -> str:
        return self._road.name

    async def run(self, command: Command, *, on_output: OnOutput | None = None) -> Outcome:
        """See the contract. Raises UnknownCommand when nobody modelled the command."""
        check(command)
        road = self._road
        ahead, self._ahead = self._ahead, None
        fault = ahead[0] if ahead else road.fault(command.operation)
        if not road.is_connected:
            await road.connect()
        working = ahead[1] if ahead else self._host.seconds(command.operation)
        seconds = self._network.attend() + road.latency + working
        if fault is None and seconds <= min(BRIEF, command.timeout):
            outcome = await self._run_briefly(command, seconds)
        else:
            work = self._run(command, seconds, fault)
            outcome = await road.guarded(command.description, command.timeout, work)
        return _hand_on(outcome, on_output) if on_output is not None else _kept(outcome)

    async def idle(
        self, command: Command, pauses: Iterator[float], known: Outcome, told: Told | None = None
    ) -> Outcome | None:
        """Pause, and go on looking as long as the answer is the known one: as `run` would, only quicker.

        The first other answer; None: the next look is due now, and `run` has to make it. `told` hears of
        each look that was made here.
        """
        time = self._network.time
        if time.call_at is None or self._network.pace.links.operator or not self._road.is_connected:
            await time.sleep(next(pauses))
            return None
        watch = Watch(self._road, command, pauses, known, time.call_at, told)
        outcome = await watch.news()
        self._ahead = watch.ahead
        return None if outcome is None else _kept(outcome)

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
        await self._files.put(source, target, mode, owner or "root", on_progress)

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
        await self._files.append(piece, part, on_progress)

    async def get(self, source: PurePosixPath, *, sudo: bool = False, limit: int = 1 << 24) -> bytes:  # noqa: ARG002
        """See the contract."""
        _refuse_nul(source)
        return await self._files.get(source, limit)

    async def close(self) -> None:
        self._road.close()

    # Commands

    async def _run_briefly(self, command: Command, seconds: float) -> Outcome:
        """Without a guard for the moment that it takes; with one where the model lets more time pass."""
        road = self._road
        lifetime = self._host.lifetime
        await road.sleep(seconds)
        if not road.holds(lifetime):
            raise await road.broken(command.description, None, lost=True)
        answer = self._host.answer(command)
        if isinstance(answer, Outcome):
            return answer
        return await road.guarded(command.description, command.timeout - seconds, answer)

    async def _run(self, command: Command, seconds: float, fault: FaultLike | None) -> Outcome:
        await self._road.sleep(seconds)
        kind = fault.kind if fault else ""
        if kind == "exit":
            return Outcome(status=1, stderr=f"{SIMULATED}\n".encode())
        if kind == "disk-full":
            return Outcome(status=1, stderr=f"{os.strerror(errno.ENOSPC)}\n".encode())

        def work() -> Awaitable[Outcome]:
            return self._host.perform(command)

        outcome = await self._road.struck(fault, command.description, seconds, work)
        return _cut(outcome, fault.fraction) if fault and kind == "truncated" else outcome


def _refuse_nul(path: PurePosixPath) -> None:
    if "\0" in str(path):
        raise ArgumentError(f"a path cannot hold NUL: {str(path)!r}")


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
