"""The wrapper around every command, without any shell but /bin/sh, and what is heard from it."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.base import ArgumentError, Command, Stream
from transports.shell import MOST_GROUPS, Conversation, Output, kill_script, quote, status_of, wrap

MARK = "mk8s-mark"


def command(script: str = "true", *args: str, **rest: Any) -> Command:
    return Command(operation="test", description="test", script=script, args=args, **rest)


def run(one: Command) -> subprocess.CompletedProcess[bytes]:
    """Run a wrapped command as sshd would: through a shell that gets one line."""
    words = wrap(one, MARK, sudo=False, password=False, stdin=one.stdin is not None)
    line = "exec " + " ".join(quote(word) for word in words)
    return subprocess.run(["sh", "-c", line], capture_output=True, input=one.stdin or b"", check=False)


# ---- the wrapper


@pytest.mark.parametrize("status", [0, 1, 2, 126, 255])
def test_a_status_travels_and_is_never_0_on_the_wire(status: int) -> None:
    """libssh2 reports 0 where no status came, so success has another number."""
    wire = run(command(f"exit {status}")).returncode

    assert wire != 0
    assert status_of(wire) == status


def test_no_status_is_no_success() -> None:
    """0 on the wire means that nobody said how it ended."""
    assert status_of(0) is None


def test_the_one_status_that_is_taken_becomes_its_neighbour() -> None:
    """254 stands for success, so a real 254 must not look like it."""
    assert status_of(run(command("exit 254")).returncode) == 253


@settings(deadline=None, max_examples=40)  # every example runs a shell
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=4))
def test_arguments_pass_through_two_shells_unchanged(args: list[str]) -> None:
    """Quoted once, whatever they hold."""
    outcome = run(command('[ $# -eq 0 ] || printf "%s\\0" "$@"', *args))

    assert outcome.stdout == b"".join(arg.encode() + b"\0" for arg in args)


@pytest.mark.parametrize(
    "script",
    ["echo (", "if", "echo 'x", "} ; echo y", ") ; echo y", "echo x #", "echo x \\", "cat <<E\nx\nE"],
)
def test_a_script_cannot_break_out_of_its_wrapper(script: str) -> None:
    """A mistake in it is its own failure: a status still comes, and the marker was heard."""
    outcome = run(command(script))

    assert status_of(outcome.returncode) is not None
    assert f"{MARK} go ".encode() in outcome.stderr


def test_the_command_can_become_another_program() -> None:
    """`exec` in the script ends the script, not the wrapper."""
    assert status_of(run(command('exec "$@"', "sh", "-c", "exit 5")).returncode) == 5


def test_variables_are_set_and_not_interpreted() -> None:
    """Names are checked, values are quoted."""
    assert run(command('printf %s "$A"', env={"A": "$(id) 'x'\n"})).stdout == b"$(id) 'x'\n"


@pytest.mark.parametrize(
    "bad",
    [
        {"script": "a\0b"},
        {"args": ("a\0b",)},
        {"env": {"A": "a\0b"}},
        {"env": {"A B": "x"}},
        {"env": {"1A": "x"}},
        {"env": {"A=B; id": "x"}},
    ],
)
def test_what_no_shell_can_be_told_is_refused(bad: dict[str, Any]) -> None:
    """Silently dropping a NUL would run something else."""
    with pytest.raises(ArgumentError, match="test: "):
        wrap(
            Command(operation="test", description="test", **bad),
            MARK,
            sudo=False,
            password=False,
            stdin=False,
        )


def test_a_secret_in_stdin_is_not_in_the_words() -> None:
    """Words can be seen by every user of the node."""
    words = wrap(command("cat", stdin=b"secret"), MARK, sudo=True, password=True, stdin=True)

    assert "secret" not in " ".join(words)


# ---- what is heard


def heard(*pieces: bytes) -> tuple[Conversation, bytes]:
    talk = Conversation(MARK)
    return talk, b"".join(talk.hear(piece) for piece in pieces)


def test_what_the_command_says_is_what_remains() -> None:
    """Markers, the lecture and the prompt are taken out; the command's own bytes are not touched."""
    said = b"We trust you have received the usual lecture.\n" + (
        f"{MARK} pid 7\n{MARK} ask\n{MARK} go 9\nmine {MARK} pid 1\n".encode()
    )
    talk, rest = heard(said)

    assert rest == f"mine {MARK} pid 1\n".encode()
    assert (talk.begun, talk.asked, talk.groups) == (True, 1, [7, 9])


@given(st.lists(st.integers(0, 60), max_size=5))
def test_pieces_may_be_cut_anywhere(cuts: list[int]) -> None:
    """The network cuts where it likes."""
    said = f"hello\n{MARK} pid 7\n{MARK} go 7\nmine\nmore".encode()
    places = [0, *sorted(cuts), len(said)]
    talk, rest = heard(*(said[a:b] for a, b in pairwise(places)))

    assert rest == b"mine\nmore"
    assert talk.groups == [7]


def test_what_was_said_instead_of_beginning_is_the_complaint() -> None:
    """Its last line, for people."""
    talk, _ = heard(b"first\n", b"user is not in the sudoers file.")

    assert not talk.begun
    assert talk.complaint == "user is not in the sudoers file."


def test_a_server_that_talks_for_ever_fills_no_memory() -> None:
    """What comes before the command is kept up to a limit."""
    talk = Conversation(MARK)
    for _ in range(100):
        talk.hear(b"x" * 10_000)
        talk.hear(b"y\n" * 5_000)

    assert len(talk.preamble) <= 1 << 12


@pytest.mark.parametrize("number", ["-1", "0", "x", "1_0", "", "9" * 5000, "٣"])
def test_what_is_no_process_group_is_not_remembered(number: str) -> None:
    """It would be put into the command that kills."""
    talk, _ = heard(f"{MARK} pid {number}\n{MARK} go 9\n".encode())

    assert (talk.begun, talk.groups) == (True, [9])


def test_a_server_that_names_groups_for_ever_is_not_believed() -> None:
    """There are two: sudo's and the command's."""
    talk, _ = heard("".join(f"{MARK} pid {number}\n" for number in range(2, 1000)).encode())

    assert len(talk.groups) <= MOST_GROUPS


def test_output_is_kept_up_to_the_limit_of_both_streams() -> None:
    """And it is said that there was more."""
    output = Output(limit=5)
    output.add("stdout", b"abc")
    output.add("stderr", b"defg")
    output.add("stdout", b"h")
    outcome = output.outcome(0)

    assert (outcome.stdout, outcome.stderr, outcome.truncated) == (b"abc", b"de", True)


def test_output_that_just_fits_is_not_truncated() -> None:
    """The limit is inclusive."""
    output = Output(limit=3)
    output.add("stdout", b"abc")

    assert not output.outcome(0).truncated


def test_output_that_is_handed_on_is_not_kept() -> None:
    """In the order in which it came."""
    told: list[tuple[Stream, bytes]] = []
    output = Output(lambda stream, data: told.append((stream, data)))
    output.add("stdout", b"a")
    output.add("stderr", b"b")

    assert told == [("stdout", b"a"), ("stderr", b"b")]
    assert output.outcome(0).stdout == b""


def test_killing_groups_that_are_gone_is_silent() -> None:
    """They may have ended by themselves meanwhile."""
    never = 1 << 22  # Linux gives no process such a number, nor a higher one
    outcome = subprocess.run(
        ["sh", "-c", kill_script((never + 1, never + 2))], capture_output=True, check=False
    )

    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, b"", b"")
