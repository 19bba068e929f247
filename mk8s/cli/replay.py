"""Go through a recorded run once more: real, or of `mk8s simulate --journal FILE`. Touches no node.

With --at, all nodes as of one moment: where each was and why, which signals had come, what had just
happened. With --step, record by record: Enter goes on, t shows all nodes, q ends. With --speed, in time,
so many times quicker than it was: on a terminal as the screen of a run, else a line a record. Without any,
at 60 times the speed on a terminal, else at once.

First the records are verified: whether each fits the one before and the machine.

Examples:
  mk8s replay cluster.yaml --at 4m
  mk8s replay cluster.yaml --speed 120
  mk8s simulate cluster.yaml --journal sim.jsonl; mk8s replay cluster.yaml --journal sim.jsonl --step
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from mk8s.cli.common import add_manifest, add_output, add_recorded, moment, number, say

if TYPE_CHECKING:
    from machines import Record
    from mk8s.cluster import Cluster
    from mk8s.past import Past

__all__ = ["add_arguments", "main"]

USUAL = 60.0
SLOWEST = 0.001  # a second of the run lasts a quarter of an hour


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_recorded(parser)
    add_output(parser, "text", "json")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--at", type=moment, metavar="TIME", help="one moment: 90s, 4m, 4:05")
    how.add_argument("--step", action="store_true", help="wait for Enter after each record")
    how.add_argument(
        "--speed",
        type=number(f"a number from {SLOWEST:g} on", least=SLOWEST),
        metavar="N",
        help=f"in time, N times quicker than it was (on a terminal: {USUAL:g})",
    )


def main(args: Namespace) -> int:
    from mk8s.errors import UsageError
    from mk8s.past import read_recorded
    from mk8s.project import load_project

    if args.output == "json" and args.at is None:
        raise UsageError(
            "--output json is for one moment", remedy="add --at TIME, or use mk8s journal --output json"
        )
    project = load_project(args.manifest)
    past = read_recorded(project, args.state, args.journal)
    code = _verify(past)
    if args.at is not None:
        _moment(past, project.cluster, args.at, args.output)
    elif args.step:
        _step(past, project.cluster)
    else:
        _play(past, project.cluster, args.speed)
    return code


def _verify(past: Past) -> int:
    """Told on stderr; 1 where the records contradict each other."""
    from mk8s.contradictions import faults_in

    faults = faults_in(past.records, past.history.table)
    for fault in faults:
        say(f"error: {fault}")
    if faults:
        say("hint: no run writes such records; the file was changed, or it is of another program")
        return 1
    how = ", simulated" if past.simulation else ""
    say(f"{len(past.records)} records of {len(past.history.lives)} nodes{how}: each fits the one before")
    return 0


def _moment(past: Past, cluster: Cluster, at: float, output: str) -> None:
    from mk8s.retelling.frames import frame_as_data, frame_as_text, frame_at

    frame = frame_at(at, past.records, past.history.table, cluster)
    print(json.dumps(frame_as_data(frame)) if output == "json" else frame_as_text(frame, past.titles))


def _step(past: Past, cluster: Cluster) -> None:
    from mk8s.retelling.frames import frame_after, frame_as_text
    from mk8s.retelling.lines import as_text, ends_of
    from mk8s.retelling.playing import step_through

    titles, ends = past.titles, ends_of(past.records)
    if sys.stdin.isatty():
        say("Enter: the next record; t: all nodes; q: the end")
    step_through(
        past.records,
        past.history.table,
        lambda record, counts: print(f"{as_text(record, titles, ends)}\n        {counts}", flush=True),
        lambda: sys.stdin.readline() or None,
        lambda seq: print(frame_as_text(frame_after(seq, past.records, past.history.table, cluster), titles)),
    )


def _play(past: Past, cluster: Cluster, speed: float | None) -> None:
    if sys.stdout.isatty():
        _play_on_terminal(past, cluster, speed or USUAL)
        return
    _play_as_lines(past, speed)
    _moment(past, cluster, past.history.at, "text")


def _play_as_lines(past: Past, speed: float | None) -> None:
    """A line a record; without a speed, none is waited for."""
    import time

    from mk8s.retelling.lines import as_text, ends_of
    from mk8s.retelling.playing import RunClock, play

    titles, ends = past.titles, ends_of(past.records)

    def tell(record: Record) -> None:
        print(as_text(record, titles, ends), flush=speed is not None)

    if speed is None:
        for record in past.records:
            tell(record)
    else:
        play(past.records, tell, RunClock(time.monotonic, speed), time.sleep)


def _play_on_terminal(past: Past, cluster: Cluster, speed: float) -> None:
    """As the run's own screen, its clock as much quicker."""
    import time

    from mk8s.retelling.playing import RunClock, play
    from mk8s.screen.live import LiveScreen

    initial = past.history.table.spec.initial
    lives = past.history.lives
    clock = RunClock(time.monotonic, speed)
    title = f"replay of {cluster.name}, {speed:g} times as quick"
    roles = {name: life.role for name, life in lives.items()}
    with LiveScreen(
        sys.stdout, past.titles, dict.fromkeys(lives, initial), roles, title=title, clock=clock
    ) as screen:
        play(past.records, screen.record, clock, time.sleep)
