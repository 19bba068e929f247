"""The files of a release of upstream's programs: their names, their ids, and where each goes on a node.

The plain ids belong to the primary's architecture; in a mixed cluster the others carry theirs as a suffix
(``kubelet-arm64``). On a node every file is staged under its own name, whatever the manifest calls it.

Programs lie in `bin_dir`, which depends on the host. Each also has a link with a path that is the same
everywhere, `program`, for whoever knows the node but not its facts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from mk8s.artifacts.image_list import images_known
from mk8s.cluster import Cluster, Role
from mk8s.commands import has_folder, make_folder
from mk8s.distros.base import ArtifactItem, Origin, Situation
from mk8s.distros.common import packages
from mk8s.distros.upstream import commands, components
from mk8s.steps import Run, Step, Upload
from transports.base import File

__all__ = [
    "BEFORE",
    "EVERYONE",
    "OWN",
    "SERVERS",
    "bin_dir",
    "folder",
    "install_archive",
    "install_binary",
    "items",
    "link",
    "manifest_ids",
    "manifest_items",
    "prefix",
    "program",
    "stage",
    "staged",
    "staging_dir",
    "unknown_ids",
]

EVERYONE: frozenset[Role] = frozenset({"primary", "server", "agent"})
SERVERS: frozenset[Role] = frozenset({"primary", "server"})
OWN = PurePosixPath("/etc/mk8s")  # small files of ours
BEFORE = PurePosixPath("/var/lib/mk8s/before")  # what was on the host before we changed it
STAGING = PurePosixPath("/var/lib/mk8s/artifacts")
RECORDS = PurePosixPath("/var/lib/mk8s/installed")
PROGRAMS = PurePosixPath("/var/lib/mk8s/bin")
USUAL_PREFIX, OTHER_PREFIX = PurePosixPath("/usr/local"), PurePosixPath("/opt")
ROOT_ONLY = 0o700


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of file: its name in the release, with the architecture left open, and what it is for."""

    name: str
    purpose: str
    place: str = ""  # where it ends on a node, where that is not a program of its own name in bin_dir


KINDS = {
    "kubeadm": _Kind("kubeadm-linux-{}", "Kubernetes' installer"),
    "kubelet": _Kind("kubelet-linux-{}", "what runs the pods of a node"),
    "kubectl": _Kind("kubectl-linux-{}", "the command line of Kubernetes"),
    "crictl": _Kind("crictl-linux-{}.tar.gz", "questions to the container runtime", "/usr/local/bin"),
    "containerd": _Kind("containerd-linux-{}.tar.gz", "the container runtime", "/usr/local"),
    "runc": _Kind("runc.{}", "what starts a container", "/usr/local/sbin/runc"),
    "cni-plugins": _Kind("cni-plugins-linux-{}.tgz", "network plugins", "/opt/cni/bin"),
    "images": _Kind("images-linux-{}.tar", "every image that a node needs", "containerd's image store"),
    "kube-apiserver": _Kind("kube-apiserver-linux-{}", "the API server"),
    "kube-controller-manager": _Kind("kube-controller-manager-linux-{}", "the controllers"),
    "kube-scheduler": _Kind("kube-scheduler-linux-{}", "the scheduler"),
    "kube-proxy": _Kind("kube-proxy-linux-{}", "services' addresses on each node"),
    "etcd": _Kind("etcd-linux-{}.tar.gz", "the cluster's data store", "/usr/local/bin"),
}
CHECKSUMS = "checksums"
CHECKSUMS_FILE = "SHA256SUMS"


def items(cluster: Cluster, ids: Sequence[str], roles: frozenset[Role] = EVERYONE) -> list[ArtifactItem]:
    """The release's files of these kinds, for every architecture among the nodes of these roles.

    ``checksums`` is one file for all, optional, and not for nodes. Raises KeyError for another id.
    """
    architectures = dict.fromkeys(node.arch for node in cluster.nodes if node.role in roles)
    found = [
        ArtifactItem(_id(cluster, kind, arch), KINDS[kind].name.format(arch), KINDS[kind].purpose, True,
                     frozenset(roles), True, _origin(cluster, kind, arch))
        for arch in architectures for kind in ids if kind != CHECKSUMS
    ]  # fmt: skip
    if CHECKSUMS in ids:
        found.append(ArtifactItem(CHECKSUMS, CHECKSUMS_FILE, "hashes of these files", False, EVERYONE, False))
    return [_renamed(cluster, item) for item in found]


def _origin(cluster: Cluster, kind: str, arch: str) -> Origin:
    """Where a file is published, and where it ends. Nobody publishes an archive of upstream's images."""
    place = KINDS[kind].place or str(USUAL_PREFIX / "bin" / kind)
    if kind == "images":
        known, unknown = images_known(cluster)
        return Origin(images=known, arch=arch, destination=place, unknown=unknown)
    return replace(components.origin(cluster, kind, arch), destination=place)


def manifest_items(cluster: Cluster) -> list[ArtifactItem]:
    """The files that the user wants applied, as items for the primary. Their ids are `manifest_ids`."""
    folder_there = staging_dir(cluster)
    return [
        ArtifactItem(name, str(path), "applied to the new cluster", True, frozenset({"primary"}), True,
                     Origin(destination=str(folder_there / f"{name}.yaml")))
        for name, path in zip(manifest_ids(cluster), cluster.manifests, strict=True)
    ]  # fmt: skip


def manifest_ids(cluster: Cluster) -> list[str]:
    """``manifest-0``, ``manifest-1``, ... in the order in which they are applied."""
    return [f"manifest-{number}" for number in range(len(cluster.manifests))]


def unknown_ids(cluster: Cluster, known: Sequence[ArtifactItem]) -> list[str]:
    """Ids in the manifest's `artifacts` that name nothing among `known`, and no packages."""
    names = {item.id for item in known}
    return [name for name in cluster.artifacts if name not in names and not packages.is_package(name)]


def staging_dir(cluster: Cluster) -> PurePosixPath:
    """The node's folder for the release, so that versions lie side by side."""
    return STAGING / cluster.version


def staged(s: Situation, kind: str) -> tuple[File, PurePosixPath] | None:
    """A file of the release for this node, and its staged place; None when the release lacks it."""
    if kind in manifest_ids(s.cluster):
        file, name = s.release.get(kind), f"{kind}.yaml"
    else:
        file, name = s.release.get(_id(s.cluster, kind, s.node.arch)), KINDS[kind].name.format(s.node.arch)
    return (file, staging_dir(s.cluster) / name) if file else None


def stage(s: Situation, ids: Sequence[str]) -> list[Step]:
    """Put these files on the node, in a folder that only root may read."""
    found = [pair for kind in ids if (pair := staged(s, kind))]
    uploads = [Upload(f"put {target.name} on the node", file, target) for file, target in found]
    return [folder(staging_dir(s.cluster), ROOT_ONLY), *uploads]


def prefix(s: Situation) -> PurePosixPath:
    """Where programs go: /usr/local, or /opt where that is read-only or a mount of its own."""
    return OTHER_PREFIX if s.facts and not s.facts.usr_local_writable else USUAL_PREFIX


def bin_dir(s: Situation) -> PurePosixPath:
    """The folder of the programs: /usr/local/bin or /opt/bin."""
    return prefix(s) / "bin"


def program(name: str) -> PurePosixPath:
    """The same path on every host, for a program that was installed: a link to where it is."""
    return PROGRAMS / name


def folder(path: PurePosixPath, mode: int | None = None) -> Run:
    """Make a folder, unless it is there."""
    return Run(f"make the folder {path}", make_folder(path, mode), has_folder(path, mode))


def install_binary(s: Situation, kind: str, name: str, into: PurePosixPath | None = None) -> Run:
    """Copy a staged program to `bin_dir`, or `into` another folder, verified, and link it.

    Raises KeyError when the release lacks it: a required file never is missing here.
    """
    file, place = _must(s, kind)
    target = (into or bin_dir(s)) / name
    return Run(
        f"verify and install {name}",
        commands.install_program(place, file.sha256, target, program(name)),
        commands.has_program(file.sha256, target, program(name)),
    )


def install_archive(s: Situation, kind: str, into: PurePosixPath) -> Run:
    """Verify a staged archive and unpack it safely; done again when one of its files has changed."""
    file, place = _must(s, kind)
    record = RECORDS / f"{kind}-{file.sha256[:16]}.sha256"
    return Run(
        f"verify and unpack {place.name} into {into}",
        commands.unpack(place, file.sha256, into, record),
        commands.is_unpacked(kind, into, record),
    )


def link(target: PurePosixPath) -> Run:
    """Give a program that an archive brought its path under `program`."""
    return Run(
        f"link {target.name}",
        commands.link_program(target, program(target.name)),
        commands.is_linked(target, program(target.name)),
    )


def _must(s: Situation, kind: str) -> tuple[File, PurePosixPath]:
    found = staged(s, kind)
    if found is None:
        raise KeyError(f"{kind}: not in the release for {s.node.name}")
    return found


def _id(cluster: Cluster, kind: str, arch: str) -> str:
    return kind if arch == cluster.primary.arch else f"{kind}-{arch}"


def _renamed(cluster: Cluster, item: ArtifactItem) -> ArtifactItem:
    source = cluster.artifacts.get(item.id)
    return replace(item, file=source.name) if source and source.name else item
