"""What answers mean that only vanilla asks for. Pure judges; common ones are in `mk8s.kube.judges`."""

from __future__ import annotations

from dataclasses import replace

from mk8s.cluster import Node
from mk8s.kube import judges
from mk8s.kube.views import read_members
from mk8s.steps import Judge, Verdict
from transports.base import Outcome

__all__ = ["is_full_member", "no_other_is_joining"]

# The node table repeats `etcd.learner`, and lets other servers try meanwhile: one of them may be the very
# member that is awaited, from a run that was cut off.
BUSY = ("etcd.busy", "etcd.learner", "etcd")


def is_full_member(name: str) -> Judge:
    """Of `etcd_members`: this one has started and votes. Other members' troubles are theirs."""

    def judge(outcome: Outcome) -> Verdict:
        if not outcome.ok:
            return Verdict(False, outcome.complaint)
        try:
            members = read_members(outcome)
        except ValueError as error:
            return Verdict(False, str(error))
        own = next((member for member in members if member.name == name), None)
        if own is None:
            return Verdict(False, f"{name} is no member of etcd")
        if own.learner:
            return Verdict(False, f"{name} is a learner still")
        return Verdict(True, f"{name} is one of {len(members)} members")

    return judge


def no_other_is_joining(node: Node) -> Judge:
    """Of `etcd_members`: every member but this server's own has started and votes."""
    asked = judges.no_other_is_joining(node.name, node.ip)

    def judge(outcome: Outcome) -> Verdict:
        verdict = asked(outcome)
        return replace(verdict, lineage=BUSY) if verdict.lineage else verdict

    return judge
