"""The original mk8s had `download PATH` and `install PATH`. The names are kept for what replaces them.

`mk8s run` does what `install` did. Downloading the release is not built yet: put the release files into
the folder that the manifest names as artifacts_dir.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from mk8s.errors import UsageError

__all__ = ["add_arguments", "main"]

INSTEAD = {
    "install": "use `mk8s run cluster.yaml`: it stages, installs and joins, and resumes",
    "download": "put the release files into the manifest's artifacts_dir yourself; "
    "`mk8s validate cluster.yaml` lists what is missing",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", help="ignored")


def main(args: Namespace) -> int:
    raise UsageError(f"`mk8s {args.verb}` is not built yet", remedy=INSTEAD[args.verb])
