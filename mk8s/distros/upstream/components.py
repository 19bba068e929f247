"""Where upstream publishes the programs of a node, and which version of each belongs to a Kubernetes. Pure.

Kubernetes names no versions of containerd, runc, etcd and the others, so those are taken that RKE2 ships
with the same minor release (its Dockerfile and scripts/version.sh at the tags named in `ROWS`): somebody
has tested them together. The manifest's `components` wins. URLs and lists of hashes are those of the
projects' own release pages.

Laws: no version stands here that no source names; a version that is not known is never made up.

Begin reading at `origin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mk8s.cluster import Cluster
from mk8s.distros.base import Origin
from mk8s.distros.upstream.versions import release_of

__all__ = ["COMPONENTS", "origin", "version_of"]

GITHUB = "https://github.com"


class Row(NamedTuple):
    """What one release of a distro carries."""

    containerd: str
    runc: str
    etcd: str


# Minor release -> what RKE2 carries at that tag; a minor that is left out takes the row before it.
ROWS: Mapping[int, Row] = {
    0: Row("1.4.12", "1.0.3", "3.4.18"),  # v1.20.15
    21: Row("1.4.13", "1.0.3", "3.4.18"),  # v1.21.14
    24: Row("1.7.3", "1.1.8", "3.5.9"),  # v1.24.17
    26: Row("1.7.11", "1.1.12", "3.5.9"),  # v1.26.15
    28: Row("1.7.22", "1.1.14", "3.5.13"),  # v1.28.15
    30: Row("1.7.27", "1.2.6", "3.5.21"),  # v1.30.14
    31: Row("2.1.5", "1.3.3", "3.5.21"),  # v1.31.14
    32: Row("2.1.5", "1.4.0", "3.5.26"),  # v1.32.13
    33: Row("2.0.5", "1.2.6", "3.5.21"),  # v1.33.4
    34: Row("2.1.5", "1.4.0", "3.6.6"),  # v1.34.3
    35: Row("2.2.2", "1.4.1", "3.6.7"),  # v1.35.3
    36: Row("2.3.3", "1.4.3", "3.6.14"),  # v1.36.3
}
OLD_ON_ARM = 24  # before, it is not known whether containerd and runc were published for arm64 ...
ON_ARM = Row("1.6.21", "1.1.9", "")  # ... so those of k0s v1.24.17; containerd 1.6 serves v1.20 and later
PLUGINS: Mapping[int, str] = {0: "0.8.7", 24: "1.6.2"}  # Kubernetes the Hard Way, and the range it names
COMPONENTS = ("containerd", "runc", "cni-plugins", "crictl", "etcd")


@dataclass(frozen=True, slots=True)
class _Project:
    """How a project names what it publishes. ``{v}`` is the version, ``{a}`` the architecture."""

    url: str
    hashes: str  # appended to the file's URL, or a whole URL of its own


_SUM_OF_ALL = GITHUB + "/opencontainers/runc/releases/download/v{v}/runc.sha256sum"
PROJECTS: Mapping[str, _Project] = {
    "containerd": _Project(
        GITHUB + "/containerd/containerd/releases/download/v{v}/containerd-{v}-linux-{a}.tar.gz",
        ".sha256sum",
    ),
    "runc": _Project(GITHUB + "/opencontainers/runc/releases/download/v{v}/runc.{a}", _SUM_OF_ALL),
    "cni-plugins": _Project(
        GITHUB + "/containernetworking/plugins/releases/download/v{v}/cni-plugins-linux-{a}-v{v}.tgz",
        ".sha256",
    ),
    "crictl": _Project(
        GITHUB + "/kubernetes-sigs/cri-tools/releases/download/v{v}/crictl-v{v}-linux-{a}.tar.gz",
        ".sha256",
    ),
    "etcd": _Project(
        GITHUB + "/etcd-io/etcd/releases/download/v{v}/etcd-v{v}-linux-{a}.tar.gz",
        GITHUB + "/etcd-io/etcd/releases/download/v{v}/SHA256SUMS",
    ),
}
KUBERNETES = _Project("https://dl.k8s.io/release/v{v}/bin/linux/{a}/", ".sha256")


def version_of(cluster: Cluster, component: str) -> str:
    """The version of one of `COMPONENTS`, without a v: the manifest's, or the one of the table.

    Raises KeyError for another component.
    """
    given = cluster.components.get(component)
    return given or _usual(cluster, component)


def origin(cluster: Cluster, kind: str, arch: str) -> Origin:
    """Where the file of this kind and architecture is published; any other kind is a Kubernetes program."""
    if kind in PROJECTS:
        return _published(PROJECTS[kind], version_of(cluster, kind), arch, "")
    return _published(KUBERNETES, cluster.version.removeprefix("v"), arch, kind)


def _published(project: _Project, version: str, arch: str, program: str) -> Origin:
    url = project.url.format(v=version, a=arch) + program
    beside = not project.hashes.startswith("https://")
    hashes = url + project.hashes if beside else project.hashes.format(v=version, a=arch)
    return Origin(url, hashes, arch=arch)


def _usual(cluster: Cluster, component: str) -> str:
    minor = release_of(cluster).minor
    if component == "crictl":  # its minor releases are Kubernetes' own
        return f"1.{minor}.0"
    if component == "cni-plugins":
        return PLUGINS[_newest(PLUGINS, minor)]
    row = ROWS[_newest(ROWS, minor)]._asdict()
    on_arm = ON_ARM._asdict() if minor < OLD_ON_ARM and _has_arm(cluster) else {}
    return str(on_arm.get(component) or row[component])


def _newest(table: Mapping[int, object], minor: int) -> int:
    return max(first for first in table if first <= minor)


def _has_arm(cluster: Cluster) -> bool:
    return any(node.arch == "arm64" for node in cluster.nodes)
