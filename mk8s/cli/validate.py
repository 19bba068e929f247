"""Check the manifest and, where they are named, the release files. Connects to no node.

Every fault is printed at once, with file, line and column. Exit status 0 when a run could begin.

Example:
  mk8s validate cluster.yaml
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_manifest, say

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    parser.add_argument("--manifest-only", action="store_true", help="do not look for the release files")


def main(args: Namespace) -> int:
    from mk8s.amounts import counted
    from mk8s.project import load_project
    from mk8s.release import check_release
    from mk8s.session import expiring_soon

    project = load_project(args.manifest)
    cluster = project.cluster
    for notice in project.notices:
        say(notice)
    if project.distro.needs(cluster) and (notice := expiring_soon(project, project.past_state())):
        say(notice)
    if not args.manifest_only:
        found = check_release(cluster, project.distro)
        unchecked = len(found.unchecked)
        verified = f"no hash is known of {unchecked}" if unchecked else "hashes verified"
        say(f"{counted(len(found.files), 'release file')} in {cluster.artifacts_dir}, {verified}")
    say(
        f"{args.manifest}: well formed: {cluster.name}, {cluster.distro} {cluster.version}, "
        f"{counted(len(cluster.servers), 'server')}, {counted(len(cluster.agents), 'agent')}"
    )
    say(f"Next: mk8s run {project.words()}")
    return 0
