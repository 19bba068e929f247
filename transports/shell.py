"""How a command becomes words for a POSIX shell, and how those words answer. Shared by ssh and local.

A command runs inside a small wrapper with four duties:

1. It names its process group on stderr before the command speaks, so that the command can be killed,
   and says when the command begins, so that stdin is not sent to a `sudo` that wants a password.
2. It never ends with status 0: success travels as 254 (and a real 254 as 253). libssh2 reports 0 for a
   command that was killed by a signal and for a connection that dropped, so 0 means "no status came".
3. The script is one quoted word and its arguments are others: quoted once, evaluated once.
4. stdin is /dev/null where the command has none.

This module is pure: no process, no socket, no clock. It knows no SSH.
Begin reading at `wrap`, then `Conversation`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from transports.base import ArgumentError, Command, OnOutput, Outcome, Stream

__all__ = ["OUTPUT_LIMIT", "Conversation", "Output", "kill_script", "quote", "status_of", "wrap"]

OUTPUT_LIMIT = 1 << 24  # bytes of stdout and stderr together that an Outcome holds
SUCCESS = 254  # how success travels; see duty 2
NEIGHBOUR = 253  # how a real 254 travels
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
GROUP = re.compile(r"[1-9][0-9]{0,9}")  # a process group's number
MOST_GROUPS = 4  # sudo's and the command's are two
HEAD_LIMIT = 1 << 12  # bytes kept of what is said before the command begins

STATUS_MAP = f"r=$?; [ $r -eq {SUCCESS} ] && r={NEIGHBOUR}; [ $r -eq 0 ] && r={SUCCESS}; exit $r"


def wrap(
    command: Command, mark: str, *, sudo: bool, password: bool, stdin: bool, escalate: str = "sudo"
) -> tuple[str, ...]:
    """The words to run: ``sh -c WRAPPER sh SCRIPT ARGS``.

    `mark` is a random word that no command says by chance. `sudo`: become root, by the program `escalate`;
    `password`: sudo may ask for one. `stdin`: the command gets input. Raises ArgumentError for what no
    shell can be told.
    """
    check(command)
    prologue = begin(mark, command.env, stdin=stdin)
    body = f"({prologue}\n)" if not sudo else become_root(prologue, mark, escalate, password=password)
    return ("sh", "-c", f"{body}\n{STATUS_MAP}", "sh", command.script, *command.args)


def begin(mark: str, env: Mapping[str, str], *, stdin: bool) -> str:
    """The shell text that announces the command and becomes it. `$1` is the script."""
    parts = [f'echo "{mark} go $$" >&2']
    if not stdin:
        parts.append("exec </dev/null")
    parts += [f"export {name}={quote(value)}" for name, value in env.items()]
    return "; ".join([*parts, "_mk8s=$1", "shift", 'eval "$_mk8s"'])


def become_root(prologue: str, mark: str, escalate: str, *, password: bool) -> str:
    """The same, as root. The prompt ends in a newline, so that it is a line of its own.

    doas takes a password from a terminal alone, so it is never given one.
    """
    program = {"sudo": f"sudo -S -p '{mark} ask\n'" if password else "sudo -n", "doas": "doas -n"}[escalate]
    return f'echo "{mark} pid $$" >&2; LC_ALL=C {program} -- sh -c {quote(prologue)} sh "$@"'


def check(command: Command) -> None:
    """Refuse what cannot travel as shell words."""
    if "\0" in "".join((command.script, *command.args, *command.env.values())):
        raise ArgumentError(f"{command.operation}: a script, argument or variable holds a NUL byte")
    for name in command.env:
        if not ENV_NAME.fullmatch(name):
            raise ArgumentError(f"{command.operation}: {name!r} is not the name of a shell variable")


def quote(word: str) -> str:
    """One word, safe for any POSIX shell."""
    return shlex.quote(word)


def status_of(wire: int) -> int | None:
    """The command's exit status, or None where none came."""
    if wire == SUCCESS:
        return 0
    return wire or None


def kill_script(groups: tuple[int, ...]) -> str:
    """Shell text that ends process groups: TERM, half a second of patience, KILL. Silent, always status 0.

    It returns when they are gone; a quarter of a second after KILL it stops looking, for the dead whom
    nobody collects look alive.
    """
    targets = " ".join(f"-{group}" for group in groups)
    alive = " || ".join(f"kill -s 0 -- -{group} 2>/dev/null" for group in groups)
    look = f"{{ {alive}; }} || exit 0; sleep 0.05"
    return (
        f"kill -s TERM -- {targets} 2>/dev/null; for i in 1 2 3 4 5 6 7 8 9 10; do {look}; done; "
        f"kill -s KILL -- {targets} 2>/dev/null; for i in 1 2 3 4 5; do {look}; done; exit 0"
    )


@dataclass(slots=True)
class Conversation:
    """What is said on stderr before the command itself speaks: process groups, sudo's questions.

    Pure: bytes go in, the command's own bytes come out, the rest is in the fields.
    """

    mark: str
    begun: bool = False  # the command runs: stdin may be sent
    asked: int = 0  # how often sudo asked for a password
    groups: list[int] = field(default_factory=list)  # process groups to kill, outermost first
    preamble: bytes = b""  # what others said meanwhile: sudo's lecture and complaints
    _head: bytes = b""

    def hear(self, data: bytes) -> bytes:
        """Take bytes of stderr; return those that are the command's own."""
        if self.begun:
            return data
        self._head += data
        while not self._take_line():
            if b"\n" not in self._head:
                self._head = self._head[-HEAD_LIMIT:]
                return b""
        rest, self._head = self._head, b""
        return rest

    @property
    def complaint(self) -> str:
        """What was said instead of beginning, as one line for people."""
        said = (self.preamble + self._head).decode("utf-8", "replace").strip()
        return said.splitlines()[-1].strip() if said else ""

    def _take_line(self) -> bool:
        """Understand the next whole line, if there is one. Whether the command has begun."""
        line, newline, rest = self._head.partition(b"\n")
        if not newline:
            return False
        self._head = rest
        before, found, after = line.partition(self.mark.encode() + b" ")
        if before or not found:
            self.preamble = (self.preamble + before + b"\n")[-HEAD_LIMIT:]
        if found:
            self._obey(after.decode("ascii", "replace").split())
        return self.begun

    def _obey(self, words: list[str]) -> None:
        match words:
            case ["ask"]:
                self.asked += 1
            case ["pid", number]:
                self._note_group(number)
            case ["go", number]:
                self.begun = True
                self._note_group(number)
            case _:
                pass

    def _note_group(self, number: str) -> None:
        """What is no number, or names more than one group, is not killed later."""
        if GROUP.fullmatch(number) and int(number) not in self.groups and len(self.groups) < MOST_GROUPS:
            self.groups.append(int(number))


class Output:
    """Gathers a command's output up to a limit, or hands it on as it comes."""

    def __init__(self, on_output: OnOutput | None = None, *, limit: int = OUTPUT_LIMIT) -> None:
        self._on_output = on_output
        self._room = limit
        self._parts: dict[Stream, list[bytes]] = {"stdout": [], "stderr": []}
        self._truncated = False

    def add(self, stream: Stream, data: bytes) -> None:
        """Take bytes of one stream, in order."""
        if not data:
            return
        if self._on_output is not None:
            self._on_output(stream, data)
            return
        kept = data[: self._room]
        self._truncated = self._truncated or len(kept) < len(data)
        self._room -= len(kept)
        if kept:
            self._parts[stream].append(kept)

    def outcome(self, status: int) -> Outcome:
        """What was gathered, with the command's exit status."""
        return Outcome(
            status=status,
            stdout=b"".join(self._parts["stdout"]),
            stderr=b"".join(self._parts["stderr"]),
            truncated=self._truncated,
        )
