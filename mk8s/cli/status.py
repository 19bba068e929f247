"""Where every node is, as the journal says. With --ask, the nodes themselves are asked too (read-only).

Exit status 0 when every node is healthy, else 1. Of a simulation's journal it says so.

Examples:
  mk8s status cluster.yaml
  mk8s status cluster.yaml --output json
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from mk8s.cli.common import add_asking, add_manifest, add_output, add_state, say, say_asking

if TYPE_CHECKING:
    from machines.lock import Holder
    from mk8s.identity import Simulation

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
    simulation = past.simulation
    if simulation:
        say(f"note: {simulation.words}")
    rows = status_rows(project.cluster, past.history, past.records, simulated=simulation is not None)
    if args.ask:
        say_asking(project.cluster)
        answers = audit_now(project, project.state(args.state))
        rows = [row.answered(answers.get(row.node)) for row in rows]
    print(json.dumps([row.as_data() for row in rows]) if args.output == "json" else status_text(rows))
    healthy = sum(row.healthy for row in rows)
    said = f"{healthy} of {len(rows)} healthy{', as simulated' if simulation and not args.ask else ''}"
    say(f"{said}{_next(project.words(args.state), going, simulation, all_healthy=healthy == len(rows))}")
    return 0 if healthy == len(rows) else 1


def _next(words: str, going: Holder | None, simulation: Simulation | None, *, all_healthy: bool) -> str:
    """The end of the last line: the next command, which is none that is refused."""
    if going:
        return f"; a run goes on ({going}).  Next: mk8s journal {words} --follow"
    if simulation:
        return f"; no run goes on from a simulation.  Next: move {simulation.journal} {simulation.remedy}"
    return "" if all_healthy else f".  Next: mk8s run {words}"
