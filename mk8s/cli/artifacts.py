"""The files that a cluster is made of, from its manifest alone: nothing is asked of anybody.

  list   every file with its URL, where its hash comes from, which nodes get it and where it goes,
         then the container images, and what is not known before the download

Also for distros that cannot be installed yet (k3s, k0s).

Examples:
  mk8s artifacts list cluster.yaml
  mk8s artifacts list cluster.yaml --output json
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_manifest, add_output, add_verbs, say

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    verbs = add_verbs(parser, "VERB")
    listing = verbs.add_parser("list", help="every file of the release, and every image that is known")
    add_manifest(listing)
    add_output(listing, "text", "json")
    listing.set_defaults(handler=_list)


def main(args: Namespace) -> int:
    return int(args.handler(args))


def _list(args: Namespace) -> int:
    from mk8s.artifacts.catalogue import list_release
    from mk8s.artifacts.words import listed_as_data, listed_as_text
    from mk8s.project import load_listing

    project = load_listing(args.manifest)
    cluster = project.cluster
    listed = list_release(cluster, project.catalogue)
    if args.output == "json":
        print(json.dumps(listed_as_data(listed, cluster), indent=1))
        return 0
    print(listed_as_text(listed, cluster))
    count = len(listed.artifacts)
    say(f"\n{count} files of {cluster.distro} {cluster.version}.  Next: mk8s download {project.words()}")
    return 0
