"""The command line: one file a verb. stdout is data, stderr is talk.

A verb's module is imported only when that verb is called, so that `mk8s --version` starts at once.
Each verb module has `add_arguments(parser)` and `main(args) -> int`; anything the user can mend is an
Mk8sError and ends here as a message and an exit code, never as a traceback.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from mk8s.version import VERSION

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

__all__ = ["VERBS", "Verb", "first_problem", "main"]


class Verb(NamedTuple):
    module: str
    summary: str


VERBS: dict[str, Verb] = {
    "run": Verb("run", "make the nodes in the manifest into one cluster; safe to repeat, resumes"),
    "init": Verb("init", "print a manifest to begin with, with the distro's own defaults"),
    "validate": Verb("validate", "check the manifest and the release files; touch no node"),
    "preflight": Verb("preflight", "look at every node and the release for trouble; changes nothing"),
    "trust": Verb("trust", "show the SSH host keys of all nodes once, and pin those that you accept"),
    "plan": Verb("plan", "what a run would do on each node, how long it takes, what bounds it"),
    "simulate": Verb("simulate", "rehearse the run in virtual time: many seeds, faults, scenarios, what if"),
    "status": Verb("status", "where every node is"),
    "health": Verb("health", "whether the cluster is well: named conditions with evidence (read-only)"),
    "smoke": Verb("smoke", "prove that the cluster works: six probes with a pod of each worker"),
    "explain": Verb("explain", "why a node waits, down to the root, and what to do; or the whole cluster"),
    "report": Verb("report", "one HTML page about a run: timeline, critical path, errors, prediction"),
    "graph": Verb("graph", "draw the node machine, or a recorded run: mermaid, dot, plantuml, svg"),
    "journal": Verb("journal", "what happened, record by record: filtered, or followed while a run goes on"),
    "replay": Verb("replay", "go through a recorded run once more: a moment, step by step, or in time"),
    "kubeconfig": Verb("kubeconfig", "where the cluster's kubeconfig is, or copy it"),
    "lab": Verb("lab", "real throw-away hosts on this machine, to learn and rehearse"),
    "artifacts": Verb("artifacts", "list the release's files and images, from the manifest alone"),
    "bundle": Verb("bundle", "carry the whole release in one file: create, verify, unpack, split ..."),
    "download": Verb("download", "fetch every file of the release, verified; resumes"),
    "tools": Verb("tools", "check-artifacts: are all files here and whole? check-driver: is a driver sound?"),
    "install": Verb("run", "the original's name for `run`: the same"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one verb. Returns the exit code; see mk8s.errors.ExitCode."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] in ("--version", "-V"):
        print(f"mk8s {VERSION}")
        return 0
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview())
        return 0
    if words[0] not in VERBS:
        return _unknown(words[0])
    return _run_verb(words[0], words[1:])


def overview() -> str:
    verbs = "\n".join(f"  {name:<12}{verb.summary}" for name, verb in VERBS.items())
    return (
        "usage: mk8s VERB [OPTIONS] ...\n\n"
        "Turns networked Linux machines into a highly available Kubernetes cluster, from one manifest.\n\n"
        f"{verbs}\n\n"
        "`mk8s VERB --help` says more about each.\n"
        "Exit status:  0 done  ·  1 a node needs you  ·  2 the manifest or the command line needs you\n"
        "              75 another mk8s works on this cluster  ·  130 interrupted, resumable"
    )


def _unknown(word: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(word, VERBS, 1)
    hint = f"did you mean `mk8s {near[0]}`?" if near else "`mk8s --help` lists the verbs"
    print(f"error: there is no verb {word!r}\nhint: {hint}", file=sys.stderr)
    return 2


def _run_verb(name: str, words: list[str]) -> int:
    from argparse import ArgumentParser, RawDescriptionHelpFormatter

    module = import_module(f"mk8s.cli.{VERBS[name].module}")
    parser = ArgumentParser(
        prog=f"mk8s {name}", description=module.__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    module.add_arguments(parser)
    try:
        args = _parsed(parser, name, words)
        _ask_passwords(args)
        code = int(module.main(args))
        if sys.stdout:
            sys.stdout.flush()  # here, where a refusal can still be told
        return code
    except BrokenPipeError:
        _drop_output()  # the reader of our data went away
        return 0
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        return _report(first_problem(error))
    except BaseExceptionGroup as group:  # what Ctrl-C becomes where several nodes are asked at once
        if group.split(KeyboardInterrupt)[1] is not None:
            raise
        return _interrupted()


def _interrupted() -> int:
    print("interrupted", file=sys.stderr)
    return 130


def _parsed(parser: ArgumentParser, name: str, words: list[str]) -> object:
    args = parser.parse_args(words)
    args.verb = name
    return args


def _ask_passwords(args: object) -> None:
    login, sudo = (getattr(args, name, False) for name in ("ask_password", "ask_sudo_password"))
    if login or sudo:
        from mk8s.keyboard import KEYBOARD

        KEYBOARD.ask(login=login, sudo=sudo)


def first_problem(error: Exception) -> Exception:
    """Of problems on several nodes at once, the first. Where a bug of ours is among them, all of it."""
    from mk8s.errors import Mk8sError

    leaves = list(_leaves(error))
    return leaves[0] if all(isinstance(leaf, Mk8sError) for leaf in leaves) else error


def _leaves(error: Exception) -> Iterator[Exception]:
    if not isinstance(error, ExceptionGroup):
        yield error
        return
    for part in error.exceptions:
        yield from _leaves(part)


def _report(error: Exception) -> int:
    """A user's mistake is a message; a mistake of ours keeps its traceback."""
    from traceback import print_exception

    from machines.words import printable
    from mk8s.errors import ExitCode, Mk8sError

    if _is_about_output(error):
        print(f"error: the output cannot be written: {error}", file=sys.stderr)
        print("hint: what stands there is cut off; free some space, or send it elsewhere", file=sys.stderr)
        _drop_output()
        return int(ExitCode.NODES_NEED_YOU)
    if isinstance(error, Mk8sError):
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return int(error.exit_code)
    print_exception(error)
    print("error: a mistake in mk8s, not yours; please report the lines above", file=sys.stderr)
    return int(ExitCode.INTERNAL)


def _is_about_output(error: Exception) -> bool:
    """A full disk behind stdout. Errors about files of ours have their name, or are problems already."""
    from errno import EDQUOT, EFBIG, EIO, ENOSPC

    full = (ENOSPC, EDQUOT, EFBIG, EIO)
    return isinstance(error, OSError) and error.filename is None and error.errno in full


def _drop_output() -> None:
    """Let Python's own last flush succeed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
