"""Find trouble before a run does: look at every node and at the release, all together. Changes nothing.

Every check has a name, by which the manifest can waive it (`checks: {waive: [swap]}`). `mk8s run` makes
the same checks first, and begins only where none fails. Exit status 0 when a run could begin and every
node answered, else 1; 2 when only the release or the manifest is at fault, or the journal is of a simulation.

Examples:
  mk8s preflight cluster.yaml
  mk8s preflight cluster.yaml --all
  mk8s preflight cluster.yaml --output json
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from mk8s.cli.common import add_asking, add_manifest, add_output, add_state, say

if TYPE_CHECKING:
    from mk8s.past import Past
    from mk8s.project import Project

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    add_output(parser, "text", "json")
    add_asking(parser)
    parser.add_argument("--all", action="store_true", help="show the checks that passed, too")


def main(args: Namespace) -> int:
    import os

    from mk8s.connect import refuse_missing_secrets
    from mk8s.identity import refuse_simulated
    from mk8s.past import find_past
    from mk8s.preflight.now import preflight_now
    from mk8s.project import load_project
    from mk8s.release import inspect_release

    project = load_project(args.manifest)
    refuse_missing_secrets(project.cluster, os.environ)
    past = find_past(project, args.state)
    states = _states(project, past)
    release = inspect_release(project.cluster, project.distro)
    report = preflight_now(project, project.state(args.state), states, release, say=say)
    if args.output == "json":
        simulated = bool(past and past.simulation)
        print(json.dumps({**report.as_data(), "simulated": simulated}, indent=1))
    elif table := report.table(everything=args.all):
        print(table)
    say(f"preflight: {report.counted()}; nothing was changed on any node")
    if report.errors:
        return int(report.refusal)
    if past:
        refuse_simulated(past.records, past.journal)
    say(f"Next: mk8s run {project.words(args.state)}")
    return 1 if report.unasked else 0


def _states(project: Project, past: Past | None) -> dict[str, str]:
    """Where each node is, by what real runs wrote; those that none has begun with are not in it."""
    from mk8s.past import real_part

    if past and past.simulation:
        say(f"note: {past.simulation.words}")
    real = real_part(project, past)
    return {name: life.state for name, life in real.history.lives.items()} if real else {}
