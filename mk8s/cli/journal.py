"""What happened, record by record. Reads the journal; works while a run goes on.

Examples:
  mk8s journal cluster.yaml
  mk8s journal cluster.yaml --node 10-0-0-12
  mk8s journal cluster.yaml --output json | jq 'select(.kind == "error")'
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_manifest, add_output, add_state

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    add_output(parser, "text", "json")
    parser.add_argument("--node", help="only this node's records, by name or address")


def main(args: Namespace) -> int:
    from machines.records import encode
    from mk8s.past import read_past
    from mk8s.project import load_project
    from mk8s.screen.words import record_as_text

    project = load_project(args.manifest)
    wanted = project.node(args.node).name if args.node else None
    past = read_past(project, args.state)
    titles = past.titles
    for record in past.records:
        if wanted is None or record.node == wanted:
            print(encode(record).decode() if args.output == "json" else record_as_text(record, titles))
    return 0
