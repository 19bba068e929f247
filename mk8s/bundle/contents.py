"""What of a cluster goes into a bundle: release files, files that the manifest names, needs of the hosts.

Pure but for the hashing of files that the manifest names. It writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from machines.documents import parse_document
from mk8s.artifacts.hashes import RECORDED
from mk8s.bundle.files import explained
from mk8s.bundle.index import ARTIFACTS, FILES, Details, HostNeeds, Member
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, distro_names, load_distro
from mk8s.images import IMAGES, image_names
from mk8s.project import Listing
from transports.base import File, digest_of_file

__all__ = ["host_needs", "images_in_archives", "named_files", "release_members"]

FOREIGN = re.compile(r"[^A-Za-z0-9._+-]+")
ROLES = {"primary": "server"}


def release_members(listing: Listing, files: Mapping[str, File]) -> list[Member]:
    """The release's own files, from what an inspection found. One file may have several ids."""
    found: dict[str, Member] = {}
    for item in listing.catalogue.artifacts(listing.cluster):
        if item.id in files and not Path(item.file).is_absolute():
            path = ARTIFACTS + item.file
            member = found.get(path) or Member(path, files[item.id])
            found[path] = replace(member, details=(*member.details, _details(item)))
    recorded = [listing.cluster.artifacts_dir / RECORDED]  # the checks after the gap need it
    return [
        *found.values(),
        *(Member(ARTIFACTS + path.name, _file(path)) for path in recorded if path.is_file()),
    ]


def named_files(listing: Listing) -> tuple[list[Member], dict[str, str]]:
    """Files that the manifest names besides the release, and their new names by the old ones.

    These are what is applied to the new cluster, and certificates of registries. Keys stay at home.
    """
    members: dict[Path, Member] = {}
    renamed: dict[str, str] = {}
    for number, (text, path) in enumerate(_named(listing)):
        if path not in members:
            name = FOREIGN.sub("-", path.name)[-80:].lstrip("-")
            members[path] = Member(f"{FILES}{number:02d}-{name}", _file(path))
        renamed[text] = members[path].path
    return list(members.values()), renamed


def images_in_archives(members: Iterable[Member]) -> dict[str, tuple[str, ...]]:
    """Path in the bundle -> names of the images in that archive, where it can be read. Reads the archives."""
    archives = {
        member.path: member.source.path
        for member in members
        if isinstance(member.source, File) and any(one.id.startswith(IMAGES) for one in member.details)
    }
    return {path: names for path, file in archives.items() if (names := image_names(file))}


def host_needs(cluster: Cluster) -> tuple[HostNeeds, ...]:
    """What bare hosts must offer, by role; nothing where the distro cannot be installed yet."""
    if cluster.distro not in distro_names():
        return ()
    roles: dict[HostNeeds, list[str]] = {}
    for node in cluster.nodes:
        role = ROLES.get(node.role, node.role)
        names = roles.setdefault(_needs(cluster, node), [])
        if role not in names:
            names.append(role)
    return tuple(
        HostNeeds(
            roles=tuple(names),
            programs=needs.programs,
            modules=needs.modules,
            ports=needs.ports,
            memory=needs.memory,
            cpus=needs.cpus,
        )
        for needs, names in roles.items()
    )


def _needs(cluster: Cluster, node: Node) -> HostNeeds:
    found = load_distro(cluster.distro).requirements(node, cluster)
    return HostNeeds(
        roles=(),
        programs=found.programs,
        modules=found.modules,
        ports=tuple(f"{port} ({who})" for port, who in sorted(found.ports.items())),
        memory=found.memory,
        cpus=found.cpus,
    )


def _details(item: ArtifactItem) -> Details:
    return Details(
        id=item.id,
        purpose=item.purpose,
        destination=item.origin.destination,
        arch=item.origin.arch,
        roles=_in_order(item.roles),
        url=item.origin.url,
        images=item.origin.images,
    )


def _in_order(roles: Iterable[str]) -> tuple[str, ...]:
    return tuple(role for role in ("primary", "server", "agent") if role in roles)


def _named(listing: Listing) -> Iterator[tuple[str, Path]]:
    """Each path as the manifest writes it, and where it is."""
    value = parse_document(listing.text.encode(), str(listing.manifest)).value
    written = value if isinstance(value, dict) else {}
    yield from zip(map(str, _list(written.get("manifests"))), listing.cluster.manifests, strict=True)
    registries: Any = written.get("registries") or {}
    access = listing.cluster.registries.access if listing.cluster.registries else {}
    for name, entry in access.items():
        if entry.ca_file:
            yield str(registries["access"][name]["ca_file"]), entry.ca_file


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _file(path: Path) -> File:
    with explained(path, "read"):
        return File(path, path.stat().st_size, digest_of_file(path))
