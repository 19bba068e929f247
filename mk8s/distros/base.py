"""The contract between a distro and the rest of mk8s.

A driver is a set of pure functions: given the resolved cluster, a node and what was found on it, it
says which files it needs, which steps an edge consists of and which questions prove the result. It
opens no connection, reads no file, no clock and no randomness; the executor runs what it returns.

Laws:

1. The same input gives the same steps, so the plan, the transcript, the simulation and the tests agree.
2. Every step may be repeated: it has a check, or doing it twice is the same as doing it once.
3. Questions change nothing on a host. They are asked before a repeat, on resume and by `mk8s status`.
4. No secret stands in a title, a description, a script or an argument.

Begin reading at `Distro`; `mk8s.distros.values` holds what it is given and what it answers with, and
`mk8s.distros.rke2` is the reference driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from machines.errors import ActionError
from mk8s.cluster import Cluster, Node
from mk8s.distros.finding import catalogue_names, distro_names, load_catalogue, load_distro
from mk8s.distros.phases import Phases
from mk8s.distros.values import (
    ArtifactItem,
    Condition,
    Lookup,
    Opening,
    Origin,
    Question,
    Requirements,
    Situation,
    Tools,
)
from mk8s.needs import Need
from mk8s.steps import Step
from transports.base import Command, Outcome

if TYPE_CHECKING:
    from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = [
    "ArtifactItem",
    "Catalogue",
    "Condition",
    "Distro",
    "Lookup",
    "Opening",
    "Origin",
    "Question",
    "Requirements",
    "Situation",
    "Tools",
    "catalogue_names",
    "distro_names",
    "load_catalogue",
    "load_distro",
]


class Catalogue(Protocol):
    """What a distro's release consists of: enough to list, fetch and bundle it. All of it is pure.

    Every `Distro` is one; a distro whose driver is not built yet may have this part alone.
    """

    @property
    def name(self) -> str: ...

    def faults(self, cluster: Cluster) -> list[str]: ...

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]: ...

    def checksums(self, text: str) -> dict[str, str]: ...

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]: ...


class Distro(Protocol):
    """What a distro says about itself. All of it is pure."""

    @property
    def name(self) -> str:
        """The name in the manifest's `distro:`."""
        ...

    def faults(self, cluster: Cluster) -> list[str]:
        """What this distro cannot do with this cluster: ``path: message; hint`` each. Empty: all is well."""
        ...

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        """Every file that this cluster needs, in the order in which it is used."""
        ...

    def checksums(self, text: str) -> dict[str, str]:
        """The distro's own checksum file, read: file name -> sha256 in 64 hex digits."""
        ...

    def needs_token(self, cluster: Cluster) -> bool:
        """Whether mk8s has to make up a join token: the distro uses one, and the user gave none."""
        ...

    def user_token(self, cluster: Cluster) -> str | None:
        """The join token that the user wrote into the config. A secret."""
        ...

    def needs(self, cluster: Cluster) -> list[Need]:
        """What must be kept for the cluster's whole life; `Situation.kept` has it. Named once each."""
        ...

    def pacing(self, cluster: Cluster) -> Mapping[str, int]:
        """Limits of the node machine that this distro wants in this mode, by name; the manifest's own win.

        ``etcd-joins``: servers that may join at the same time, where there is no etcd of its own to pace for.
        """
        ...

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        """What a bare host must offer to become this node."""
        ...

    def lookups(self, s: Situation) -> list[Lookup]:
        """What has to be asked just before `start` or `join`; `Situation.learned` has the answers then."""
        ...

    def stage(self, s: Situation) -> list[Step]:
        """Put this node's part of the release on it. Continued after a lost connection, as `bootstrap`."""
        ...

    def bootstrap(self, s: Situation) -> list[Step]:
        """Install and configure. Starts nothing that needs another node to become ready.

        After a lost connection the next attempt leaves behind what was made true, unless the host has booted
        (`mk8s.headway`). So a step that finds dead what an earlier one started must fail: that begins anew.
        """
        ...

    def start(self, s: Situation) -> list[Step]:
        """Start the primary and wait until others can join it."""
        ...

    def join(self, s: Situation) -> list[Step]:
        """Start any other node and wait until it is a member."""
        ...

    def verify(self, s: Situation) -> list[Step]:
        """Wait for the role's own readiness."""
        ...

    def refresh(self, s: Situation) -> list[Step]:
        """What a healthy node must learn of nodes that were added: routes, names. Restarts nothing,
        but for what those cannot join without (a state that has to leave SQLite).

        Run at the beginning of each run on every healthy node; where nothing is new it changes nothing.
        """
        ...

    def has_joined(self, s: Situation) -> list[Question]:
        """All met: the effect of `start` or `join` is there already."""
        ...

    def is_healthy(self, s: Situation) -> list[Question]:
        """All met: `verify` would have nothing to wait for."""
        ...

    def stop_unit(self, s: Situation) -> list[Step]:
        """Take back `start` or `join` on this host. May run again after a crash."""
        ...

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        """How to ask the cluster on this server."""
        ...

    def conditions(self, situations: Sequence[Situation]) -> list[Condition]:
        """The cluster's health as named conditions, in the order in which they come true.

        One situation for each node, the primary's first.
        """
        ...

    def classify(self, outcome: Outcome, command: Command) -> ActionError | None:
        """A known problem in what a failed command said. None: nothing that this distro knows."""
        ...

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        """Where the administrator's kubeconfig lies on the primary."""
        ...

    def rewrite_kubeconfig(self, text: str, cluster: Cluster) -> str:
        """The same kubeconfig for use from outside: the cluster's address in place of the loopback.

        Raises ActionError ``kubeconfig`` for one that could run programs where it is used.
        """
        ...

    def secrets_in(self, config: Mapping[str, Any]) -> list[str]:
        """Values in a node's config that must never be shown."""
        ...

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        """Teach a simulated host to behave as this distro does, and its network how long that takes."""
        ...

    def phases(self) -> Phases:
        """Where a real run shows the durations that `model` only assumes."""
        ...
