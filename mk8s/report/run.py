"""The page of one run, real or simulated: its head and all its sections. Pure.

Begin reading at `run_page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mk8s.amounts import length
from mk8s.cluster import Cluster
from mk8s.forecast.comparing import Comparison
from mk8s.report.gantt import counted, edge_classes, gantt
from mk8s.report.machine import machine_section
from mk8s.report.markup import Html, fragment
from mk8s.report.page import Section, page
from mk8s.report.path import legs_of, path_table
from mk8s.report.plots import states_over_time
from mk8s.report.prediction import prediction
from mk8s.report.slowest import slowest_commands, slowest_steps
from mk8s.report.tables import facts, note
from mk8s.report.transfers import transfers
from mk8s.report.troubles import troubles, troubles_of, unfinished
from mk8s.timeline import Timeline
from mk8s.transcript import NOTHING_DONE, Transcript

__all__ = ["View", "run_page", "run_sections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a page says of a run."""

    cluster: Cluster
    timeline: Timeline
    titles: Mapping[str, str]  # edge -> words
    transcript: Transcript = NOTHING_DONE
    simulated: str = ""  # how, where it was: "seed 7"; empty: the run was real
    comparison: Comparison | None = None  # with what was predicted
    source: str = ""  # what the prediction rests on
    kept_in: str = ""  # where the journal lies, for people
    changes: Sequence[str] = ()  # how the manifest's nodes differ from the run's


def run_page(view: View) -> str:
    """The whole document."""
    when = _began(view.timeline)
    kind = f"simulated run, {view.simulated}" if view.simulated else f"run of {when}" if when else "run"
    return page(f"{view.cluster.name}: {kind}", run_sections(view), lead=_lead(view), foot=_foot(view))


def run_sections(view: View) -> list[Section]:
    """In the order of questions: who is not well, when was what, what took so long, what else."""
    timeline, titles = view.timeline, view.titles
    unwell = [lane for lane in timeline.lanes if lane.outcome != "success"]
    found = [
        *([Section("nodes", "Nodes that need you", unfinished(timeline))] if unwell else []),
        Section("timeline", "All nodes over time", gantt(timeline, titles), _how_to_read(timeline)),
        Section("states", "Nodes by state", states_over_time(timeline)),
        Section(
            "path",
            "Critical path",
            path_table(legs_of(timeline, titles), edge_classes(timeline), timeline),
            "What the run's length consists of: each leg could begin only when the one before had ended.",
        ),
        Section("errors", "Errors and remedies", troubles(timeline, titles)),
        Section("transfers", "Transfers", transfers(timeline, view.transcript)),
        Section("steps", "Slowest steps", slowest_steps(view.transcript)),
        Section("commands", "Slowest commands", slowest_commands(view.transcript)),
        machine_section(timeline),
    ]
    if view.comparison is not None:
        told = prediction(view.comparison, view.source, titles)
        behind = next(place for place, part in enumerate(found, 1) if part.id == "path")
        found.insert(behind, Section("prediction", "Predicted and measured", told))
    return found


def _how_to_read(timeline: Timeline) -> str:
    fired = [moment for moment in timeline.moments if moment.kind == "signal"]
    lines = "Vertical lines are signals: conditions over many nodes that others wait for. " if fired else ""
    return f"A row a node, a bar for each thing it did or waited for. {lines}A red dot is a failed attempt."


def _lead(view: View) -> Html:
    changed = (note(f"The manifest has changed since: {each}.", "wait") for each in view.changes)
    return fragment(_verdict(view), *changed, facts(_facts(view)))


def _verdict(view: View) -> Html:
    lanes = view.timeline.lanes
    healthy = sum(lane.outcome == "success" for lane in lanes)
    if healthy == len(lanes):
        return note(f"All {healthy} nodes {'of this run ' if view.changes else ''}are healthy.", "good")
    failed = sum(lane.outcome in ("failure", "blocked") for lane in lanes)
    going = len(lanes) - healthy - failed
    parts = [f"{healthy} of {len(lanes)} nodes are healthy"]
    parts += [f"{failed} failed or blocked"] if failed else []
    parts += [f"{going} not finished"] if going else []
    return note(", ".join(parts) + ".", "bad" if failed else "wait")


def _facts(view: View) -> list[tuple[str, str]]:
    timeline, cluster = view.timeline, view.cluster
    started = [r.header for r in timeline.records if r.header]
    errors = sum(trouble.count for trouble in troubles_of(timeline.records))
    program = started[-1].program if started else ""
    has_servers = any(lane.role != "agent" for lane in timeline.lanes)  # not where agents join a cluster
    found = [
        ("Cluster", cluster.name),
        ("Distro", cluster.distro),
        ("Version", cluster.version),
        (
            "Begun",
            f"simulated, {view.simulated}" if view.simulated else _began(timeline) or "not written down",
        ),
        ("Length" if timeline.finished else "So far", length(timeline.ended)),
        *([("Control plane complete after", _when(timeline.ha_at))] if has_servers else []),
        ("All nodes healthy after", _when(timeline.all_at)),
        *((f"Nodes {state}", str(count)) for state, count in counted(timeline.lanes).items()),
        ("Failed attempts", str(errors)),
    ]
    resumes = len(started) - 1
    found += [("Resumed", f"{resumes} times" if resumes > 1 else "once")] if resumes > 0 else []
    return [*found, ("Program", f"mk8s {program}")] if program else found


def _began(timeline: Timeline) -> str:
    """By the wall clock of the machine that ran it, to the minute; empty where it was not written down."""
    text = next((r.header.started for r in timeline.records if r.header and r.header.started), "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


def _when(second: float | None) -> str:
    return "not yet" if second is None else length(second)


def _foot(view: View) -> str:
    kept = f"From the journal in {view.kept_in}. " if view.kept_in else ""
    if kept and not (view.transcript.steps or view.transcript.commands):
        kept += "No transcript of it was found: its steps, commands and rates are not known. "
    what = "Hosts and time were simulated: no node was touched. " if view.simulated else ""
    gaps = "Times are of the run itself: what lay between an interruption and its resume is not counted."
    return f"{kept}{what}{gaps}"
