"""Models of the commands in `mk8s.fanout.commands`, for simulation alone.

Modelled: sources that are off, cut off or serve nothing, wrong bytes, full disks, and the time that a
range takes. Not modelled: logins, users and keys (whoever was prepared comes in), and pieces that others
may have before a fetch has ended; bytes from node to node take none of the room that others need on a link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from mk8s.fanout.commands import CANNOT_WRITE, CUT, SERVED, SHORT, WORKING, WRONG
from mk8s.paces import CHANGE
from transports.base import Command, Outcome
from transports.simulated import (
    Handler,
    SimulatedFile,
    SimulatedHost,
    SimulatedNetwork,
    Span,
    modelled_digest,
    path_of,
)

__all__ = ["CARRYING", "FAN_OUT_DURATIONS", "LOGIN", "fan_out_handlers"]

CARRYING, LOGIN, NO_ANSWER = "fanout:carrying", "fanout:login", "fanout:no-answer"

FAN_OUT_DURATIONS: Mapping[str, Span] = {
    "fanout.open": Span(0.1, 0.5),  # a user, a key, sshd's own answer; order of magnitude
    "fanout.share": CHANGE,
    "fanout.receive": CHANGE,
    "fanout.pull": CHANGE,
    "fanout.close": CHANGE,
    CARRYING: Span(0.0, 0.0, 100e6),  # from node to node: most of a gigabit
    LOGIN: Span(0.1, 0.4),  # one login by ssh took 0.35 s on a busy machine
    NO_ANSWER: Span(5.0, 5.0),  # ConnectTimeout, as the command says it
}
"""How long each takes, and the parts of a fetch."""


def fan_out_handlers(network: SimulatedNetwork) -> dict[str, Handler]:
    """Operation -> model, for hosts that fetch from others on this network."""
    network.pace.declare(FAN_OUT_DURATIONS)

    async def fetch(host: SimulatedHost, command: Command) -> Outcome:
        return await _pull(network, host, command)

    return {
        "fanout.open": _on_disk(_open),
        "fanout.share": _on_disk(_share),
        "fanout.receive": _on_disk(_receive),
        "fanout.pull": fetch,
        "fanout.close": _close,
    }


def _on_disk(plain: Callable[[SimulatedHost, Command], Outcome]) -> Handler:
    """What goes wrong on the disk is said as the shell would: a full one refuses even a key."""

    def answer(host: SimulatedHost, command: Command) -> Outcome:
        try:
            return plain(host, command)
        except OSError as error:
            return Outcome(status=1, stderr=f"sh: {error.filename}: {error.strerror}\n".encode())

    return answer


def _open(host: SimulatedHost, command: Command) -> Outcome:
    host.disk.make_folder(SERVED, 0o750)
    host.disk.write(SERVED / "serve", command.args[6].encode())
    return Outcome(status=0, stdout=f"ssh-ed25519 {host.machine_id}\n".encode())


def _share(host: SimulatedHost, command: Command) -> Outcome:
    """A link takes no room, so it is kept as the two names that it may have elsewhere."""
    _, part, target, digest = command.args
    if _linked(host, f"{part}\n{target}") is None or not host.disk.is_folder(SERVED):
        return Outcome(status=1, stderr=b"chmod: No such file or directory\n")
    host.disk.write(SERVED / digest, f"{part}\n{target}".encode())
    return Outcome(status=0)


def _receive(host: SimulatedHost, command: Command) -> Outcome:
    host.disk.make_folder(WORKING, 0o700)
    host.disk.write(WORKING / "key", command.stdin or b"", mode=0o600)
    return Outcome(status=0)


def _close(host: SimulatedHost, _command: Command) -> Outcome:
    for folder in (SERVED, WORKING):
        host.disk.remove(folder)
    return Outcome(status=0)


@dataclass(frozen=True, slots=True)
class _Fetch:
    """What `pull` says, read back from its arguments."""

    part: PurePosixPath
    start: int
    name: str
    address: str
    digest: str
    pieces: tuple[tuple[int, str], ...]


def _read(command: Command) -> _Fetch:
    _, part, start, name, _, address, _, digest, _ = command.args
    lines = (command.stdin or b"").decode().partition("\n\n")[2].splitlines()
    pieces = tuple((int(size), digest) for size, digest in (line.split() for line in lines))
    return _Fetch(path_of(part), int(start), name, address, digest, pieces)


async def _pull(network: SimulatedNetwork, host: SimulatedHost, command: Command) -> Outcome:
    wanted = _read(command)
    there = host.files.get(wanted.part)
    if wanted.start > (there.size if there else 0):
        return _ended(0, SHORT, "the part is shorter")
    source = network.hosts.get(wanted.address)
    if source is None or not source.reachable:
        await host.spend(NO_ANSWER)
        return _ended(0, CUT, f"ssh: connect to host {wanted.address}: Connection timed out")
    await host.spend(LOGIN)
    return await _receive_pieces(host, source, wanted)


async def _receive_pieces(host: SimulatedHost, source: SimulatedHost, wanted: _Fetch) -> Outcome:
    at = wanted.start
    for good, (size, digest) in enumerate(wanted.pieces):
        await host.spend(CARRYING, size)
        link = source.files.get(SERVED / wanted.digest)
        file = _linked(source, (link.content or b"").decode()) if link else None
        if file is None or file.size < at + size or not source.reachable:
            return _ended(good, CUT, "mk8s: refused: no such file")
        if modelled_digest(file.whole or file.sha256, at, size) != digest:
            return _ended(good, WRONG, f"mk8s: {wanted.name} sent wrong bytes")
        try:
            host.disk.grow(wanted.part, wanted.digest, at, size)
        except OSError as error:
            return _ended(good, CANNOT_WRITE, f"dd: {error.strerror}")
        at += size
    return _ended(len(wanted.pieces), 0, "")


def _linked(host: SimulatedHost, names: str) -> SimulatedFile | None:
    """The file by the first of its names that is there."""
    found = (host.files.get(path_of(name)) for name in names.splitlines())
    return next((file for file in found if file is not None), None)


def _ended(good: int, status: int, words: str) -> Outcome:
    return Outcome(status=status, stdout=b"good\n" * good, stderr=f"{words}\n".encode() if words else b"")
