"""Show what a run would do on each node, step by step. Connects to no node.

What a host already has is not known without looking, so every step is shown; a run skips those that
are true already. With --commands, the commands and the contents of files too (never a secret's).

Examples:
  mk8s plan cluster.yaml
  mk8s plan cluster.yaml --commands
  mk8s plan cluster.yaml --output json
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_manifest, add_output, say

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_output(parser, "text", "json")
    parser.add_argument("--commands", action="store_true", help="the commands and files behind each step")


def main(args: Namespace) -> int:
    from mk8s.amounts import bytes_in_words
    from mk8s.images import images_in
    from mk8s.plan import make_plan, plan_as_data, plan_as_text
    from mk8s.project import load_project
    from mk8s.release import find_release
    from mk8s.tables import node_machine

    project = load_project(args.manifest)
    cluster = project.cluster
    release = find_release(cluster, project.distro)
    spec = node_machine(cluster, pacing=project.distro.pacing(cluster))
    plans = make_plan(cluster, project.distro, spec, release, images_in(release))
    if args.output == "json":
        print(json.dumps(plan_as_data(plans), indent=1))
        return 0
    print(plan_as_text(plans, commands=args.commands))
    total = sum(plan.bytes_to_send for plan in plans)
    say(f"\nat most {bytes_in_words(total)} to send to {len(plans)} nodes.  Next: mk8s run {project.words()}")
    return 0
