"""The commands of the contract suite, by operation name.

A real host runs their scripts. A modelled host answers by the operation, as each docstring says; its
clock may be virtual.
"""

from __future__ import annotations

from transports.base import Command

__all__ = ["asleep", "complain", "echo", "environment", "fail", "flood", "repeat", "whoami"]


def echo(*words: str) -> Command:
    """`contract.echo`: every argument on a line of its own, status 0."""
    return Command(
        operation="contract.echo",
        description="say the words",
        script='[ $# -eq 0 ] || printf "%s\\n" "$@"',
        args=words,
    )


def fail(status: int) -> Command:
    """`contract.fail`: the status that is the first argument, and no output."""
    return Command(
        operation="contract.fail", description="fail on purpose", script='exit "$1"', args=(str(status),)
    )


def complain(words: str) -> Command:
    """`contract.complain`: "out" on stdout, the first argument on stderr, each with a newline; status 3."""
    return Command(
        operation="contract.complain",
        description="complain",
        script='echo out; printf "%s\\n" "$1" >&2; exit 3',
        args=(words,),
    )


def repeat(stdin: bytes | None) -> Command:
    """`contract.cat`: stdin as stdout, status 0; no stdin is empty stdin."""
    return Command(operation="contract.cat", description="repeat stdin", script="cat", stdin=stdin)


def environment(name: str, value: str) -> Command:
    """`contract.env`: the value of the variable that is named by the first argument, without a newline."""
    return Command(
        operation="contract.env",
        description="tell a variable",
        script='eval "printf %s \\"\\$$1\\""',
        args=(name,),
        env={name: value},
    )


def flood(count: int) -> Command:
    """`contract.flood`: that many zero bytes on stdout, status 0."""
    return Command(
        operation="contract.flood",
        description="say much",
        script='head -c "$1" /dev/zero',
        args=(str(count),),
    )


def asleep(seconds: float, *, timeout: float = 60.0) -> Command:
    """`contract.sleep`: sleeps for the first argument, status 0 and no output."""
    return Command(
        operation="contract.sleep",
        description="sleep",
        script='sleep "$1"',
        args=(f"{seconds:g}",),
        timeout=timeout,
    )


def whoami() -> Command:
    """`contract.whoami`: the number of the effective user, with sudo: "0"."""
    return Command(operation="contract.whoami", description="tell the user", script="id -u", sudo=True)
