"""HTML pages of simulations: one run, and many. Pure; the parts are `mk8s.report`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mk8s.amounts import length
from mk8s.rehearsal import Rehearsal
from mk8s.report.markup import Html, el, fragment
from mk8s.report.page import Section, page
from mk8s.report.plots import histogram
from mk8s.report.run import View, run_page, run_sections
from mk8s.report.tables import Column, facts, note, table
from mk8s.rollout import titles_of
from mk8s.simulating.resting import which_sizes
from mk8s.simulating.tally import Spread, Tally
from mk8s.simulating.trial import Ended, Experiment
from mk8s.simulating.words import ENDINGS_IN_WORDS, ending_in_words
from mk8s.tables import node_machine
from mk8s.timeline import timeline_of

__all__ = ["many_page", "one_page"]


def one_page(experiment: Experiment, run: Rehearsal) -> str:
    """The page of one simulated run."""
    return run_page(_view(experiment, run))


def many_page(
    experiment: Experiment,
    results: Sequence[Ended],
    tally: Tally,
    commands: Mapping[int, str],
    worst: Rehearsal | None,
) -> str:
    """The page of many: how they ended and how long they took, then the worst one's own sections."""
    times = [one.seconds for one in results if one.nodes]
    ready = [one.ha_at for one in results if one.ha_at is not None]
    sections = [
        Section("endings", "How the runs ended", _endings(tally)),
        Section("times", "Time until the end", histogram(times, _marks(tally.end))),
        Section("ha", "Time until all servers are healthy", histogram(ready, _marks(tally.ha))),
        Section("causes", "What made nodes fail", _causes(tally)),
        Section("worst", "The worst seeds", _worst(tally, commands)),
    ]
    if worst is not None:
        sections += [
            Section(part.id, f"Seed {worst.seed}: {part.title}", part.body, part.intro, part.style)
            for part in run_sections(_view(experiment, worst))
        ]
    title = f"{experiment.conditions.cluster.name}: {tally.seeds} simulated runs"
    return page(title, sections, lead=_lead(tally, experiment), foot="Hosts and time were simulated.")


def _view(experiment: Experiment, run: Rehearsal) -> View:
    cluster = experiment.chosen
    spec = node_machine(cluster, pacing=experiment.conditions.distro.pacing(cluster))
    return View(
        cluster=cluster,
        timeline=timeline_of(run.records, spec, run.transcript),
        titles=titles_of(spec),
        transcript=run.transcript,
        simulated=f"seed {run.seed}",
        source=experiment.conditions.profile.source,
    )


def _lead(tally: Tally, experiment: Experiment) -> Html:
    good = tally.as_expected == tally.seeds
    said = f"{tally.as_expected} of {tally.seeds} runs are as expected."
    pairs = [
        ("Cluster", experiment.conditions.cluster.name),
        ("Nodes", str(len(experiment.chosen.nodes))),
        ("Distro", experiment.conditions.cluster.distro),
        ("Durations", experiment.conditions.profile.source),
        ("Sizes of files", which_sizes(experiment)),
        *((f"Faults: {kind}", str(count)) for kind, count in tally.struck.items()),
    ]
    return fragment(note(said, "good" if good else "bad"), facts(pairs))


def _endings(tally: Tally) -> Html:
    rows = [
        (ENDINGS_IN_WORDS[ending], str(count), f"{count / tally.seeds:.1%}")
        for ending, count in tally.endings.items()
    ]
    return table([Column("Ending"), Column("Runs", numeric=True), Column("Share", numeric=True)], rows)


def _marks(spread: Spread | None) -> dict[str, float]:
    return {} if spread is None else {"half": spread.quantiles[0.5], "90 %": spread.quantiles[0.9]}


def _causes(tally: Tally) -> Html:
    rows = [
        (
            cause.edge,
            cause.kind,
            cause.outcome,
            cause.after or "none",
            str(cause.nodes),
            str(cause.seeds),
            f"{cause.example.node}, seed {cause.seed}",
        )
        for cause in tally.causes
        if cause.edge  # who is blocked has not failed by itself
    ]
    if not rows:
        return el("p", "No node failed.")
    titles = ("Edge", "Failure", "Outcome", "Last fault before")
    columns = [*map(Column, titles), Column("Nodes", numeric=True), Column("Runs", numeric=True)]
    return table([*columns, Column("Example")], rows)


def _worst(tally: Tally, commands: Mapping[int, str]) -> Html:
    columns = [Column("Seed", numeric=True), Column("Length", numeric=True), Column("What"), Column("Again")]
    rows = [
        (str(one.seed), length(one.seconds), ending_in_words(one), el("code", commands[one.seed]))
        for one in tally.worst
    ]
    return table(columns, rows)
