"""Models of the commands in `mk8s.parts`, for simulation alone. A test runs model and script side by side.

A modelled disk knows content that is not here by the hash of the whole file: `modelled_digest` says the
hash of a range of it, and `modelled_cuts` says the same of the file on this side.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath

from mk8s.cutting import Cuts
from mk8s.delivery import PIECE
from mk8s.direct import DirectDelivery
from mk8s.model_answers import refuse, says
from mk8s.paces import CHANGE, GLANCE, HASHING, work
from mk8s.parts import NOT_WHOLE
from transports.base import Command, File, Outcome, Piece
from transports.simulated import Answer, Handler, SimulatedFile, SimulatedHost, Span, modelled_digest, path_of

__all__ = ["PART_DURATIONS", "PART_HANDLERS", "modelled_cuts", "modelled_delivery"]

STRIDE = 1 << 40  # bytes; a simulation has nothing to lose by a longer one, and each costs it events


async def modelled_cuts(file: File) -> Cuts:
    """The pieces of a file that need not be here."""
    return Cuts(file, _cut(file, PIECE), _cut(file, STRIDE), _range_of)


modelled_delivery = partial(DirectDelivery, cut=modelled_cuts)
"""What an executor over modelled hosts is given, where its files are not here."""


def _cut(file: File, size: int) -> tuple[Piece, ...]:
    return tuple(_piece(file, start, min(size, file.size - start)) for start in range(0, file.size, size))


def _piece(file: File, start: int, size: int) -> Piece:
    return Piece(file.path, start, size, modelled_digest(file.sha256, start, size), file.sha256)


async def _range_of(file: File, start: int, size: int) -> Piece:
    return _piece(file, start, size)


def _state(host: SimulatedHost, command: Command) -> Answer:
    file = host.files.get(path_of(command.args[0]))
    return says("absent") if file is None else _hashed(host, file, int(command.args[1]))


async def _hashed(host: SimulatedHost, file: SimulatedFile, piece: int) -> Outcome:
    await work(host, HASHING, file.size)
    hashes = [
        modelled_digest(file.whole or file.sha256, start, min(piece, file.size - start))
        for start in range(0, file.size, piece)
    ]
    return says("\n".join([str(file.size), *hashes]))


async def _finish(host: SimulatedHost, command: Command) -> Outcome:
    part, target, digest, size, mode, *keep = command.args
    at, to = path_of(part), path_of(target)
    if host.disk.is_folder(to):
        return refuse(f"{target} is a folder")
    file = host.files.get(at)
    if file is None:
        return refuse(f"{part} is not there", NOT_WHOLE)
    await work(host, HASHING, file.size)
    if file.size != int(size) or digest not in (file.sha256, file.whole):
        return refuse(f"{part} is not what was sent", NOT_WHOLE)
    del host.files[at]
    host.files[to] = SimulatedFile(digest, file.size, int(mode, 8), "root", file.content)
    if keep:
        _sweep(host, to.parent, set(keep))
    return Outcome(status=0)


def _sweep(host: SimulatedHost, folder: PurePosixPath, keep: set[str]) -> None:
    for path in host.disk.files_in(folder):
        digest = path.name[1 : -len(".part")]
        ours = path.name == f".{digest}.part" and len(digest) == 64
        if ours and digest not in keep:
            del host.files[path]


def _remove(host: SimulatedHost, command: Command) -> Outcome:
    host.files.pop(path_of(command.args[0]), None)
    return Outcome(status=0)


def _room(host: SimulatedHost, command: Command) -> Outcome:
    words = [path_of(word) for word in command.args]
    lines = [
        f"1 {host.free // 1024} {_size(host, target)} {_size(host, part)}"
        for target, part in zip(words[::2], words[1::2], strict=True)
    ]
    return says("\n".join(lines))


def _size(host: SimulatedHost, path: PurePosixPath) -> int:
    file = host.files.get(path)
    return file.size if file else 0


PART_HANDLERS: dict[str, Handler] = {
    "part.state": _state,
    "part.finish": _finish,
    "part.remove": _remove,
    "part.room": _room,
}

PART_DURATIONS: Mapping[str, Span] = {
    "part.state": GLANCE,
    "part.finish": CHANGE,
    "part.remove": CHANGE,
    "part.room": GLANCE,
}
"""How long each takes beside hashing."""
