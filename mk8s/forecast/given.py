"""What a manifest's `simulation:` says of durations and links: as a layer, and whether its names exist."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from machines.words import did_you_mean, shown
from mk8s.cluster import Cluster
from mk8s.distros.base import Distro
from mk8s.forecast.profile import Layer
from mk8s.rehearsal import modelled_roads
from transports.simulated import SimulatedNetwork, Span

__all__ = ["declared_in", "given_in", "known_names", "name_faults"]


def given_in(cluster: Cluster) -> Layer:
    """The manifest's own layer. A duration of it is all that an operation takes, whatever the size."""
    given = cluster.simulation
    durations = {name: Span(low, high) for name, (low, high) in given.durations.items()}
    return Layer(f"given in {cluster.source}", durations, given.uplink, given.link, given.latency)


def known_names(cluster: Cluster, distro: Distro) -> set[str]:
    """Every operation and phase that the models of this cluster's nodes know."""
    network = _taught(cluster, distro)
    understood = {name for host in network.hosts.values() for name in host.handlers}
    return understood | set(network.pace.declared)


def declared_in(cluster: Cluster, distro: Distro) -> Layer:
    """What those models declare: the ground under every profile."""
    return Layer("the models' defaults", dict(_taught(cluster, distro).pace.declared))


def _taught(cluster: Cluster, distro: Distro) -> SimulatedNetwork:
    """One node of each role is enough: they know the same names."""
    network = SimulatedNetwork()
    few = {node.role: node for node in reversed(cluster.nodes)}
    modelled_roads(replace(cluster, nodes=tuple(reversed(few.values()))), distro, network, 0)
    return network


def name_faults(cluster: Cluster, distro: Distro) -> list[str]:
    """A sentence for each duration of the manifest that no model knows."""
    given = cluster.simulation.durations
    known = known_names(cluster, distro) if given else set()
    return [
        f"simulation.durations.{name}: {shown(name)} is no duration of {distro.name}'s models"
        f"{_hint(name, known)}"
        for name in given
        if name not in known
    ]


def _hint(name: str, known: Iterable[str]) -> str:
    meant = did_you_mean(name, sorted(known))
    return f"; {meant}" if meant else ""
