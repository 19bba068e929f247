"""Make the nodes in the manifest into one Kubernetes cluster.

Running it again is safe: what is finished is recognised and left alone. If it was interrupted, by
Ctrl-C, a lost power line or kill -9, the same command resumes where it stopped. A node that failed is
tried again. Ctrl-C once stops in an orderly way; twice, at once.

With --learn or --profile (or `simulation:` in the manifest) it also says how long it will take, as soon as
that is rehearsed beside it, and in the end by how much that was wrong. It waits for no prediction.

Examples:
  mk8s run cluster.yaml
  mk8s run cluster.yaml --output json > events.jsonl
  mk8s run cluster.yaml --learn ../earlier/.mk8s/cluster
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_asking, add_manifest, add_output, add_state, number
from mk8s.cli.forecasting import add_sources

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    add_output(parser, "text", "plain", "json")
    add_asking(parser)
    add_sources(parser)
    parser.add_argument(
        "--grace",
        type=number("a number of seconds from 0 on", least=0),
        default=30.0,
        metavar="SECONDS",
        help="what running work gets after Ctrl-C (default: 30)",
    )


def main(args: Namespace) -> int:
    from functools import partial

    from mk8s.cli.forecasting import sources_of
    from mk8s.running import run_cluster

    return int(run_cluster(args.manifest, args.state, args.output, args.grace, partial(sources_of, args)))
