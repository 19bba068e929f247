"""Where every node is, as the journal says. With --ask, the nodes themselves are asked too (read-only).

Exit status 0 when every node is healthy, else 1.

Examples:
  mk8s status cluster.yaml
  mk8s status cluster.yaml --output json
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_asking, add_manifest, add_output, add_state, say, say_asking

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    add_output(parser, "text", "json")
    add_asking(parser)
    parser.add_argument(
        "--ask", action="store_true", help="ask the nodes that are healthy whether they still are"
    )


def main(args: Namespace) -> int:
    from mk8s.audit import audit_now
    from mk8s.past import holder_of, read_past
    from mk8s.project import load_project
    from mk8s.status import status_rows, status_text

    project = load_project(args.manifest)
    going = holder_of(project.past_state(args.state).journal)  # before the journal, which may end meanwhile
    past = read_past(project, args.state)
    rows = status_rows(project.cluster, past.history, past.records)
    if args.ask:
        say_asking(project.cluster)
        answers = audit_now(project, project.state(args.state))
        rows = [row.answered(answers.get(row.node)) for row in rows]
    print(json.dumps([row.as_data() for row in rows]) if args.output == "json" else status_text(rows))
    healthy = sum(row.healthy for row in rows)
    words = project.words(args.state)
    following = f"; a run goes on ({going}).  Next: mk8s journal {words} --follow" if going else ""
    left = "" if healthy == len(rows) else f".  Next: mk8s run {words}"
    say(f"{healthy} of {len(rows)} healthy{following or left}")
    return 0 if healthy == len(rows) else 1
