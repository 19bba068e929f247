"""A real OpenSSH server on loopback for tests: own keys, own port, own configuration.

Works for root and for an ordinary user (who can then log in as themselves only). Nothing of the
machine's own sshd, known_hosts or agent is touched. What a test may ask of it: start, stop, freeze.

Begin reading at `Server`.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.processes import descendants, name_of, state_of
from transports.ssh import HostKeys, SSHOptions

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
HOST = "127.0.0.1"
START_PATIENCE = 60.0  # seconds: on busy cores
PORTS = range(12_000, 32_000)  # below those that the kernel gives to whoever asks for any
_next_port = itertools.count(os.getpid() * 97)  # test processes begin their search at different places
_held: list[socket.socket] = []  # by free_port

CONFIG = """\
# the first value of a keyword counts
{extra}
ListenAddress {host}
Port {port}
{host_keys}
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
PermitRootLogin yes
UsePAM no
KbdInteractiveAuthentication no
PasswordAuthentication yes
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 200
MaxAuthTries 20
LogLevel VERBOSE
# bash reads ~/.bashrc for commands that come by ssh, unless it believes to be a deeper shell:
# what is in the tester's own file is no business of the test
SetEnv SHLVL=2
"""


def missing() -> str:
    """Why no server can be started here; empty where one can."""
    for program in (SSHD, "ssh-keygen", "ssh-agent", "ssh-add"):
        if not (Path(program).exists() or shutil.which(program)):
            return f"{program} is not installed (Debian: apt install openssh-server openssh-client)"
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's empty folder, made by its unit otherwise
    return ""


def make_key(path: Path, *options: str, passphrase: str = "") -> Path:
    """A new key pair, ed25519 unless options say otherwise."""
    kind = options or ("-t", "ed25519")
    subprocess.run(
        ["ssh-keygen", "-q", *kind, "-N", passphrase, "-C", path.name, "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


def public(path: Path) -> str:
    """The public half of a key as `kind base64`."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


class Server:
    """One sshd process. `host_keys` are the kinds of its host keys."""

    def __init__(
        self,
        folder: Path,
        *,
        host_keys: tuple[str, ...] = ("ed25519",),
        certified: tuple[
            str, ...
        ] = (),  # kinds that have a certificate, host_KIND-cert.pub, made by the test
        extra: str = "",
        host: str = HOST,
        program: str = SSHD,
    ) -> None:
        self.folder = folder
        self.host = host
        self.program = program
        self.user = pwd.getpwuid(os.geteuid()).pw_name  # as sshd knows us, whatever variables say
        self._place = held_place(host)
        self.port = int(self._place.getsockname()[1])
        self.key = folder / "user_ed25519"
        self.known_hosts = folder / "known_hosts"
        self.log = folder / "sshd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        folder.mkdir(parents=True, exist_ok=True)
        for kind in host_keys:
            make_key(folder / f"host_{kind}", "-t", kind)
        make_key(self.key)
        self.authorize(self.key)
        self.known_hosts.write_text("".join(self.known_line(kind) + "\n" for kind in host_keys))
        keys = "\n".join(f"HostKey {folder}/host_{kind}" for kind in host_keys)
        keys += "".join(f"\nHostCertificate {folder}/host_{kind}-cert.pub" for kind in certified)
        (folder / "sshd_config").write_text(
            CONFIG.format(host=host, port=self.port, host_keys=keys, folder=folder, extra=extra)
        )

    def authorize(self, key: Path) -> None:
        with (self.folder / "authorized_keys").open("a") as stream:
            stream.write(public(key) + "\n")

    def known_line(self, kind: str) -> str:
        return f"[{self.host}]:{self.port} {public(self.folder / f'host_{kind}')}"

    def options(self, **changes: Any) -> SSHOptions:
        """Options that get in, with changes."""
        usual: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "key_files": (self.key,),
            "use_agent": False,
            "host_keys": HostKeys([self.known_hosts]),
            "connect_timeout": 10.0,
        }
        return SSHOptions(**{**usual, **changes})

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Return when it listens. It says so itself: a connection to find that out would be counted by its
        MaxStartups until it has seen that nobody logs in there."""
        with self.log.open("ab") as log:
            process = self._process = subprocess.Popen(
                [self.program, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._starts += 1
        listens = f"Server listening on {self.host} port {self.port}."
        wait_until(
            lambda: self.said().count(listens) == self._starts or process.poll() is not None, "sshd is mute"
        )
        assert process.poll() is None, f"sshd did not start:\n{self.said()}"

    def stop(self) -> None:
        """End the listener and every session, as a machine that goes down does. It can be started again."""
        if self._process is None:
            return
        try:
            freeze(self._process.pid)  # it takes no more connections
            self.signal_sessions(signal.SIGKILL)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop, and let others have the port."""
        try:
            self.stop()
        finally:
            self._place.close()

    def sessions(self) -> list[int]:
        """The processes that serve connections: everything below the listener that is an sshd."""
        names = ("sshd", Path(self.program).name[:15])  # the kernel keeps so much of a name
        return [pid for pid in descendants(self.pid) if name_of(pid).startswith(names)]

    def signal_sessions(self, number: signal.Signals) -> None:
        """Signal the sessions. They are stopped before they are killed: one of them could fork between our
        look and its end. All that is below them goes on: a child may have been told to stop between its
        fork, when it was an sshd, and its exec; its session may have ended by itself and left it behind."""
        frozen = self._freeze_sessions() if number in (signal.SIGSTOP, signal.SIGKILL) else set()
        below, sessions = descendants(self.pid), set(self.sessions())
        for pid in frozen.union(below):
            with suppress(ProcessLookupError):  # it ended while we looked
                os.kill(pid, number if pid in sessions else signal.SIGCONT)

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def _freeze_sessions(self) -> set[int]:
        """What a session had forked before it stood still is found the next time. All that were stopped."""
        frozen: set[int] = set()
        while fresh := set(self.sessions()) - frozen:
            for pid in fresh:
                freeze(pid)
            frozen |= fresh
        return frozen


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Server]:
    """A server for the length of a with block."""
    server = Server(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextmanager
def agent(*keys: Path) -> Iterator[Path]:
    """An ssh-agent of our own that holds these keys; yields its socket."""
    with short_folder() as folder:
        path = folder / "agent.sock"
        process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: takes_calls(path), "ssh-agent did not start")
            for key in keys:
                subprocess.run(
                    ["ssh-add", "-q", str(key)],
                    check=True,
                    env={**os.environ, "SSH_AUTH_SOCK": str(path)},
                    stdin=subprocess.DEVNULL,
                )
            yield path
        finally:
            process.terminate()
            process.wait()


@contextmanager
def short_folder() -> Iterator[Path]:
    """An empty folder whose path leaves room for a socket's name, wherever the tester's own folders are."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield Path(folder)


def takes_calls(path: Path) -> bool:
    """Whether somebody listens at a socket; its file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


def freeze(pid: int) -> None:
    """Stop a process, and see it stand still: a signal takes effect a little after it was sent."""
    with suppress(ProcessLookupError):  # it ended while we looked
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state_of(pid) in ("", *"TZX"), f"process {pid} does not stop")


def free_port() -> int:
    """One at which nobody listens as long as these tests run."""
    _held.append(held_place(HOST))
    return int(_held[-1].getsockname()[1])


def held_place(host: str) -> socket.socket:
    """A place to listen at that nobody else is given, by the kernel or by this function, until the result is
    closed: it is bound, and does not listen. Who sets SO_REUSEADDR, as sshd does, may bind it all the same
    and listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in _next_port:
        sock = socket.socket(family)
        try:
            sock.bind((host, PORTS[number % len(PORTS)]))
        except OSError:
            sock.close()
            continue
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock
    raise AssertionError("unreachable: the numbers do not end")


def wait_until(condition: Callable[[], bool], problem: str, patience: float = START_PATIENCE) -> None:
    """Look until a foreign process got there. Real processes have no event to wait for."""
    deadline, pause = time.monotonic() + patience, 0.0005
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(problem)
        time.sleep(pause)
        pause = min(0.01, 2 * pause)
