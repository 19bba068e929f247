"""Checks of what hosts see of each other and of the world: ports, names, endpoints, disks. Pure.

They look at the answers to the second question (`reaching`). A host that was not asked is passed over; one
that has nothing to try it with is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address

from mk8s.distros.base import Opening
from mk8s.preflight.base import Host, Level, Scene, Trouble, of_all_hosts, of_each_host
from mk8s.preflight.found import Reached, Target, Way
from mk8s.preflight.planning import (
    attempts,
    datastore_targets,
    endpoint_targets,
    is_address,
    names_for,
    proxy_targets,
)

__all__ = ["SLOW_WRITE"]

SLOW_WRITE = 0.010  # seconds; etcd's documentation: the 99th percentile of fdatasync should be below 10 ms
MOST = 4  # names that are told one by one
THROUGH = (
    "let these ports through between the nodes: in the host's own firewall, and in what lies between "
    "(security groups, VLANs)"
)


@of_all_hosts("ports-between", "the nodes reach each other's ports")
def ports_between(scene: Scene) -> Mapping[str, Trouble]:
    found = {host.node.name: _not_tried(host.reached) for host in scene.hosts if host.reached}
    told: dict[str, dict[tuple[str, str], list[Opening]]] = {}  # target -> asker and words -> openings
    for name, asked in attempts(scene).items():
        for attempt in asked:
            way = _way(attempt.asker, attempt.where)
            if way and way.state in ("silent", "blocked"):
                entry = told.setdefault(attempt.target.node.name, {})
                entry.setdefault((name, way.words), []).append(attempt.opening)
    unreached = {name: _unreached(entry) for name, entry in told.items()}
    both = {name: _together(found.get(name), unreached.get(name)) for name in {**found, **unreached}}
    return {name: trouble for name, trouble in both.items() if trouble}


def _together(own: Trouble | None, others: Trouble | None) -> Trouble | None:
    """What a node has not tried, and who does not reach it: neither hides the other."""
    if own is None or others is None:
        return own or others
    return replace(
        others, message=f"{others.message}; {own.message}", remedy=f"{others.remedy}; {own.remedy}"
    )


def _unreached(entry: Mapping[tuple[str, str], list[Opening]]) -> Trouble:
    """Those who fail to reach the same ports, in one sentence."""
    groups: dict[tuple[str, tuple[Opening, ...]], list[str]] = {}
    for (asker, words), openings in entry.items():
        groups.setdefault((words, tuple(openings)), []).append(asker)
    told = [
        f"{_some(askers)} {'does' if len(askers) == 1 else 'do'} not reach its "
        + ", ".join(f"{each.protocol.upper()} {each.port} ({each.purpose})" for each in openings)
        + (f": {words}" if words else "")
        for (words, openings), askers in groups.items()
    ]
    certain = any(each.protocol == "tcp" for openings in entry.values() for each in openings)
    return Trouble("; ".join(told), THROUGH, level="error" if certain else "warn")


def _not_tried(reached: Reached | None) -> Trouble | None:
    if reached is None or reached.tool in ("bash", "nc", "curl"):
        return None
    why, remedy = (
        ("it has neither bash, nc nor curl", "install bash, or look by hand")
        if reached.tool
        else ("it gave no answer in time", "try again once it is less busy, or look by hand")
    )
    return Trouble(f"the ways from here to the other nodes were not tried: {why}", remedy, "warn")


@of_all_hosts("names", "all nodes know the names that they are to use, and agree on them")
def names(scene: Scene) -> Mapping[str, Trouble]:
    usual = _usual(scene)
    found = {}
    for host in scene.hosts:
        faults = list(_misnamed(host, scene, usual))
        if faults:
            worst: Level = "error" if any(certain for _, certain in faults) else "warn"
            found[host.node.name] = Trouble(
                "; ".join(words for words, _ in faults),
                "put the name into the DNS, or the same line into /etc/hosts of all nodes",
                worst,
            )
    return found


def _misnamed(host: Host, scene: Scene, usual: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, bool]]:
    answers = host.reached.names if host.reached else {}
    for name in names_for(host, scene):
        if name not in answers or name in (host.node.ip, host.found.hostname):
            continue
        if not answers[name]:
            yield f"{name} is not known here", True
        elif _is_itself(answers[name]):
            yield f"{name} is {', '.join(answers[name])} here, the host itself", True
        elif set(answers[name]) != set(usual[name]):
            yield f"{name} is {', '.join(answers[name])} here, and elsewhere {', '.join(usual[name])}", False


def _is_itself(addresses: Iterable[str]) -> bool:
    return any(ip_address(at).is_loopback for at in addresses if is_address(at))


def _usual(scene: Scene) -> Mapping[str, tuple[str, ...]]:
    """What most hosts say of each name."""
    said: dict[str, Counter[tuple[str, ...]]] = {}
    for host in scene.hosts:
        for name, addresses in (host.reached.names if host.reached else {}).items():
            if addresses and not _is_itself(addresses):
                said.setdefault(name, Counter())[tuple(sorted(addresses))] += 1
    return {name: counted.most_common(1)[0][0] for name, counted in said.items()}


@of_each_host("endpoint", "the endpoint answers")
def endpoint(host: Host, scene: Scene) -> Trouble | None:
    """A control plane that exists must answer; a balancer without servers behind it may refuse at least."""
    exists = scene.cluster.joins is not None
    tried = [(where, _way(host, where)) for where in endpoint_targets(host, scene)]
    bad = [(where, way) for where, way in tried if way and _is_bad(way, exists)]
    if not bad:
        return None
    where, way = bad[0]
    ports = ", ".join(str(at[2]) for at, _ in bad)
    return Trouble(
        f"{where[1]} does not answer at TCP {ports}: {way.words or 'nothing listens there'}",
        "start that control plane, and open the way to it"
        if exists
        else "set the balancer up before the run, or leave `endpoint` out: nodes register there",
        level="error" if exists else "warn",
    )


def _is_bad(way: Way, must_answer: bool) -> bool:
    return way.state in ("silent", "blocked") or (must_answer and way.state == "open" and not way.answers)


@of_each_host("datastore", "every server reaches the datastore")
def datastore(host: Host, scene: Scene) -> Trouble | None:
    tried = [(where, _way(host, where)) for where in datastore_targets(host, scene)]
    bad = [(where, way) for where, way in tried if way and _is_bad(way, must_answer=True)]
    if not bad:
        return None
    told = ", ".join(f"{at[1]}:{at[2]} ({way.words or 'nothing listens there'})" for at, way in bad)
    return Trouble(f"the datastore does not answer at {told}", "start it, and let the servers through to it")


@of_each_host("proxy", "in an air gap, no proxy is named that leads nowhere")
def proxy(host: Host, scene: Scene) -> Trouble | None:
    tried = [(where, _way(host, where)) for where in proxy_targets(host, scene)]
    dead = [
        f"{at[1]}:{at[2]}" for at, way in tried if way and (way.state == "nameless" or _is_bad(way, True))
    ]
    if not dead:
        return None
    files = sorted({file for _, file in host.found.proxies})
    return Trouble(
        f"the proxy {', '.join(dead)} does not answer: what asks it waits for ever",
        f"take it out of {', '.join(files) or 'the manifest'}, or name the nodes in its exceptions",
        level="warn",
    )


@of_each_host("disk-latency", "the disk is quick enough for etcd", among="bare")
def disk_latency(host: Host, _scene: Scene) -> Trouble | None:
    """A mean, while etcd's documentation names the 99th percentile: what is told here is surely too slow."""
    seconds = host.reached.write_seconds if host.reached else None
    if seconds is None or seconds <= SLOW_WRITE:
        return None
    return Trouble(
        f"one small write takes {seconds * 1000:.0f} ms at {host.wants.etcd_dir} (the mean of many), and "
        f"etcd wants less than {SLOW_WRITE * 1000:.0f} ms nearly always: leaders change, joins time out",
        "put etcd's data on an SSD of its own, or quiet what else writes there",
        level="warn",
    )


def _way(host: Host, where: Target) -> Way | None:
    return host.reached.ways.get(where) if host.reached else None


def _some(names: list[str]) -> str:
    if len(names) <= MOST:
        return ", ".join(names)
    return f"{', '.join(names[:MOST])} and {len(names) - MOST} more"
