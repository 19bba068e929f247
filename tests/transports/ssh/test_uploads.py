"""Files over ssh: whole or not at all, whoever looks and whatever breaks."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import anyio
import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, driven, sh, until
from tests.transports.sshd import Server
from transports.base import Bytes, File, Piece, TransportError, digest_of_file
from transports.files import CANNOT_WRITE, put_command
from transports.ssh import UploadThreads
from transports.ssh.driver import Lost
from transports.ssh.uploads import feed_from_thread

pytestmark = pytest.mark.anyio

MIB = 1 << 20


def big_file(path: Path, size: int, seed: int = 1) -> File:
    """A file whose every block differs."""
    with path.open("wb") as stream:
        for number in range(size // 1024):
            stream.write(hashlib.sha256(f"{seed}.{number}".encode()).digest() * 32)
    return File(path, path.stat().st_size, digest_of_file(path))


def whole(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The node's folder."""
    path = tmp_path / "node"
    path.mkdir()
    return path


@pytest.mark.parametrize("size", [1024, 2 * MIB])
async def test_readers_see_the_old_file_or_the_new_one(
    server: Server, tmp_path: Path, folder: Path, size: int
) -> None:
    """Never a part, never nothing: the content arrives beside the target and is moved in one step."""
    sources = [big_file(tmp_path / f"source{number}", size, number) for number in range(2)]
    target = folder / "file"
    target.write_bytes(sources[0].path.read_bytes())
    seen: set[str] = set()

    async def look() -> None:
        while True:
            seen.add(whole(target))
            await anyio.sleep(0.001)

    async with connected(server) as transport, anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        for number in range(6):
            await transport.put(sources[number % 2], PurePosixPath(target))
        tasks.cancel_scope.cancel()

    assert seen <= {source.sha256 for source in sources}
    assert whole(target) == sources[1].sha256


async def test_a_part_is_private_while_it_is_written(server: Server, tmp_path: Path, folder: Path) -> None:
    """A secret is nobody's to read, even before its mode is set."""
    source = big_file(tmp_path / "source", 32 * MIB)

    async with connected(server) as transport, anyio.create_task_group() as tasks:
        tasks.start_soon(transport.put, source, PurePosixPath(folder / "file"))
        await until(lambda: bool(list(folder.iterdir())))
        modes = [(path.name[-5:], path.stat().st_mode & 0o777) for path in folder.iterdir()]

    assert modes == [(".part", 0o600)]
    assert (folder / "file").stat().st_mode & 0o777 == 0o644


async def test_uploads_to_one_node_take_turns_and_threads_are_capped(
    server: Server, tmp_path: Path, folder: Path
) -> None:
    """All arrive, on one connection."""
    source = big_file(tmp_path / "source", MIB)
    threads = UploadThreads(1)
    async with connected(server) as transport:
        before = server.said().count("Accepted publickey")
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(transport.put, source, PurePosixPath(folder / f"file{number}"))
        logins = server.said().count("Accepted publickey") - before

    assert {whole(folder / f"file{number}") for number in range(5)} == {source.sha256}
    assert logins == 1
    assert threads.limiter.borrowed_tokens == 0


async def test_a_server_that_changes_its_keys_often_gets_the_whole_file(
    make_server: MakeServer, tmp_path: Path, folder: Path
) -> None:
    """A key exchange in the middle of a transfer, many times over."""
    server = make_server(extra="RekeyLimit 1M")
    source = big_file(tmp_path / "source", 24 * MIB)
    async with connected(server) as transport:
        await transport.put(source, PurePosixPath(folder / "file"))
        assert (await transport.run(sh('sha256sum <"$1"', str(folder / "file")))).text.split()[
            0
        ] == source.sha256


async def test_an_upload_without_progress_is_given_up(make_server: MakeServer, tmp_path: Path) -> None:
    """A frozen server, or a deadlock in a key exchange: somebody must look at the clock."""
    server = make_server()
    source = big_file(tmp_path / "source", 16 * MIB)
    async with driven(server) as driver:
        channel = await driver.call_held(driver.session.open_session)
        await driver.call_held(channel.execute, "cat >/dev/null")
        server.signal_sessions(signal.SIGSTOP)
        with pytest.raises(Lost, match="no progress"):
            await feed_from_thread(driver, channel, source, None, stall=0.3)
        assert driver.broken
        del channel


async def test_nobody_else_uses_a_session_while_a_thread_does(server: Server, tmp_path: Path) -> None:
    """Two threads in one session is undefined in libssh2: another call waits until the thread has ended."""
    source = big_file(tmp_path / "source", 8 * MIB)
    async with driven(server) as driver:
        channel = await driver.call_held(driver.session.open_session)
        await driver.call_held(channel.execute, "cat >/dev/null")
        ended = anyio.Event()

        async def feed() -> None:
            await feed_from_thread(driver, channel, source, None)
            ended.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(feed)
            while not driver.lock.locked():
                await anyio.lowlevel.checkpoint()
            await driver.call_held(driver.session.open_session)
            assert ended.is_set() or not driver.broken
            fed_first = ended.is_set()

    assert fed_first


async def test_a_file_that_vanished_is_named(server: Server, tmp_path: Path, folder: Path) -> None:
    """The local one, that is: no node is at fault."""
    for size in (10, 10 * MIB):
        gone = File(tmp_path / "gone", size, "0" * 64)
        async with connected(server) as transport:
            with pytest.raises(TransportError, match=r"cannot read .*gone here"):
                await transport.put(gone, PurePosixPath(folder / "file"))
            assert list(folder.iterdir()) == []


async def test_a_target_that_is_a_folder_is_refused(server: Server, folder: Path) -> None:
    """`mv` would put the file inside."""
    (folder / "file").mkdir()
    async with connected(server) as transport:
        with pytest.raises(TransportError, match="is a folder"):
            await transport.put(Bytes(b"x"), PurePosixPath(folder / "file"))

    assert list((folder / "file").iterdir()) == []


async def test_a_link_is_replaced_and_not_followed(server: Server, folder: Path) -> None:
    """A move replaces the name."""
    (folder / "other").write_text("untouched")
    (folder / "file").symlink_to("other")
    async with connected(server) as transport:
        await transport.put(Bytes(b"new"), PurePosixPath(folder / "file"))

    assert (folder / "other").read_text() == "untouched"
    assert not (folder / "file").is_symlink()


@pytest.mark.parametrize("planted", ["a link", "a file", "a dangling link"])
async def test_what_waits_in_the_place_of_the_part_is_not_written_to(
    server: Server, folder: Path, planted: str
) -> None:
    """The part's name can be read in the process list before the part is there."""
    part, elsewhere = folder / ".planted", folder / "elsewhere"
    if planted != "a dangling link":
        elsewhere.write_text("untouched")
    part.write_text("open to all") if planted == "a file" else part.symlink_to(elsewhere)
    command = put_command(
        Bytes(b"secret"), PurePosixPath(folder / "file"), mode=0o600, owner=None, sudo=False
    )
    target, _, *rest = command.args

    async with connected(server) as transport:
        outcome = await transport.run(replace(command, args=(target, str(part), *rest), stdin=b"secret"))

    assert outcome.status == CANNOT_WRITE
    assert not (folder / "file").exists()
    assert not elsewhere.exists() or elsewhere.read_text() == "untouched"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    if os.geteuid() != 0:
        pytest.skip("not root: no small disk can be mounted")
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("size", [MIB // 4, 16 * MIB])
async def test_a_full_disk_is_named_with_its_free_space(
    server: Server, tmp_path: Path, small_disk: Path, size: int
) -> None:
    """Small and large uploads alike; the part is removed, so that there is room again."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2 * MIB - 64 * 1024))
    async with connected(server) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.put(big_file(tmp_path / "source", size), PurePosixPath(small_disk / "file"))

        assert caught.value.lineage == ("disk.full", "disk")
        assert f"{small_disk} is full" in caught.value.message
        assert "KiB free" in caught.value.message
        assert list(small_disk.iterdir()) == [ballast]


async def test_a_part_that_fills_the_disk_keeps_what_fits(
    server: Server, tmp_path: Path, small_disk: Path
) -> None:
    """It is gone on with when there is room."""
    file = big_file(tmp_path / "source", 16 * MIB)
    piece = Piece(file.path, 0, file.size, file.sha256)
    async with connected(server) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.append(piece, PurePosixPath(small_disk / "part"))

    assert caught.value.lineage == ("disk.full", "disk")
    assert f"{small_disk} is full" in caught.value.message
    assert 0 < (small_disk / "part").stat().st_size < 16 * MIB


@pytest.mark.parametrize("kind", ["folder", "fifo", "another's"])
async def test_what_is_no_file_of_ours_does_not_grow(server: Server, folder: Path, kind: str) -> None:
    """Refused by name, at once: opening a fifo would wait for ever."""
    part = folder / "part"
    if kind == "folder":
        part.mkdir()
    elif kind == "fifo":
        os.mkfifo(part)
    elif os.geteuid() != 0:
        pytest.skip("not root: no file can be given away")
    else:
        part.write_bytes(b"theirs")
        os.chown(part, 4711, 4711)
    source = big_file(folder / "source", 1024)
    async with connected(server) as transport:
        with anyio.fail_after(60), pytest.raises(TransportError, match="nothing is written there") as caught:
            await transport.append(Piece(source.path, 0, 1024, source.sha256), PurePosixPath(part))

    assert caught.value.final
    assert part.exists()


async def test_an_owner_is_set(server: Server, folder: Path) -> None:
    """By name or number, with or without a group."""
    if os.geteuid() != 0:
        pytest.skip("not root: no file can be given away")
    async with connected(server) as transport:
        await transport.put(Bytes(b"x"), PurePosixPath(folder / "a"), owner="daemon:daemon")
        await transport.put(Bytes(b"x"), PurePosixPath(folder / "b"), owner="1:2")
        with pytest.raises(TransportError, match="nobody-here"):
            await transport.put(Bytes(b"x"), PurePosixPath(folder / "c"), owner="nobody-here")

    assert [((folder / name).stat().st_uid, (folder / name).stat().st_gid) for name in "ab"] == [
        (1, 1),
        (1, 2),
    ]
    assert not (folder / "c").exists()
