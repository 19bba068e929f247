"""The main job, from a manifest's path to an exit code: everything that `mk8s run` does around the engine.

Order matters here: whatever can be wrong on this machine is found before any node is touched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import trio

from machines import FileJournal, Record, Result, run_with_signals
from machines.beside import run_beside
from machines.framing import frame
from machines.words import printable
from mk8s.amounts import counted
from mk8s.artifacts.missing import may_fetch, missing_sources
from mk8s.audit import audit
from mk8s.changes import refusals
from mk8s.connect import refuse_missing_secrets
from mk8s.errors import ExitCode, ManifestError
from mk8s.forecast.beside import Answer, Asked, Foreteller
from mk8s.forecast.sources import Sources
from mk8s.manifest import load_cluster_text
from mk8s.preflight.now import preflight_now
from mk8s.preflight.report import PreflightError
from mk8s.project import Project, load_project
from mk8s.refreshing import refresh_healthy
from mk8s.release import Inspection, inspect_release
from mk8s.rendered import keep_rendered
from mk8s.rollout import Rollout
from mk8s.screen import Screen, choose_screen, result_event
from mk8s.session import expiring_soon, open_journal, real_rollout, trusted_states
from mk8s.state import StateFolder
from mk8s.steps import Verdict
from mk8s.summary import next_when_healthy, summary
from mk8s.traffic import Traffic

__all__ = ["run_cluster"]

BEAT = 5.0  # seconds
LOOKS_A_BEAT = 5  # at what moves
STOPPING = "stopping: what is under way has {:g} s to end; Ctrl-C again stops at once"

KEYS_LEFT = (
    "the fan-out's key could not be removed from {}: it expires within six hours, and the next run removes it"
)


def run_cluster(
    manifest: Path,
    state_folder: Path | None,
    output: str,
    grace: float,
    sources: Callable[[Project], Sources] = lambda _: Sources(),
) -> ExitCode:
    """Bring the cluster of a manifest up, or on, or find nothing to do. Raises Mk8sError.

    `sources`: what a prediction is made from, which is shown beside the run.
    """
    project = load_project(manifest)
    for notice in project.notices:
        _say(notice)
    refuse_missing_secrets(project.cluster, os.environ)
    _fetch_missing(project)
    release = inspect_release(project.cluster, project.distro)
    state = project.state(state_folder)
    again = project.words(state_folder)
    with open_journal(state, again) as journal:
        states = trusted_states(journal, project.cluster, again)
        _refuse_changes(project, state, states)
        if all(place == "healthy" for place in states.values()):
            release.refuse_faults(project.cluster)
            rollout = _accepted(project, state, journal, release, grace)
            return _end(output, states, *_nothing_to_do(rollout, state, states, again))
        past = journal.records()
        with Foreteller(_asked(project, sources(project), past)) as foreteller:
            unheard = _preflight(project, state, states, release, again)
            rollout = _accepted(project, state, journal, release, grace)
            keep_rendered(rollout, state)
            screen = choose_screen(output, project.cluster, rollout.titles, states)
            result = _run(rollout, screen, states, grace, foreteller)
        began = past[-1].at if past else 0.0
        told = foreteller.prediction
        records = journal.records()
        words = summary(project.cluster, result, records, again, predicted=told, began=began, unheard=unheard)
        return _end(output, result.states, _exit_code(result), words)


def _asked(project: Project, sources: Sources, past: Sequence[Record]) -> Asked | None:
    """The prediction of this run; None where there is nothing to make one of but the models' defaults."""
    if not sources.say_anything(project.cluster):
        return None
    return Asked(project.manifest, sources, b"".join(map(frame, past)))


def _fetch_missing(project: Project) -> None:
    """Fetch release files that are not here, as far as the air gap allows. Raises Mk8sError."""
    if not may_fetch(project.cluster):
        return
    missing = missing_sources(project.cluster, project.distro)
    if missing:
        from mk8s.artifacts.obtaining import fetch_missing  # loads the client: most runs need none

        fetch_missing(project.cluster, missing)


def _preflight(
    project: Project, state: StateFolder, states: Mapping[str, str], release: Inspection, again: str
) -> list[str]:
    """Look for trouble on all nodes at once. Raises PreflightError with all of it; nothing was changed.

    Gives the nodes that are healthy by the journal and did not answer: the run has no work on them.
    """
    nodes = counted(len(project.cluster.nodes), "node")
    _say(f"preflight: looking at {nodes} before anything is changed ...")
    report = preflight_now(project, state, states, release, say=_say, keep_transcript=True)
    if report.errors:
        raise PreflightError(report, again)
    if table := report.table():
        _say(table)
    _say(f"preflight: {report.counted()}")
    return [name for name in report.unasked if states[name] == "healthy"]


def _accepted(
    project: Project, state: StateFolder, journal: FileJournal, release: Inspection, grace: float
) -> Rollout:
    """The manifest's rollout with all keys it needs. From now on this is the manifest of the last run."""
    rollout = real_rollout(project, state, journal, release.files, grace)
    state.write_private(state.accepted_manifest, project.text.encode())
    if notice := expiring_soon(project, state):
        _say(notice)
    return rollout


def _end(output: str, states: Mapping[str, str], code: ExitCode, words: str) -> ExitCode:
    """The last words, and for programs the last event."""
    _say(words)
    if output == "json":
        print(result_event(code, states, words), flush=True)
    return code


def _run(
    rollout: Rollout, screen: Screen, states: Mapping[str, str], grace: float, foreteller: Foreteller
) -> Result:
    def told(at_once: bool) -> None:
        screen.say("stopping at once" if at_once else STOPPING.format(grace))

    async def main() -> Result:
        rollout.tell(lambda words: screen.say(printable(words)))
        try:
            await rollout.remove_keys()
            for words in await refresh_healthy(rollout, states):
                screen.say(printable(words))
            return await run_beside(
                partial(_beat, screen, rollout.traffic, foreteller),
                partial(run_with_signals, rollout.supervisor(screen), told),
            )
        finally:
            if left := await rollout.remove_keys():
                screen.say(KEYS_LEFT.format(", ".join(left)))
            await rollout.close()

    with screen:
        return trio.run(main)


async def _beat(screen: Screen, traffic: Traffic, foreteller: Foreteller) -> None:
    """Let the screen know that time passes, how far the files are that move, and what was predicted."""
    while True:
        for _ in range(LOOKS_A_BEAT):
            _tell(screen, foreteller.news())
            await trio.sleep(BEAT / LOOKS_A_BEAT)
            if moving := traffic.total(trio.current_time()):
                screen.moving(moving)
        screen.beat()


def _tell(screen: Screen, news: Answer | None) -> None:
    if isinstance(news, str):
        screen.say(printable(f"no prediction: {news}"))
    elif news is not None:
        screen.predicted(news)


def _exit_code(result: Result) -> ExitCode:
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if result.ok else ExitCode.NODES_NEED_YOU


def _nothing_to_do(
    rollout: Rollout, state: StateFolder, states: Mapping[str, str], again: str
) -> tuple[ExitCode, str]:
    """Everything is healthy by the journal: tell the nodes what is new, if anything is, and ask them all."""
    news: list[str] = []

    async def refresh() -> None:
        await rollout.remove_keys()
        news.extend(await refresh_healthy(rollout, states))
        for words in news:
            _say(words)

    _say("all nodes are healthy by the journal: asking them whether they still are")
    verdicts = audit(rollout, first=refresh, fetch_kubeconfig=not state.kubeconfig.exists())
    nothing = "nothing else was changed" if news else "nothing was changed"
    ill = {name: verdict for name, verdict in verdicts.items() if not verdict.met}
    if not ill:
        return ExitCode.DONE, (
            f"nothing to do: all {len(verdicts)} nodes are healthy (asked just now); {nothing}\n"
            f"Next: {next_when_healthy(rollout.cluster, again)}"
        )
    lines = [_complaint(name, verdict) for name, verdict in sorted(ill.items())]
    lines.append(f"{len(verdicts) - len(ill)} of {len(verdicts)} nodes are healthy; {nothing}")
    lines.append(f"Next: look at the nodes named above, then mk8s run {again}")
    return ExitCode.NODES_NEED_YOU, "\n".join(lines)


def _complaint(name: str, verdict: Verdict) -> str:
    hint = f"\n    hint: {verdict.remedy}" if verdict.remedy else ""
    return f"{name}: was healthy, is not now: {verdict.reason}{hint}"


def _refuse_changes(project: Project, state: StateFolder, states: dict[str, str]) -> None:
    """Refuse changes against the manifest of the last run, kept beside its journal, that none can follow."""
    if state.accepted_manifest.exists():
        before = load_cluster_text(state.accepted_manifest.read_text(), project.manifest)
        found = refusals(before.cluster, project.cluster, states)
        if found:
            raise ManifestError(
                f"{project.manifest} changed in ways that a run cannot follow:\n  " + "\n  ".join(found),
                cause="this cluster's journal was begun with another manifest",
                remedy=f"put it back as it was; the manifest of the last run is {state.accepted_manifest}",
            )


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)
