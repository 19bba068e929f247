"""Write one HTML page about a run: timeline of all nodes, critical path, predicted against measured, errors.

The page needs nothing else: no network, no other file. It reads the journal and the transcript of the
run; no node is asked, and it works while a run goes on. With --simulate it is the page of a rehearsal.

Examples:
  mk8s report cluster.yaml                     (writes report-NAME.html here)
  mk8s report cluster.yaml --learn             (predicts with the durations of this cluster's own runs)
  mk8s report cluster.yaml --simulate --seed 7 --faults 0.02 --out rehearsal.html
  mk8s report cluster.yaml --out - | gzip > report.html.gz
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mk8s.cli.common import add_manifest, add_recorded, number, say
from mk8s.cli.forecasting import add_forecasting, add_uplink, profile_of, uplink_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machines import Record
    from mk8s.forecast.comparing import Comparison
    from mk8s.forecast.profile import Profile
    from mk8s.project import Project
    from mk8s.report.run import View
    from mk8s.transcript import Transcript

__all__ = ["add_arguments", "main"]

STDOUT = Path("-")
HIGHEST_RATE = 0.5


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_recorded(parser)
    parser.add_argument("--simulate", action="store_true", help="rehearse the manifest, and report that")
    parser.add_argument("--seed", type=int, default=0, help="of the rehearsal (default: 0)")
    parser.add_argument(
        "--faults",
        type=number("a rate from 0 to 0.5", least=0),
        default=0.0,
        metavar="RATE",
        help="of the rehearsal: 0 to 0.5, per operation (default: 0)",
    )
    add_uplink(parser, "the operator's link, for the rehearsal and the prediction (default: 125)")
    add_forecasting(parser)
    parser.add_argument("--no-prediction", action="store_true", help="do not predict the run beside it")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to (default: report-NAME.html here; - is stdout)"
    )


def main(args: Namespace) -> int:
    from mk8s.project import load_project
    from mk8s.report.files import refuse_page, write_page
    from mk8s.report.run import run_page

    _refuse_nonsense(args)
    project = load_project(args.manifest, keys=False)
    out = args.out or Path(f"report-{project.cluster.name}.html")
    if args.out != STDOUT:
        refuse_page(out)
    view = _simulated(args, project) if args.simulate else _recorded(args, project)
    text = run_page(view)
    if args.out == STDOUT:
        sys.stdout.write(text)
        return 0
    write_page(out, text)
    print(out)
    return 0


def _refuse_nonsense(args: Namespace) -> None:
    from mk8s.errors import UsageError

    sources = [name for name in ("state", "journal", "simulate") if getattr(args, name)]
    if len(sources) > 1:
        raise UsageError(
            f"--{sources[0]} and --{sources[1]} name two runs", remedy="a page is about one: leave one out"
        )
    if (args.seed or args.faults) and not args.simulate:
        raise UsageError("--seed and --faults are of a rehearsal", remedy="add --simulate, or leave them out")
    if args.faults > HIGHEST_RATE:
        raise UsageError(f"--faults {args.faults} is too many", remedy=f"give a rate up to {HIGHEST_RATE}")


def _simulated(args: Namespace, project: Project) -> View:
    from machines.simulation import FAULT_KINDS, FaultPlan
    from mk8s.forecast.sizes import sizes_at_hand, sizes_in_words
    from mk8s.rehearsal import Conditions, rehearse

    profile = profile_of(args, project)
    sizes = sizes_at_hand(project.cluster, project.distro)
    rates = dict.fromkeys(FAULT_KINDS, args.faults / len(FAULT_KINDS))
    say("simulated hosts, virtual time: no node is touched")
    say(f"sizes of files: {sizes_in_words(sizes)}")
    run = rehearse(
        Conditions(
            project.cluster,
            project.distro,
            profile,
            uplink_of(args),
            release=sizes.release,
            images=_images(project),
        ),
        args.seed,
        faults=FaultPlan(args.seed, rates) if args.faults else None,
        keep_transcript=True,
    )
    said = f"seed {args.seed}" + (f", faults {args.faults:g}" if args.faults else "")
    return _view(args, project, profile, run.records, run.transcript, simulated=said)


def _recorded(args: Namespace, project: Project) -> View:
    """What a state folder or a file holds. Raises Mk8sError where there is no run to tell of."""
    from machines.words import printable
    from mk8s.changes import come_and_gone
    from mk8s.past import read_recorded, transcript_beside

    past = read_recorded(project, args.state, args.journal)
    records, changes = past.records, come_and_gone(past.history.lives, project.cluster)
    for each in changes:
        say(printable(f"{args.manifest} has changed since: {each}"))
    simulation = past.simulation
    how = f"from {past.journal}" + (
        ", which goes on from a real run" if simulation and simulation.first > 1 else ""
    )
    return _view(
        args,
        project,
        profile_of(args, project),
        records,
        transcript_beside(project, args.state, records, args.journal),
        simulated=how if simulation else "",
        kept_in=str(args.journal or project.past_state(args.state).folder),
        changes=changes,
    )


def _view(
    args: Namespace,
    project: Project,
    profile: Profile,
    records: Sequence[Record],
    transcript: Transcript,
    *,
    simulated: str = "",
    kept_in: str = "",
    changes: Sequence[str] = (),
) -> View:
    from dataclasses import replace

    from mk8s.report.run import View
    from mk8s.rollout import titles_of
    from mk8s.tables import node_machine
    from mk8s.timeline import timeline_of

    cluster = project.cluster
    spec = node_machine(cluster, pacing=project.distro.pacing(cluster))
    view = View(
        cluster=cluster,
        timeline=timeline_of(records, spec, transcript),
        titles=titles_of(spec),
        transcript=transcript,
        simulated=simulated,
        source=profile.source,
        kept_in=kept_in,
        changes=changes,
    )
    if args.no_prediction or (args.simulate and not args.faults):
        return view
    return replace(view, comparison=_compared(args, project, profile, view))


def _compared(args: Namespace, project: Project, profile: Profile, view: View) -> Comparison:
    from mk8s.report.foreseeing import compared, seeds_of

    seeds = seeds_of(project.cluster)
    say(f"predicting the run with {seeds} seeds (--no-prediction leaves that out)")
    return compared(
        project.cluster,
        project.distro,
        view.timeline,
        profile,
        uplink_of(args),
    )


def _images(project: Project) -> tuple[str, ...]:
    from mk8s.images import images_of

    cluster = project.cluster
    files = {item.id: cluster.artifacts_dir / item.file for item in project.distro.artifacts(cluster)}
    return images_of(files)
