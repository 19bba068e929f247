"""A run against modelled hosts in virtual time: the same table, driver, executor and engine as the real one.

One seed under the same `Conditions` gives one journal, byte for byte. It touches no node, no file, no clock.
Begin reading at `rehearse`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from machines import MemoryJournal, Observer, Record, Result
from machines.beside import run_beside
from machines.registry import Guard
from machines.simulation import (
    CheckedJournal,
    Checker,
    Rules,
    SimulationStuck,
    VirtualClock,
    run_simulated,
    watch_over,
    watched,
)
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Distro
from mk8s.earned import Earned
from mk8s.fanout.model import fan_out_handlers
from mk8s.forecast.profile import DEFAULTS, Profile
from mk8s.modelled import model_os
from mk8s.needs import pretend, secrets_pretended
from mk8s.nominal import nominal_size
from mk8s.parts_model import modelled_cuts
from mk8s.rollout import Rollout, Surroundings
from mk8s.simulating.beginning import Brought, bring_to
from mk8s.simulating.happenings import Happened, Happening, Play
from mk8s.simulating.striking import Recorded, Struck
from mk8s.tables import node_machine, table_to_read
from mk8s.transcript import Transcript, transcript_of
from transports.base import File, Transport
from transports.simulated import FaultSource, SimulatedHost, SimulatedNetwork, SimulatedTransport, Time

__all__ = ["Conditions", "Prepare", "Rehearsal", "modelled_roads", "nominal_release", "rehearse"]

TOKEN = "simulated-join-token"  # noqa: S105 - no host outside the model ever sees it

Prepare: TypeAlias = Callable[[Mapping[str, SimulatedHost]], Awaitable[None]]
"""Brings modelled hosts, by their nodes' names, to where they are when a run begins, in no time of it."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What rehearsals share over their seeds: what is built, how long things take, where it begins."""

    cluster: Cluster
    distro: Distro
    profile: Profile = DEFAULTS
    uplink: float | None = None  # the operator's, in bytes per second; `limits.bandwidth` holds as well
    release: Mapping[str, File] | None = None  # None: files of nominal sizes
    images: tuple[str, ...] = ()
    knows_links: bool | None = (
        None  # measures whether nodes hand on, as a run does; None: where links are given
    )
    past: bytes = (
        b""  # the journal of the run that goes on, on hosts brought to where it says; empty: a new one
    )
    prepare: Prepare | None = None
    looked_at: frozenset[str] = frozenset()  # nodes of which `prepare` is all there is to know

    @property
    def paced(self) -> Profile:
        """The profile under every limit of the operator's link."""
        return self.profile.with_uplink(self.uplink).with_uplink(self.cluster.bandwidth)

    @property
    def measures(self) -> bool:
        """Whether the run measures its links."""
        return self.profile.links != DEFAULTS.links if self.knows_links is None else self.knows_links

    @property
    def files(self) -> Mapping[str, File]:
        """The release, by artifact."""
        return self.release or nominal_release(self.cluster, self.distro)


@dataclass(frozen=True)
class Rehearsal:
    """How a simulated run went."""

    seed: int
    result: Result
    memory: MemoryJournal  # what the run wrote to
    network: SimulatedNetwork
    transcript: Transcript  # empty unless it was asked for
    struck: Sequence[Struck] = ()  # the faults that met an operation, in order
    happened: Sequence[Happened] = ()  # what happened at a moment, in order
    resumed_after: int = 0  # records of the run before, where it began from a journal

    @cached_property
    def records(self) -> Sequence[Record]:
        """Every record, oldest first; read when asked for: they take several times the journal's room."""
        return self.memory.records()

    @property
    def journal(self) -> bytes:
        """The bytes that a file would hold."""
        return self.memory.data

    @property
    def digest(self) -> str:
        """The sha256 over the journal's bytes."""
        return self.memory.digest()


def rehearse(
    conditions: Conditions,
    seed: int = 0,
    *,
    faults: FaultSource | None = None,
    happenings: Sequence[Happening] = (),
    checkers: Sequence[Checker] = (),
    observer: Observer | None = None,
    journal: MemoryJournal | None = None,
    keep_transcript: bool = False,
) -> Rehearsal:
    """Run the whole manifest in virtual time, as long as the conditions' profile says that things take.

    `faults` meet operations, `happenings` meet hosts and links at a moment. `checkers` see every record
    beside the standard ones. `journal`: what the run writes to, for who looks at it when the run raises; it
    holds the conditions' past already. Raises Broken when a law does not hold, a run without an end included.
    """
    scene = _Scene(conditions, seed, faults, MemoryJournal(conditions.past) if journal is None else journal)
    play = Play(happenings, scene.network, scene.hosts)
    watch = watch_over(scene.rules())
    watching: list[Checker] = [play, scene.earned, watch, *checkers]

    async def main() -> Result:
        await scene.begin()
        rollout = scene.rollout(watching, keep_transcript=keep_transcript)
        seen = watched(rollout.registry, watch)
        rollout.registry.actions.update(seen.actions)
        rollout.registry.probes.update(seen.probes)
        supervisor = rollout.supervisor(observer)
        return await (run_beside(play.run, supervisor.run) if happenings else supervisor.run())

    try:
        result = run_simulated(main, seed=seed, clock=scene.clock)
    except SimulationStuck as stuck:
        raise watch.stuck(str(stuck)) from stuck
    for checker in watching:
        checker.end()
    return scene.rehearsal(result, play.happened)


class _Scene:
    """What one rehearsal stands in: modelled hosts and roads, their time, and what is written down."""

    def __init__(
        self, conditions: Conditions, seed: int, faults: FaultSource | None, memory: MemoryJournal
    ) -> None:
        self._conditions, self._seed = conditions, seed
        self._cluster, self._distro = cluster, distro = conditions.cluster, conditions.distro
        self._files = conditions.files
        self.clock = clock = VirtualClock()
        time = Time(clock.current_time, clock.sleep, clock.call_at, clock.scope)
        self.network = SimulatedNetwork(conditions.paced.pace(seed), time)
        self._strikes = Recorded(faults) if faults is not None else None
        self._roads = modelled_roads(cluster, distro, self.network, seed, self._strikes)
        self._spec = node_machine(cluster, pacing=distro.pacing(cluster))
        self.hosts = {node.name: self.network.hosts[node.address] for node in cluster.nodes}
        self._memory = memory
        self._before = memory.records()
        self.earned = Earned(self.network, self.hosts, len(self._before))
        self._entries: list[Mapping[str, Any]] = []  # of the transcript
        self._guards: dict[str, Guard] = {}  # the rollout's own, once there is one

    def rules(self) -> Rules:
        """What every record is held to."""
        return Rules(
            spec=self._spec,
            members=self._cluster.nodes,
            guards=self._guards,
            secrets=[TOKEN, *secrets_pretended(self._distro.needs(self._cluster))],
            before=len(self._before),
            durable=lambda: self._memory.durable_seq,
            breaches=lambda: self.network.breaches,
        )

    async def begin(self) -> None:
        """Bring the hosts to where they are found, or where the journal says; faults begin then."""
        at = self._conditions
        if at.prepare is not None:
            await at.prepare(self.hosts)
        if self._before:
            brought = Brought(
                self._cluster, self._distro, self.network, self.hosts, self._files, at.images,
                TOKEN, self._seed, at.looked_at,
            )  # fmt: skip
            await bring_to(brought, self._before, table_to_read(self._spec))
        if self._strikes is not None:
            self._strikes.begin()

    def rollout(self, watching: Sequence[Checker], *, keep_transcript: bool) -> Rollout:
        """The run itself, with every record shown to those who watch."""
        around = Surroundings(
            transports=self._roads,
            journal=CheckedJournal(self._memory, watching),
            release=self._files,
            token=TOKEN,
            kept=pretend(self._distro.needs(self._cluster)),
            images=self._conditions.images,
            cut=modelled_cuts,
            keep_kubeconfig=_forget,
            transcript=self._entries.append if keep_transcript else None,
            signed=True,
            simulated=True,
            seed=self._seed,
            knows_links=self._conditions.measures,
            sleep=self.clock.sleep,
        )
        rollout = Rollout(self._cluster, self._distro, around)
        self._guards.update(rollout.registry.guards)
        return rollout

    def rehearsal(self, result: Result, happened: Sequence[Happened]) -> Rehearsal:
        """What came of it."""
        return Rehearsal(
            self._seed,
            result,
            self._memory,
            self.network,
            transcript_of(self._entries),
            struck=self._strikes.struck if self._strikes is not None else (),
            happened=happened,
            resumed_after=len(self._before),
        )


def modelled_roads(
    cluster: Cluster,
    distro: Distro,
    network: SimulatedNetwork,
    seed: int,
    faults: FaultSource | None = None,
) -> dict[str, Transport]:
    """A modelled host for each node, all on one network, and a transport to each."""
    hosts = {node.name: network.add(_host(node, seed)) for node in cluster.nodes}
    handing_on = fan_out_handlers(network)
    for host in hosts.values():
        host.use(handing_on)
        distro.model(host, network, cluster)
    return {name: SimulatedTransport(name, host, network, faults=faults) for name, host in hosts.items()}


def _host(node: Node, seed: int) -> SimulatedHost:
    host = SimulatedHost(node.name, node.address, arch=node.arch, seed=seed)
    model_os(host)
    return host


def _forget(_text: str) -> None:
    """A modelled kubeconfig opens nothing."""


def nominal_release(cluster: Cluster, distro: Distro) -> dict[str, File]:
    """Files that are not here, with sizes of the right order and hashes made from their names."""
    return {item.id: _nominal(cluster, item) for item in distro.artifacts(cluster)}


def _nominal(cluster: Cluster, item: ArtifactItem) -> File:
    digest = hashlib.sha256(f"{cluster.version}/{item.file}".encode()).hexdigest()
    return File(cluster.artifacts_dir / item.file, nominal_size(cluster.distro, item.id), digest)
