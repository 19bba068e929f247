"""Large files over a real sshd on loopback: what a fault costs, and what is noticed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import pytest

from machines.errors import ActionError
from mk8s.delivery import PIECE, part_of
from mk8s.executor import Executor
from mk8s.steps import Upload
from tests.transports import sshd
from transports.base import File, OnProgress, Piece, TransportError, digest_of_file
from transports.pace import Pace
from transports.ssh import SSHTransport

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

MIB = 1 << 20
SIZE = 100 * MIB
SLOWLY = 80e6  # bytes per second, so that a strike meets the bytes that it is meant for
DATA = hashlib.sha256(b"one block").digest() * 2048


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture(scope="session")
def big(tmp_path_factory: pytest.TempPathFactory) -> File:
    """A file whose every block differs."""
    path = tmp_path_factory.mktemp("big") / "images.tar"
    with path.open("wb") as stream:
        for number in range(SIZE // len(DATA)):
            stream.write(number.to_bytes(4, "big") + DATA[4:])
    return File(path, SIZE, digest_of_file(path))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[sshd.Server]:
    reason = sshd.missing()
    if reason or os.geteuid() != 0:
        pytest.skip(reason or "steps run as root: needs root, as whom the tests then log in")
    with sshd.running(tmp_path / "sshd") as running:
        yield running


class Counting(SSHTransport):
    """Counts what is sent of pieces, and lets a test strike on the way."""

    sent = 0  # bytes that went off
    strike: Callable[[int], None] = staticmethod(lambda _sent: None)

    async def append(
        self,
        piece: Piece,
        part: PurePosixPath,
        *,
        sudo: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        before = self.sent

        def told(done: int, size: int) -> None:
            self.sent = before + done
            if on_progress is not None:
                on_progress(done, size)
            self.strike(self.sent)

        await super().append(piece, part, sudo=sudo, on_progress=told)


@dataclass
class Scene:
    """One node, and a step that sends the file there."""

    transport: Counting
    executor: Executor
    step: Upload
    notes: list[str] = field(default_factory=list)

    @property
    def target(self) -> Path:
        return Path(self.step.target)

    @property
    def part(self) -> Path:
        return Path(part_of(self.step))

    async def run(self) -> dict[str, Any]:
        return (await self.executor.run_steps("node-1", [self.step], note=self.notes.append)).evidence()

    async def fail(self) -> ActionError:
        with pytest.raises(ActionError) as caught:
            await self.run()
        return caught.value

    def is_whole(self) -> bool:
        return digest_of_file(self.target) == self.step.source.sha256 and not self.part.exists()


@pytest.fixture
async def scene(server: sshd.Server, big: File, tmp_path: Path) -> AsyncIterator[Scene]:
    folder = tmp_path / "node"
    folder.mkdir()
    transport = Counting("node-1", server.options(), pace=Pace(SLOWLY))
    step = Upload("send the images", big, PurePosixPath(folder / "images.tar"), 0o640)
    yield Scene(transport, Executor({"node-1": transport}), step)
    await transport.close()


async def test_a_large_file_arrives_whole_as_roots_own(scene: Scene) -> None:
    """And a second time nothing is sent."""
    evidence = await scene.run()

    assert evidence["uploaded"] == SIZE
    assert scene.is_whole()
    about = scene.target.stat()
    assert (about.st_uid, about.st_mode & 0o7777) == (0, 0o640)
    assert (await scene.run())["uploaded"] == 0


@pytest.mark.parametrize("percent", [10, 50, 90])
async def test_a_cut_connection_costs_less_than_a_piece(
    scene: Scene, server: sshd.Server, percent: int
) -> None:
    """Whatever stood on the node stays: only what was on the way is sent twice."""

    def cut(sent: int) -> None:
        if sent >= SIZE * percent // 100:
            scene.transport.strike = lambda _sent: None
            server.signal_sessions(signal.SIGKILL)

    scene.transport.strike = cut
    error = await scene.fail()
    assert error.failure.lineage == ("connection.lost", "connection")
    before = scene.transport.sent

    evidence = await scene.run()

    assert scene.is_whole()
    assert before + evidence["uploaded"] - SIZE <= PIECE
    assert any("goes on behind" in note for note in scene.notes)


async def test_faults_in_a_row_cost_less_than_a_piece_each(scene: Scene, server: sshd.Server) -> None:
    """A bad line still gets there."""
    faults = 0

    def cut(sent: int) -> None:
        nonlocal faults
        if faults < 3 and sent >= floor + PIECE:
            faults += 1
            server.signal_sessions(signal.SIGKILL)

    scene.transport.strike = cut
    for _ in range(4):
        floor = scene.transport.sent
        with suppress(ActionError):
            await scene.run()

    assert scene.is_whole()
    assert faults == 3
    assert scene.transport.sent - SIZE <= faults * PIECE


async def test_a_part_that_was_tampered_with_is_sent_anew_from_the_first_wrong_piece(
    scene: Scene,
) -> None:
    """A byte in the third piece: the first two stay."""
    scene.part.write_bytes(scene.step.source.path.read_bytes()[: 5 * PIECE])
    scene.part.chmod(0o600)
    with scene.part.open("r+b") as stream:
        stream.seek(2 * PIECE + 100)
        stream.write(b"tampered")

    evidence = await scene.run()

    assert evidence["uploaded"] == SIZE - 2 * PIECE
    assert scene.is_whole()


async def test_a_part_that_is_tampered_with_while_it_grows_is_noticed(scene: Scene) -> None:
    """The whole is verified from the disk before it gets its name; only what is wrong is sent again."""

    def tamper(sent: int) -> None:
        if sent >= SIZE * 3 // 4:
            scene.transport.strike = lambda _sent: None
            with scene.part.open("r+b") as stream:
                stream.seek(3 * PIECE)
                stream.write(b"tampered")

    scene.transport.strike = tamper
    evidence = await scene.run()

    assert evidence["uploaded"] == SIZE + SIZE - 3 * PIECE
    assert scene.is_whole()
    assert any("is not what was sent" in note for note in scene.notes)


SENDER = """
import anyio, os, signal, sys
from pathlib import Path, PurePosixPath
from mk8s.executor import Executor
from mk8s.steps import Upload
from transports.base import File
from transports.ssh import HostKeys, SSHOptions, SSHTransport
host, port, user, key, known, path, size, sha, target = sys.argv[1:]

class Stopping(SSHTransport):
    # goes no further than the middle, however long it takes to be killed there
    sent = 0
    async def append(self, piece, part, *, sudo=False, on_progress=None):
        before = self.sent
        def told(done, size_of_piece):
            self.sent = before + done
            if self.sent >= int(size) // 2:
                os.kill(os.getpid(), signal.SIGSTOP)
        await super().append(piece, part, sudo=sudo, on_progress=told)

async def main():
    options = SSHOptions(host=host, port=int(port), user=user, key_files=(Path(key),), use_agent=False,
                         host_keys=HostKeys([Path(known)]))
    step = Upload("send", File(Path(path), int(size), sha), PurePosixPath(target), 0o640)
    await Executor({"n": Stopping("n", options)}).run_steps("n", [step], note=lambda text: None)

anyio.run(main, backend="trio")
"""


async def test_a_sender_that_is_killed_costs_less_than_a_piece(scene: Scene, server: sshd.Server) -> None:
    """kill -9 in the middle: the next run goes on behind what stands on the node."""
    source = scene.step.source
    options = server.options()
    about = (options.host, options.port, options.user, server.key, server.known_hosts)
    words = [str(word) for word in (*about, source.path, source.size, source.sha256, scene.step.target)]
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(SENDER), *words])
    try:
        with anyio.fail_after(200):
            while not scene.part.exists() or scene.part.stat().st_size < SIZE // 3:
                await anyio.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    there = 0
    while server.sessions() or there != scene.part.stat().st_size:
        there = scene.part.stat().st_size
        await anyio.sleep(0.3)  # what was in the server's pipes still arrives

    evidence = await scene.run()

    assert scene.is_whole()
    assert evidence["uploaded"] == SIZE - there


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own, 60 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_disk_without_room_is_told_before_the_first_byte(scene: Scene, small_disk: Path) -> None:
    """One message, with what is needed and what is free."""
    scene.step = Upload("send", scene.step.source, PurePosixPath(small_disk / "images.tar"))

    error = await scene.fail()

    assert error.failure.lineage == ("disk.full", "disk")
    assert "needs 100.0 MiB, and 60.0 MiB are free there" in str(error)
    assert scene.transport.sent == 0


async def test_a_disk_that_fills_up_on_the_way_is_gone_on_with_after_room_was_made(
    scene: Scene, small_disk: Path
) -> None:
    """What fitted stays; a larger disk later, the rest is sent."""
    subprocess.run(["mount", "-o", "remount,size=120m", str(small_disk)], check=True)
    scene.step = Upload("send", scene.step.source, PurePosixPath(small_disk / "images.tar"), 0o640)

    def fill(_sent: int) -> None:
        scene.transport.strike = lambda _sent: None
        with suppress(OSError):
            (small_disk / "others").write_bytes(bytes(60 * MIB))

    scene.transport.strike = fill
    error = await scene.fail()
    assert error.failure.lineage == ("disk.full", "disk")
    there = scene.part.stat().st_size
    assert 0 < there < SIZE
    (small_disk / "others").unlink()

    evidence = await scene.run()

    assert scene.is_whole()
    assert evidence["uploaded"] <= SIZE - there + PIECE


async def test_a_link_in_the_parts_place_is_refused(scene: Scene, tmp_path: Path) -> None:
    """By name, and nothing is written behind it."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    scene.part.symlink_to(precious)

    error = await scene.fail()

    assert "is a link" in str(error)
    assert isinstance(error.__cause__, TransportError)
    assert precious.read_bytes() == b"precious"
