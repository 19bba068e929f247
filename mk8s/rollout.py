"""One cluster's run, put together: the node table, a distro's steps, transports and a journal.

The same object runs on real hosts and in simulation: what differs (transports, journal, clock) comes in
through the constructor. It knows no terminal and no manifest file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from machines import ActionError, History, Journal, MachineSpec, Observer, Registry, Supervisor, Table, fold
from mk8s.binding import Binding
from mk8s.cluster import Cluster
from mk8s.cutting import Cut, cut_file
from mk8s.distros.base import Distro
from mk8s.executor import Executor
from mk8s.fanout.choice import Expected
from mk8s.fanout.places import Places
from mk8s.fanout.wiring import FanOutOffice, expected_files
from mk8s.identity import marks_of
from mk8s.needs import Kept
from mk8s.steps import Verdict
from mk8s.tables import node_machine, titles_of
from mk8s.traffic import Traffic
from mk8s.transcript import RUN
from transports.base import File, Transport

__all__ = ["Rollout", "Surroundings", "edge_titles", "titles_of"]

UPLOADS = "uploads"  # the limit of the edge that brings files to nodes
CLOSE_GRACE = 5.0  # seconds for saying goodbye to all nodes
SILENT = "look whether the machine is up and the way to it is open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run stands in: everything of the outside world that it may touch."""

    transports: Mapping[str, Transport]
    journal: Journal
    release: Mapping[str, File]
    token: str
    kept: Kept = field(default_factory=Kept)
    images: tuple[str, ...] = ()  # names of the container images in the release
    cut: Cut = cut_file  # how a release file is cut into pieces
    key_places: Places | None = None  # remembers where keys of the fan-out may be; None: a simulation
    keep_kubeconfig: Callable[[str], None]
    transcript: Callable[[dict[str, Any]], None] | None = None
    redact: Callable[[str], str] = str
    remember: Callable[[str], None] | None = None  # hides a secret that came up during the run
    program: str = ""
    started: str = ""  # wall clock, for people; empty in simulation
    signed: bool = False  # the journal says whose it is: the cluster's name and addresses
    simulated: bool = False  # it says that no host was touched
    seed: int = 0
    knows_links: bool = False  # of a simulation: they are as measured or given, see `fanout.wiring`
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep  # what waits let time pass with
    grace: float = 30.0  # seconds that running actions get after the first Ctrl-C


class Rollout:
    """Binds everything; runs nothing until it is asked."""

    def __init__(self, cluster: Cluster, distro: Distro, around: Surroundings) -> None:
        self.cluster = cluster
        self.around = around
        self._supervisor: Supervisor | None = None
        self._fan_out = self._office()
        self.traffic = Traffic(self._expected_files)
        self.binding = self._bound(distro, self._executor())
        self.registry: Registry = self.binding.registry()
        self.spec: MachineSpec = node_machine(cluster, self.registry, distro.pacing(cluster))
        self.table = Table(self.spec, self.registry.guards)

    def _office(self) -> FanOutOffice:
        around = self.around
        return FanOutOffice(
            self.cluster,
            around.cut,
            around.release.values(),
            around.key_places,
            capacity=lambda: self.spec.limits[UPLOADS],
            expected=self._expected_files,
            measures=around.knows_links,
        )

    def _executor(self) -> Executor:
        around = self.around
        return Executor(
            around.transports,
            transcript=around.transcript,
            redact=around.redact,
            delivery=self._fan_out.make,
            traffic=self.traffic,
            clock=self._seconds,
            sleep=around.sleep,
        )

    def _bound(self, distro: Distro, executor: Executor) -> Binding:
        around = self.around
        return Binding(
            self.cluster,
            distro,
            executor,
            around.release,
            around.token,
            around.keep_kubeconfig,
            kept=around.kept,
            images=around.images,
            remember=around.remember,
        )

    @property
    def titles(self) -> dict[str, str]:
        """Edge names to words for people."""
        return titles_of(self.spec)

    def history(self) -> History | None:
        """What the journal tells; None when it is new. Raises HistoryError when it does not fit."""
        return fold(self.around.journal.records(), self.table)

    def states(self) -> dict[str, str]:
        """Where each node of the manifest is, as the journal says."""
        history = self.history()
        lives = history.lives if history else {}
        return {
            node.name: lives[node.name].state if node.name in lives else self.spec.initial
            for node in self.cluster.nodes
        }

    def supervisor(self, observer: Observer | None = None) -> Supervisor:
        """The engine, ready to run this cluster."""
        if self.around.transcript and self.around.started:
            self.around.transcript({"operation": RUN, "started": self.around.started})
        self._supervisor = Supervisor(
            self.table,
            self.registry,
            self.cluster.nodes,
            self.around.journal,
            plan_digest=self.cluster.digest,
            program=self.around.program,
            started=self.around.started,
            subject=self.cluster.name if self.around.signed else "",
            marks=marks_of(self.cluster) if self.around.signed else (),
            simulated=self.around.simulated,
            seed=self.around.seed,
            grace=self.around.grace,
            observer=observer,
        )
        return self._supervisor

    def _seconds(self) -> float:
        """Seconds of the run; those before it, and of questions outside of one, are its second 0."""
        return self._supervisor.logbook.now() if self._supervisor else 0.0

    async def audit(self, patience: float) -> dict[str, Verdict]:
        """Ask every node at once whether it is healthy now. Read-only.

        A node that has not answered within `patience` seconds is not; the others' answers stand.
        """
        silent = Verdict(met=False, reason=f"no answer within {patience:g} s", remedy=SILENT)
        verdicts = {node.name: silent for node in self.cluster.nodes}

        async def ask(name: str) -> None:
            with anyio.move_on_after(patience):
                try:
                    verdicts[name] = await self.binding.is_healthy(name)
                except ActionError as error:
                    verdicts[name] = Verdict(met=False, reason=str(error), remedy=error.failure.remedy)

        async with anyio.create_task_group() as tasks:
            for node in self.cluster.nodes:
                tasks.start_soon(ask, node.name)
        return verdicts

    async def fetch_kubeconfig(self, verdicts: dict[str, Verdict]) -> None:
        """Keep the kubeconfig, whose file is gone. What is in the way becomes the primary's verdict.

        Agents alone have none to give.
        """
        if self.cluster.joins:
            return
        primary = self.cluster.primary.name
        if verdicts[primary].met:
            try:
                await self.binding.fetch_kubeconfig(primary)
            except ActionError as error:
                reason = f"its kubeconfig cannot be read: {error}"
                verdicts[primary] = Verdict(met=False, reason=reason, remedy=error.failure.remedy)

    def _expected_files(self) -> Expected:
        """What is still to be brought to nodes, by the journal."""
        states = self.states()
        nodes = [node for node in self.cluster.nodes if states[node.name].split("~")[0] == self.spec.initial]
        around = self.around
        return expected_files(self.cluster, nodes, self.binding.distro, around.release, around.images)

    def tell(self, say: Callable[[str], None]) -> None:
        """Let somebody hear what concerns no single node: how files will travel."""
        self._fan_out.say = say

    async def remove_keys(self) -> list[str]:
        """Take the keys of the fan-out off all nodes, an earlier run's too; where one may still be.

        Within seconds, also when the run is being cancelled.
        """
        return await self._fan_out.close()

    async def close(self) -> None:
        """Let go of every node, at once and within a few seconds, also when the run is being cancelled."""
        with anyio.move_on_after(CLOSE_GRACE, shield=True):
            async with anyio.create_task_group() as tasks:
                for transport in self.around.transports.values():
                    tasks.start_soon(transport.close)


def edge_titles(cluster: Cluster) -> dict[str, str]:
    """The same for a cluster that nothing is bound to."""
    return titles_of(node_machine(cluster))
