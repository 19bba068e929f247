"""etcd as simulated hosts make it up together: members, learners, quorum, and its own words for a refusal.

Modelled after etcd 3.4 and newer: static bootstrap, `member add` as a voter or as a learner, promotion,
removal, `--strict-reconfig-check` (on by default) and a majority of voters. Not modelled: data, leaders,
defragmentation. Who makes it is told what must never happen: a second cluster, two that join at once.

Begin reading at `Etcd.start` and `Etcd.add`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transports.simulated import ServiceFailed, SimulatedHost

__all__ = ["SYNC", "Etcd", "EtcdRefused", "ModelledMember"]

SYNC = "etcd:learner-sync"  # the phase that a learner needs for the leader's data

TIMED_OUT = "context deadline exceeded"
EXISTS = "etcdserver: Peer URLs already exists"
UNHEALTHY = "etcdserver: unhealthy cluster"
TOO_FEW = "etcdserver: re-configuration failed due to not enough started members"
LEARNERS = "etcdserver: too many learner members in cluster"
NOT_FOUND = "etcdserver: member not found"
NOT_IN_SYNC = "etcdserver: can only promote a learner member which is in sync with leader"
NO_LEARNER = "etcdserver: can only promote a learner member"
REMOVED = "the member has been permanently removed from the cluster"
BOOTSTRAPPED = "member {id:x} has already been bootstrapped"
UNEQUAL = "error validating peerURLs: member count is unequal"
NO_PEERS = (
    "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs"
)


class EtcdRefused(Exception):  # noqa: N818 - reads as what etcd says
    """etcd's answer to a request that it does not grant."""


@dataclass(slots=True)
class ModelledMember:
    """One member. `name` is empty until it knows its own: when it was added and has not run yet."""

    id: int
    peer: str  # its one peer URL
    name: str = ""
    learner: bool = False
    started: bool = False  # ever
    host: SimulatedHost | None = None  # where it runs now
    in_sync_at: float = 0.0  # seconds, when it has the leader's data

    @property
    def running(self) -> bool:
        return self.host is not None and self.host.up


@dataclass
class Etcd:
    """One cluster, or none yet. `now` gives seconds; `breach` (invariant, evidence) writes a breach down."""

    now: Callable[[], float]
    breach: Callable[[str, str], None]
    members: dict[str, ModelledMember] = field(default_factory=dict)  # by peer URL
    bootstraps: list[str] = field(default_factory=list)  # hosts that made a new cluster, each time
    _removed: set[str] = field(default_factory=set)

    @property
    def voters(self) -> list[ModelledMember]:
        return [member for member in self.members.values() if not member.learner]

    @property
    def has_quorum(self) -> bool:
        """More than half of the voters run and reach each other."""
        reachable = sum(member.running and not _is_cut(member) for member in self.voters)
        return 2 * reachable > len(self.voters)

    def answers(self, host: SimulatedHost) -> bool:
        """Whether the member on this host can serve a request that needs the others."""
        own = any(member.host is host and member.running for member in self.members.values())
        return own and not host.cut and self.has_quorum

    # Processes

    def start(
        self,
        host: SimulatedHost,
        name: str,
        peer: str,
        initial: Mapping[str, str],
        *,
        new: bool,
        has_data: bool,
    ) -> None:
        """An etcd process begins, with its flags. `initial`: name -> peer URL, its own among them.

        Raises ServiceFailed with etcd's words. Ready is another matter: see `has_quorum`.
        """
        if peer in self._removed:
            raise ServiceFailed(REMOVED)
        if not has_data and new:
            self._bootstrap(host, initial)
        member = self.members.get(peer)
        if member is None or (not new and not has_data and set(initial.values()) != set(self.members)):
            raise ServiceFailed(UNEQUAL)
        if not has_data and member.started:
            raise ServiceFailed(BOOTSTRAPPED.format(id=member.id))
        if not has_data and not new and not self._someone_runs():
            raise ServiceFailed(NO_PEERS)
        member.name, member.started, member.host = name, True, host
        member.in_sync_at = self.now() + (host.seconds(SYNC) if member.learner else 0.0)

    def _bootstrap(self, host: SimulatedHost, initial: Mapping[str, str]) -> None:
        wanted = set(initial.values())
        if not self.members:
            self.bootstraps.append(host.name)
            for name, peer in initial.items():
                self.members[peer] = ModelledMember(_id_of(peer), peer, name)
        elif wanted - set(self.members):
            self.bootstraps.append(host.name)
            told = f"{host.name} made a second etcd cluster; {self.bootstraps[0]} had made the first one"
            self.breach("one-cluster", told)

    def _someone_runs(self) -> bool:
        return any(member.running for member in self.members.values())

    def stop(self, host: SimulatedHost) -> None:
        """The process on this host ended."""
        for member in self.members.values():
            if member.host is host:
                member.host = None

    # Requests: each raises EtcdRefused with etcd's words

    def add(self, peer: str, *, learner: bool = False) -> ModelledMember:
        """``member add``. A voter counts at once, so adding to one member stops the cluster until it runs."""
        self._need_quorum()
        if peer in self.members:
            raise EtcdRefused(EXISTS)
        if learner and any(member.learner for member in self.members.values()):
            raise EtcdRefused(LEARNERS)
        if not learner and not self._is_ready_for_voter():
            raise EtcdRefused(TOO_FEW)
        if not all(member.running for member in self.voters):
            raise EtcdRefused(UNHEALTHY)
        self._removed.discard(peer)
        added = self.members[peer] = ModelledMember(_id_of(peer), peer, learner=learner)
        self._watch_for_two()
        return added

    def _is_ready_for_voter(self) -> bool:
        """etcd's own rule: enough have started to outvote the new one, but one member may be joined."""
        started = sum(member.started for member in self.voters)
        after = len(self.voters) + 1
        return (started, after) == (1, 2) or started >= after // 2 + 1

    def _watch_for_two(self) -> None:
        joining = [member.peer for member in self.members.values() if member.learner or not member.started]
        if len(joining) > 1:
            self.breach("one-learner", f"two members join etcd at once: {', '.join(joining)}")

    def promote(self, peer: str) -> None:
        """``member promote``: a learner becomes a voter once it has the leader's data."""
        self._need_quorum()
        member = self._find(peer)
        if not member.learner:
            raise EtcdRefused(NO_LEARNER)
        if not member.running or self.now() < member.in_sync_at:
            raise EtcdRefused(NOT_IN_SYNC)
        member.learner = False

    def remove(self, peer: str) -> None:
        """``member remove``: its process ends and never runs with these data again."""
        self._need_quorum()
        del self.members[self._find(peer).peer]
        self._removed.add(peer)

    def _find(self, peer: str) -> ModelledMember:
        if peer not in self.members:
            raise EtcdRefused(NOT_FOUND)
        return self.members[peer]

    def _need_quorum(self) -> None:
        if not self.has_quorum:
            raise EtcdRefused(TIMED_OUT)


def _is_cut(member: ModelledMember) -> bool:
    return member.host is not None and member.host.cut


def _id_of(peer: str) -> int:
    """A number of 64 bits, the same for the same URL; etcd hashes URLs too."""
    return (zlib.crc32(peer.encode()) << 32) | zlib.crc32(peer[::-1].encode()) | (1 << 63)
