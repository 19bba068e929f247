"""What happened, record by record. Reads the journal; works while a run goes on.

Filters narrow it down together; --node, --kind and --edge may be given several times. Times are those of
the run: 90s, 5m, 1h, or as they are printed: 4:05. With --follow, what a run writes is printed as it is
written, until the run ends or Ctrl-C. With --steps, the steps of the transcript stand in between.

Examples:
  mk8s journal cluster.yaml
  mk8s journal cluster.yaml --node 10-0-0-12 --node agent --errors
  mk8s journal cluster.yaml --since 5m --until 7:30 --steps
  mk8s journal cluster.yaml --follow
  mk8s journal cluster.yaml --output json | jq 'select(.kind == "error")'
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mk8s.cli.common import add_manifest, add_output, add_recorded, moment, say

if TYPE_CHECKING:
    from pathlib import Path

    from mk8s.past import Past
    from mk8s.project import Project
    from mk8s.retelling.lines import Ends, Entry
    from mk8s.retelling.selecting import Selection
    from mk8s.transcript import StepDone

__all__ = ["add_arguments", "main"]

PAUSE = 0.3  # seconds between two looks at a journal that grows


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_recorded(parser)
    add_output(parser, "text", "json")
    parser.add_argument(
        "--node", action="append", default=[], help="only this node's records: a name, an address or a role"
    )
    parser.add_argument(
        "--kind", action="append", default=[], help="only records of this kind, such as retry"
    )
    parser.add_argument(
        "--edge", action="append", default=[], help="only records of this edge, such as stage"
    )
    parser.add_argument("--errors", action="store_true", help="only what went wrong")
    parser.add_argument("--since", type=moment, metavar="TIME", help="from this time of the run on")
    parser.add_argument("--until", type=moment, metavar="TIME", help="up to this time of the run")
    parser.add_argument("--steps", action="store_true", help="with the steps that were done in between")
    parser.add_argument("--follow", "-f", action="store_true", help="go on while a run writes")


def main(args: Namespace) -> int:
    from mk8s.errors import UsageError
    from mk8s.past import read_recorded
    from mk8s.project import load_project
    from mk8s.retelling.lines import ends_of

    if args.since is not None and args.until is not None and args.since > args.until:
        raise UsageError("--since is later than --until", remedy="give the earlier time to --since")
    project = load_project(args.manifest)
    if args.follow and not args.journal:
        _await_run(project, args)
    past = read_recorded(project, args.state, args.journal)
    wanted = _selection(project, past, args)
    if args.follow:
        return _follow(project, past, args, wanted)
    _print(_entries(project, past, args, wanted), past, args, ends_of(past.records))
    return 0


def _selection(project: Project, past: Past, args: Namespace) -> Selection:
    from dataclasses import replace

    from mk8s.retelling.selecting import selection_of

    lives = past.history.lives
    found = selection_of(project, past.history.table.spec, args.node, args.kind, args.edge, members=lives)
    return replace(found, errors=args.errors, since=args.since, until=args.until)


def _entries(project: Project, past: Past, args: Namespace, wanted: Selection) -> Iterator[Entry]:
    from mk8s.past import transcript_beside
    from mk8s.retelling.lines import mixed

    steps: Sequence[StepDone] = ()
    if args.steps:
        steps = transcript_beside(project, args.state, past.records, args.journal).steps
        if not steps:
            say(_no_steps(args))
    return filter(wanted.takes, mixed(past.records, steps))


def _no_steps(args: Namespace) -> str:
    from mk8s.transcript import beside_journal

    where = ""
    if args.journal and not args.journal.is_dir():
        where = f": there is no {beside_journal(args.journal)} that is of this very journal"
    return f"no transcript was kept of this run, so its steps are not known{where}"


def _print(entries: Iterable[Entry], past: Past, args: Namespace, ends: Ends) -> None:
    from mk8s.retelling.lines import as_json, as_text

    titles = past.titles
    for entry in entries:
        print(as_json(entry) if args.output == "json" else as_text(entry, titles, ends))


def _await_run(project: Project, args: Namespace) -> None:
    """Whoever opens the second window first, or while a run still looks at its hosts, is not sent away."""
    import time

    from machines.lock import holder_now
    from mk8s.past import find_past
    from mk8s.retelling.following import QUIET, await_run

    def has_begun() -> bool:
        return find_past(project, args.state) is not None

    if has_begun():
        return
    say(f"nothing is written yet: waiting for a run, {QUIET:.0f} s where none is seen")
    folder = _folder(project, args)
    await_run(has_begun, lambda: holder_now(folder) is not None, time.monotonic, lambda: time.sleep(PAUSE))


def _follow(project: Project, past: Past, args: Namespace, wanted: Selection) -> int:
    """The journal is read anew from its beginning: `past` may be older than this."""
    import sys
    import time

    from machines import JournalDamaged
    from machines.lock import holder_now
    from mk8s.past import as_mk8s_error
    from mk8s.retelling.following import ENDS, follow
    from mk8s.retelling.lines import Ends

    ends, folder = Ends(), _folder(project, args)
    try:
        for news in follow(
            _reader(project, args, folder),
            lambda: holder_now(folder) is not None,
            time.monotonic,
            lambda: time.sleep(PAUSE),
        ):
            if isinstance(news, str):
                say(ENDS[news])
            else:
                ends.see(news)
                _print(filter(wanted.takes, news), past, args, ends)
                sys.stdout.flush()
    except JournalDamaged as error:
        raise as_mk8s_error(error) from error
    return 0


def _folder(project: Project, args: Namespace) -> Path:
    """Where the journal's lock is."""
    from mk8s.past import journal_file

    if args.journal is None:
        return project.past_state(args.state).journal
    return journal_file(args.journal).parent


def _reader(project: Project, args: Namespace, folder: Path) -> Callable[[], list[Entry]]:
    """What gives the news of the journal, and of the transcript where steps are wanted."""
    from machines.files import JOURNAL
    from mk8s.past import journal_file, transcript_file
    from mk8s.retelling.following import JournalTail, StepTail
    from mk8s.retelling.lines import mixed

    journal = JournalTail(journal_file(args.journal) if args.journal else folder / JOURNAL)
    transcript = StepTail(transcript_file(project, args.state, args.journal))
    started: list[str] = []

    def read() -> list[Entry]:
        records = journal.read()
        started.extend(record.header.started for record in records if record.header)
        steps = transcript.read(started) if args.steps else []
        return list(mixed(records, steps))

    return read
