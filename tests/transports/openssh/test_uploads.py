"""Files over the user's own ssh: whole or not at all, at the shared pace, beside commands that stay quick."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import anyio
import pytest

from tests.processes import is_alive
from tests.transports.openssh.calling import options_for
from tests.transports.openssh.conftest import connected
from tests.transports.ssh.conftest import sh, until
from tests.transports.ssh.test_uploads import MIB, big_file, whole
from tests.transports.sshd import Server, wait_until
from transports.base import File, TransportError
from transports.openssh import OpenSSHTransport
from transports.openssh.mux import Channel, Stalled
from transports.openssh.uploads import feed_source
from transports.pace import Pace
from transports.ssh import UploadThreads

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The node's folder."""
    path = tmp_path / "node"
    path.mkdir()
    return path


async def test_the_pace_is_kept(server: Server, tmp_path: Path, folder: Path) -> None:
    """By large files and small ones: what all took is counted together."""
    pace = Pace(4 * MIB)
    transport = OpenSSHTransport("node-1", options_for(server), pace=pace, uploads=UploadThreads(1))
    source, small = big_file(tmp_path / "source", 3 * MIB), big_file(tmp_path / "small", 64 * 1024)
    try:
        started = anyio.current_time()
        await transport.put(source, PurePosixPath(folder / "file"))
        await transport.put(small, PurePosixPath(folder / "small"))
        took = anyio.current_time() - started
    finally:
        await transport.close()

    assert took > 0.2  # half a second's worth may go at once
    assert whole(folder / "file") == source.sha256


async def test_an_upload_without_progress_is_given_up(tmp_path: Path) -> None:
    """A pipe that nobody reads: somebody must look at the clock."""
    source = big_file(tmp_path / "source", 4 * MIB)

    class Stuck(Channel):
        async def feed(self, data: bytes) -> bool:
            await anyio.sleep_forever()
            raise AssertionError("never")

    channel = Stuck()
    try:
        with pytest.raises(Stalled, match=r"no progress for 0\.05 s"):
            await feed_source(channel, source, None, stall=0.05)
    finally:
        channel.close()


async def test_a_command_that_wants_no_more_input_says_why(
    server: Server, tmp_path: Path, folder: Path
) -> None:
    """A pipe that breaks is no error of the road."""
    source = big_file(tmp_path / "source", 16 * MIB)
    async with connected(server) as transport:
        outcome = await transport.run(sh("echo enough >&2; exit 3", stdin=source.path.read_bytes()))

    assert (outcome.status, outcome.stderr) == (3, b"enough\n")


async def test_a_file_that_vanished_is_named(server: Server, tmp_path: Path, folder: Path) -> None:
    """The local one, that is: no node is at fault, and nothing stays there."""
    for size in (10, 10 * MIB):
        gone = File(tmp_path / "gone", size, "0" * 64)
        async with connected(server) as transport:
            with pytest.raises(TransportError, match=r"cannot read .*gone here"):
                await transport.put(gone, PurePosixPath(folder / "file"))
            await until(lambda: list(folder.iterdir()) == [])


async def test_closing_ends_an_upload(server: Server, tmp_path: Path, folder: Path) -> None:
    """Whoever still waits hears that the connection is gone."""
    source = big_file(tmp_path / "source", 96 * MIB)
    async with connected(server) as transport:

        async def close() -> None:
            await until(lambda: bool(list(folder.iterdir())))
            await transport.close()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            with anyio.fail_after(60), pytest.raises(TransportError) as caught:
                await transport.put(source, PurePosixPath(folder / "file"))

    assert caught.value.lineage[-1] == "connection"
    wait_until(lambda: not list(folder.iterdir()), "a part was left")
    assert is_alive(server.pid)
