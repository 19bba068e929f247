"""Say whether the cluster is well: named conditions in order, each with its evidence. Changes nothing.

All of them are asked at once. A node that does not answer is told as such, and the rest is judged without
it. Exit status 0 when all is well, else 1.

Examples:
  mk8s health cluster.yaml
  mk8s health cluster.yaml --wait 10m
  mk8s health cluster.yaml --output json
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_asking, add_manifest, add_output, add_state, length_of_time, say, say_asking

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    add_output(parser, "text", "json")
    add_asking(parser)
    parser.add_argument(
        "--wait",
        type=length_of_time,
        default=0.0,
        metavar="TIME",
        help="ask again until all is well, at most for so long (90s, 10m)",
    )
    parser.add_argument(
        "--patience",
        type=length_of_time,
        default=30.0,
        metavar="TIME",
        help="how long one answer of a node is awaited (default: 30s)",
    )


def main(args: Namespace) -> int:
    import os

    from machines.words import printable
    from mk8s.asking import ask_cluster
    from mk8s.connect import refuse_missing_secrets
    from mk8s.health import Examination, Finding, bare_nodes, findings_as_data, findings_as_text
    from mk8s.past import find_past, real_part
    from mk8s.project import load_project
    from mk8s.rollout import Rollout

    project = load_project(args.manifest)
    refuse_missing_secrets(project.cluster, os.environ)
    past = find_past(project, args.state)
    real = real_part(project, past)
    bare = bare_nodes(project.cluster, real.history if real else None)
    if past and past.simulation:
        say(f"note: {past.simulation.words}")

    async def ask(rollout: Rollout) -> list[Finding]:
        examination = Examination(rollout.binding, args.patience, bare)
        if args.wait:
            return await examination.wait(args.wait, lambda words: say(printable(words)))
        say_asking(project.cluster)
        return await examination.look()

    found = ask_cluster(project, project.state(args.state), ask)
    text = json.dumps(findings_as_data(found), indent=1) if args.output == "json" else findings_as_text(found)
    print(text if args.output == "json" else printable(text))
    met = sum(finding.met for finding in found)
    say(f"{met} of {len(found)} conditions met; nothing was changed")
    if met < len(found) and past is None:
        say(f"{project.cluster.name} has not been run from here yet")
        say(f"Next: mk8s run {project.words(args.state)}")
    elif past and past.simulation:
        say(f"Next: move {past.journal} {past.simulation.remedy}")
    return 0 if met == len(found) else 1
