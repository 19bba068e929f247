"""Rehearse a run: the same code against modelled hosts in virtual time. Touches no node.

The release files need not be here: what is not counts with nominal sizes. One seed gives the same run every
time. Faults come by chance (--faults RATE per operation) or from scenarios, which say what happens to which
node, and when. Not simulated: the checks before a run (`mk8s preflight`).

Examples:
  mk8s simulate cluster.yaml
  mk8s simulate cluster.yaml --seed 7 --faults 0.02
  mk8s simulate cluster.yaml --runs 1000 --faults 0.02 --report runs.html
  mk8s simulate cluster.yaml --scenario slow-uplink --scenario my-day.yaml
  mk8s simulate cluster.yaml --from-state --scenario reboot-while-joining
  mk8s simulate cluster.yaml --runs 1000 --faults 0.05 --shrink --save smallest.yaml
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mk8s.cli.common import add_manifest, add_output, number, say
from mk8s.cli.forecasting import add_forecasting, add_uplink, profile_of, uplink_of

if TYPE_CHECKING:
    from mk8s.project import Project
    from mk8s.rehearsal import Rehearsal
    from mk8s.simulating.request import Request
    from mk8s.simulating.trial import Ended, Experiment
    from mk8s.transcript import Transcript

__all__ = ["add_arguments", "main"]

RATE = number("a rate from 0 to 0.5", least=0, most=0.5)
MOST_RUNS = 1_000_000
OWN = Path()  # of --from-state without a folder: this cluster's own


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_output(parser, "text", "json")
    parser.add_argument("--seed", type=int, help="repeats a run exactly (default: the scenario's, or 0)")
    parser.add_argument(
        "--runs", type=count, default=1, metavar="N", help="try so many seeds, from --seed on (default: 1)"
    )
    parser.add_argument("--jobs", type=count, metavar="N", help="processes for --runs (default: all cores)")
    parser.add_argument(
        "--faults", type=RATE, default=0.0, metavar="RATE", help="0 to 0.5, per operation (default: 0)"
    )
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="what goes wrong: a shipped scenario (an unknown name lists them), or a file; may be repeated",
    )
    parser.add_argument(
        "--from-state",
        nargs="?",
        const=OWN,
        type=Path,
        metavar="DIR",
        help="go on from the run in this state folder (default: this cluster's own), which is only read",
    )
    add_uplink(parser, "the operator's link (default: 125)")
    parser.add_argument("--shrink", action="store_true", help="find the fewest faults and nodes that fail")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the scenario of --shrink there")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write an HTML page about it there")
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="write the run's journal there, and its steps beside it"
    )
    add_forecasting(parser)


def exact(value: float) -> str:
    """A number as it was meant: every digit that matters, since the command beside a seed repeats it."""
    return repr(value).removesuffix(".0")


def count(text: str) -> int:
    """A number of runs or processes from the command line."""
    value = int(text) if text.isdecimal() and len(text) < 9 else 0
    if not 1 <= value <= MOST_RUNS:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_RUNS}")
    return value


def main(args: Namespace) -> int:
    from mk8s.project import load_project
    from mk8s.simulating.request import refuse_too_few
    from mk8s.simulating.resting import Resting
    from mk8s.simulating.saving import refuse_unwritable

    _refuse_nonsense(args)
    project = load_project(args.manifest)
    refuse_unwritable(args.manifest, report=args.report, journal=args.journal, scenario=args.save)
    request = _request(args, project)
    experiment = request.experiment(project)
    for words in experiment.cast.idle:
        say(f"note: {words}")
    refuse_too_few(experiment)
    say("simulated hosts, virtual time: no node is touched, and preflight's checks are not simulated")
    for words in Resting(experiment).words:
        say(words)
    seed = _first_seed(args, experiment)
    if args.runs == 1:
        return _one(args, request, experiment, seed)
    return _many(args, request, experiment, seed)


def _refuse_nonsense(args: Namespace) -> None:
    from mk8s.errors import UsageError

    if args.save and not args.shrink:
        raise UsageError("--save keeps what --shrink finds", remedy="add --shrink, or leave --save out")
    if args.journal and args.runs > 1:
        raise UsageError("--journal keeps one run's journal", remedy="leave --runs out, and give its --seed")


def _request(args: Namespace, project: Project) -> Request:
    from mk8s.forecast.sizes import sizes_at_hand
    from mk8s.images import images_of
    from mk8s.simulating.beginning import journal_of
    from mk8s.simulating.request import Request
    from mk8s.simulating.scenario import load_scenario

    cluster = project.cluster
    files = {item.id: cluster.artifacts_dir / item.file for item in project.distro.artifacts(cluster)}
    past = b""
    if args.from_state is not None:
        past = journal_of(project, None if args.from_state == OWN else args.from_state)
    return Request(
        manifest=args.manifest,
        rate=args.faults,
        scenarios=tuple(map(load_scenario, args.scenario)),
        profile=profile_of(args, project),
        uplink=uplink_of(args),
        sizes=sizes_at_hand(cluster, project.distro),
        images=images_of(files),
        past=past,
        words=_words(args),
    )


def _words(args: Namespace) -> tuple[str, ...]:
    """The options that decide how a seed goes."""
    words: list[str] = []
    if args.faults:
        words += ["--faults", exact(args.faults)]
    for scenario in args.scenario:
        words += ["--scenario", scenario]
    if args.from_state is not None:
        words += ["--from-state", *([] if args.from_state == OWN else [str(args.from_state)])]
    if args.uplink:
        words += ["--uplink", exact(args.uplink)]
    for folder in args.learn or ():
        words += ["--learn", *([] if folder == Path() else [str(folder)])]
    return tuple([*words, "--profile", str(args.profile)] if args.profile else words)


def _first_seed(args: Namespace, experiment: Experiment) -> int:
    if args.seed is not None:
        return int(args.seed)
    return experiment.cast.seed or 0


def _one(args: Namespace, request: Request, experiment: Experiment, seed: int) -> int:
    """One seed, told as a run is."""
    from machines import MemoryJournal
    from machines.simulation import Broken
    from mk8s.rollout import edge_titles
    from mk8s.screen import EventScreen, PlainScreen
    from mk8s.simulating.resting import Resting
    from mk8s.simulating.trial import rehearsed
    from mk8s.transcript import NOTHING_DONE

    cluster = experiment.chosen
    titles = edge_titles(cluster)
    states = {node.name: "pending" for node in cluster.nodes}
    journal = MemoryJournal(experiment.conditions.past)
    screen = (
        EventScreen(sys.stdout, titles) if args.output == "json" else PlainScreen(sys.stderr, titles, states)
    )
    try:
        kept = bool(args.report or args.journal)
        run = rehearsed(experiment, seed, observer=screen, keep_transcript=kept, journal=journal)
    except Broken as broken:
        say(f"{broken}\nrepeat it: {request.command(seed)}")
        as_expected, done = False, NOTHING_DONE
    else:
        as_expected, done = _told(args, request, experiment, run), run.transcript
    if args.output == "json":
        print(Resting(experiment).event)
    if args.journal:
        _keep(args, journal.data, done)
    return _after(args, request, experiment, seed, as_expected=as_expected)


def _told(args: Namespace, request: Request, experiment: Experiment, run: Rehearsal) -> bool:
    """Say what came of a run. Returns whether all is as expected."""
    from mk8s.simulating.trial import ended_of
    from mk8s.simulating.words import faults_in_words, missed_in_words
    from mk8s.summary import summary

    ended = ended_of(run, experiment.cast.expected, experiment.chosen)
    say(faults_in_words(run) or "no fault struck")
    for words in missed_in_words(experiment.cast, run):
        say(f"note: the scenario's {words} met nobody in this run")
    say(summary(experiment.chosen, run.result, run.records, str(request.manifest), simulated=True))
    for words in ended.unmet:
        say(f"not as expected: {words}")
    say(f"seed {run.seed}, journal sha256 {run.digest}")
    if args.report:
        from mk8s.report.files import write_page
        from mk8s.simulating.page import one_page

        write_page(args.report, one_page(experiment, run), "--report")
    if args.output == "text" and not args.shrink:  # then stdout is the scenario's
        for name, state in run.result.states.items():
            print(f"{name}\t{state}")
    return ended.as_expected


def _after(args: Namespace, request: Request, experiment: Experiment, seed: int, *, as_expected: bool) -> int:
    """The exit code, and what --shrink asks for."""
    if as_expected:
        if args.shrink:
            say("there is nothing to shrink: all is as expected")
        return 0
    smallest = _smallest(args, request, experiment, seed)
    if smallest and args.output == "json":
        print(json.dumps({"smallest": smallest}))
    elif smallest and not args.save:
        print(smallest["scenario"], end="")
    return 1


def _many(args: Namespace, request: Request, experiment: Experiment, first: int) -> int:
    """Many seeds, summed up."""
    from mk8s.simulating.resting import Resting
    from mk8s.simulating.tally import tally_as_data, tally_of
    from mk8s.simulating.words import tally_as_text

    results, stopped = _results(args, request, range(first, first + args.runs))
    tally = tally_of(results)
    worst = tally.worst[0]
    commands = {one.seed: request.command(one.seed) for one in tally.worst}
    if stopped:
        say(f"interrupted after {len(results)} of {args.runs} runs: the summary is of those")
    if args.output == "json":
        wanted = not (stopped or worst.as_expected)
        smallest = _smallest(args, request, experiment, worst.seed) if wanted else {}
        more = {"smallest": smallest} if smallest else {}
        told = {**tally_as_data(tally, commands), **Resting(experiment).data, **more}
        print(json.dumps(told, indent=1))
    else:
        (say if args.shrink else print)(tally_as_text(tally, commands))
    if args.report:  # after what was found out: a file that cannot be written must not cost it
        _report_many(args.report, experiment, results, commands)
    if stopped:
        return 130
    if args.output == "json":
        return int(not worst.as_expected)
    return _after(args, request, experiment, worst.seed, as_expected=worst.as_expected)


def _results(args: Namespace, request: Request, seeds: range) -> tuple[list[Ended], bool]:
    """What came of every seed, and whether somebody stopped it. Raises KeyboardInterrupt before the first."""
    from mk8s.errors import Mk8sError
    from mk8s.simulating.pool import PoolError, cores, over_seeds
    from mk8s.simulating.progress import Progress
    from mk8s.simulating.trial import lost

    results: list[Ended] = []
    progress = Progress(len(seeds), sys.stderr)
    try:
        for ended in over_seeds(request.work, seeds, jobs=args.jobs or cores(), lost=lost):
            results.append(ended)
            progress.tell(ended)
    except KeyboardInterrupt:
        if not results:
            raise
        return results, True
    except PoolError as error:
        remedy = "try with --jobs 1, which needs no other process"
        raise Mk8sError("the simulations could not be run", cause=str(error), remedy=remedy) from error
    finally:
        progress.close()
    return results, False


def _report_many(file: Path, experiment: Experiment, results: list[Ended], commands: dict[int, str]) -> None:
    from mk8s.report.files import write_page
    from mk8s.simulating.page import many_page
    from mk8s.simulating.tally import tally_of
    from mk8s.simulating.trial import rehearsed

    tally = tally_of(results)
    worst = next((one for one in tally.worst if one.nodes), None)
    run = rehearsed(experiment, worst.seed, keep_transcript=True) if worst else None
    write_page(file, many_page(experiment, results, tally, commands, run), "--report")


def _smallest(args: Namespace, request: Request, experiment: Experiment, seed: int) -> dict[str, Any]:
    """Reduce a seed that fails, if --shrink says so, and save it. What was found, for JSON; or nothing."""
    from mk8s.simulating.progress import line_on
    from mk8s.simulating.shrinking import NothingFails, shrink
    from mk8s.simulating.writing import shrunk_text

    if not args.shrink:
        return {}
    with line_on(sys.stderr) as tell:
        try:
            shrunk = shrink(experiment, seed, tell=tell)
        except NothingFails as error:
            say(f"cannot be shrunk: {error}")
            return {}
    file = args.save or Path("smallest.yaml")
    repeat = request.command_for(file)
    text = shrunk_text(shrunk, experiment.conditions.cluster, request.command(seed), repeat)
    say(f"{shrunk.symptom}: enough are {shrunk.size} ({shrunk.runs} runs)")
    if args.save:
        _write(args, args.save, text.encode(), "--save")
        say(f"written to {args.save}.  Repeat it: {repeat}")
    numbers = {"faults": shrunk.faults, "nodes": shrunk.nodes, "runs": shrunk.runs}
    return {"symptom": str(shrunk.symptom), **numbers, "scenario": text}


def _keep(args: Namespace, journal: bytes, done: Transcript) -> None:
    """The run's journal, and beside it what was done on the nodes."""
    from mk8s.simulating.saving import save_transcript

    _write(args, args.journal, journal, "--journal")
    beside = save_transcript(args.journal, journal, done, manifest=args.manifest)
    if beside:
        say(f"written to {args.journal}, its steps and commands to {beside}")


def _write(args: Namespace, file: Path, content: bytes, option: str) -> None:
    from mk8s.report.files import write_whole

    write_whole(file, content, manifest=args.manifest, option=option)
