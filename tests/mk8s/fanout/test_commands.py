"""The scripts of the fan-out in real shells, with a stand-in for ssh; and beside their models."""

from __future__ import annotations

import getpass
import hashlib
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from trio.testing import MockClock

from mk8s.fanout import commands
from mk8s.fanout.commands import CANNOT_WRITE, CUT, NO_SSH, SERVE, SERVED, SHORT, WRONG, good_pieces, pull
from mk8s.fanout.keys import make_key
from mk8s.fanout.model import fan_out_handlers
from mk8s.modelled import model_os
from mk8s.parts_model import modelled_cuts
from transports.base import Command, File, Outcome, Piece
from transports.simulated import SimulatedHost, SimulatedNetwork

pytestmark = pytest.mark.anyio

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]
CONTENT = bytes(range(256)) * 12
SIZE = 1000  # bytes of a piece here
DIGEST = hashlib.sha256(CONTENT).hexdigest()
# Takes the words of ssh's command line, and does what sshd does with the last one.
SSH = "#!/bin/sh\nfor word; do :; done\nSSH_ORIGINAL_COMMAND=$word; export SSH_ORIGINAL_COMMAND\nexec sh {}\n"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def pieces(content: bytes = CONTENT, size: int = SIZE) -> list[Piece]:
    return [
        Piece(Path("x"), at, len(part), hashlib.sha256(part).hexdigest())
        for at in range(0, len(content), size)
        if (part := content[at : at + size])
    ]


@dataclass
class Bench:
    """Two folders that stand for a source and a receiver."""

    shell: str
    folder: Path

    @property
    def served(self) -> Path:
        return self.folder / "served"

    @property
    def part(self) -> Path:
        return self.folder / "part"

    def run(self, command: Command, *folders: Path) -> Outcome:
        """A command, with our folders in place of the real ones at the head of its arguments."""
        args = (*map(str, folders), *command.args[len(folders) :])
        done = subprocess.run(
            [self.shell, "-c", command.script, "sh", *args],
            input=command.stdin or b"",
            capture_output=True,
            check=False,
            env={"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "LC_ALL": "C"},
        )
        return Outcome(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def pull(self, wanted: list[Piece], digest: str = DIGEST) -> tuple[int, int]:
        """The exit status, and how many pieces were said to be good."""
        outcome = self.run(pull_command(PurePosixPath(self.part), wanted, digest), self.folder / "working")
        return outcome.status, good_pieces(outcome.stdout)

    def ask(self, words: str) -> Outcome:
        """What the serve script answers to a key's holder."""
        done = subprocess.run(
            [self.shell, str(self.served / "serve")],
            capture_output=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "SSH_ORIGINAL_COMMAND": words},
        )
        return Outcome(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def pull_command(part: PurePosixPath, wanted: list[Piece], digest: str = DIGEST) -> Command:
    return pull(
        part,
        digest,
        wanted,
        name="source",
        login=("ops", "10.0.0.1", 22),
        host_keys=("ssh-ed25519 AAAA",),
        quick_ciphers=True,
        floor=1e6,
    )


@pytest.fixture(params=SHELLS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A source that serves one file, and a receiver whose ssh leads to it."""
    made = Bench(request.param, tmp_path)
    for name in ("bin", "served", "working"):
        (tmp_path / name).mkdir()
    (made.served / "serve").write_text(SERVE)
    (tmp_path / "bin" / "ssh").write_text(SSH.format(made.served / "serve"))
    (tmp_path / "bin" / "ssh").chmod(0o755)
    whole = tmp_path / "whole"
    whole.write_bytes(CONTENT)
    assert made.run(commands.share(PurePosixPath("/none"), PurePosixPath(whole), DIGEST), made.served).ok
    return made


def test_a_range_is_fetched_piece_by_piece_and_gone_on_with(bench: Bench) -> None:
    """Each verified piece is said; the next fetch goes on behind it."""
    assert bench.pull(pieces()[:2]) == (0, 2)
    assert bench.part.read_bytes() == CONTENT[: 2 * SIZE]
    assert bench.pull(pieces()[2:]) == (0, 2)
    assert bench.part.read_bytes() == CONTENT
    assert bench.part.stat().st_mode & 0o777 == 0o600


def test_the_first_wrong_piece_ends_it_and_is_not_written(bench: Bench) -> None:
    """What was good before it stays."""
    wanted = [pieces()[0], replace(pieces()[1], sha256="0" * 64), pieces()[2]]
    assert bench.pull(wanted) == (WRONG, 1)
    assert bench.part.read_bytes() == CONTENT[:SIZE]


def test_a_source_that_ends_early_is_told_from_one_that_lies(bench: Bench) -> None:
    """It has less than it was thought to have, or is gone."""
    (bench.folder / "whole").write_bytes(CONTENT[: SIZE + 10])
    assert bench.pull(pieces()) == (CUT, 1)
    assert bench.pull(pieces(), "a" * 64) == (CUT, 0)


def test_what_lies_behind_the_beginning_is_cut_off(bench: Bench) -> None:
    """Of a piece that came in part, or of another file."""
    bench.part.write_bytes(CONTENT[:SIZE] + b"something else" * 500)
    assert bench.pull(pieces()[1:]) == (0, 3)
    assert bench.part.read_bytes() == CONTENT


def test_a_part_that_is_shorter_than_it_was_is_not_padded(bench: Bench) -> None:
    """Something else wrote to it: it is looked at again."""
    bench.part.write_bytes(b"short")
    assert bench.pull(pieces()[1:]) == (SHORT, 0)


def test_a_link_in_the_parts_place_is_never_written_to(bench: Bench) -> None:
    """Whoever may write to the folder could point it anywhere."""
    other = bench.folder / "other"
    other.write_bytes(b"precious")
    bench.part.symlink_to(other)
    assert bench.pull(pieces()) == (CANNOT_WRITE, 0)
    assert other.read_bytes() == b"precious"


def test_a_host_without_ssh_says_so(bench: Bench) -> None:
    """The courier then sends from here."""
    (bench.folder / "bin" / "ssh").unlink()
    for tool in ("mkdir", "dirname", "cat"):
        (bench.folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
    command = commands.receive(make_key())
    done = subprocess.run(
        [str(shutil.which(bench.shell)), "-c", command.script, "sh", str(bench.folder / "key" / "here")],
        input=command.stdin,
        capture_output=True,
        check=False,
        env={"PATH": str(bench.folder / "bin")},
    )
    assert (done.returncode, b"there is no ssh" in done.stderr) == (NO_SSH, True)


def test_the_receivers_key_is_its_owners_alone(bench: Bench) -> None:
    """In a folder that nobody else may enter."""
    key = make_key()
    folder = bench.folder / "run" / "fanout"
    assert bench.run(commands.receive(key), folder).ok
    assert (folder / "key").read_bytes() == key.private
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "key")] == [0o700, 0o600]


def test_the_script_serves_the_range_that_was_asked_for(bench: Bench) -> None:
    """HASH OFFSET LENGTH."""
    assert bench.ask(f"{DIGEST} 5 7").stdout == CONTENT[5:12]
    assert bench.ask(f"{DIGEST} 0 99999").stdout == CONTENT


@pytest.mark.parametrize(
    "words",
    [
        "",
        "id",
        f"{DIGEST} 0",
        f"{DIGEST} 0 1 1",
        f"{DIGEST} 00 1",
        f"{DIGEST} -1 1",
        f"{DIGEST} 0 1;id",
        f"{DIGEST} 0 $(id)",
        f"{DIGEST} 0 9999999999999999",
        f"../served/{DIGEST} 0 1",
        f"{DIGEST[:-1]}? 0 1",
        f"{DIGEST.upper()} 0 1",
        "serve 0 1",
        "../../../../../etc/passwd 0 1",
        "* 0 1",
        "-- -- --",
    ],
)
def test_nothing_else_is_served(bench: Bench, words: str) -> None:
    """Exit 64 and no byte."""
    answer = bench.ask(words)
    assert (answer.status, answer.stdout) == (64, b"")


# Beside the models


@dataclass
class Modelled:
    """The same two hosts in a model."""

    source: SimulatedHost
    receiver: SimulatedHost
    file: File

    async def pull(self, wanted: list[Piece]) -> tuple[int, int]:
        command = pull_command(PurePosixPath("/var/lib/part"), wanted, self.file.sha256)
        outcome = await self.receiver.perform(command)
        return outcome.status, good_pieces(outcome.stdout)


async def modelled() -> tuple[Modelled, list[Piece]]:
    network = SimulatedNetwork()
    source, receiver = (network.add(SimulatedHost(f"h{i}", f"10.0.0.{i}")) for i in (1, 2))
    for host in (source, receiver):
        model_os(host)
        host.use(fan_out_handlers(network))
    file = File(Path("x"), 3 << 23, DIGEST)
    cuts = await modelled_cuts(file)
    source.disk.grow(PurePosixPath("/var/lib/whole"), DIGEST, 0, file.size)
    await source.perform(commands.open_source("ops", make_key(), ""))
    whole = PurePosixPath("/var/lib/whole")
    assert (await source.perform(commands.share(whole, whole, DIGEST))).ok
    return Modelled(source, receiver, file), list(cuts.pieces)


async def test_the_model_answers_as_the_script_does() -> None:
    """The stories above, told to modelled hosts: the same exit statuses, the same counts."""
    hosts, wanted = await modelled()
    assert await hosts.pull(wanted[:2]) == (0, 2)
    assert await hosts.pull(wanted[2:]) == (0, 1)
    assert await hosts.pull([wanted[0], replace(wanted[1], sha256="0" * 64), wanted[2]]) == (WRONG, 1)
    assert await hosts.pull(wanted[2:]) == (SHORT, 0)
    del hosts.source.files[SERVED / DIGEST]
    assert await hosts.pull(wanted) == (CUT, 0)
    hosts.source.power_off()
    assert await hosts.pull(wanted) == (CUT, 0)


async def test_a_full_disk_of_a_modelled_host_ends_a_fetch() -> None:
    """With the words by which the executor knows it."""
    hosts, wanted = await modelled()
    hosts.receiver.disk.room = wanted[0].size + 10
    assert await hosts.pull(wanted) == (CANNOT_WRITE, 1)


def test_every_operation_has_a_model() -> None:
    """A command without one fails a simulation."""
    key = make_key()
    path = PurePosixPath("/x")
    made = [
        commands.open_source("ops", key, ""),
        commands.share(path, path, DIGEST),
        commands.receive(key),
        pull_command(path, pieces()),
        commands.close("ops"),
    ]
    assert {command.operation for command in made} == set(fan_out_handlers(SimulatedNetwork()))


def test_the_private_key_is_in_no_argument() -> None:
    """Arguments can be read in the process list."""
    key = make_key()
    command = commands.receive(key)
    assert command.stdin == key.private
    assert all(key.private.decode() not in text for text in (command.script, *command.args))
    assert "PRIVATE" not in repr(key)


@dataclass
class Home:
    """The folder of a user on a source, who may put there what they like."""

    bench: Bench

    @property
    def keys(self) -> Path:
        return self.bench.folder / "home" / ".ssh" / "authorized_keys"

    @property
    def target(self) -> Path:
        """What is root's alone, and what links of the user point to."""
        return self.bench.folder / "target"

    def stub(self, name: str, script: str) -> None:
        program = self.bench.folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def open(self) -> Outcome:
        command = commands.open_source(getpass.getuser(), make_key(), "10.0.0.1")
        return self.bench.run(command, self.bench.served)

    def close(self) -> Outcome:
        return self.bench.run(
            commands.close(getpass.getuser()), self.bench.served, self.bench.folder / "working"
        )


@pytest.fixture
def home(bench: Bench) -> Home:
    """With one key of the user's own."""
    made = Home(bench)
    made.keys.parent.mkdir(parents=True)
    made.keys.write_text("ssh-ed25519 AAAA theirs \\ * %s\n")
    made.stub("getent", f"echo 'u:x:1:1::{bench.folder / 'home'}:/bin/sh'")
    made.stub("sshd", "exit 1")
    return made


def test_a_key_comes_once_and_goes_and_theirs_stays(home: Home) -> None:
    """Byte for byte, in its mode; opening twice leaves one line."""
    home.keys.chmod(0o640)
    before = home.keys.read_bytes()
    assert home.open().ok
    assert home.open().ok
    assert home.keys.read_text().count("restrict,command=") == 1
    assert home.close().ok
    assert (home.keys.read_bytes(), home.keys.stat().st_mode & 0o777) == (before, 0o640)
    assert [path.name for path in home.keys.parent.iterdir()] == ["authorized_keys"]


def test_no_file_is_written_through_a_link_of_the_users(home: Home) -> None:
    """The login's user is not root yet: a link in their folder would let them write anywhere."""
    home.target.write_text("of root\n")
    (home.keys.parent / "authorized_keys.mk8s").symlink_to(home.target)
    assert home.open().ok
    assert home.close().ok
    assert home.target.read_text() == "of root\n"
    assert not home.target.is_symlink()


def test_no_file_is_made_through_a_link_of_the_users(home: Home) -> None:
    """It would be theirs, wherever it is."""
    home.keys.unlink()
    home.keys.symlink_to(home.target)
    assert not home.open().ok
    assert not home.target.exists()


def test_a_disk_that_fills_up_takes_no_key_of_the_users(home: Home) -> None:
    """They could not log in any more, and neither could we."""
    assert home.open().ok
    before = home.keys.read_bytes()
    real = shutil.which("dd")
    home.stub("dd", f'case $* in *of=*) : >"${{1#of=}}"; exit 1;; esac; exec {real} "$@"')
    assert not home.close().ok
    assert home.keys.read_bytes() == before


async def test_a_modelled_host_without_room_refuses_a_key_as_a_shell_does() -> None:
    """A full disk is the host's answer, not a bug of ours; found by a sweep with scenarios."""
    network = SimulatedNetwork()
    host = network.add(SimulatedHost("n1", "10.0.0.1", disk_free=0))
    host.use(fan_out_handlers(network))
    outcome = await host.perform(commands.receive(make_key()))
    assert (outcome.status, b"No space left on device" in outcome.stderr) == (1, True)
