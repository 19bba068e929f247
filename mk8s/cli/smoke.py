"""Prove that the cluster works, with six probes: secrets encrypted at rest, a deployment, port-forward,
logs, exec, and a service from every node. Nothing is needed on this machine: a server's own kubectl asks.

It makes a namespace of its own and removes it at the end. The pods' image has to be on the nodes already,
or where they can get it, and needs a shell and busybox's httpd. Exit status 0 when no probe failed, else 1.

Examples:
  mk8s smoke cluster.yaml
  mk8s smoke cluster.yaml --image registry.local/busybox:1.35
  mk8s smoke cluster.yaml --output json
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from mk8s.cli.common import add_asking, add_manifest, add_output, add_state, length_of_time, say

if TYPE_CHECKING:
    from mk8s.project import Project

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_state(parser)
    add_output(parser, "text", "json")
    add_asking(parser)
    parser.add_argument(
        "--image", default="", help="the pods' image (default: the manifest's smoke_image, or the distro's)"
    )
    parser.add_argument(
        "--patience",
        type=length_of_time,
        default=120.0,
        metavar="TIME",
        help="how long the pods may take to run (default: 2m)",
    )


def main(args: Namespace) -> int:
    import os

    from machines.words import printable
    from mk8s.asking import ask_cluster
    from mk8s.connect import refuse_missing_secrets
    from mk8s.project import load_project
    from mk8s.rollout import Rollout
    from mk8s.smoke import Probed, Smoke
    from mk8s.smoke_table import probes_as_data, probes_as_text

    project = load_project(args.manifest)
    refuse_missing_secrets(project.cluster, os.environ)
    image = _image(project, args.image)

    async def smoke(rollout: Rollout) -> list[Probed]:
        return await Smoke(rollout.binding, image, lambda words: say(printable(words)), args.patience).run()

    probed = ask_cluster(project, project.state(args.state), smoke)
    if args.output == "json":
        print(json.dumps(probes_as_data(probed), indent=1))
    else:
        print(printable(probes_as_text(probed)))
    failed = sum(known.result == "failed" for known in probed)
    say(f"{len(probed) - failed} of {len(probed)} probes did not fail" if failed else "no probe failed")
    return 1 if failed else 0


def _image(project: Project, given: str) -> str:
    from mk8s.errors import ManifestError

    cluster = project.cluster
    if cluster.joins:
        raise ManifestError(
            f"{project.manifest} has agents only, and smoke starts its pods from a server",
            remedy=f"run it where the servers of {cluster.joins.address} are managed",
        )
    image = given or cluster.smoke_image or project.distro.tools(cluster.primary, cluster).smoke_image
    if not image:
        raise ManifestError(
            f"{project.manifest} does not say from which image smoke's pods are made",
            remedy="name one that the nodes have, with a shell and busybox's httpd, such as busybox:1.36: "
            "`smoke_image:` in the manifest, or --image",
        )
    return image
