"""Becoming root with a real sudo: with and without a password, over ssh and on this machine.

Needs root (to make a temporary user, who is removed again) and sudo.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import anyio
import pytest

from tests.transports import users
from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, sh, until
from tests.transports.sshd import Server, running, short_folder
from tests.transports.watching import Pids, end_soon
from transports.base import Bytes, Piece, TransportError

pytestmark = pytest.mark.anyio

ANY_COMMAND = "ALL=(ALL) ALL"
NO_PASSWORD = "ALL=(ALL) NOPASSWD:ALL"


@pytest.fixture(scope="module")
def member(can_serve: None) -> Iterator[users.TemporaryUser]:
    """A user who may log in; skip, saying why, where none can be made."""
    reason = users.cannot_make_users() or ("" if shutil.which("sudo") else "sudo is not installed")
    if reason:
        pytest.skip(reason)
    with users.temporary_user() as user:
        yield user


@pytest.fixture(scope="module")
def node(member: users.TemporaryUser) -> Iterator[Server]:
    """A server whose files an ordinary user can reach."""
    with short_folder() as folder:  # in /tmp: wherever else the tests' folders are may be root's alone
        folder.chmod(0o755)
        with running(folder / "sshd") as server:
            server.folder.chmod(0o755)
            (server.folder / "authorized_keys").chmod(0o644)
            yield server


@pytest.fixture
def home(node: Server) -> Iterator[Path]:
    """A folder of root's."""
    path = Path(tempfile.mkdtemp(dir=node.folder))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def needs_password(member: users.TemporaryUser) -> Iterator[users.TemporaryUser]:
    with users.sudo_rule(member, ANY_COMMAND):
        yield member


@pytest.fixture
def needs_none(member: users.TemporaryUser) -> Iterator[users.TemporaryUser]:
    with users.sudo_rule(member, NO_PASSWORD):
        yield member


async def refused(
    node: Server, user: users.TemporaryUser, answer: Callable[[], str | None] | None
) -> TransportError:
    async with connected(node, user=user.name, sudo_password=answer) as transport:
        with anyio.fail_after(60), pytest.raises(TransportError) as caught:
            await transport.run(sh("id -u", sudo=True))
        assert (await transport.run(sh("echo usable"))).text == "usable"
    assert caught.value.final
    assert caught.value.lineage[-1] == "sudo"
    return caught.value


async def test_sudo_without_a_password(node: Server, needs_none: users.TemporaryUser) -> None:
    """Nothing is asked; the user is another one without sudo."""
    async with connected(node, user=needs_none.name) as transport:
        assert (await transport.run(sh("id -u", sudo=True))).text == "0"
        assert (await transport.run(sh("id -un"))).text == needs_none.name


async def test_sudo_with_a_password(node: Server, needs_password: users.TemporaryUser) -> None:
    """The prompt and the lecture are not part of what the command said."""
    async with connected(
        node, user=needs_password.name, sudo_password=lambda: needs_password.password
    ) as transport:
        outcome = await transport.run(sh("id -u; echo said >&2; exit 4", sudo=True))

    assert (outcome.status, outcome.stdout, outcome.stderr) == (4, b"0\n", b"said\n")


@pytest.mark.parametrize("rule", [ANY_COMMAND, NO_PASSWORD], ids=["asked", "not-asked"])
async def test_the_password_never_reaches_the_command(
    node: Server, member: users.TemporaryUser, rule: str
) -> None:
    """Whether sudo asks, remembers, or never asks: the command's stdin is the command's."""
    with users.sudo_rule(member, f"{rule}\nDefaults:{member.name} !tty_tickets,timestamp_type=global"):
        async with connected(node, user=member.name, sudo_password=lambda: member.password) as transport:
            for content in (b"mine\n", b"", bytes(range(256)) * 2000):
                outcome = await transport.run(sh("cat", sudo=True, stdin=content))
                assert outcome.stdout == content
                assert outcome.stderr == b""
            assert (await transport.run(sh("cat", sudo=True))).stdout == b""


async def test_the_password_is_asked_for_once(node: Server, needs_password: users.TemporaryUser) -> None:
    """Many commands at once, one question to the person; none for a command without sudo."""
    asked: list[str] = []

    def answer() -> str:
        asked.append("")
        return needs_password.password

    async with connected(node, user=needs_password.name, sudo_password=answer) as transport:
        await transport.run(sh("true"))
        assert asked == []
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(transport.run, sh("true", sudo=True))

    assert asked == [""]


async def test_a_wrong_password_is_said_to_be_wrong(
    node: Server, needs_password: users.TemporaryUser
) -> None:
    """No hang, no second try with the same one, and the password is not repeated."""
    error = await refused(node, needs_password, lambda: "swordfish")

    assert error.lineage == ("sudo.password", "sudo")
    assert f"did not accept the password of {needs_password.name}" in error.message
    assert "swordfish" not in str(vars(error))


@pytest.mark.parametrize("words", ["secret\n", "secret\nmore", "a\0b"])
async def test_a_password_of_two_lines_is_refused(
    node: Server, needs_password: users.TemporaryUser, words: str
) -> None:
    """sudo reads one line: the rest would be the command's input."""
    error = await refused(node, needs_password, lambda: words)

    assert error.lineage == ("sudo.password", "sudo")
    assert "is not one line" in error.message
    assert "secret" not in str(vars(error))


@pytest.mark.parametrize("answer", [None, lambda: None], ids=["no-function", "no-answer"])
async def test_a_missing_password_is_said_to_be_missing(
    node: Server, needs_password: users.TemporaryUser, answer: Callable[[], None] | None
) -> None:
    """With both remedies."""
    error = await refused(node, needs_password, answer)

    assert error.lineage == ("sudo.password", "sudo")
    assert "none was given" in error.message
    assert "NOPASSWD" in error.remedy


async def test_a_user_who_may_not_is_refused(node: Server, member: users.TemporaryUser) -> None:
    """The password is right, the right is missing."""
    error = await refused(node, member, lambda: member.password)

    assert error.lineage == ("sudo.refused", "sudo")
    assert member.name in error.message


async def test_cancelling_ends_a_process_group_of_roots(
    node: Server, needs_password: users.TemporaryUser
) -> None:
    """The group belongs to root: it is killed through sudo."""
    async with connected(
        node, user=needs_password.name, sudo_password=lambda: needs_password.password
    ) as transport:
        pids = Pids()
        command = sh("trap '' TERM; sleep 1001 & echo $! $$; sleep 1002", sudo=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: transport.run(command, on_output=pids))
            await until(lambda: bool(pids.all(2)))
            tasks.cancel_scope.cancel()

        await end_soon(pids.all(2))
        assert (await transport.run(sh("echo usable"))).text == "usable"


@pytest.mark.parametrize("size", [10, 3_000_000])
async def test_a_file_is_written_as_root(
    node: Server, needs_password: users.TemporaryUser, home: Path, size: int
) -> None:
    """Into a folder of root's, with root's ownership; without sudo that is refused."""
    target = PurePosixPath(home / "file")
    source = Bytes(b"x" * size)
    async with connected(
        node, user=needs_password.name, sudo_password=lambda: needs_password.password
    ) as transport:
        with pytest.raises(TransportError, match="Permission denied"):
            await transport.put(source, target)
        await transport.put(source, target, mode=0o600, sudo=True)
        with pytest.raises(TransportError, match="Permission denied"):
            await transport.get(target)

        assert await transport.get(target, sudo=True) == source.content
    assert ((home / "file").stat().st_uid, (home / "file").stat().st_mode & 0o777) == (0, 0o600)
    assert [path.name for path in home.iterdir()] == ["file"]


async def test_a_file_grows_as_root(
    node: Server, needs_password: users.TemporaryUser, home: Path, tmp_path: Path
) -> None:
    """As a file is written: root's alone; without sudo that is refused."""
    source, part = tmp_path / "source", PurePosixPath(home / "part")
    source.write_bytes(b"x" * 3_000_000)
    pieces = [
        Piece(source, start, 1_500_000, hashlib.sha256(b"x" * 1_500_000).hexdigest())
        for start in (0, 1_500_000)
    ]
    async with connected(
        node, user=needs_password.name, sudo_password=lambda: needs_password.password
    ) as transport:
        with pytest.raises(TransportError, match="Permission denied"):
            await transport.append(pieces[0], part)
        for piece in pieces:
            await transport.append(piece, part, sudo=True)

    assert (home / "part").read_bytes() == source.read_bytes()
    assert ((home / "part").stat().st_uid, (home / "part").stat().st_mode & 0o777) == (0, 0o600)


# Becomes the user only after everything is loaded: an interpreter in root's home is out of their reach.
LOCAL = """
import hashlib, os, pwd, sys
import anyio
from pathlib import Path, PurePosixPath
from transports.base import Bytes, Command, Piece, TransportError
from transports.local import LocalTransport

def sh(script, **rest):
    return Command(operation="test", description="test", script=script, sudo=True, **rest)

async def main(password, folder, seconds):
    node = LocalTransport("here", sudo_password=lambda: password)
    print((await node.run(sh("id -u; cat", stdin=b"mine"))).stdout)
    await node.put(Bytes(b"content"), PurePosixPath(folder) / "file", mode=0o600, sudo=True)
    print(await node.get(PurePosixPath(folder) / "file", sudo=True))
    digest = hashlib.sha256(b"root:").hexdigest()
    await node.append(Piece(Path("/etc/passwd"), 0, 5, digest), PurePosixPath(folder) / "part", sudo=True)
    print(await node.get(PurePosixPath(folder) / "part", sudo=True))
    try:
        await node.run(sh(f"sleep {seconds}", timeout=0.3))
    except TransportError as error:
        print(error.lineage)
    try:
        await LocalTransport("here", sudo_password=lambda: "swordfish").run(sh("id -u"))
    except TransportError as error:
        print(error.lineage)

async def load():
    await LocalTransport("here").run(Command(operation="test", description="load", script="true"))

anyio.run(load, backend="trio")
user = pwd.getpwnam(sys.argv[1])
os.setgroups([])
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
anyio.run(main, *sys.argv[2:], backend="trio")
"""


async def test_sudo_works_on_this_machine_too(needs_password: users.TemporaryUser, home: Path) -> None:
    """The same conversation with a child process, by an ordinary user in a process of its own."""
    seconds = f"1003.{secrets.randbelow(10**9)}"  # by which this test's command is told from another's
    words = [needs_password.name, needs_password.password, str(home), seconds]
    outcome = await anyio.run_process(
        [sys.executable, "-c", LOCAL, *words],
        cwd="/",
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        check=False,
    )

    assert outcome.stderr == b""
    assert outcome.stdout.decode().splitlines() == [
        repr(b"0\nmine"),
        repr(b"content"),
        repr(b"root:"),
        repr(("timeout.command", "timeout")),
        repr(("sudo.password", "sudo")),
    ]
    running_on = ["pgrep", "-f", f"sleep {seconds}"]
    await until(lambda: subprocess.run(running_on, check=False).returncode == 1)


def test_users_are_removed(make_server: MakeServer) -> None:
    """The tests leave no user behind."""
    if users.cannot_make_users():
        pytest.skip(users.cannot_make_users())
    with users.temporary_user() as user:
        assert user.name in Path("/etc/passwd").read_text()
    assert user.name not in Path("/etc/passwd").read_text()
    assert not (users.SUDOERS / user.name).exists()
