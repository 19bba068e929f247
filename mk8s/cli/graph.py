"""Draw the node machine from the very table that runs. With a manifest, its policy is in the picture.

Examples:
  mk8s graph > machine.mmd
  mk8s graph cluster.yaml --format dot | dot -Tsvg > machine.svg
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "manifest", type=Path, nargs="?", help="the cluster's manifest; its policy is drawn too"
    )
    parser.add_argument("--format", choices=("mermaid", "dot"), default="mermaid")


def main(args: Namespace) -> int:
    from machines import Table
    from machines.diagrams.dot import dot
    from machines.diagrams.mermaid import mermaid
    from machines.loading import load_machine
    from mk8s.project import load_project
    from mk8s.resources import spec_path
    from mk8s.tables import node_machine

    if args.manifest:
        spec = node_machine(load_project(args.manifest).cluster)
    else:
        spec = load_machine(spec_path("machines", "node.yaml"))
    guards = {name.lstrip("!"): lambda _node: True for edge in spec.edges for name in edge.guard}
    table = Table(spec, guards)
    print(mermaid(table) if args.format == "mermaid" else dot(table), end="")
    return 0
