"""Why a node is where it is: what it waits for, what was tried, what comes next, what you can do.

Reads the journal; asks no node, so it works while a run goes on.

Example:
  mk8s explain cluster.yaml 10-0-0-12
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_manifest, add_state

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    parser.add_argument("node", help="a node's name, or its address")
    add_state(parser)


def main(args: Namespace) -> int:
    from mk8s.explain import explain
    from mk8s.past import read_past
    from mk8s.project import load_project

    project = load_project(args.manifest)
    node = project.node(args.node)
    past = read_past(project, args.state)
    print(explain(node.name, past.history, past.records))
    return 0
