"""Why a node is where it is: what it waits for, down to the root, what was tried, what is next, what to do.

Without a node, the whole cluster: what bounds it, who is held back by that, and the one or two things to do.
With an edge, what that edge does on the node: the driver's steps, with their commands and files, and what
came of them. Reads the journal; asks no node, so it works while a run goes on.

Examples:
  mk8s explain cluster.yaml
  mk8s explain cluster.yaml 10-0-0-12
  mk8s explain cluster.yaml 10-0-0-12 join-server
  mk8s explain cluster.yaml --output json | jq '.roots'
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from mk8s.cli.common import add_manifest, add_output, add_state

if TYPE_CHECKING:
    from mk8s.project import Project

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    parser.add_argument("node", nargs="?", help="a node's name, or its address; all where left out")
    parser.add_argument("edge", nargs="?", help="what this edge does on the node, such as join-server")
    add_state(parser)
    add_output(parser, "text", "json")


def main(args: Namespace) -> int:
    from mk8s.project import load_project

    project = load_project(args.manifest)
    told = _edge(project, args) if args.edge else _reasons(project, args)
    print(told if isinstance(told, str) else json.dumps(told, indent=1))
    return 0


def _reasons(project: Project, args: Namespace) -> str | dict[str, Any]:
    from mk8s.explaining.data import cluster_as_data, node_as_data
    from mk8s.explaining.now import scene_now
    from mk8s.explaining.reasons import Reasons
    from mk8s.explaining.text import cluster_as_text, node_as_text

    node = project.node(args.node).name if args.node else None
    scene = scene_now(project, args.state)
    reasons = Reasons(scene)
    if args.output == "json":
        return node_as_data(node, scene, reasons) if node else cluster_as_data(scene, reasons)
    return node_as_text(node, scene, reasons) if node else cluster_as_text(scene, reasons)


def _edge(project: Project, args: Namespace) -> str | dict[str, Any]:
    from mk8s.explaining.edges import edge_as_data, edge_as_text, edge_view

    view = edge_view(project, project.node(args.node), args.edge, args.state)
    return edge_as_data(view) if args.output == "json" else edge_as_text(view)
