"""Show what a run would do on each node, how long it takes, and what bounds it. Changes nothing.

The prediction comes from rehearsing exactly this manifest with several seeds. Release files that are not here
yet get nominal sizes. With --facts the nodes are asked, read-only, what they are and have: a plan then says
which steps are true already and how files differ. With --commands, the commands and the contents of files too
(never a secret's). Exit status 1 when a node did not answer, is not well any more, or would not become so.

Examples:
  mk8s plan cluster.yaml
  mk8s plan cluster.yaml --facts
  mk8s plan cluster.yaml --learn --output html --out plan.html
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mk8s.cli.common import add_asking, add_manifest, add_output, add_state, say, say_asking
from mk8s.cli.forecasting import add_forecasting, add_uplink, profile_of, uplink_of

if TYPE_CHECKING:
    from mk8s.planning.values import Plan

__all__ = ["add_arguments", "main"]

MOST_SEEDS = 10_000


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    add_output(parser, "text", "json", "html")
    add_asking(parser)
    add_forecasting(parser)
    parser.add_argument("--facts", action="store_true", help="ask the nodes what they are and have")
    parser.add_argument("--commands", action="store_true", help="the commands and files behind each step")
    parser.add_argument(
        "--seeds",
        type=seeds,
        metavar="N",
        help="rehearsals that the prediction rests on (default: 20, fewer for large clusters)",
    )
    add_uplink(parser, "the operator's link (default: 125, or as learnt)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the plan there instead of stdout")


def seeds(text: str) -> int:
    """A number of seeds from the command line."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= MOST_SEEDS:
        raise ArgumentTypeError(f"{text!r} is not a number of seeds from 1 to {MOST_SEEDS}")
    return value


def main(args: Namespace) -> int:
    from mk8s.amounts import bytes_in_words
    from mk8s.planning.now import Wishes, plan_now
    from mk8s.project import load_project

    project = load_project(args.manifest)
    _refuse_unwritable(args)
    profile = profile_of(args, project)
    if args.facts:
        say_asking(project.cluster)
    plan = plan_now(project, Wishes(args.state, args.facts, args.seeds, profile, uplink_of(args)))
    _give(args, _shown(plan, args))
    size = plan.bytes_to_send
    left = (
        f"at most {bytes_in_words(size)} to send to {len(plan.nodes)} nodes"
        if size
        else "no file is to be sent"
    )
    say(f"\n{left}.  Next: {_next(plan, project.words(args.state))}")
    return 1 if plan.needs_a_look else 0


def _next(plan: Plan, manifest: str) -> str:
    if plan.is_unsaid:
        return "mend what is said above"
    is_over = plan.forecast is None and plan.ill  # a run would say so, and change nothing
    return f"mk8s {'health' if is_over else 'run'} {manifest}"


def _shown(plan: Plan, args: Namespace) -> str:
    if args.output == "json":
        from mk8s.planning.data import plan_as_data

        return json.dumps(plan_as_data(plan), indent=1)
    if args.output == "html":
        from mk8s.planning.page import plan_as_page

        return plan_as_page(plan, commands=args.commands)
    from mk8s.planning.text import plan_as_text

    return plan_as_text(plan, commands=args.commands)


def _refuse_unwritable(args: Namespace) -> None:
    """Before nodes are asked and seeds are tried."""
    from mk8s.report.files import refuse_page, refuse_whole

    if args.out is None:
        return
    if args.output == "html":
        refuse_page(args.out)
    else:
        refuse_whole(args.out, manifest=args.manifest)


def _give(args: Namespace, text: str) -> None:
    from mk8s.report.files import write_page, write_whole

    if args.out is None:
        print(text)
    elif args.output == "html":
        write_page(args.out, text)
    else:
        write_whole(args.out, (text + "\n").encode(), manifest=args.manifest)
