"""A site of modelled hosts that outlives the runs on it: one may be cut off, and the next one resumes.

What is cut off is this side: the journal takes no more records, no transport does anything more, and
uploads under way break off. The hosts live on, with the commands that they were given.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import trio

from machines import Journal, JournalError, MemoryJournal, Record, Result
from machines.records import Kind
from machines.registry import Guard
from machines.simulation import CheckedJournal, Rules, VirtualClock, watch_over, watched
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro
from mk8s.distros.rancher.model import world_of as rancher_world
from mk8s.earned import Earned
from mk8s.forecast.profile import DEFAULTS
from mk8s.kube.world import world_of as kube_world
from mk8s.needs import pretend
from mk8s.parts_model import modelled_cuts
from mk8s.rehearsal import TOKEN, modelled_roads, nominal_release
from mk8s.rollout import Rollout, Surroundings
from mk8s.tables import node_machine
from transports.base import Outcome, Transport
from transports.simulated import FaultSource, SimulatedHost, SimulatedNetwork, SimulatedTransport, Time

__all__ = ["EndState", "KilledError", "MortalJournal", "Site"]

T = TypeVar("T")


class KilledError(JournalError):
    """The process of a run is gone."""


class MortalJournal(MemoryJournal):
    """A journal whose process is killed right after it has taken record `last`."""

    def __init__(self, last: int, data: bytes = b"") -> None:
        super().__init__(data)
        self._last = last
        self.killed = trio.Event()

    def append(self, at: float, kind: Kind, **fields: Any) -> Record:
        if self.killed.is_set():
            raise KilledError
        record = super().append(at, kind, **fields)
        if record.seq >= self._last:
            self.killed.set()
            raise KilledError
        return record

    async def durable(self, seq: int) -> None:
        if self.killed.is_set():
            raise KilledError
        await super().durable(seq)

    def left(self, *, synced_only: bool) -> bytes:
        """What the next run finds: all that was written, or in the worst case what was synced."""
        lines = self.data.splitlines(keepends=True)
        return b"".join(lines[: self.durable_seq] if synced_only else lines)


class MortalTransport:
    """A road that ends with the process: after that nothing is sent, and a command goes on alone."""

    def __init__(self, inner: SimulatedTransport, killed: trio.Event, hosts_own: trio.Nursery) -> None:
        self._inner = inner
        self._killed = killed
        self._hosts_own = hosts_own

    @property
    def name(self) -> str:
        return self._inner.name

    # What is asked is the inner road's matter, and goes on as it came.

    async def run(self, *asked: Any, **more: Any) -> Outcome:
        return await self._left_alone(lambda: self._inner.run(*asked, **more))

    async def idle(self, *asked: Any, **more: Any) -> Outcome | None:
        await self._alive()
        return await self._inner.idle(*asked, **more)

    async def put(self, *asked: Any, **more: Any) -> None:
        await self._alive()
        await self._inner.put(*asked, **more)

    async def append(self, *asked: Any, **more: Any) -> None:
        await self._alive()
        await self._inner.append(*asked, **more)

    async def get(self, *asked: Any, **more: Any) -> bytes:
        await self._alive()
        return await self._inner.get(*asked, **more)

    async def close(self) -> None:
        """A process that is gone says no goodbye."""

    async def _alive(self) -> None:
        if self._killed.is_set():
            await trio.sleep_forever()

    async def _left_alone(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work in the host's own time: it goes on when nobody waits for it any more."""
        await self._alive()
        answers: list[T | Exception] = []
        answered = trio.Event()

        async def working() -> None:
            try:
                answers.append(await work())
            except Exception as error:
                answers.append(error)
            answered.set()

        self._hosts_own.start_soon(working)
        await answered.wait()
        (answer,) = answers
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True)
class EndState:
    """What is there when all is over, as far as anybody may rely on it."""

    states: Mapping[str, str]
    files: Mapping[str, Mapping[str, tuple[str, int]]]  # host -> path -> (sha256 or content's, mode)
    services: Mapping[str, Mapping[str, tuple[str, bool]]]  # host -> unit -> (state, enabled)
    clusters: int  # how often a new one was made; by whom, where all servers begin at once, is chance
    members: Mapping[str, bool]  # of etcd: whether it votes
    breaches: Sequence[str]


@dataclass
class Site:
    """One network of modelled hosts, in one virtual time: `clock` is that of the run it stands in."""

    cluster: Cluster
    distro: Distro
    seed: int = 0
    faults: FaultSource | None = None
    clock: VirtualClock = field(default_factory=VirtualClock)
    network: SimulatedNetwork = field(init=False)

    def __post_init__(self) -> None:
        time = Time(self.clock.current_time, self.clock.sleep, self.clock.call_at)
        self.network = SimulatedNetwork(DEFAULTS.pace(self.seed), time)
        modelled_roads(self.cluster, self.distro, self.network, self.seed)
        self._hosts = {node.name: self.network.hosts[node.address] for node in self.cluster.nodes}

    def roads(self) -> dict[str, SimulatedTransport]:
        """New connections to the same hosts."""
        return {
            name: SimulatedTransport(name, host, self.network, faults=self.faults)
            for name, host in self._hosts.items()
        }

    async def run(self, journal: MemoryJournal, roads: Mapping[str, Transport] | None = None) -> Result:
        """A whole run, watched by every invariant; one with records in its journal is resumed."""
        guards: dict[str, Guard] = {}  # the rollout's own, once there is one
        rules = Rules(
            spec=node_machine(self.cluster, pacing=self.distro.pacing(self.cluster)),
            members=self.cluster.nodes,
            guards=guards,
            secrets=[TOKEN],
            before=len(journal.records()),
            durable=lambda: journal.durable_seq,
            breaches=lambda: self.network.breaches,
        )
        watch = watch_over(rules)
        earned = Earned(self.network, self._hosts, rules.before)
        rollout = self._rollout(CheckedJournal(journal, [earned, watch]), roads or dict(self.roads()))
        guards.update(rollout.registry.guards)
        seen = watched(rollout.registry, watch)
        rollout.registry.actions.update(seen.actions)
        rollout.registry.probes.update(seen.probes)
        result = await rollout.supervisor().run()
        watch.end()
        return result

    async def survives(self, journal: MortalJournal, hosts_own: trio.Nursery) -> bool:
        """Run until the end, True, or until the journal's process is killed.

        The commands that a killed run gave go on in the hosts' own nursery.
        """
        roads: dict[str, Transport] = {
            name: MortalTransport(road, journal.killed, hosts_own) for name, road in self.roads().items()
        }
        try:
            await self.run(journal, roads)
        except KilledError:
            return False
        return True

    def _rollout(self, journal: Journal, roads: Mapping[str, Transport]) -> Rollout:
        around = Surroundings(
            transports=roads,
            journal=journal,
            release=nominal_release(self.cluster, self.distro),
            token=TOKEN,
            kept=pretend(self.distro.needs(self.cluster)),
            cut=modelled_cuts,
            keep_kubeconfig=lambda _text: None,
            seed=self.seed,
            sleep=self.clock.sleep,
        )
        return Rollout(self.cluster, self.distro, around)

    def end_state(self, result: Result) -> EndState:
        """What the hosts hold now, and what they have become together."""
        clusters, members = _together(self.network, self.cluster)
        return EndState(
            states=dict(result.states),
            files={name: _files_of(host) for name, host in self._hosts.items()},
            services={
                name: {unit: (str(s.state), s.enabled) for unit, s in sorted(host.services.items())}
                for name, host in self._hosts.items()
            },
            clusters=clusters,
            members=members,
            breaches=[f"{breach.invariant}: {breach.evidence}" for breach in self.network.breaches],
        )


def _files_of(host: SimulatedHost) -> dict[str, tuple[str, int]]:
    """All but logs: what was done twice stands in them twice."""
    return {
        str(path): (file.sha256, file.mode)
        for path, file in sorted(host.files.items())
        if not path.is_relative_to("/var/log")
    }


def _together(network: SimulatedNetwork, cluster: Cluster) -> tuple[int, dict[str, bool]]:
    """How often a cluster was made, and who votes in its etcd."""
    if cluster.distro in ("rke2", "k3s"):
        rancher = rancher_world(network)
        return len(rancher.initialised), {name: member.voter for name, member in rancher.members.items()}
    etcd = kube_world(network, cluster).etcd
    return len(etcd.bootstraps), {peer: not member.learner for peer, member in etcd.members.items()}
