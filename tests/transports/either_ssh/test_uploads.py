"""Files over either ssh: whole or not at all, whatever breaks."""

from __future__ import annotations

import os
import signal
from pathlib import Path, PurePosixPath

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.either_ssh.conftest import Kind
from tests.transports.ssh.conftest import sh, until
from tests.transports.ssh.test_uploads import MIB, big_file, whole
from tests.transports.sshd import Server, wait_until
from transports.base import TransportError

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The node's folder."""
    path = tmp_path / "node"
    path.mkdir()
    return path


async def test_commands_go_on_while_a_file_is_uploaded(
    kind: Kind, server: Server, tmp_path: Path, folder: Path
) -> None:
    """Over a connection of their own, or because ssh gives both their turns: none waits behind megabytes."""
    source = big_file(tmp_path / "source", 96 * MIB)
    during = 0

    async with kind.connected(server) as transport:
        await transport.run(sh("true"))
        done = anyio.Event()

        async def upload() -> None:
            await transport.put(source, PurePosixPath(folder / "file"))
            done.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(upload)
            while not done.is_set():
                await transport.run(sh("true"))
                during += 1

    assert during > 3
    assert whole(folder / "file") == source.sha256


async def test_a_cancelled_upload_leaves_nothing(
    kind: Kind, server: Server, tmp_path: Path, folder: Path
) -> None:
    """The old file stays, the part goes, the next upload works."""
    source = big_file(tmp_path / "source", 96 * MIB)
    (folder / "file").write_text("old")

    async with kind.connected(server) as transport:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.put, source, PurePosixPath(folder / "file"))
            await until(lambda: len(list(folder.iterdir())) == 2)
            tasks.cancel_scope.cancel()
        await until(lambda: [path.name for path in folder.iterdir()] == ["file"])
        assert (folder / "file").read_text() == "old"

        small = big_file(tmp_path / "small", MIB)
        await transport.put(small, PurePosixPath(folder / "file"))
        assert whole(folder / "file") == small.sha256


async def test_an_upload_whose_connection_is_lost_leaves_nothing(
    kind: Kind, make_server: MakeServer, tmp_path: Path, folder: Path
) -> None:
    """`cat` ends early, the hash does not match, the part is removed. The error is ambiguous."""
    server = make_server()
    source = big_file(tmp_path / "source", 96 * MIB)

    async with kind.connected(server) as transport:

        async def break_it() -> None:
            await until(lambda: bool(list(folder.iterdir())))
            server.signal_sessions(signal.SIGKILL)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(break_it)
            with pytest.raises(TransportError) as caught:
                await transport.put(source, PurePosixPath(folder / "file"))

    assert caught.value.lineage == ("connection.lost", "connection")
    assert caught.value.ambiguous
    wait_until(lambda: not list(folder.iterdir()), "a part was left")


async def test_a_file_that_shrank_is_not_installed(
    kind: Kind, server: Server, tmp_path: Path, folder: Path
) -> None:
    """It was hashed when it was longer."""
    source = big_file(tmp_path / "source", 2 * MIB)
    os.truncate(source.path, MIB)
    async with kind.connected(server) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.put(source, PurePosixPath(folder / "file"))

    assert caught.value.lineage == ("integrity",)
    assert f"{MIB} of {2 * MIB} bytes" in caught.value.message
    assert list(folder.iterdir()) == []
