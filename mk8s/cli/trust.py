"""Show the SSH host keys of all nodes and bastions once, ask once, and pin them for this cluster.

Compare the fingerprints with what the machines' consoles or their hoster say before you agree:
`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints them there. Keys that are known already are left
as they are. A changed key is refused until it is named with --replace. What stands behind a bastion that is
not trusted yet is shown after that one. Nobody logs in to a node.

Exit status 0 when every host is trusted now; 1 when one is not; 2 when nobody could be asked.

Examples:
  mk8s trust cluster.yaml
  mk8s trust cluster.yaml --check fingerprints.txt
  mk8s trust cluster.yaml --replace node-3
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mk8s.cli.common import add_asking, add_manifest, add_output, add_state, say

if TYPE_CHECKING:
    from mk8s.trusting import Listed, Look, Trust

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    add_output(parser, "text", "json")
    add_asking(parser, sudo=False)
    parser.add_argument("--yes", action="store_true", help="accept new keys without asking")
    parser.add_argument(
        "--check",
        type=Path,
        metavar="FILE",
        help="accept exactly the new keys whose fingerprints stand in this list, without asking",
    )
    parser.add_argument(
        "--replace",
        action="append",
        default=[],
        metavar="NODE",
        help="accept this node's (or bastion's address's) changed key; may be repeated",
    )


def main(args: Namespace) -> int:
    import trio

    from machines.words import printable
    from mk8s.connect import Roads
    from mk8s.project import load_project
    from mk8s.trusting import Trust, listed_fingerprints

    project = load_project(args.manifest)
    listed = listed_fingerprints(args.check) if args.check else None
    state = project.state(args.state)
    roads = Roads(project.cluster, state.known_hosts, accept_new=False, everywhere=True)
    trust = Trust(roads)
    for node in project.cluster.nodes:
        if not node.login.local and node.name not in roads.ways:
            say(f"{node.name}: only your own ssh finds the way there: trust it with `ssh {node.address}`")
    refuse_strange_names(args.replace, trust, args.manifest)

    async def rounds() -> None:
        while looks := await trust.look():
            if args.output == "text":
                print(printable(table(looks)))
            accept(trust, looks, args, listed)

    trio.run(rounds)
    if args.output == "json":
        print(json.dumps([look.as_data() for look in trust.looks.values()], indent=1))
    return conclusion(trust, project.words(args.state))


def refuse_strange_names(wanted: Sequence[str], trust: Trust, manifest: Path) -> None:
    """A misspelt --replace must not look as if it had been done. Bastions are named by their address."""
    from mk8s.errors import UsageError

    known = {name for look in trust.looks.values() for name in (*look.names, look.hop.host)} - {"bastion"}
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"--replace {name}: {manifest} has no such node", remedy=", ".join(sorted(known))
            )


def accept(trust: Trust, looks: Sequence[Look], args: Namespace, listed: Listed | None) -> None:
    """Pin what may be pinned of one round: by the list, by --yes, or by asking."""
    from mk8s.trusting import is_listed

    candidates = [look for look in looks if look.state == "new" or may_be_replaced(look, args.replace)]
    if listed is not None:
        names = [name for look in trust.looks.values() for name in (*look.names, look.hop.host)]
        for look in candidates:
            if not is_listed(look, listed, names):
                say(f"{named(look)}: {look.fingerprint} is not on the list as this host's: not trusted")
        candidates = [look for look in candidates if is_listed(look, listed, names)]
    elif candidates and not args.yes and not agreed(len(candidates)):
        candidates = []
    trust.pin(candidates)


def replaceable(look: Look) -> str:
    """What --replace calls it."""
    return look.hop.host if look.names[0] == "bastion" else look.names[0]


def may_be_replaced(look: Look, replace: Sequence[str]) -> bool:
    return look.state == "changed" and bool({*look.names, look.hop.host} & set(replace))


def agreed(count: int) -> bool:
    from mk8s.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(
            "nobody is there to be asked: standard input is no terminal",
            remedy="compare the fingerprints, then run it again with --yes; or give a list: --check FILE",
        )
    print(
        f"Trust {'this key' if count == 1 else f'these {count} keys'}? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def named(look: Look) -> str:
    return ", ".join(look.names)


def table(looks: Sequence[Look]) -> str:
    """A host a line: what it is called, where, its key, and what is known of it."""
    rows = [("HOST", "ADDRESS", "KEY", "FINGERPRINT", "")]
    rows += [
        (named(look), look.known_name, look.kind or "-", look.fingerprint or "-", look.state)
        for look in looks
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines += [f"{named(look)}: {look.problem}" for look in looks if look.problem]
    return "\n".join(lines)


def conclusion(trust: Trust, again: str) -> int:
    """The last words, and the exit status."""
    from mk8s.trusting import GOOD

    looks = list(trust.looks.values())
    for twins in trust.twins():
        names = " and ".join(f"{named(look)} ({look.hop.host})" for look in twins)
        say(f"{names} have the same host key: machines from one image share it; make each a new one there")
    for look in looks:
        if look.state == "pinned":
            for file, line in trust.still_known(look):
                say(f"{named(look)}: {file}:{line} has another key, which is still trusted; remove that line")
    left = [look for look in looks if look.state not in GOOD]
    for look in left:
        if look.state == "changed":
            say(
                f"{named(look)}: if you know that it was reinstalled: "
                f"mk8s trust {again} --replace {replaceable(look)}"
            )
    pinned = sum(look.state == "pinned" for look in looks)
    say(f"{len(looks) - len(left)} of {len(looks)} hosts trusted, {pinned} of them now")
    if not left:
        say(f"Next: mk8s preflight {again}")
    return 1 if left else 0
