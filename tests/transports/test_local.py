"""What is particular to the machine that mk8s runs on; the rest is in the contract suite."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import pytest

from tests.transports.ssh.conftest import sh, until
from tests.transports.ssh.test_uploads import MIB, big_file
from tests.transports.watching import GROUP, STUBBORN, Pids, end_soon
from transports.base import Bytes, File, Piece, Stream, TransportError, digest_of_file
from transports.local import LocalTransport
from transports.pace import Pace

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def node() -> LocalTransport:
    return LocalTransport("here")


@pytest.mark.parametrize("script", [GROUP, STUBBORN], ids=["willing", "stubborn"])
async def test_cancelling_ends_the_whole_process_group(node: LocalTransport, script: str) -> None:
    """Asked first, made after half a second."""
    pids = Pids()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: node.run(sh(script), on_output=pids))
        await until(lambda: bool(pids.all(2)))
        tasks.cancel_scope.cancel()

    await end_soon(pids.all(2))


async def test_our_own_variables_stay_with_us(node: LocalTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may hold the passwords that the manifest names; over ssh nobody gets them either."""
    monkeypatch.setenv("SUDO_WORDS", "secret")
    monkeypatch.setenv("TZ", "UTC")
    said = (await node.run(sh("env"))).text

    assert "SUDO_WORDS" not in said
    assert {"TZ=UTC", f"PATH={os.environ['PATH']}"} <= set(said.splitlines())


async def test_a_killed_shell_is_no_success(node: LocalTransport) -> None:
    """As over ssh: no status came, so the effect is unknown."""
    with pytest.raises(TransportError) as caught:
        await node.run(sh("kill -KILL $$"))

    assert caught.value.lineage == ("connection.lost", "connection")
    assert caught.value.ambiguous


async def test_a_listener_that_fails_ends_the_command(node: LocalTransport) -> None:
    """Its error comes out as it is, not in a group."""

    def fail(stream: Stream, data: bytes) -> None:
        raise RuntimeError("disk full here")

    with anyio.fail_after(60), pytest.raises(RuntimeError, match="disk full here"):
        await node.run(sh("echo; sleep 100"), on_output=fail)


async def test_input_that_nobody_reads_is_dropped(node: LocalTransport) -> None:
    """The command ended first; that is no error."""
    assert (await node.run(sh("exit 3", stdin=bytes(4 * MIB)))).status == 3


async def test_a_cancelled_write_leaves_nothing(tmp_path: Path) -> None:
    """The old file stays, the part goes."""
    node = LocalTransport("here", pace=Pace(MIB))  # else it could be over before we look
    source = big_file(tmp_path / "source", 64 * MIB)
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "file").write_text("old")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(node.put, source, PurePosixPath(folder / "file"))
        await until(lambda: len(list(folder.iterdir())) == 2)
        tasks.cancel_scope.cancel()

    assert [path.read_text() for path in folder.iterdir()] == ["old"]


async def test_a_file_that_vanished_is_named(node: LocalTransport, tmp_path: Path) -> None:
    """The source, not the target."""
    with pytest.raises(TransportError, match=r"cannot read .*gone here"):
        await node.put(File(tmp_path / "gone", 1, "0" * 64), PurePosixPath(tmp_path / "file"))

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("not root: no small disk can be mounted")
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


async def test_a_full_disk_is_named_with_its_free_space(node: LocalTransport, small_disk: Path) -> None:
    """And there is as much room as before."""
    with pytest.raises(TransportError, match=r"disk is full.* KiB free") as caught:
        await node.put(Bytes(bytes(2 * MIB)), PurePosixPath(small_disk / "file"))

    assert caught.value.lineage == ("disk.full", "disk")
    assert list(small_disk.iterdir()) == []


async def test_a_part_that_fills_the_disk_keeps_what_fits(
    node: LocalTransport, small_disk: Path, tmp_path: Path
) -> None:
    """It is gone on with when there is room."""
    source = tmp_path / "source"
    source.write_bytes(bytes(2 * MIB))
    piece = Piece(source, 0, 2 * MIB, digest_of_file(source))
    with pytest.raises(TransportError, match=r"disk is full.* KiB free") as caught:
        await node.append(piece, PurePosixPath(small_disk / "part"))

    assert caught.value.lineage == ("disk.full", "disk")
    assert 0 < (small_disk / "part").stat().st_size < 2 * MIB


async def test_an_owner_who_is_not_there_is_named(node: LocalTransport, tmp_path: Path) -> None:
    """Nothing is written for nobody."""
    with pytest.raises(TransportError, match="nobody-here"):
        await node.put(Bytes(b"x"), PurePosixPath(tmp_path / "file"), owner="nobody-here")

    assert list(tmp_path.iterdir()) == []
