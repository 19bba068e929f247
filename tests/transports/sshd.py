"""A real OpenSSH server on loopback for tests: own keys, own port, own configuration.

Works for root and for an ordinary user (who can then log in as themselves only). Nothing of the
machine's own sshd, known_hosts or agent is touched. What a test may ask of it: start, stop, freeze.

Begin reading at `Server`.
"""

from __future__ import annotations

import getpass
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.processes import descendants, name_of
from transports.ssh import HostKeys, SSHOptions

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
HOST = "127.0.0.1"
START_PATIENCE = 60.0  # seconds: on busy cores
PORTS = range(12_000, 32_000)  # below those that the kernel gives to whoever asks for any
_next_port = itertools.count(os.getpid() * 97)

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
        self.user = getpass.getuser()
        self.port = free_port()
        self.key = folder / "user_ed25519"
        self.known_hosts = folder / "known_hosts"
        self.log = folder / "sshd.log"
        self._process: subprocess.Popen[bytes] | None = None
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
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, f"sshd did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        """End the listener and every session, as a machine that goes down does."""
        if self._process is None:
            return
        try:
            self.signal_sessions(signal.SIGKILL)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def sessions(self) -> list[int]:
        """The processes that serve connections: everything below the listener that is an sshd."""
        return [pid for pid in descendants(self.pid) if name_of(pid).startswith("sshd")]

    def signal_sessions(self, number: signal.Signals) -> None:
        """Signal the sessions. All that is below them goes on with them: a child may have been stopped
        between its fork, when it was an sshd, and its exec."""
        for pid in descendants(self.pid) if number == signal.SIGCONT else self.sessions():
            with suppress(ProcessLookupError):  # it ended while we looked
                os.kill(pid, number)

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as sock:
                return sock.recv(4) == b"SSH-"
        except OSError:
            return False


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Server]:
    """A server for the length of a with block."""
    server = Server(folder, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[Path]:
    """An ssh-agent of our own that holds these keys; yields its socket."""
    path = folder / "agent.sock"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        wait_until(path.exists, "ssh-agent did not start")
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


def free_port() -> int:
    """One that nobody has, and that nobody is given until a server listens there: test processes that run at
    the same time begin their search at different places, and none is given out twice."""
    for number in _next_port:
        with socket.socket() as sock, suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((HOST, PORTS[number % len(PORTS)]))
            return int(sock.getsockname()[1])
    raise AssertionError("unreachable: the numbers do not end")


def wait_until(condition: Callable[[], bool], problem: str, patience: float = START_PATIENCE) -> None:
    """Look until a foreign process got there. Real processes have no event to wait for."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(problem)
        time.sleep(0.01)
