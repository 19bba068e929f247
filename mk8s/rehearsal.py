"""A run against modelled hosts in virtual time: the same table, driver, executor and engine as the real one.

One seed gives one journal, byte for byte. It touches no node, no file and no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machines import MemoryJournal, Observer, Record, Result
from machines.beside import run_beside
from machines.registry import Guard
from machines.simulation import (
    CheckedJournal,
    Checker,
    Rules,
    VirtualClock,
    run_simulated,
    watch_over,
    watched,
)
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Distro
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

__all__ = ["Rehearsal", "modelled_roads", "nominal_release", "rehearse"]

TOKEN = "simulated-join-token"  # noqa: S105 - no host outside the model ever sees it


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a simulated run went."""

    seed: int
    result: Result
    records: Sequence[Record]
    journal: bytes
    digest: str  # sha256 over the journal's bytes
    network: SimulatedNetwork
    transcript: Transcript  # empty unless it was asked for
    struck: Sequence[Struck] = ()  # the faults that met an operation, in order
    happened: Sequence[Happened] = ()  # what happened at a moment, in order
    resumed_after: int = 0  # records of the run before, where it began from a journal


def rehearse(
    cluster: Cluster,
    distro: Distro,
    *,
    seed: int = 0,
    faults: FaultSource | None = None,
    release: Mapping[str, File] | None = None,
    images: tuple[str, ...] = (),
    observer: Observer | None = None,
    profile: Profile = DEFAULTS,
    uplink: float | None = None,
    knows_links: bool | None = None,
    keep_transcript: bool = False,
    prepare: Callable[[Mapping[str, SimulatedHost]], Awaitable[None]] | None = None,
    looked_at: frozenset[str] = frozenset(),
    journal: MemoryJournal | None = None,
    happenings: Sequence[Happening] = (),
    checkers: Sequence[Checker] = (),
) -> Rehearsal:
    """Run the whole manifest in virtual time, as long as the `profile` says that things take.

    `uplink`: the operator's, in bytes per second; the manifest's `limits.bandwidth` holds as well.
    `knows_links`: measure whether nodes should hand on, as a run does; None: where the profile has links.
    `prepare` brings the hosts, by their nodes' names, to where they are when the run begins, in no time of
    it; of nodes that were `looked_at`, that is all there is. `journal`: what the run writes to; one with
    records is resumed, on hosts brought to where it says.
    `happenings` meet hosts and links at a moment. `checkers` see every record beside the standard ones.

    Raises SimulationStuck when it does not end, and Broken when an invariant does not hold.
    """
    scene = _Scene(
        cluster,
        distro,
        seed,
        profile.with_uplink(uplink).with_uplink(cluster.bandwidth),
        faults,
        release or nominal_release(cluster, distro),
        images,
        MemoryJournal() if journal is None else journal,
    )
    play = Play(happenings, scene.network, scene.hosts)
    watch = watch_over(scene.rules())
    watching: list[Checker] = [play, watch, *checkers]
    measures = profile.links != DEFAULTS.links if knows_links is None else knows_links

    async def main() -> Result:
        if prepare is not None:
            await prepare(scene.hosts)
        await scene.begin(looked_at)
        rollout = scene.rollout(watching, measures=measures, keep_transcript=keep_transcript)
        rollout.registry.actions.update(watched(rollout.registry, watch).actions)
        supervisor = rollout.supervisor(observer)
        return await (run_beside(play.run, supervisor.run) if happenings else supervisor.run())

    result = run_simulated(main, seed=seed, clock=scene.clock)
    for checker in watching:
        checker.end()
    return scene.rehearsal(result, play.happened)


class _Scene:
    """What one rehearsal stands in: modelled hosts and roads, their time, and what is written down."""

    def __init__(
        self,
        cluster: Cluster,
        distro: Distro,
        seed: int,
        profile: Profile,
        faults: FaultSource | None,
        files: Mapping[str, File],
        images: tuple[str, ...],
        memory: MemoryJournal,
    ) -> None:
        self.cluster, self.distro, self.seed = cluster, distro, seed
        self._files, self._images = files, images
        self.clock = clock = VirtualClock()
        time = Time(clock.current_time, clock.sleep, clock.call_at)
        self.network = SimulatedNetwork(profile.pace(seed), time)
        self._strikes = Recorded(faults) if faults is not None else None
        self._roads = modelled_roads(cluster, distro, self.network, seed, self._strikes)
        self._spec = node_machine(cluster, pacing=distro.pacing(cluster))
        self.hosts = {node.name: self.network.hosts[node.address] for node in cluster.nodes}
        self._memory = memory
        self._before = memory.records()
        self._entries: list[Mapping[str, Any]] = []  # of the transcript
        self._guards: dict[str, Guard] = {}  # the rollout's own, once there is one

    def rules(self) -> Rules:
        """What every record is held to."""
        return Rules(
            spec=self._spec,
            members=self.cluster.nodes,
            guards=self._guards,
            secrets=[TOKEN, *secrets_pretended(self.distro.needs(self.cluster))],
            before=len(self._before),
            durable=lambda: self._memory.durable_seq,
            breaches=lambda: self.network.breaches,
        )

    async def begin(self, looked_at: frozenset[str]) -> None:
        """Bring the hosts to where the journal says; faults begin then."""
        if self._before:
            brought = Brought(
                self.cluster, self.distro, self.network, self.hosts, self._files, self._images,
                TOKEN, self.seed, looked_at,
            )  # fmt: skip
            await bring_to(brought, self._before, table_to_read(self._spec))
        if self._strikes is not None:
            self._strikes.begin()

    def rollout(self, watching: Sequence[Checker], *, measures: bool, keep_transcript: bool) -> Rollout:
        """The run itself, with every record shown to those who watch."""
        around = Surroundings(
            transports=self._roads,
            journal=CheckedJournal(self._memory, watching),
            release=self._files,
            token=TOKEN,
            kept=pretend(self.distro.needs(self.cluster)),
            images=self._images,
            cut=modelled_cuts,
            keep_kubeconfig=_forget,
            transcript=self._entries.append if keep_transcript else None,
            seed=self.seed,
            knows_links=measures,
            sleep=self.clock.sleep,
        )
        rollout = Rollout(self.cluster, self.distro, around)
        self._guards.update(rollout.registry.guards)
        return rollout

    def rehearsal(self, result: Result, happened: Sequence[Happened]) -> Rehearsal:
        """What came of it."""
        memory = self._memory
        return Rehearsal(
            self.seed,
            result,
            memory.records(),
            memory.data,
            memory.digest(),
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
