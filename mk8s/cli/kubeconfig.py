"""Print the path of the cluster's kubeconfig, or copy it. Its content is never printed.

Examples:
  export KUBECONFIG=$(mk8s kubeconfig cluster.yaml)
  mk8s kubeconfig cluster.yaml --copy-to ~/.kube/config
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from mk8s.cli.common import add_manifest, add_state, say

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    parser.add_argument(
        "--copy-to", type=Path, metavar="FILE", help="write a copy there, for its owner only (0600)"
    )
    parser.add_argument("--force", action="store_true", help="let --copy-to replace a file that is there")


def main(args: Namespace) -> int:
    from mk8s.errors import Mk8sError, UsageError
    from mk8s.past import refuse_no_folder
    from mk8s.project import load_project
    from mk8s.report.files import refuse_needed
    from mk8s.state import write_private

    project = load_project(args.manifest)
    if joins := project.cluster.joins:
        raise Mk8sError(
            f"{project.cluster.name} has no kubeconfig of its own: its nodes joined {joins.address}",
            remedy="take it from the control plane that they joined",
        )
    path = project.past_state(args.state).kubeconfig
    if not path.exists():
        refuse_no_folder(project, args.state)
        raise Mk8sError(
            f"{project.cluster.name} has no kubeconfig here yet",
            cause="it is fetched when the first server is healthy",
            remedy=f"mk8s run {project.words(args.state)}",
        )
    if args.copy_to is None:
        print(path)
        return 0
    refuse_needed(args.copy_to, manifest=args.manifest, option="--copy-to")
    if args.copy_to.exists() and not args.force:
        raise UsageError(f"{args.copy_to} is there already", remedy="name another file, or add --force")
    write_private(args.copy_to, path.read_bytes())
    say(f"wrote {args.copy_to}")
    return 0
