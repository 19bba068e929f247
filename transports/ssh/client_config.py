"""What the user's ssh_config says of a host: ssh itself is asked (``ssh -G``), and its answer is read here.

So Host, Match, Include and tokens mean exactly what they mean to ssh. A program that is not there is no
fault where nobody named a file. What ssh says where nothing is configured is told from what is: its
defaults are compared with the answer for no configuration at all.

Laws: nothing is connected to; a host's name comes after ``--`` and cannot become an option. `HOME` counts,
where ssh would take the home from the user database.

This module knows no sessions and no manifest. `parse` is pure; begin reading there, then at `Asking.about`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from transports.base import TransportError

__all__ = ["Asking", "ConfigError", "HostConfig", "parse", "parse_jumps"]

Where: TypeAlias = Path | Literal["auto", "none"]

PATIENCE = 5.0  # seconds for ssh to answer
SYSTEMS = Path("/etc/ssh/ssh_config")
NOWHERE = "mk8s-defaults.invalid"
YES = ("yes", "true")
ONLY_SSH = {
    "revokedhostkeys": "RevokedHostKeys",  # perhaps in a binary form; first, for nothing else excuses it
    "pkcs11provider": "PKCS11Provider",
    "proxycommand": "ProxyCommand",
}
# What a `Match exec` finds: not the variables that may hold passwords.
PASSED_ON = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "SSH_AUTH_SOCK", "TMPDIR", "USER")


class ConfigError(TransportError):
    """ssh_config cannot be read, or asks for what only ssh itself can do. Final."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__("auth.config", "auth", message=message, remedy=remedy, final=True)


@dataclass(frozen=True, slots=True)
class HostConfig:
    """What ssh_config says of one host. Empty, None or () where it says nothing but ssh's defaults."""

    hostname: str = ""
    user: str = ""
    port: int | None = None
    identity_files: tuple[Path, ...] = ()  # as configured, whether they exist or not
    certificate_files: tuple[Path, ...] = ()
    identities_only: bool | None = None
    identity_agent: str = ""  # a socket's path, or none
    jumps: tuple[tuple[str, str, int | None], ...] | None = None  # user, host, port; (): straight
    user_known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    host_key_alias: str = ""
    connect_timeout: float | None = None  # seconds
    unsupported: str = ""  # a directive that only ssh itself can follow


def parse(answer: str, defaults: str = "", home: Path | None = None) -> HostConfig:
    """Read the answer of ``ssh -G``. `defaults`: its answer where nothing is configured."""
    said, usual = words_of(answer), words_of(defaults)
    home = home or Path.home()

    def given(key: str) -> list[str]:
        return [] if said.get(key) == usual.get(key) else said.get(key, [])

    def first(key: str) -> str:
        return (given(key) or [""])[0]

    def paths(*values: str) -> tuple[Path, ...]:
        return tuple(located(value, home) for value in values if value not in ("none", "/dev/null", ""))

    return HostConfig(
        hostname=(said.get("hostname") or [""])[0],
        user=first("user"),
        port=number(first("port")),
        identity_files=paths(*given("identityfile")),
        certificate_files=paths(*given("certificatefile")),
        identities_only=first("identitiesonly") in YES if given("identitiesonly") else None,
        identity_agent=agent_of(first("identityagent"), home),
        jumps=parse_jumps(first("proxyjump")) if given("proxyjump") else None,
        user_known_hosts=paths(*first("userknownhostsfile").split(" ")),
        global_known_hosts=paths(*first("globalknownhostsfile").split(" ")),
        host_key_alias=first("hostkeyalias"),
        connect_timeout=seconds(first("connecttimeout")),
        unsupported=unsupported_in(said, usual),
    )


def words_of(answer: str) -> dict[str, list[str]]:
    """The values of each key, in order. A value is the rest of its line."""
    found: dict[str, list[str]] = {}
    for line in answer.splitlines():
        key, space, value = line.strip().partition(" ")
        if space:
            found.setdefault(key.lower(), []).append(value.strip().strip('"'))
    return found


def unsupported_in(said: Mapping[str, list[str]], usual: Mapping[str, list[str]]) -> str:
    """A directive that only ssh itself can follow, as ssh_config would write it; else empty."""
    for key, name in ONLY_SSH.items():
        value = (said.get(key) or ["none"])[0]
        if value != "none" and said.get(key) != usual.get(key):
            return f"{name} {value}"
    methods = (said.get("preferredauthentications") or [""])[0]
    if methods and set(methods.split(",")) <= {"gssapi-with-mic", "gssapi-keyex", "hostbased"}:
        return f"PreferredAuthentications {methods}"
    return ""


def parse_jumps(text: str) -> tuple[tuple[str, str, int | None], ...]:
    """ProxyJump's hops: user (or empty), host, port (or None). Raises ConfigError."""
    if not text or text == "none":
        return ()
    return tuple(parse_jump(hop.strip()) for hop in text.split(","))


def parse_jump(hop: str) -> tuple[str, str, int | None]:
    rest = hop.removeprefix("ssh://").rstrip("/")
    user, _, address = rest.rpartition("@")
    host, colon, port = address.rpartition(":")
    if address.startswith("["):
        host, _, tail = address[1:].partition("]")
        colon, port = tail[:1], tail[1:]
    elif not colon or ":" in host:  # no port, or an IPv6 address without brackets
        host, colon, port = address, "", ""
    if not host or host.startswith("-") or (colon and number(port) is None):
        raise ConfigError(f"ssh_config's ProxyJump has no host in {hop!r}", "[user@]host[:port], with commas")
    return user, host, number(port)


def number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16 else None


def seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


def agent_of(text: str, home: Path) -> str:
    """The agent's socket: a path; ``none``; empty for the environment's."""
    if text in ("", "none", "SSH_AUTH_SOCK"):
        return "none" if text == "none" else ""
    if text.startswith("$"):
        return os.environ.get(text[1:].strip("{}"), "none")
    return str(located(text, home))


def located(text: str, home: Path) -> Path:
    """A path that ssh prints; it leaves the ~ of key files as it is."""
    return home / text[2:] if text.startswith("~/") else Path(text)


class Asking:
    """Asks ssh, each question once. `where`: the file that counts; auto is the user's and the system's.

    Blocks; safe for several threads.
    """

    def __init__(
        self,
        where: Where = "auto",
        *,
        program: str = "ssh",
        home: Path | None = None,
        systems: Path = SYSTEMS,
        patience: float = PATIENCE,
    ) -> None:
        self._where = where
        self._program = shutil.which(program) or ""
        self._home = home or Path.home()
        self._systems = systems
        self._patience = patience
        self._answers: dict[tuple[str, ...], str] = {}

    @property
    def is_silent(self) -> bool:
        """Whether nothing is asked. Raises ConfigError where a file was named and ssh is not there."""
        if self._where == "none":
            return True
        if self._program:
            return False
        if self._where == "auto":
            return True
        raise ConfigError(
            f"{self._where} cannot be read: there is no ssh program here, which reads it",
            "install OpenSSH's client, or write `config: none` under `ssh:` in the manifest",
        )

    def about(self, host: str, *, user: str = "", port: int | None = None) -> HostConfig:
        """What is configured of a host, for this user and port where they are decided. Raises ConfigError."""
        if self.is_silent:
            return HostConfig()
        words = (*(("-l", user) if user else ()), *(("-p", str(port)) if port else ()), "--")
        file, text = self._file()
        defaults = self._ask(NOWHERE, ("-F", "none", *words, NOWHERE), b"")
        return parse(self._ask(host, ("-F", file, *words, host), text), defaults, self._home)

    def _file(self) -> tuple[str, bytes]:
        """What -F names, and its content where that is stdin: the user's file by HOME, and the system's."""
        if isinstance(self._where, Path):
            return str(self._where), b""
        files = [file for file in (self._home / ".ssh/config", self._systems) if file.is_file()]
        return "/dev/stdin", b"".join(b'Match all\nInclude "%s"\n' % os.fsencode(file) for file in files)

    def _ask(self, host: str, words: tuple[str, ...], text: bytes) -> str:
        if words not in self._answers:
            self._answers[words] = self._answer(host, words, text)
        return self._answers[words]

    def _answer(self, host: str, words: tuple[str, ...], text: bytes) -> str:
        try:
            done = subprocess.run(
                [self._program, "-G", *words],
                input=text,
                capture_output=True,
                check=False,
                timeout=self._patience,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(
                f"`ssh -G {host}` gave no answer within {self._patience:g} s",
                "look for a `Match exec` that waits in your ssh_config, or write `config: none` under `ssh:`",
            ) from None
        except OSError as error:
            raise ConfigError(f"ssh cannot be started: {error.strerror}", "check the program ssh") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise ConfigError(
                f"ssh_config cannot be read for {host}: {'; '.join(said[:2]) or 'ssh gave no reason'}",
                f"try `ssh -G {host}`, or write `config: none` under `ssh:` in the manifest",
            )
        return done.stdout.decode("utf-8", "replace")
