"""What a cluster's answers mean. Each function here gives a judge: an outcome in, a verdict out.

A verdict's reason is evidence when it is met, and what is missing when it is not. None of these gives up
by itself (a cluster that is not there yet may be tomorrow), but `no_other_is_joining`, which is asked once:
its failure has the class ``etcd.busy`` > ``etcd.learner`` > ``etcd``, for which the node table waits.

Begin reading at `node_is_ready`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from mk8s.kube.views import (
    Member,
    NodeView,
    read_members,
    read_nodes,
    read_unhealthy,
    read_workload,
)
from mk8s.steps import Judge, Verdict
from transports.base import Outcome

__all__ = [
    "api_does_answer",
    "etcd_is_healthy",
    "etcd_members_are",
    "is_ok",
    "member_is_full",
    "no_other_is_joining",
    "node_is_ready",
    "nodes_are_ready",
    "nodes_are_registered",
    "nodes_are_schedulable",
    "readyz_is_ok",
    "someone_leads",
    "workload_is_ready",
]

T = TypeVar("T")
LONGEST = 240  # characters of a node's own words
FAILED_CHECK = re.compile(r"\[-\](\S+) failed")
LEASE_AGE = 60.0  # seconds; a leader renews every 2 to 10, and loses its lease after 15
BUSY = ("etcd.busy", "etcd.learner", "etcd")
JOINING_REMEDY = (
    "wait for it, or bring its host back; a member that is gone for good: `etcdctl member remove ID`"
)


def _say(met: bool, reason: str) -> Verdict:
    return Verdict(met, reason[: 2 * LONGEST])


def _judge(read: Callable[[Outcome], T], decide: Callable[[T], Verdict]) -> Judge:
    """A judge of answers that have to exit 0 and be readable."""

    def judge(outcome: Outcome) -> Verdict:
        if not outcome.ok:
            return _say(False, outcome.complaint[:LONGEST])
        try:
            return decide(read(outcome))
        except ValueError as error:
            return _say(False, str(error))

    return judge


# Nodes


def node_is_ready(name: str, *, ready: bool = True, version: str = "") -> Judge:
    """Of `get_node`: the node is registered and, if asked, Ready; with `version`, its kubelet has that."""

    def decide(nodes: list[NodeView]) -> Verdict:
        found = next((node for node in nodes if node.name == name), None)
        missing = list(found.lacks(ready=ready, version=version)) if found else ["is not registered yet"]
        if missing:
            return _say(False, f"node {name} {'; '.join(missing)}")
        return _say(True, f"node {name} is {'Ready' if ready else 'registered'}")

    judge = _judge(read_nodes, decide)

    def judging(outcome: Outcome) -> Verdict:
        if not outcome.ok and b"(NotFound)" in outcome.stderr:
            return _say(False, f"node {name} is not registered yet")
        return judge(outcome)

    return judging


def nodes_are_registered(names: Sequence[str]) -> Judge:
    """Of `get_nodes`: all of these are there. Others may be too; they are told of."""

    def decide(nodes: list[NodeView]) -> Verdict:
        known = {node.name for node in nodes}
        missing = [name for name in names if name not in known]
        if missing:
            return _say(False, f"not registered: {_listed(missing)}")
        strange = sorted(known - set(names))
        also = f", and {_listed(strange)}, not in the manifest" if strange else ""
        return _say(True, f"{len(names)} of {len(names)}{also}")

    return _judge(read_nodes, decide)


def nodes_are_ready(names: Sequence[str], *, version: str = "") -> Judge:
    """Of `get_nodes`: all of these are Ready; with `version`, in that one."""

    def decide(nodes: list[NodeView]) -> Verdict:
        known = {node.name: node for node in nodes}
        lacking = {
            name: "; ".join(known[name].lacks(version=version)) if name in known else "is not registered"
            for name in names
        }
        troubles = [f"{name} {words}" for name, words in lacking.items() if words]
        if troubles:
            return _say(False, f"{len(troubles)} of {len(names)} not: {'; '.join(troubles)}")
        return _say(True, f"{len(names)} of {len(names)}{f' in {version}' if version else ''}")

    return _judge(read_nodes, decide)


def nodes_are_schedulable(names: Sequence[str]) -> Judge:
    """Of `get_nodes`: none of these is cordoned."""

    def decide(nodes: list[NodeView]) -> Verdict:
        cordoned = [node.name for node in nodes if node.unschedulable and node.name in names]
        if cordoned:
            return _say(False, f"cordoned: {_listed(cordoned)}")
        tainted = [node.name for node in nodes if any(effect == "NoSchedule" for _, effect in node.taints)]
        kept = f"; kept for their own by a taint: {_listed(tainted)}" if tainted else ""
        return _say(True, f"no node is cordoned{kept}")

    return _judge(read_nodes, decide)


# The control plane


def readyz_is_ok() -> Judge:
    """Of `readyz`: every check passed. What failed is named."""

    def judge(outcome: Outcome) -> Verdict:
        if outcome.ok:
            passed = outcome.text.count("[+]")
            return _say(True, f"{passed} checks ok" if passed else outcome.text[-LONGEST:] or "ok")
        said = outcome.stderr.decode("utf-8", "replace") + outcome.text
        failed = FAILED_CHECK.findall(said)
        return _say(False, f"checks that fail: {_listed(failed)}" if failed else outcome.complaint[:LONGEST])

    return judge


def api_does_answer() -> Judge:
    """Of `api_answers`."""
    return _judge(lambda outcome: outcome.text, lambda _text: _say(True, "it answers"))


def is_ok() -> Judge:
    """Of `healthz`: most say ``ok``, kube-proxy says when it looked last; the exit status is the answer."""
    return _judge(lambda outcome: outcome.text, lambda _text: _say(True, "ok"))


def someone_leads() -> Judge:
    """Of `get_lease`: somebody renewed it within the last minute, by that server's own clock."""

    def decide(found: tuple[str, float]) -> Verdict:
        holder, age = found
        if not holder:
            return _say(False, "nobody leads")
        if age > LEASE_AGE:
            return _say(False, f"{holder} led last, {age:.0f} s ago")
        return _say(True, f"{holder} leads")

    return _judge(_read_lease, decide)


def _read_lease(outcome: Outcome) -> tuple[str, float]:
    """Who holds it, and how many seconds ago it was renewed."""
    now, _, lease = outcome.text.partition("\n")
    words = lease.split()
    if len(words) != 2:
        return "", 0.0
    renewed = datetime.fromisoformat(words[1].replace("Z", "+00:00"))
    return words[0].partition("_")[0], float(now) - renewed.timestamp()


# etcd


def etcd_members_are(names: Collection[str], *, exactly: bool = True) -> Judge:
    """Of `etcd_members`: these are members, started, full ones; with `exactly`, and nobody else is.

    Whoever else is a member has to be started and no learner too.
    """

    def decide(members: list[Member]) -> Verdict:
        troubles = list(_troubles_of(members, names, exactly))
        if troubles:
            return _say(False, "; ".join(troubles))
        return _say(True, f"{len(members)} started: {_listed(sorted(member.name for member in members))}")

    return _judge(read_members, decide)


def _troubles_of(members: Sequence[Member], names: Collection[str], exactly: bool) -> list[str]:
    known = {member.name for member in members}
    missing = [f"{name} is no member" for name in names if name not in known]
    waiting = [f"{member.words} has not started" for member in members if not member.is_started]
    learning = [f"{member.words} is a learner still" for member in members if member.learner]
    strange = [
        f"{member.name} is a member and no server" for member in members if member.name not in ("", *names)
    ]
    return [*missing, *waiting, *learning, *(strange if exactly else ())]


def member_is_full(name: str) -> Judge:
    """Of `etcd_members`: this one has started and votes. Other members' troubles are theirs."""

    def decide(members: list[Member]) -> Verdict:
        own = next((member for member in members if member.name == name), None)
        if own is None:
            return _say(False, f"etcd has no started member {name}")
        if own.learner:
            return _say(False, f"etcd's member {name} is a learner still")
        return _say(True, f"etcd has {name} among {len(members)} members")

    return _judge(read_members, decide)


def no_other_is_joining(name: str, peer: str = "") -> Judge:
    """Of `etcd_members`: every other member has started and is a full one. Asked once, before a join.

    It gives up at once, so that other servers may try meanwhile: one of them may be the very member that
    is awaited, from a run that was cut off.

    `peer`: the host in this node's own peer URL, by which a member without a name yet is known as its own.
    """

    def decide(members: list[Member]) -> Verdict:
        others = [member for member in members if not _is(member, name, peer)]
        busy = [member.words for member in others if member.learner or not member.is_started]
        if not busy:
            return _say(True, "no other server is joining")
        reason = f"another server is still joining: {_listed(busy)}"
        return Verdict(False, reason, BUSY, JOINING_REMEDY)

    return _judge(read_members, decide)


def _is(member: Member, name: str, peer: str) -> bool:
    own = bool(peer) and any(f"//{peer}:" in url for url in member.peers)
    return member.name == name or own


def etcd_is_healthy() -> Judge:
    """Of `etcd_health`: each member answers. etcdctl exits 1 when one does not, and says which."""

    def judge(outcome: Outcome) -> Verdict:
        try:
            unhealthy: Mapping[str, str] = read_unhealthy(outcome)
        except ValueError:
            return _say(False, outcome.complaint[:LONGEST])
        if unhealthy:
            return _say(False, "; ".join(f"{where}: {why}" for where, why in unhealthy.items()))
        return _say(outcome.ok, "all members answer" if outcome.ok else outcome.complaint[:LONGEST])

    return judge


# Workloads


def workload_is_ready(*, at_least: int = 1) -> Judge:
    """Of `get_workload`: all wanted pods are ready, and `at_least` so many are wanted."""
    return _judge(
        read_workload,
        lambda found: _say(
            found.ready >= max(found.wanted, at_least),
            f"{found.ready} of {max(found.wanted, at_least)} ready",
        ),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
