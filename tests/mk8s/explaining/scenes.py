"""Runs written down by hand, record by record, so that a test knows each second of them."""

from __future__ import annotations

from typing import Any, Self

from machines import Header, MemoryJournal, Record, Table, fold
from mk8s.cluster import Cluster
from mk8s.explaining.reasons import Reasons
from mk8s.explaining.scene import Going, Scene
from mk8s.tables import node_machine
from mk8s.timeline import timeline_of
from mk8s.transcript import NOTHING_DONE, Transcript
from tests.mk8s.examples import cluster

__all__ = ["Run"]


class Run:
    """A run of a cluster up to some second. Every method goes on with it."""

    def __init__(self, servers: int = 3, agents: int = 2, **changes: Any) -> None:
        import dataclasses

        self.cluster: Cluster = dataclasses.replace(cluster(servers=servers, agents=agents), **changes)
        spec = node_machine(self.cluster)
        self.table = Table(spec, {name.lstrip("!"): bool for edge in spec.edges for name in edge.guard})
        self.journal = MemoryJournal()
        self.at = 0.0
        self.states = {node.name: spec.initial for node in self.cluster.nodes}
        members = tuple((node.name, node.role) for node in self.cluster.nodes)
        header = Header(
            schema=1, machine=spec.machine, version=spec.version, machine_digest="",
            members=members, started="2026-01-02T03:04:05+00:00",
        )  # fmt: skip
        self.journal.append(0.0, "header", header=header)

    def after(self, seconds: float) -> Self:
        """Time passes."""
        self.at += seconds
        return self

    def add(self, kind: Any, node: str = "", **fields: Any) -> Self:
        self.journal.append(self.at, kind, node=node, **fields)
        return self

    def move(self, node: str, edge: str, to: str) -> Self:
        self.add("state", node, edge=edge, source=self.states[node], to=to)
        self.states[node] = to
        return self

    def begin(self, node: str, edge: str, attempt: int = 1, used: float = 0.0) -> Self:
        """An edge, or its next attempt, begins."""
        if "~" not in self.states[node]:
            self.move(node, edge, f"{self.states[node]}~{edge}")
        return self.add("intent", node, edge=edge, attempt=attempt, used=used)

    def done(self, node: str, edge: str) -> Self:
        self.add("done", node, edge=edge, attempt=1)
        return self.move(node, edge, self.table.edges[edge].to)

    def error(self, node: str, edge: str, message: str, attempt: int = 1, **fields: Any) -> Self:
        return self.add(
            "error", node, edge=edge, attempt=attempt, lineage=("exit.1", "exit"), message=message,
            clause=-1, **fields,
        )  # fmt: skip

    def retry(self, node: str, edge: str, delay: float, attempt: int = 1) -> Self:
        return self.add("retry", node, edge=edge, attempt=attempt, delay=delay, clause=0)

    def ready(self, *nodes: str) -> Self:
        """Through everything up to holding for the signal, at once."""
        for node in nodes:
            for edge in ("stage", "bootstrap"):
                self.begin(node, edge).done(node, edge)
            self.move(node, "hold", "waiting")
        return self

    def healthy(self, node: str, edge: str) -> Self:
        self.begin(node, edge).done(node, edge)
        return self.begin(node, "verify").done(node, "verify")

    def all_ready(self) -> Self:
        return self.ready(*self.states)

    def primary_there(self) -> Self:
        """Everyone is ready, and the first server is healthy."""
        self.all_ready().healthy("srv-1", "start-primary")
        return self.add("signal", signal="primary-ready", evidence={"members": ["srv-1"]})

    @property
    def records(self) -> list[Record]:
        return self.journal.records()

    def scene(
        self,
        *,
        now: float | None = None,
        going: bool = True,
        transcript: Transcript = NOTHING_DONE,
        **more: Any,
    ) -> Scene:
        """As somebody sees it who asks now."""
        history = fold(self.records, self.table)
        assert history is not None
        timeline = timeline_of(self.records, self.table.spec, transcript)
        run = Going("process 7", now) if going else None
        return Scene(self.cluster, history, timeline, "c.yaml", transcript, run, **more)

    def reasons(self, **how: Any) -> Reasons:
        return Reasons(self.scene(**how))
