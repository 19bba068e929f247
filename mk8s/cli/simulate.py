"""Rehearse a run: the same code against modelled hosts in virtual time. Touches no node.

The release files need not be here. One seed gives the same run every time; --faults RATE lets
connections drop, hosts reboot, commands hang or fail at that rate per operation.

Examples:
  mk8s simulate cluster.yaml
  mk8s simulate cluster.yaml --seed 7 --faults 0.02
  mk8s simulate cluster.yaml --uplink 2        (a slow link: 2 MB/s)
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from mk8s.cli.common import add_manifest, add_output, number, say

__all__ = ["add_arguments", "main"]

MEGABYTE = 1_000_000
HIGHEST_RATE = 0.5


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_output(parser, "text", "json")
    parser.add_argument("--seed", type=int, default=0, help="repeats a run exactly (default: 0)")
    parser.add_argument(
        "--faults", type=rate, default=0.0, metavar="RATE", help="0 to 0.5, per operation (default: 0)"
    )
    parser.add_argument(
        "--uplink",
        type=number("a rate above 0", above=0),
        metavar="MB/S",
        help="the operator's link (default: 125)",
    )
    parser.add_argument("--journal", type=Path, metavar="FILE", help="write the run's journal there")


def rate(text: str) -> float:
    """A fault rate from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= HIGHEST_RATE:
        raise ArgumentTypeError(f"{text!r} is not a rate from 0 to {HIGHEST_RATE}")
    return value


def main(args: Namespace) -> int:
    from machines.simulation import FAULT_KINDS, FaultPlan
    from mk8s.images import images_of
    from mk8s.project import load_project
    from mk8s.rehearsal import rehearse
    from mk8s.rollout import edge_titles
    from mk8s.screen import EventScreen, PlainScreen
    from mk8s.summary import summary

    project = load_project(args.manifest)
    cluster = project.cluster
    faults = (
        FaultPlan(args.seed, dict.fromkeys(FAULT_KINDS, args.faults / len(FAULT_KINDS)))
        if args.faults
        else None
    )
    titles = edge_titles(cluster)
    states = {node.name: "pending" for node in cluster.nodes}
    screen = (
        EventScreen(sys.stdout, titles) if args.output == "json" else PlainScreen(sys.stderr, titles, states)
    )
    say("simulated hosts, virtual time: no node is touched")
    uplink = args.uplink * MEGABYTE if args.uplink else None
    files = {item.id: cluster.artifacts_dir / item.file for item in project.distro.artifacts(cluster)}
    run = rehearse(
        cluster,
        project.distro,
        seed=args.seed,
        faults=faults,
        images=images_of(files),
        observer=screen,
        uplink=uplink,
    )
    if args.journal:
        _keep(args.journal, run.journal)
    say(summary(cluster, run.result, run.records, project.words(), simulated=True))
    say(f"seed {args.seed}, journal sha256 {run.digest}")
    if args.output == "text":
        for name, state in run.result.states.items():
            print(f"{name}\t{state}")
    return 0 if run.result.ok else 1


def _keep(file: Path, journal: bytes) -> None:
    from mk8s.errors import UsageError

    try:
        file.write_bytes(journal)
    except OSError as error:
        remedy = "name another file with --journal"
        raise UsageError(f"{file} cannot be written: {error.strerror}", remedy=remedy) from error
