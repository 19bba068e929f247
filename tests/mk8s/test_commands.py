"""The commands of the operating system: real scripts in a real shell, beside their models.

Each story is told twice, to a shell and to a simulated host; both must give the same answers. systemd
is not asked here: a stand-in on PATH shows which words it would have been told.
"""

from __future__ import annotations

import getpass
import inspect
import io
import shutil
import subprocess
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from trio.testing import MockClock

from mk8s import commands
from mk8s.answers import FileState, UnitState, read_digest, read_file_state, read_free_space, read_unit
from mk8s.modelled import OS_HANDLERS, model_os
from transports.base import Command, Outcome
from transports.simulated import SimulatedHost

pytestmark = pytest.mark.anyio

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
Perform = Callable[[Command], Awaitable[Outcome]]
Answer = tuple[int, str, str]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return ["busybox", "sh"] if request.param == "busybox" else [request.param]


def run_for_real(shell: list[str], command: Command, path: str = "/usr/sbin:/usr/bin:/sbin:/bin") -> Outcome:
    words = [*shell, "-c", command.script, "sh", *command.args]
    done = subprocess.run(words, capture_output=True, check=False, env={"LC_ALL": "C", "PATH": path})
    return Outcome(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def answer(outcome: Outcome) -> Answer:
    """Status, output, and the reason at the end of the complaint; our own files read as root's."""
    said = outcome.text.replace(f" {getpass.getuser()}", " root")
    reason = outcome.complaint.rpartition(": ")[2] if outcome.stderr else ""
    return outcome.status, said, reason


def make_host(folder: Path) -> SimulatedHost:
    host = SimulatedHost("a", "10.0.0.1")
    host.disk.make_folder(PurePosixPath(folder))
    model_os(host)
    return host


def archive_of(*names: str) -> bytes:
    """A compressed archive with a file of each name; a name that ends in / is a folder."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name.rstrip("/"))
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.mode = 0o775 if name.endswith("/") else 0o754
            content = b"" if name.endswith("/") else name.encode()
            member.size, member.uid, member.gid = len(content), 4711, 4711
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


FILES = {
    "empty": b"",
    "odd 'name; $(x)": b"\x00\xff",
    "good.tar.gz": archive_of("bin/", "bin/rke2", "share/x"),
}
FILES |= {
    "bad.tar.gz": archive_of("fine", "../evil"),
    "root.tar.gz": archive_of("/evil"),
    "no.tar.gz": b"no tar",
}


def story(at: PurePosixPath) -> list[Command]:
    """Every command that needs no systemd, over what is there, what is not, and what is odd."""
    odd, none, new = at / "odd 'name; $(x)", at / "none", at / "new" / "deep"
    out = at / "out"
    return [
        *(
            ask(path)
            for path in (at / "empty", odd, none)
            for ask in (commands.file_digest, commands.file_state)
        ),
        *(commands.read_mode(path) for path in (at / "empty", odd, none)),
        commands.read_file(odd),
        commands.read_file(none),
        commands.file_digest(at),
        commands.has_folder(new),
        commands.make_folder(new, 0o700),
        commands.has_folder(new),
        commands.has_folder(new, 0o700),
        commands.has_folder(new, 0o755),
        commands.read_mode(new),
        commands.read_mode(new.parent),
        commands.make_folder(new),
        commands.read_mode(new),
        commands.make_folder(new, 0o750),
        commands.read_mode(new),
        commands.make_folder(odd),
        commands.set_mode(odd, 0o640),
        commands.set_mode(none, 0o640),
        commands.file_state(odd),
        commands.unpack_tar(at / "good.tar.gz", out / "good"),
        commands.file_state(out / "good" / "bin" / "rke2"),
        commands.read_file(out / "good" / "share" / "x"),
        commands.unpack_tar(at / "good.tar.gz", out / "good"),
        commands.unpack_tar(at / "bad.tar.gz", out / "bad"),
        commands.has_folder(out / "bad"),
        commands.unpack_tar(at / "root.tar.gz", out / "root"),
        commands.unpack_tar(at / "no.tar.gz", out / "no"),
        commands.unpack_tar(none, out / "none"),
        commands.remove_path(new),
        commands.remove_path(new),
        commands.has_folder(new),
        commands.has_folder(new.parent),
        commands.remove_path(odd),
        commands.read_mode(odd),
    ]


async def test_scripts_and_models_tell_the_same_story(shell: list[str], tmp_path: Path) -> None:
    """Same status, same output, same reason: what a rehearsal shows is what a run does."""
    host = make_host(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o644)
        host.disk.write(PurePosixPath(tmp_path / name), content)

    told = story(PurePosixPath(tmp_path))
    real = [(command.description, answer(run_for_real(shell, command))) for command in told]
    modelled = [(command.description, answer(await host.perform(command))) for command in told]

    assert modelled == real


async def test_unpacked_files_are_roots_and_nobody_else_may_write_them(
    shell: list[str], tmp_path: Path
) -> None:
    """What an archive says of owners and of the group's rights is not taken over."""
    (tmp_path / "good.tar.gz").write_bytes(FILES["good.tar.gz"])
    at = PurePosixPath(tmp_path)
    run_for_real(shell, commands.unpack_tar(at / "good.tar.gz", at / "out"))

    status = (tmp_path / "out" / "bin" / "rke2").stat()
    assert (status.st_uid == 4711, f"{status.st_mode & 0o777:o}") == (False, "754")
    assert f"{(tmp_path / 'out' / 'bin').stat().st_mode & 0o777:o}" == "755"


async def test_digests_agree_without_openssl(shell: list[str], tmp_path: Path) -> None:
    """A node without openssl hashes with coreutils, and says the same."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sha256sum").symlink_to(str(shutil.which("sha256sum")))
    (tmp_path / "a").write_bytes(b"content")
    command = commands.file_digest(PurePosixPath(tmp_path / "a"))
    shell = [str(shutil.which(shell[0])), *shell[1:]]

    with_it = run_for_real(shell, command)
    without = run_for_real(shell, command, path=str(programs))

    assert (with_it.status, without.status) == (0, 0)
    assert with_it.stdout == without.stdout


async def test_free_space_is_that_of_the_nearest_folder_that_is_there(
    shell: list[str], tmp_path: Path
) -> None:
    """A file's room can be asked for before its folder is made."""
    outcome = run_for_real(shell, commands.free_space(PurePosixPath(tmp_path / "not" / "yet" / "there")))

    assert read_free_space(outcome) == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)


async def test_a_real_host_and_a_modelled_one_are_described_by_the_same_keys(shell: list[str]) -> None:
    """One line a fact, none of them empty."""
    command = commands.gather_facts(PurePosixPath("/var/lib/mk8s/not-there"))
    real = run_for_real(shell, command)
    modelled = await make_host(Path("/srv")).perform(command)

    keys = [[line.partition("=")[0] for line in outcome.text.splitlines()] for outcome in (real, modelled)]
    assert (real.status, keys[0]) == (0, keys[1])
    known_everywhere = [line for line in real.text.splitlines() if not line.startswith(("machine_id", "os_"))]
    assert not [line for line in known_everywhere if line.endswith("=")]


def began(shell: list[str], path: str = "/usr/bin:/bin") -> str:
    """What the facts of this machine say of its process 1."""
    outcome = run_for_real(shell, commands.gather_facts(PurePosixPath("/var/lib")), path)
    assert outcome.status == 0
    return next(line for line in outcome.text.splitlines() if line.startswith("init_started="))


async def test_process_1_began_when_proc_says_so_and_always_at_the_same_time(shell: list[str]) -> None:
    """By the 22nd field of its stat (proc(5)); a boot has one such time."""
    fields = Path("/proc/1/stat").read_text().rpartition(")")[2].split()
    assert [began(shell) for _ in range(3)] == [f"init_started={fields[22 - 3]}"] * 3


FIELDS = "S 0 1 1 0 -1 4194560 9 9 9 9 1 2 3 4 20 0 1 0 {} 17 18 19"


@pytest.mark.parametrize(
    ("stat", "ticks"),
    [
        (f"1 (systemd) {FIELDS.format(8)}", "8"),
        (f"1 (a b) S 1 (c)) {FIELDS.format(123456789)}", "123456789"),
        (f"1 (*\n) \t$(id) ) {FIELDS.format(7)}", "7"),
        ("1 (systemd) S 0 1", ""),
        ("", ""),
    ],
)
async def test_the_name_of_process_1_may_hold_anything(
    shell: list[str], stat: str, ticks: str, tmp_path: Path
) -> None:
    """It stands in brackets before the numbers, and may hold brackets itself. Cut off or empty: not known."""
    (tmp_path / "stat").write_text(stat)
    (tmp_path / "cat").write_text(f'#!/bin/sh\n[ "$*" = /proc/1/stat ] && exec /bin/cat "{tmp_path}/stat"\n')
    (tmp_path / "cat").chmod(0o755)
    assert began(shell, f"{tmp_path}:/usr/bin:/bin") == f"init_started={ticks}"


async def test_a_process_1_that_is_hidden_leaves_the_other_facts(shell: list[str], tmp_path: Path) -> None:
    """Where /proc does not show it, the boot id alone is what a boot is known by."""
    (tmp_path / "cat").write_text("#!/bin/sh\necho cat: /proc/1/stat: Permission denied >&2\nexit 1\n")
    (tmp_path / "cat").chmod(0o755)
    assert began(shell, f"{tmp_path}:/usr/bin:/bin") == "init_started="


# Units


def sample(function: Callable[..., Command]) -> Command:
    values: dict[str, object] = {
        "path": PurePosixPath("/srv/a"),
        "space_at": PurePosixPath("/srv"),
        "archive": PurePosixPath("/srv/a.tar"),
        "prefix": PurePosixPath("/srv/out"),
        "unit": "db",
        "mode": 0o644,
        "lines": 5,
    }
    return function(**{name: values[name] for name in inspect.signature(function).parameters})


def all_commands() -> list[Command]:
    return [sample(getattr(commands, name)) for name in commands.__all__]


def test_every_command_has_a_model_and_every_model_a_command() -> None:
    """A command without a model cannot be rehearsed; a model without a command is dead."""
    assert sorted(OS_HANDLERS) == sorted(command.operation for command in all_commands())


def test_nothing_that_varies_stands_in_a_script() -> None:
    """Paths and units are arguments, so that none of them can become code."""
    varying = ("/srv", "db")
    assert [c.operation for c in all_commands() if any(word in c.script for word in varying)] == []


@pytest.mark.parametrize("command", all_commands(), ids=lambda command: command.operation)
async def test_every_script_is_understood_by_the_shell(command: Command, shell: list[str]) -> None:
    """`sh -n` reads it without running it."""
    done = subprocess.run([*shell, "-n", "-c", command.script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (commands.unit_enable("db"), "--quiet enable -- db"),
        (commands.unit_disable("db"), "--quiet disable -- db"),
        (commands.unit_is_enabled("-x"), "--quiet is-enabled -- -x"),
        (commands.unit_start_no_block("db"), "start --no-block -- db"),
        (commands.unit_stop("db"), "stop -- db"),
        (commands.daemon_reload(), "daemon-reload"),
        (
            commands.unit_show("db"),
            "show -p LoadState,ActiveState,SubState,Result,NRestarts,MainPID,UnitFileState -- db",
        ),
        (commands.unit_journal_tail("db", 7), "--no-pager --quiet --output=cat --lines=7 --unit=db"),
    ],
)
async def test_systemd_is_told_these_words(command: Command, words: str, tmp_path: Path) -> None:
    """A unit's name is never taken for an option, and a start never blocks."""
    for program in ("systemctl", "journalctl"):
        (tmp_path / program).write_text('#!/bin/sh\necho "$*"\nexit 7\n')
        (tmp_path / program).chmod(0o755)

    outcome = run_for_real(["/bin/sh"], command, path=str(tmp_path))

    assert (outcome.status, outcome.text) == (7, words)


async def test_a_modelled_unit_is_enabled_started_and_stopped() -> None:
    """The whole life of a unit as systemctl shows it."""
    host = make_host(Path("/srv"))
    host.disk.write(PurePosixPath("/etc/systemd/system/db.service"), b"[Service]\n")

    async def look() -> tuple[str, str, bool]:
        state = read_unit(await host.perform(commands.unit_show("db")))
        return state.active, state.file, (await host.perform(commands.unit_is_enabled("db"))).ok

    seen = [await look()]
    for change in (
        commands.unit_enable,
        commands.unit_start_no_block,
        commands.unit_stop,
        commands.unit_disable,
    ):
        assert (await host.perform(change("db"))).ok
        seen.append(await look())

    assert seen == [
        ("inactive", "disabled", False),
        ("inactive", "enabled", True),
        ("active", "enabled", True),
        ("inactive", "enabled", True),
        ("inactive", "disabled", False),
    ]


async def test_a_modelled_unit_that_is_not_there_is_refused_in_systemds_words() -> None:
    """Statuses 1 and 5 as systemctl gives them; `show` answers all the same."""
    host = make_host(Path("/srv"))
    outcomes = [
        await host.perform(change("db"))
        for change in (commands.unit_enable, commands.unit_start_no_block, commands.unit_stop)
    ]
    shown = read_unit(await host.perform(commands.unit_show("db")))

    assert [(outcome.status, outcome.complaint) for outcome in outcomes] == [
        (1, "Failed to enable unit: Unit file db.service does not exist."),
        (5, "Failed to start db.service: Unit db.service not found."),
        (5, "Failed to stop db.service: Unit db.service not loaded."),
    ]
    assert (shown.load, shown.active, shown.file) == ("not-found", "inactive", "")


async def test_the_journals_tail_is_the_last_words() -> None:
    """As many lines as were asked for; none for a unit that said nothing."""
    host = make_host(Path("/srv"))
    host.disk.write(PurePosixPath("/etc/systemd/system/db.service"), b"")
    silent = await host.perform(commands.unit_journal_tail("db"))
    unit = host.service("db")
    assert unit is not None
    for number in range(5):
        unit.log(f"line {number}")
    tail = await host.perform(commands.unit_journal_tail("db", 2))

    assert (silent.stdout, tail.stdout) == (b"", b"line 3\nline 4\n")


async def test_an_archive_known_by_its_hash_unpacks_as_its_model_says() -> None:
    """Release files are never read in a simulation; the distro says what they hold."""
    host = make_host(Path("/srv"))
    host.disk.write(PurePosixPath("/srv/rke2.tar.gz"), b"")
    host.archives["rke2.tar.gz"] = lambda host, prefix: host.disk.write(prefix / "rke2", b"program")
    await host.perform(commands.unpack_tar(PurePosixPath("/srv/rke2.tar.gz"), PurePosixPath("/opt/rke2")))

    assert host.disk.read(PurePosixPath("/opt/rke2/rke2")) == b"program"


# Arguments and answers


@pytest.mark.parametrize("path", ["/", "/etc", "etc/a/b", "/srv/../etc/passwd"])
def test_what_no_installer_owns_is_never_removed(path: str) -> None:
    """The roof of a file system is not ours."""
    with pytest.raises(ValueError, match="refused to remove it"):
        commands.remove_path(PurePosixPath(path))


def says(text: str) -> Outcome:
    return Outcome(status=0, stdout=text.encode())


def test_answers_are_read_as_values() -> None:
    """Absent is None, free space is bytes."""
    digest = "ab" * 32
    assert read_digest(says(f"{digest}\n")) == digest
    assert read_digest(says("absent\n")) is None
    assert read_file_state(says(f"{digest} 600 root\n")) == FileState(digest, 0o600, "root")
    assert read_file_state(says("absent\n")) is None
    assert read_free_space(says("2\n")) == 2048


def test_a_unit_is_read_whatever_its_systemd_leaves_out() -> None:
    """Systemd 219 knows no NRestarts."""
    assert read_unit(says("LoadState=loaded\nActiveState=activating\nSubState=auto-restart\n")) == UnitState(
        load="loaded", active="activating", sub="auto-restart", result="", restarts=0, pid=0, file=""
    )


@pytest.mark.parametrize("text", ["", "ab", "no such thing"])
def test_a_cut_digest_is_not_taken_for_another_digest(text: str) -> None:
    """It would send a gigabyte again, or worse, not send it."""
    with pytest.raises(ValueError, match="is no sha256"):
        read_digest(says(text))
