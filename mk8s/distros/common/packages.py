"""Packages that the user brings: a distro's SELinux policy, keepalived, whatever must be on the hosts first.

They are artifacts whose ids begin with ``packages``. A word in the id limits the roles
(``packages-haproxy-servers``), the name of the file says the architecture, its ending the kind. On a host
of the other kind they are left alone, so one manifest serves a mixed fleet; a host with neither says so.

Laws: all of a host's packages go into one transaction, offline; what the host has in a newer version stays;
each has its hash in the manifest.
Begin reading at `items`, then `install`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Node, Role
from mk8s.commands import has_folder, make_folder
from mk8s.distros.base import ArtifactItem, Origin, Situation
from mk8s.distros.common import commands
from mk8s.steps import Judge, Run, Step, Upload, Verdict, WaitFor
from transports.base import File, Outcome

__all__ = ["PREFIX", "faults", "folder_of", "install", "is_package", "items", "selinux", "stage"]

PREFIX = "packages"
STAGING = PurePosixPath("/var/lib/mk8s/artifacts")
KINDS = {".rpm": "rpm", ".deb": "dpkg"}  # ending -> the program that installs it
ROOT_ONLY = 0o700
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~%-]*")  # of a file: it becomes a path on the node
ROLES: Mapping[str, frozenset[Role]] = {
    "servers": frozenset({"primary", "server"}),
    "agents": frozenset({"agent"}),
}
EVERYONE: frozenset[Role] = frozenset({"primary", "server", "agent"})
ARCHITECTURES = {
    ".x86_64.rpm": "amd64", ".aarch64.rpm": "arm64", "_amd64.deb": "amd64", "_arm64.deb": "arm64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Package:
    """One file of the release that goes to a node."""

    file: File
    place: PurePosixPath
    kind: str


def is_package(id_: str) -> bool:
    """Whether an artifact's id names packages."""
    return id_.startswith(PREFIX)


def items(cluster: Cluster) -> list[ArtifactItem]:
    """The files, as the manifest names them; those that are unusable are told by `faults`."""
    return [
        ArtifactItem(name, file, "a package the manifest adds", True, _roles(name), True,
                     Origin(arch=_arch(file), destination=str(folder_of(cluster) / file)))
        for name, file in _given(cluster)
    ]  # fmt: skip


def faults(cluster: Cluster) -> Iterator[str]:
    """Entries without a file's name, with one that is no package, two of the same name, or without a hash.

    Root installs them, and nobody but the manifest says which file is meant.
    """
    seen: dict[str, str] = {}
    for name, source in cluster.artifacts.items():
        path, file = f"artifacts.{name}.name", source.name
        if not is_package(name):
            continue
        if PurePosixPath(file).suffix not in KINDS:
            yield f"{path}: {file!r} is no package; name a file that ends in {' or '.join(KINDS)}"
        elif not NAME.fullmatch(file):
            yield f"{path}: {file!r} is no file name for a node; use letters, digits and . _ + ~ -"
        elif file in seen:
            yield f"{path}: {file!r} is also {seen[file]}'s; name each file once"
        elif not source.checksum:
            yield (
                f"artifacts.{name}.checksum: {file!r} is installed as root, and nobody else says what is in "
                f"it; write sha256: and what `sha256sum {file}` says of a file that you trust"
            )
        seen.setdefault(file, name)


def folder_of(cluster: Cluster) -> PurePosixPath:
    """Where they are staged on a node."""
    return STAGING / cluster.version / PREFIX


def stage(s: Situation) -> list[Step]:
    """Put this node's packages on it, in a folder that only root may read."""
    found = _of_node(s)
    if not found:
        return []
    folder = folder_of(s.cluster)
    return [
        Run(f"make the folder {folder}", make_folder(folder, ROOT_ONLY), has_folder(folder, ROOT_ONLY)),
        *(Upload(f"put {one.place.name} on the node", one.file, one.place) for one in found),
    ]


def install(s: Situation) -> list[Step]:
    """Install what is missing of this node's packages; nothing where there are none. First in a bootstrap."""
    found = _of_node(s)
    kinds = sorted({one.kind for one in found})
    if not found:
        return []
    return [
        WaitFor("the packages fit the host", commands.ask_manager(), _fits(kinds)),
        *(_transaction(kind, [one for one in found if one.kind == kind]) for kind in kinds),
    ]


def selinux(s: Situation) -> dict[str, str]:
    """RKE2's and K3s' key for a host that enforces SELinux: a tar installation does not set it by itself."""
    enforcing = s.facts is not None and s.facts.selinux == "enforcing"
    return {"selinux": "true"} if enforcing and "selinux" not in s.node.config else {}


def _transaction(kind: str, found: Sequence[_Package]) -> Run:
    names = ", ".join(one.place.name for one in found)
    install_all = commands.install_packages(kind, [(one.place, one.file.sha256) for one in found])
    check = commands.has_packages(kind, [one.place for one in found])
    return Run(f"verify and install {names}", install_all, check)


def _fits(kinds: Sequence[str]) -> Judge:
    """Always met: what it saw says which packages are installed here, and why others are not."""

    def judge(outcome: Outcome) -> Verdict:
        manager = outcome.stdout.decode("utf-8", "replace").strip() or commands.NO_MANAGER
        if manager in kinds:
            return Verdict(True, f"{manager} installs them")
        what = (
            "neither rpm nor dpkg keeps its packages"
            if manager == commands.NO_MANAGER
            else (f"its packages are {manager}'s, and these are for {' and '.join(kinds)}")
        )
        return Verdict(True, f"left out: {what}")

    return judge


def _of_node(s: Situation) -> list[_Package]:
    return [
        _Package(s.release[name], folder_of(s.cluster) / file, KINDS[PurePosixPath(file).suffix])
        for name, file in _given(s.cluster)
        if name in s.release and _is_for(s.node, name, file)
    ]


def _given(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Id and file name of each usable entry."""
    for name, source in cluster.artifacts.items():
        usable = NAME.fullmatch(source.name) and PurePosixPath(source.name).suffix in KINDS
        if is_package(name) and usable:
            yield name, source.name


def _is_for(node: Node, name: str, file: str) -> bool:
    return node.role in _roles(name) and _arch(file) in ("", node.arch)


def _roles(name: str) -> frozenset[Role]:
    words = re.split(r"[-_]", name)
    return next((roles for word, roles in ROLES.items() if word in words), EVERYONE)


def _arch(file: str) -> str:
    """Empty for one of every architecture (``noarch``, ``all``)."""
    return next((arch for ending, arch in ARCHITECTURES.items() if file.endswith(ending)), "")
