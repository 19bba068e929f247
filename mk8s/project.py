"""A manifest opened: its cluster, its driver, and the folder where its run is kept.

Reads the manifest; writes nothing until a verb asks for the state folder.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Catalogue, Distro, catalogue_names, load_catalogue, load_distro
from mk8s.errors import ManifestError, UsageError
from mk8s.manifest import load_cluster
from mk8s.preflight.checks import waiver_faults
from mk8s.state import StateFolder

__all__ = ["Listing", "Project", "load_listing", "load_project"]

OF_NODE = re.compile(r"nodes\.([^.:]+)\.(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Listing:
    """What verbs about release files begin with. Also of a distro that cannot be installed yet."""

    manifest: Path
    cluster: Cluster
    catalogue: Catalogue
    notices: tuple[str, ...]
    text: str  # the manifest as it was read

    def words(self) -> str:
        """What names this cluster on the command line of the next verb, quoted for the shell."""
        return shlex.join([str(self.manifest)])


@dataclass(frozen=True, slots=True)
class Project:
    """What every verb begins with."""

    manifest: Path
    cluster: Cluster
    distro: Distro
    notices: tuple[str, ...]
    text: str  # the manifest as it was read

    def state(self, override: Path | None = None) -> StateFolder:
        """The state folder, made if it is not there. Raises Mk8sError when it cannot be trusted."""
        return StateFolder.open(self.manifest, self.cluster.name, override)

    def past_state(self, override: Path | None = None) -> StateFolder:
        """The same for verbs that only read: it is never made."""
        return StateFolder.look(self.manifest, self.cluster.name, override)

    def words(self, override: Path | None = None) -> str:
        """What names this cluster on the command line of the next verb, quoted for the shell."""
        state = ["--state", str(override)] if override else []
        return shlex.join([str(self.manifest), *state])

    def node(self, name: str) -> Node:
        """The node of that name or address. Raises UsageError with the names there are."""
        for node in self.cluster.nodes:
            if name in (node.name, node.address):
                return node
        known = ", ".join(node.name for node in self.cluster.nodes)
        raise UsageError(f"{self.manifest} has no node {name!r}", remedy=f"its nodes are {known}")


def load_project(manifest: Path, *, keys: bool = True) -> Project:
    """Read a manifest and find its driver. Raises ManifestError with every fault of both.

    Without `keys` the keys for SSH need not be here: for verbs that reach no node.
    """
    loaded = load_cluster(manifest, keys=keys)
    distro = load_distro(loaded.cluster.distro)
    _refuse_faults(manifest, distro, loaded.cluster)
    faults = waiver_faults(loaded.cluster.waived)
    if faults:
        raise ManifestError(f"{manifest}: not every check can be waived:\n  " + "\n  ".join(faults))
    if loaded.cluster.simulation.durations:
        _refuse_unknown_durations(manifest, distro, loaded.cluster)
    return Project(manifest, loaded.cluster, distro, loaded.notices, loaded.text)


def _refuse_unknown_durations(manifest: Path, distro: Distro, cluster: Cluster) -> None:
    from mk8s.forecast.given import name_faults  # models are for those who simulate: not in every start

    faults = name_faults(cluster, distro)
    if faults:
        told = "\n  ".join(faults)
        raise ManifestError(
            f"{manifest}: not every duration is known:\n  {told}",
            remedy="mk8s simulate cluster.yaml --save-profile FILE writes them all; see docs/prediction.md",
        )


def load_listing(manifest: Path) -> Listing:
    """Read a manifest and find what its release consists of. Raises ManifestError with every fault."""
    loaded = load_cluster(manifest, distros=catalogue_names(), keys=False)
    catalogue = load_catalogue(loaded.cluster.distro)
    _refuse_faults(manifest, catalogue, loaded.cluster)
    return Listing(manifest, loaded.cluster, catalogue, loaded.notices, loaded.text)


def _refuse_faults(manifest: Path, distro: Catalogue, cluster: Cluster) -> None:
    faults = distro.faults(cluster)
    if faults:
        told = "\n  ".join(_told_once(faults))
        raise ManifestError(f"{manifest}: {distro.name} cannot do this:\n  {told}")


def _told_once(faults: Sequence[str]) -> Iterator[str]:
    """A fault that many nodes have by a key that they share is told of the first, with how many more."""
    nodes: dict[str, list[str]] = {}
    for fault in faults:
        found = OF_NODE.fullmatch(fault)
        name, said = found.groups() if found else ("", fault)
        nodes.setdefault(said, []).append(name)
    for said, names in nodes.items():
        more = len(names) - 1
        others = f" (and {more} more node{'s' if more > 1 else ''})" if more and names[0] else ""
        yield f"nodes.{names[0]}.{said}{others}" if names[0] else said
