"""What several verbs share: the manifest argument, the output choice, and talk on stderr."""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mk8s.cluster import Cluster

__all__ = [
    "add_asking",
    "add_manifest",
    "add_output",
    "add_recorded",
    "add_state",
    "add_verbs",
    "length_of_time",
    "moment",
    "number",
    "say",
    "say_asking",
]


def say(*words: object) -> None:
    """Talk to the person: stderr, so that stdout stays data."""
    print(*words, file=sys.stderr, flush=True)


def say_asking(cluster: Cluster) -> None:
    """Before nodes are waited for: one that does not answer takes a while to be given up."""
    from mk8s.amounts import counted

    say(f"asking {counted(len(cluster.nodes), 'node')} of {cluster.name}")


def add_manifest(parser: ArgumentParser) -> None:
    parser.add_argument("manifest", type=Path, help="the cluster's manifest, such as cluster.yaml")


def add_state(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="the cluster's state folder (default: .mk8s/NAME beside the manifest)",
    )


def add_recorded(parser: ArgumentParser) -> None:
    """Which recorded run: the cluster's own, or one in a file."""
    add_state(parser)
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="a journal in a file, as `mk8s simulate --journal FILE` writes it (default: the cluster's own)",
    )


def add_asking(parser: ArgumentParser, *, sudo: bool = True) -> None:
    """Passwords that are typed: of verbs that connect. They are asked for before the verb begins."""
    parser.add_argument(
        "--ask-password",
        action="store_true",
        help="ask for the login password, once for all nodes, and for what servers ask (one-time codes)",
    )
    if sudo:
        parser.add_argument(
            "--ask-sudo-password",
            action="store_true",
            help="ask for the password of sudo, once for all nodes",
        )


def add_verbs(parser: ArgumentParser, metavar: str) -> _SubParsersAction[ArgumentParser]:
    """Room for verbs below a verb, each with a `handler` of its own. Without any, the help is printed."""
    parser.set_defaults(handler=partial(_help, parser))
    return parser.add_subparsers(metavar=metavar)


def _help(parser: ArgumentParser, args: Namespace) -> int:
    del args
    parser.print_help()
    return 0


def number(
    meaning: str, *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf
) -> Callable[[str], float]:
    """A reader of finite numbers for the command line, in the words of `meaning` when it refuses one."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > above and least <= value <= most):
            raise ArgumentTypeError(f"{text!r} is not {meaning}")
        return value

    return read


def add_output(parser: ArgumentParser, *choices: str) -> None:
    parser.add_argument(
        "--output", choices=choices, default=choices[0], help=f"how to print (default: {choices[0]})"
    )


def length_of_time(text: str) -> float:
    """Seconds from ``90s 10m 2h``; a bare number is refused, for of that nobody can tell the unit."""
    from machines.forms import duration

    try:
        found = duration(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not {error}") from error
    if not found > 0:
        raise ArgumentTypeError(f"{text!r} is no time at all")
    return found


def moment(text: str) -> float:
    """A second of a run from ``90s 5m 1h``, or as it is printed: ``45 s``, ``4:05``, ``1:10:00``."""
    from machines.forms import duration

    try:
        return _clock(text) if ":" in text else duration(text.replace(" ", ""))
    except ValueError as error:
        problem = f"{text!r} is not a time of a run, such as 90s, 5m, 1h or 4:05"
        raise ArgumentTypeError(problem) from error


def _clock(text: str) -> float:
    """Raises ValueError."""
    hours, minutes, seconds = (["0", *text.split(":")])[-3:]
    if text.count(":") > 2 or not all(part.isdecimal() for part in (hours, minutes, seconds)):
        raise ValueError(text)
    if int(seconds) > 59 or (text.count(":") == 2 and int(minutes) > 59):
        raise ValueError(text)
    return int(hours) * 3600.0 + int(minutes) * 60 + int(seconds)
