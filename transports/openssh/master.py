"""The ssh process that is logged in to one node: started, waited for, watched, ended.

Laws: it lives in a private folder of its own (mode 0700: control socket, askpass, what it says) and in a
process group of its own, so that Ctrl-C at the terminal is ours to handle; it never outlives us, for its
guard ends it when a pipe of ours closes; it is collected, and its folder removed, by `end`.

A loss is found by using it: its control socket is gone with the process. Begin reading at `open_master`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

import anyio

from transports.openssh.arguments import config_text, environment, master_words
from transports.openssh.askpass import Answers, askpass_script
from transports.openssh.failures import (
    bad_config_file,
    bad_key_file,
    cannot_start,
    judge,
    no_program,
    no_room_for_socket,
)
from transports.openssh.mux import is_served
from transports.openssh.options import OpenSSHOptions
from transports.ssh.options import ConnectionStarts

__all__ = ["Master", "open_master", "program_of"]

LOOK = 0.01  # seconds between looks at the process and its socket, while it logs in
ALIVE_PATIENCE = 10.0  # seconds for the process to say that it goes on
END_PATIENCE = 0.1  # seconds to end in an orderly way; ssh may miss a signal that comes as it begins to wait
LONGEST_PATH = 104 - 18  # bytes: a socket's name on every system, less what ssh adds while it makes it
SAID = 1 << 16  # bytes of ssh's words that are read


class Master:
    """One ssh process. `socket` is where sessions are asked for; `broken` is why it is of no more use."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "s"
        self.folder = folder
        self.broken = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = 0  # bytes that were said while it logged in: banners, new host keys

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def usable(self) -> bool:
        return not self.broken and self.runs

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def lives_on(self) -> bool:
        """Whether it is still of use, which a session without a status does not tell: ssh closes its sessions
        some time before its process has ended, and answers nobody from then on."""
        return await is_served(self.socket, ALIVE_PATIENCE) and self.runs

    def start(self, words: list[str], variables: dict[str, str]) -> None:
        """Start the process. Its stdin is the pipe whose end ends it."""
        with (self.folder / "said").open("wb") as said:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
                env=variables,
            )

    def said(self) -> str:
        """What ssh, and what it started, have said since it logged in; before that, since it started."""
        with suppress(OSError), (self.folder / "said").open("rb") as stream:
            stream.seek(self._heard)
            return stream.read(SAID).decode("utf-8", "replace")
        return ""

    def logged_in(self) -> None:
        """What was said until now is no complaint."""
        self._heard = (self.folder / "said").stat().st_size

    async def end(self) -> None:
        """End the process and all that it started, collect it, remove its folder. Twice is fine."""
        process, self._process = self._process, None
        self.broken = self.broken or "it was closed"
        if process is not None:
            with anyio.CancelScope(shield=True):
                await end_group(process)
        shutil.rmtree(self.folder, ignore_errors=True)


async def end_group(process: subprocess.Popen[bytes]) -> None:
    """TERM, a moment of patience, KILL: to the whole group, which exists while its guard does."""
    assert process.stdin is not None
    signal_group(process.pid, signal.SIGTERM)
    with anyio.move_on_after(END_PATIENCE):
        while process.poll() is None:
            await anyio.sleep(LOOK)
    signal_group(process.pid, signal.SIGKILL)
    process.stdin.close()
    process.wait()


def signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


async def open_master(
    label: str, options: OpenSSHOptions, starts: ConnectionStarts | None, log: Callable[[str], None]
) -> Master:
    """Start ssh and wait until it has logged in. `label` names the node in messages.

    Waiting for a turn (`starts`), for a person's secret or for a touch of a hardware key is not limited.
    Raises TransportError ``connection.*``, ``hostkey.*`` or ``auth.*``; never ambiguous.
    """
    program = program_of(label, options)
    check_files(label, options)
    make_room_for_new_keys(options)
    master = Master(private_folder(label, options.base))
    try:
        async with starts.limiter if starts is not None else nullcontext():
            await log_in(master, Answers(label, options, log), program)
        return master
    except OSError as error:
        await master.end()
        raise cannot_start(label, error) from error
    except BaseException:
        await master.end()
        raise


def program_of(label: str, options: OpenSSHOptions) -> str:
    """Where the program is. Raises TransportError."""
    found = shutil.which(options.program)
    if found is None:
        raise no_program(label, options.program)
    return found


def check_files(label: str, options: OpenSSHOptions) -> None:
    """ssh skips files that it cannot read, without a word. Raises TransportError."""
    keys = (*options.key_files, *([options.certificate] if options.certificate else []))
    for path in keys:
        if (problem := unreadable(path)) is not None:
            raise bad_key_file(label, path, problem)
    if isinstance(options.config, Path) and (problem := unreadable(options.config)) is not None:
        raise bad_config_file(label, options.config, problem)


def make_room_for_new_keys(options: OpenSSHOptions) -> None:
    """ssh would accept a new key and forget it where the folder of its file is not there."""
    if options.accept_new and options.known_hosts:
        with suppress(OSError):  # then it is asked for again the next time
            options.known_hosts[0].expanduser().parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def unreadable(path: Path) -> str | None:
    """Why a file cannot be read, if so."""
    try:
        path.expanduser().open("rb").close()
    except OSError as error:
        return error.strerror or str(error)
    return None


async def log_in(master: Master, answers: Answers, program: str) -> None:
    """Start the process, answer its questions, and return when sessions can be asked for."""
    options, folder = answers.options, master.folder
    asking, askpass, config = folder / "a", folder / "askpass", folder / "config"
    write(config, config_text(options), 0o600)
    write(askpass, askpass_script(asking), 0o700)
    words = master_words(options, program, folder, config, master.socket)
    async with await anyio.create_unix_listener(asking) as listener:
        master.start(words, environment(os.environ, options, askpass))
        answers.master = master.pid
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, answers.serve)
            problem = await until_logged_in(master, answers)
            if problem is not None:
                await master.end()  # first: a question that gets no answer is one that ssh answers with ""
            tasks.cancel_scope.cancel()
    if problem is not None:
        raise problem


async def until_logged_in(master: Master, answers: Answers) -> Exception | None:
    """Wait for the control socket, which ssh makes when it has logged in. The problem, where it has not."""
    while not master.socket.exists():
        if answers.problem is not None:
            return answers.problem
        if not master.runs:
            return judge(answers.label, master.said())
        await anyio.sleep(LOOK)
    master.logged_in()
    return None


def write(path: Path, content: str, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(content)


def private_folder(label: str, base: Path | None) -> Path:
    """A folder of our own whose sockets have short enough names. Raises TransportError.

    Where the path of `base` is too long, or nothing can be made there, it is made in /tmp.
    """
    reasons = []
    for place in dict.fromkeys((str(base or os.environ.get("TMPDIR") or "/tmp"), "/tmp")):  # noqa: S108 - mkdtemp makes it private
        if len(os.fsencode(place)) + len("/mk8s-xxxxxxxx/s") > LONGEST_PATH:
            reasons.append(f"{place} is too long")
            continue
        try:
            return Path(tempfile.mkdtemp(prefix="mk8s-", dir=place))
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
    raise no_room_for_socket(label, "; ".join(reasons))
