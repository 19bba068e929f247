"""Who is asked to reach what, so that large clusters cost little. Pure.

Every node is asked for the servers' ports. In clusters of up to 16 nodes every node is asked for every
other one; in larger ones an agent is asked for by one server and by two agents, in a ring. So each node
has one command, with a number of attempts that grows with the servers and not with the cluster.
Two nodes that are both healthy have proved it, and are not asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from mk8s.distros.base import Opening
from mk8s.preflight.base import Host, Scene
from mk8s.preflight.found import Target
from mk8s.preflight.reaching import reach
from mk8s.tables import HEALTHY, PENDING
from transports.base import Command

__all__ = [
    "API_PORT",
    "Attempt",
    "attempts",
    "balanced_elsewhere",
    "command_for",
    "datastore_targets",
    "endpoint_targets",
    "is_address",
    "names_for",
    "proxy_targets",
    "virtual_address",
]

SMALL = 16  # nodes up to which everybody is asked for everybody
API_PORT = 6443
PORTS_OF_SCHEMES = {
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "http": 2379,
    "https": 2379,
    "nats": 4222,
}
IN_BRACKETS = re.compile(r"tcp\((?P<at>[^)]+)\)")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One node is to reach one opening of another."""

    asker: Host
    target: Host
    opening: Opening

    @property
    def where(self) -> Target:
        return (self.opening.protocol, self.target.node.ip, self.opening.port)


def command_for(host: Host, scene: Scene, between: Mapping[str, list[Attempt]]) -> Command | None:
    """The node's second question; None where there is nothing to ask. `between`: of `attempts`."""
    targets = [attempt.where for attempt in between.get(host.node.name, ())]
    if host.state == HEALTHY:
        return reach(targets) if targets else None
    targets += [
        *endpoint_targets(host, scene),
        *datastore_targets(host, scene),
        *proxy_targets(host, scene),
    ]
    virtual = [virtual_address(scene)] if host.node.is_server and virtual_address(scene) else []
    targets += [("tcp", address, API_PORT) for address in virtual]
    names = names_for(host, scene)
    writes = host.wants.etcd_dir if host.state == PENDING else ""
    if not targets and not names and not writes:
        return None
    return reach(dict.fromkeys(targets), names, virtual, writes)


def attempts(scene: Scene) -> Mapping[str, list[Attempt]]:
    """What each node is to reach on the others, by the asker's name."""
    found: dict[str, list[Attempt]] = {}
    for asker, target in _pairs(scene.hosts):
        if asker.state == target.state == HEALTHY:
            continue
        asked = [Attempt(asker, target, opening) for opening in _openings(asker, target)]
        found.setdefault(asker.node.name, []).extend(asked)
    return found


def _pairs(hosts: tuple[Host, ...]) -> Iterator[tuple[Host, Host]]:
    servers = [host for host in hosts if host.node.is_server]
    agents = [host for host in hosts if not host.node.is_server]
    for target in hosts if len(hosts) <= SMALL else servers:
        yield from ((asker, target) for asker in hosts if asker is not target)
    if len(hosts) > SMALL:
        for place, target in enumerate(agents):
            ring = (agents[place - 1], agents[place - 2])
            askers = (*servers[place % max(1, len(servers)) :][:1], *ring)
            yield from ((asker, target) for asker in askers if asker is not target)


def _openings(asker: Host, target: Host) -> Iterator[Opening]:
    """Nobody is connected to who is there before us: on a bare host, what listens is none of ours."""
    for opening in target.wants.openings:
        if opening.to == "servers" and not asker.node.is_server:
            continue
        bare, found = target.state == PENDING, target.found
        if opening.protocol == "tcp" and not (bare and opening.port in found.listening):
            yield opening
        elif opening.protocol == "udp" and bare and opening.port not in found.listening_udp:
            yield opening  # a datagram to a port that someone has is not answered: nothing could be told


def endpoint_targets(host: Host, scene: Scene) -> list[Target]:
    """Where this node registers, if that is none of the nodes' own addresses."""
    cluster = scene.cluster
    if cluster.joins:
        return [("tcp", cluster.joins.address, port) for port in host.wants.endpoint_ports]
    if not cluster.endpoint or not balanced_elsewhere(scene):
        return []
    return [("tcp", cluster.endpoint, port) for port in host.wants.endpoint_ports]


def balanced_elsewhere(scene: Scene) -> bool:
    """The endpoint is a balancer that the user runs, and no node itself."""
    cluster = scene.cluster
    own = {at for node in cluster.nodes for at in (node.address, node.ip)}
    return cluster.balancer.by == "external" and cluster.endpoint not in own


def virtual_address(scene: Scene) -> str:
    """The address that the servers will hold among themselves; empty where there is none, or they may do."""
    cluster = scene.cluster
    held = any(host.state != PENDING for host in scene.hosts if host.node.is_server)
    if cluster.balancer.by == "external" or held or not cluster.endpoint or not is_address(cluster.endpoint):
        return ""
    return cluster.endpoint


def datastore_targets(host: Host, scene: Scene) -> list[Target]:
    """Where an external datastore is, for a server. Its endpoint may hold a password, which stays here."""
    if not host.node.is_server:
        return []
    given = host.node.config.get("datastore-endpoint", "")
    endpoint = scene.cluster.datastore.endpoint if scene.cluster.datastore else str(given or "")
    found = []
    for part in endpoint.split(","):
        scheme, _, rest = part.strip().partition("://")
        inside = IN_BRACKETS.search(rest)
        at = inside["at"] if inside else re.split(r"[/?]", rest.rpartition("@")[2])[0]
        if scheme in PORTS_OF_SCHEMES and at:
            found.append(_target(at, PORTS_OF_SCHEMES[scheme]))
    return found


def proxy_targets(host: Host, scene: Scene) -> list[Target]:
    """Proxies that the host or the manifest names, where the cluster is in an air gap."""
    if not scene.cluster.airgap:
        return []
    given = host.node.proxy
    named = [at for at, _ in host.found.proxies]
    named += [url.partition("://")[2] for url in (given.http, given.https) if url] if given else []
    return list(dict.fromkeys(_target(at.rpartition("@")[2].rstrip("/"), 80) for at in named if at))


def names_for(host: Host, scene: Scene) -> list[str]:
    """Names that this node must resolve: where it registers, the servers, the datastore."""
    cluster = scene.cluster
    servers = [] if cluster.hosts_entries else [node.ip for node in cluster.servers]
    named = [
        cluster.joins.address if cluster.joins else cluster.endpoint or "",
        *servers,
        *(at for _, at, _ in datastore_targets(host, scene)),
    ]
    return [name for name in dict.fromkeys(named) if name and not is_address(name)]


def is_address(text: str) -> bool:
    """An IP address, not a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _target(at: str, port: int) -> Target:
    """``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT``."""
    host, colon, given = at.rpartition(":")
    if colon and given.isdigit() and not is_address(at):
        return ("tcp", host.strip("[]"), int(given))
    return ("tcp", at.strip("[]"), port)
