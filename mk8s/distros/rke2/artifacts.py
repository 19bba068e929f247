"""Which files of an RKE2 release a cluster needs, and where each goes on a node.

The rule: RKE2's complete images file where the network plugin is canal, otherwise the core file, then
multus if used, and exactly one file for the plugin. In a cluster of mixed architectures the plain ids
belong to the primary's; the others carry the architecture as a suffix (``images-arm64``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import quote

from mk8s.cluster import Cluster
from mk8s.distros.base import ArtifactItem, Origin, Situation
from mk8s.distros.common import packages
from mk8s.distros.rancher.files import manifest_items
from mk8s.distros.rancher.images import Archive, archive_of, staging_dir
from mk8s.distros.rancher.values import settings_of, words
from mk8s.distros.releases import Release, has
from mk8s.distros.rke2.engine import DEFAULT_CNI, RKE2, cni_of
from mk8s.distros.rke2.versions import CORE_IMAGES, TRAEFIK_IN_CORE, ZST_IMAGES
from transports.base import File

__all__ = [
    "archives",
    "artifact_items",
    "ingress_of",
    "release_of",
    "staged",
    "unknown_ids",
]

ARCHITECTURES = ("amd64", "arm64")
EVERYONE = frozenset({"primary", "server", "agent"})
RELEASES = "https://github.com/rancher/rke2/releases/download"  # RKE2's docs, install/airgap
INSTALLER = "https://get.rke2.io"  # install.sh of the repository: of no version, and no hash is published
OWN_NAME = re.compile(r"rke2-images[a-z-]*\.linux-(amd64|arm64)\.tar\.(gz|zst)")
ADDED = "imagesAdded"  # the archive of the manifest's `images`


@dataclass(frozen=True, slots=True)
class _Part:
    """One kind of file: its id, its name in the release, what it is for."""

    id: str
    name: str
    purpose: str
    on_nodes: bool = True


def artifact_items(cluster: Cluster) -> list[ArtifactItem]:
    """Every file for every architecture in the cluster, and the archives the user added."""
    items = [
        ArtifactItem(
            _id(cluster, part.id, arch),
            part.name,
            part.purpose,
            True,
            EVERYONE,
            part.on_nodes,
            _origin(cluster, part, arch),
        )
        for arch in _architectures(cluster)
        for part in _parts(cluster, arch)
    ]
    extra = [
        ArtifactItem(
            name,
            cluster.artifacts[name].name,
            "images the manifest adds",
            True,
            EVERYONE,
            True,
            _origin_of_extra(cluster, cluster.artifacts[name].name),
        )
        for name in _extra_ids(cluster)
    ]
    return [
        *_unique([_renamed(cluster, item) for item in items + extra]),
        *manifest_items(RKE2, cluster),
        *packages.items(cluster),
    ]


def unknown_ids(cluster: Cluster) -> list[str]:
    """Ids in the manifest's `artifacts` that name nothing here."""
    known = {item.id for item in artifact_items(cluster)} | {"installScript"}
    return [name for name in cluster.artifacts if name not in known and not packages.is_package(name)]


def release_of(cluster: Cluster) -> Release:
    """The cluster's release numbers; the newest for a version that is none."""
    return RKE2.release_of(cluster)


def ingress_of(cluster: Cluster) -> tuple[str, ...]:
    """The ingress controllers the user asked for by name; empty for the release's own choice."""
    return tuple(words(settings_of(cluster.primary).get("ingress-controller")))


def staged(s: Situation, part: str) -> tuple[File, PurePosixPath] | None:
    """A part's local file and its staged place, which has RKE2's own name whatever the file is called."""
    file = s.release.get(_id(s.cluster, part, s.node.arch))
    if file is None:
        return None
    name = next(known.name for known in _parts(s.cluster, s.node.arch) if known.id == part)
    return file, staging_dir(s.cluster) / name


def archives(s: Situation) -> list[Archive]:
    """The image archives of this node, staged apart from the files that install.sh may take and move."""
    wanted = [_id(s.cluster, part.id, s.node.arch) for part in _image_parts(s.cluster, s.node.arch)]
    files = [s.release[name] for name in [*wanted, *_extra_ids(s.cluster)] if name in s.release]
    return [archive_of(RKE2, s, file) for file in files]


def _parts(cluster: Cluster, arch: str) -> list[_Part]:
    if cluster.artifacts_mode == "preinstalled":
        return _added_part(cluster, arch)
    by_script = cluster.install_method == "script"
    return [*_own_parts(arch, by_script=by_script), *_image_parts(cluster, arch)]


@cache
def _own_parts(arch: str, *, by_script: bool) -> tuple[_Part, ...]:
    """RKE2 itself, and what its installer wants beside it."""
    parts = [
        _Part("checksums", f"sha256sum-{arch}.txt", f"hashes of the release files for {arch}", by_script),
        _Part("binary", f"rke2.linux-{arch}.tar.gz", f"RKE2 itself for {arch}"),
    ]
    if by_script:
        parts.append(_Part("installScript", "install.sh", "RKE2's own installer"))
    return tuple(parts)


def _origin(cluster: Cluster, part: _Part, arch: str) -> Origin:
    """Where RKE2 publishes a file; install.sh is the same for every architecture and has no hash."""
    if part.id == ADDED:
        return Origin(images=cluster.images, arch=arch, destination=_place(cluster, part))
    if part.id == "installScript":
        return Origin(INSTALLER, destination=_place(cluster, part))
    hashes = "" if part.id == "checksums" else _published(cluster, f"sha256sum-{arch}.txt")
    return Origin(_published(cluster, part.name), hashes, arch=arch, destination=_place(cluster, part))


def _origin_of_extra(cluster: Cluster, name: str) -> Origin:
    """RKE2's own, if it is called so: images of vSphere, Harvester or another CNI. Else the user's."""
    place = str(RKE2.images_dir(cluster.primary) / name)
    own = OWN_NAME.fullmatch(name)
    if not own:
        return Origin(destination=place)
    hashes = _published(cluster, f"sha256sum-{own[1]}.txt")
    return Origin(_published(cluster, name), hashes, arch=own[1], destination=place)


def _published(cluster: Cluster, name: str) -> str:
    """A file of the release: the tag's ``+`` is written %2B, which mirrors and proxies pass on unchanged."""
    return f"{RELEASES}/{quote(cluster.version, safe='')}/{name}"


def _place(cluster: Cluster, part: _Part) -> str:
    """Where a file ends on a node, as far as the first server tells; one only for staging stays there."""
    if part.id == "binary":
        return "/usr/local"
    if part.id.startswith("images"):
        return str(RKE2.images_dir(cluster.primary) / part.name)
    return str(staging_dir(cluster) / part.name) if part.on_nodes else ""


def _image_parts(cluster: Cluster, arch: str) -> list[_Part]:
    return [*_own_image_parts(cluster, arch), *_added_part(cluster, arch)]


def _added_part(cluster: Cluster, arch: str) -> list[_Part]:
    if not cluster.images:
        return []
    return [_Part(ADDED, f"images-added-linux-{arch}.tar", f"the manifest's own images ({arch})")]


def _own_image_parts(cluster: Cluster, arch: str) -> list[_Part]:
    return list(_images_of(release_of(cluster), cni_of(cluster), ingress_of(cluster), arch))


@cache
def _images_of(
    release: Release, cni: tuple[str, ...], ingress: tuple[str, ...], arch: str
) -> tuple[_Part, ...]:
    """Asked for every node, some times each; for nearly all of them alike."""
    if cni == DEFAULT_CNI or not has(release, CORE_IMAGES):
        parts = [_image("images", "", arch, release, "every image that a node needs")]
    else:
        parts = [_image("images", "-core", arch, release, "every image but the network's")]
        parts += [_add_on(name, arch, release) for name in _multus_first(cni) if name != "none"]
    return (*parts, *(_add_on(name, arch, release) for name in ingress if _apart(name, release)))


def _multus_first(cni: tuple[str, ...]) -> list[str]:
    return sorted(cni, key=lambda name: name != "multus")


def _apart(ingress: str, release: Release) -> bool:
    """Whether this ingress controller has a file of its own: the one that core leaves out."""
    return ingress == ("ingress-nginx" if has(release, TRAEFIK_IN_CORE) else "traefik")


def _add_on(name: str, arch: str, release: Release) -> _Part:
    words_of_name = "".join(word.capitalize() for word in name.split("-"))
    return _image(f"images{words_of_name}", f"-{name}", arch, release, f"images of {name}")


def _image(part: str, variant: str, arch: str, release: Release, purpose: str) -> _Part:
    suffix = "tar.zst" if has(release, ZST_IMAGES) else "tar.gz"
    return _Part(part, f"rke2-images{variant}.linux-{arch}.{suffix}", f"{purpose} ({arch})")


def _architectures(cluster: Cluster) -> list[str]:
    return list(dict.fromkeys(node.arch for node in cluster.nodes))


def _id(cluster: Cluster, part: str, arch: str) -> str:
    shared = part == "installScript" or arch == cluster.primary.arch
    return part if shared else f"{part}-{arch}"


def _extra_ids(cluster: Cluster) -> list[str]:
    """Any other id that begins with `images` and names a file adds an archive, for every node."""
    given = [name for name, source in cluster.artifacts.items() if name.startswith("images") and source.name]
    if not given:
        return []
    known = {_id(cluster, part.id, arch) for arch in ARCHITECTURES for part in _parts(cluster, arch)}
    return [name for name in given if name not in known]


def _renamed(cluster: Cluster, item: ArtifactItem) -> ArtifactItem:
    """The manifest's name for a file. Another of RKE2's own forms, such as .tar.gz, is fetched as that."""
    source = cluster.artifacts.get(item.id)
    if not source or not source.name:
        return item
    origin = item.origin
    if origin.url and item.id.startswith("images"):
        name = source.name if OWN_NAME.fullmatch(source.name) else item.file
        place = str(RKE2.images_dir(cluster.primary) / source.name)
        origin = replace(origin, url=_published(cluster, name), destination=place)
    return replace(item, file=source.name, origin=origin)


def _unique(items: Iterable[ArtifactItem]) -> list[ArtifactItem]:
    by_id: Mapping[str, ArtifactItem] = {item.id: item for item in items}
    return list(by_id.values())
