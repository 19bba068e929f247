"""A run against modelled hosts in virtual time: the same table, driver, executor and engine as the real one.

One seed gives one journal, byte for byte. It touches no node, no file and no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machines import MemoryJournal, Observer, Record, Result, Table
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
from mk8s.tables import node_machine
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
    paced = profile.with_uplink(uplink).with_uplink(cluster.bandwidth)
    clock = VirtualClock()
    network = SimulatedNetwork(paced.pace(seed), Time(clock.current_time, clock.sleep, clock.call_at))
    entries: list[Mapping[str, Any]] = []
    memory = MemoryJournal() if journal is None else journal
    before = memory.records()
    table = _table(cluster, distro)
    strikes = Recorded(faults) if faults is not None else None
    roads = modelled_roads(cluster, distro, network, seed, strikes)
    hosts = {node.name: network.hosts[node.address] for node in cluster.nodes}
    files = release or nominal_release(cluster, distro)
    play = Play(happenings, network, hosts)
    guards: dict[str, Guard] = {}  # the rollout's own, once there is one
    rules = Rules(
        spec=table.spec,
        members=cluster.nodes,
        guards=guards,
        secrets=[TOKEN, *secrets_pretended(distro.needs(cluster))],
        before=len(before),
        durable=lambda: memory.durable_seq,
        breaches=lambda: network.breaches,
    )
    watch = watch_over(rules)
    watching: list[Checker] = [play, watch, *checkers]

    async def main() -> Result:
        if prepare is not None:
            await prepare(hosts)
        if before:
            await bring_to(
                Brought(cluster, distro, network, hosts, files, images, TOKEN, seed, looked_at),
                before,
                table,
            )
        if strikes is not None:
            strikes.begin()
        around = Surroundings(
            transports=roads,
            journal=CheckedJournal(memory, watching),
            release=files,
            token=TOKEN,
            kept=pretend(distro.needs(cluster)),
            images=images,
            cut=modelled_cuts,
            keep_kubeconfig=_forget,
            transcript=entries.append if keep_transcript else None,
            seed=seed,
            knows_links=profile.links != DEFAULTS.links if knows_links is None else knows_links,
            sleep=clock.sleep,
        )
        rollout = Rollout(cluster, distro, around)
        guards.update(rollout.registry.guards)
        rollout.registry.actions.update(watched(rollout.registry, watch).actions)
        supervisor = rollout.supervisor(observer)
        return await (run_beside(play.run, supervisor.run) if happenings else supervisor.run())

    result = run_simulated(main, seed=seed, clock=clock)
    for checker in watching:
        checker.end()
    return Rehearsal(
        seed,
        result,
        memory.records(),
        memory.data,
        memory.digest(),
        network,
        transcript_of(entries),
        struck=strikes.struck if strikes is not None else (),
        happened=play.happened,
        resumed_after=len(before),
    )


def _table(cluster: Cluster, distro: Distro) -> Table:
    spec = node_machine(cluster, pacing=distro.pacing(cluster))
    return Table(spec, {name.lstrip("!"): bool for edge in spec.edges for name in edge.guard})


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
