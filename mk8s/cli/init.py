"""Print a manifest to begin with: sound, commented, with the distro's own defaults. Touches nothing.

Examples:
  mk8s init --distro k3s > cluster.yaml
  mk8s init --distro rke2 --servers 3 --agents 20 --to cluster.yaml
"""

from __future__ import annotations

import getpass
from argparse import ArgumentParser, Namespace
from pathlib import Path

from mk8s.cli.common import say

__all__ = ["add_arguments", "main"]

MOST = 100  # of each role: addresses in the example's network


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--distro", default="rke2", help="rke2 (default), k3s, k0s, kubeadm, vanilla ...")
    parser.add_argument("--version", dest="release", metavar="RELEASE", help="such as v1.33.4+k3s1")
    parser.add_argument("--servers", type=int, default=3, metavar="N", help="1 to 100 (default: 3)")
    parser.add_argument("--agents", type=int, default=2, metavar="N", help="0 to 100 (default: 2)")
    parser.add_argument("--connected", action="store_true", help="the nodes' network may be used: no air gap")
    parser.add_argument("--to", type=Path, metavar="FILE", help="write it there, unless the file is there")


def main(args: Namespace) -> int:
    from mk8s.errors import UsageError
    from mk8s.manifest.starting import VERSIONS, Start, starting_manifest
    from mk8s.report.files import write_new

    distro, version = _known(args.distro), args.release or VERSIONS.get(args.distro)
    if version is None:
        raise UsageError(f"{distro} needs a release", remedy="name one with --version")
    if not (1 <= args.servers <= MOST and 0 <= args.agents <= MOST):
        raise UsageError(
            f"{args.servers} servers and {args.agents} agents are not possible here",
            remedy=f"name 1 to {MOST} servers and 0 to {MOST} agents; the file can be edited to any number",
        )
    text = starting_manifest(
        Start(distro, version, args.servers, args.agents, getpass.getuser(), not args.connected)
    )
    if args.to is None:
        print(text, end="")
        return 0
    write_new(args.to, text.encode(), "--to")
    say(f"wrote {args.to}\nNext: write your nodes' addresses into it, then mk8s validate {args.to}")
    return 0


def _known(name: str) -> str:
    """The distro, if there is a driver for it. Raises ManifestError with what comes close."""
    from mk8s.distros.base import load_distro

    return load_distro(name).name
