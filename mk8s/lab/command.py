"""`mk8s lab`: the verbs, their options and what they print. stdout is data, stderr is talk."""

from __future__ import annotations

import json
import os
import sys
from argparse import REMAINDER, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mk8s.errors import ExitCode, Mk8sError

from .addresses import DEFAULT_SUBNET
from .host import HostStatus
from .lab import Lab
from .machine import require_root
from .manifest_writer import (
    DEFAULT_VERSIONS,
    ManifestChoices,
    machine_arch,
    machine_swaps,
    refuse_foreign,
    servers_of,
)
from .places import DEFAULT_NAME, cache_folder, lab_command, lab_folder
from .recipe import USERS
from .release_command import add_release
from .releases import choose_release

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["add_arguments", "add_parser", "main", "status_lines"]


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add `lab` to a program's verbs; the chosen verb's `handler` is in the parsed arguments."""
    add_arguments(subparsers.add_parser("lab", help="real throw-away hosts on this machine"))


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--name", default=DEFAULT_NAME, help="which lab: several can stand side by side (default: lab)"
    )
    verbs = parser.add_subparsers(dest="lab_verb", required=True, metavar="VERB")
    _add_up(verbs)
    _add_down(verbs)
    _add_status(verbs)
    _add_ssh(verbs)
    add_release(verbs, _say)
    _add_for_hosts(verbs, "kill", "cut the power of hosts; their disks stay", Lab.kill)
    _add_for_hosts(verbs, "cut", "pull the network cable of hosts", Lab.cut)
    _add_for_hosts(verbs, "heal", "undo kill and cut: plug in, power on, wait for SSH", Lab.heal)
    _add_for_hosts(verbs, "reboot", "reboot hosts in good order, wait for SSH", Lab.reboot)


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m mk8s.lab`. Returns the exit code."""
    parser = ArgumentParser(prog="mk8s lab", description="Real throw-away Linux hosts on this machine.")
    add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        return int(args.handler(args))
    except Mk8sError as error:
        _say(f"error: {error}")
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)


# -- the verbs' options


def _add_up(verbs: _SubParsersAction[ArgumentParser]) -> None:
    up = verbs.add_parser(
        "up",
        help="make it exactly N hosts, and write a manifest for them",
        description="Make it exactly N hosts, all running, and write a manifest. Running it again is safe.",
    )
    up.add_argument("count", type=int, metavar="N", help="how many hosts")
    up.add_argument("--prefix", default="node-", help="host names are this and a number (default: node-)")
    up.add_argument(
        "--subnet", help=f"their network (default: {DEFAULT_SUBNET}); the machine itself is .1 in it"
    )
    up.add_argument("--memory", type=int, default=0, metavar="MiB", help="limit of each host (default: none)")
    up.add_argument("--timeout", type=float, default=120, metavar="SECONDS", help="for all to be ready (120)")
    manifest = up.add_argument_group("the manifest")
    manifest.add_argument(
        "--manifest", type=Path, default=Path("cluster.yaml"), metavar="PATH", help="(cluster.yaml)"
    )
    manifest.add_argument("--no-manifest", action="store_true", help="write none")
    manifest.add_argument(
        "--servers", type=int, default=0, metavar="S", help="3 of five or more hosts, else 1"
    )
    manifest.add_argument("--user", choices=tuple(USERS), default="dev", help="who logs in (default: dev)")
    manifest.add_argument(
        "--distro",
        choices=tuple(DEFAULT_VERSIONS),
        default="rke2",
        help="rke2, k3s, k0s: a stand-in; kubeadm, vanilla: real Kubernetes, built once (default: rke2)",
    )
    manifest.add_argument("--version", default="", help=f"of the distro ({_versions()})")
    manifest.add_argument(
        "--artifacts", type=Path, metavar="DIR", help="release files that you have (default: they are built)"
    )
    up.set_defaults(handler=_up)


def _versions() -> str:
    return ", ".join(f"{distro} {version}" for distro, version in DEFAULT_VERSIONS.items())


def _add_down(verbs: _SubParsersAction[ArgumentParser]) -> None:
    down = verbs.add_parser("down", help="remove all hosts and all that belongs to them")
    down.add_argument("--purge", action="store_true", help="the cached Debian tree too")
    down.set_defaults(handler=_down)


def _add_status(verbs: _SubParsersAction[ArgumentParser]) -> None:
    status = verbs.add_parser("status", help="one line a host")
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(handler=_status)


def _add_ssh(verbs: _SubParsersAction[ArgumentParser]) -> None:
    ssh = verbs.add_parser("ssh", help="run a command on a host, or open a shell")
    ssh.add_argument("-u", "--user", choices=tuple(USERS), default="root")
    ssh.add_argument("number", type=int, metavar="I", help="the host's number")
    ssh.add_argument("words", nargs=REMAINDER, metavar="CMD", help="default: a shell")
    ssh.set_defaults(handler=_ssh)


def _add_for_hosts(
    verbs: _SubParsersAction[ArgumentParser], name: str, summary: str, do: Callable[[Lab, int], Any]
) -> None:
    def handler(args: Namespace) -> int:
        lab = _lab(args)
        for number in args.numbers:
            do(lab, number)
            _say(f"{name}: host {number} done")
        return ExitCode.DONE

    parser = verbs.add_parser(name, help=summary)
    parser.add_argument("numbers", type=int, nargs="+", metavar="I", help="the hosts' numbers")
    parser.set_defaults(handler=handler)


# -- what they do


def _up(args: Namespace) -> int:
    servers_of(args.count, args.servers)
    choices = None
    if not args.no_manifest:
        refuse_foreign(args.manifest)  # before anything is made
        require_root()  # before anything is built
        choices = _choices(args)
    lab = _lab(args, prefix=args.prefix, subnet=args.subnet)
    try:
        hosts = lab.up(args.count, memory=args.memory, timeout=args.timeout)
    except KeyboardInterrupt:
        up, down = lab_command(args.name, f"up {args.count}"), lab_command(args.name, "down")
        _say(f"interrupted: {up} goes on from here, {down} cleans up")
        raise
    first, last = hosts[0], hosts[-1]
    _say(f"{len(hosts)} hosts run: {first.name} ({first.address}) to {last.name} ({last.address})")
    if choices:
        lab.write_manifest(args.manifest, choices)
        _say(f"manifest: {args.manifest}\nNext: `mk8s run {args.manifest}`")
    return ExitCode.DONE


def _choices(args: Namespace) -> ManifestChoices:
    """What the manifest says beside its hosts; builds the release that it names where the user has none."""
    arch = machine_arch()
    release = choose_release(args.distro, args.version, args.artifacts, cache=_cache(), arch=arch, say=_say)
    return ManifestChoices(
        distro=args.distro,
        version=release.version,
        arch=arch,
        servers=args.servers,
        user=args.user,
        artifacts=release.folder,
        standin=release.standin,
        built=release.built,
        swaps=machine_swaps(),
    )


def _down(args: Namespace) -> int:
    count = _lab(args).down(purge=args.purge)
    _say(f"{count} hosts removed" if count else "there were no hosts")
    return ExitCode.DONE


def _status(args: Namespace) -> int:
    rows = _lab(args).status()
    if args.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print("\n".join(status_lines(rows)) or "no hosts")
    return ExitCode.DONE


def _ssh(args: Namespace) -> int:
    require_root()
    command = _lab(args).ssh_command(args.number, args.words, args.user)
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606  no shell is meant


def status_lines(rows: Sequence[HostStatus]) -> list[str]:
    """The table that `status` prints."""
    return [
        f"{row.number:>3}  {row.name:<12} {row.address:<15} {'running' if row.running else 'dead':<8}"
        f" link {row.link:<5} ssh {row.ssh:<12} {row.memory >> 20:>5} MiB {row.processes:>4} processes"
        for row in rows
    ]


def _lab(args: Namespace, **choices: Any) -> Lab:
    return Lab(lab_folder(args.name, os.environ, Path.home()), name=args.name, say=_say, **choices)


def _cache() -> Path:
    return cache_folder(os.environ, Path.home())


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
