"""The end of a run in words: who is healthy, who is not and why, how long it took, what to do next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from machines import EdgeFailure, Record, Result
from machines.signals import listed
from machines.words import printable
from mk8s.amounts import duration
from mk8s.cluster import Cluster
from mk8s.forecast.beside import Prediction
from mk8s.screen.words import outcome_of_prediction

__all__ = ["next_when_healthy", "summary"]


def summary(
    cluster: Cluster,
    result: Result,
    records: Sequence[Record],
    manifest: str,
    *,
    simulated: bool = False,
    predicted: Prediction | None = None,
    began: float = 0.0,
    unheard: Sequence[str] = (),
) -> str:
    """A few lines. The last one is the next command: `manifest` is what it takes, options included.

    `predicted`: what was, of the part from second `began` of the run on. `unheard`: nodes that were healthy
    before it and gave preflight no answer; they count as what the journal says.
    """
    healthy = sum(state == "healthy" for state in result.states.values())
    lines = [_trouble(node.name, result) for node in cluster.nodes if result.states[node.name] != "healthy"]
    lines.append(
        f"{healthy} of {len(cluster.nodes)} nodes healthy in {duration(result.at)}{_milestones(records)}"
    )
    all_healthy = healthy == len(cluster.nodes)
    if predicted is not None:
        lines.append(outcome_of_prediction(predicted, result.at - began, all_healthy=all_healthy))
    if unheard:
        lines.append(_doubt(unheard, manifest))
    if simulated:
        lines.append(_next_of_rehearsal(all_healthy, manifest))
    else:
        lines.append(_next(cluster, result, all_healthy, manifest))
    return printable("\n".join(lines))


def _trouble(name: str, result: Result) -> str:
    state = result.states[name].split("~")[0]
    if name in result.blocked:
        return f"{name}: blocked in state {state}: {result.blocked[name]}"
    failure = result.failures.get(name)
    if failure is None or state not in ("failed", "quarantined", "rolled-back"):
        return f"{name}: {state}"
    return f"{name}: {state} at {_words(failure, name)}"


def _doubt(names: Sequence[str], manifest: str) -> str:
    return (
        f"{listed(names)}: healthy by the journal, but gave no answer before this run began; "
        f"`mk8s health {manifest}` asks again"
    )


def _words(ended: EdgeFailure, name: str) -> str:
    failure = ended.failure
    reason = failure.message.removeprefix(f"{name}: ")  # the line has begun with the name
    text = f"{ended.edge}: {reason or failure.kind}"
    return f"{text}\n    hint: {failure.remedy}" if failure.remedy else text


def _milestones(records: Sequence[Record]) -> str:
    """When the control plane was whole: the figure that people wait for."""
    for record in records:
        if record.kind == "signal" and record.signal == "servers-healthy":
            return f" (control plane complete after {duration(record.at)})"
    return ""


def _next_of_rehearsal(all_healthy: bool, manifest: str) -> str:
    """Who has just seen a run fail is not sent to the real one."""
    return (
        f"Next: mk8s run {manifest}"
        if all_healthy
        else "Next: the same with --report FILE shows it as a page"
    )


def _next(cluster: Cluster, result: Result, all_healthy: bool, manifest: str) -> str:
    if result.interrupted:
        return f"Interrupted; nothing is lost.  Next: mk8s run {manifest}   (resumes)"
    if all_healthy:
        return f"Next: {next_when_healthy(cluster, manifest)}"
    return f"Next: mend what is named above, then mk8s run {manifest}   (the rest is left alone)"


def next_when_healthy(cluster: Cluster, manifest: str) -> str:
    """The next command. Where agents joined a control plane of somebody else's, that one is asked."""
    if cluster.joins:
        return f"kubectl get nodes, with the kubeconfig of the control plane at {cluster.joins.address}"
    return f"export KUBECONFIG=$(mk8s kubeconfig {manifest})"
