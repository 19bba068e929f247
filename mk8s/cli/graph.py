"""Draw the node machine from the very table that runs. With a manifest, its policy is in the picture.

With --run, a recorded run is drawn into it: how many nodes are in each state, and how often each way,
each retry and each failure's way was taken. With --sequence, the run is drawn as messages in time
instead; more than 12 nodes stand together by their role. svg needs no other program.

Examples:
  mk8s graph --format svg > machine.svg
  mk8s graph > machine.mmd
  mk8s graph cluster.yaml --format dot | dot -Tpdf > machine.pdf
  mk8s graph cluster.yaml --run --format svg > run.svg
  mk8s graph cluster.yaml --sequence --format plantuml
  mk8s simulate cluster.yaml --journal sim.jsonl; mk8s graph cluster.yaml --run --journal sim.jsonl
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mk8s.cli.common import add_recorded

if TYPE_CHECKING:
    from machines import Table
    from machines.diagrams.picture import Taken

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "manifest", type=Path, nargs="?", help="the cluster's manifest; its policy is drawn too"
    )
    parser.add_argument("--format", choices=("mermaid", "dot", "plantuml", "svg"), default="mermaid")
    parser.add_argument("--run", action="store_true", help="what a recorded run did is drawn too")
    parser.add_argument(
        "--sequence", action="store_true", help="a recorded run as messages in time (mermaid, plantuml)"
    )
    add_recorded(parser)


def main(args: Namespace) -> int:
    _refuse_nonsense(args)
    if args.sequence:
        print(_sequence(args), end="")
        return 0
    table, taken = _recorded(args) if args.run else (_machine(args.manifest), None)
    print(_drawn(args.format, table, taken), end="")
    return 0


def _refuse_nonsense(args: Namespace) -> None:
    from mk8s.errors import UsageError

    wants_run = args.run or args.sequence
    if wants_run and args.manifest is None:
        which = "--run" if args.run else "--sequence"
        raise UsageError(
            "a run is one of a cluster", remedy=f"name its manifest: mk8s graph cluster.yaml {which}"
        )
    if (args.journal or args.state) and not wants_run:
        raise UsageError(
            "--journal and --state name a recorded run, and none is drawn", remedy="add --run or --sequence"
        )
    if args.sequence and args.format not in ("mermaid", "plantuml"):
        raise UsageError(
            f"messages in time are not drawn as {args.format}", remedy="--format mermaid or plantuml"
        )


def _machine(manifest: Path | None) -> Table:
    from machines.loading import load_machine
    from mk8s.project import load_project
    from mk8s.resources import spec_path
    from mk8s.tables import node_machine, table_to_read

    if manifest:
        project = load_project(manifest)
        spec = node_machine(project.cluster, pacing=project.distro.pacing(project.cluster))
    else:
        spec = load_machine(spec_path("machines", "node.yaml"))
    return table_to_read(spec)


def _recorded(args: Namespace) -> tuple[Table, Taken]:
    from machines.diagrams.taken import taken_by
    from mk8s.past import read_recorded
    from mk8s.project import load_project

    past = read_recorded(load_project(args.manifest), args.state, args.journal)
    table = past.history.table
    return table, taken_by(past.records, table)


def _sequence(args: Namespace) -> str:
    from machines.diagrams.sequence import mermaid_sequence, plantuml_sequence
    from machines.diagrams.story import story_of
    from mk8s.past import read_recorded
    from mk8s.project import load_project

    past = read_recorded(load_project(args.manifest), args.state, args.journal)
    story = story_of(past.records, past.history.table.spec)
    return mermaid_sequence(story) if args.format == "mermaid" else plantuml_sequence(story)


def _drawn(form: str, table: Table, taken: Taken | None) -> str:
    from machines.diagrams.dot import dot
    from machines.diagrams.mermaid import mermaid
    from machines.diagrams.plantuml import plantuml
    from machines.diagrams.svg import machine_svg

    draw = {"mermaid": mermaid, "dot": dot, "plantuml": plantuml, "svg": machine_svg}[form]
    return draw(table, taken=taken)
