"""Components of a bill of materials: files of a bundle, container images, libraries. Pure.

Begin reading at `file_component`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from packageurl import PackageURL

from mk8s.artifacts.references import Reference, parse_reference
from mk8s.bundle.index import ARTIFACTS, Details, Entry, Index
from mk8s.bundle.installed import Shipped
from mk8s.bundle.needed import plain_name
from mk8s.images import IMAGES

__all__ = ["file_component", "library", "property_of", "tool"]

GITHUB = re.compile(r"/(?P<owner>[^/]+)/(?P<name>[^/]+)/releases/download/(?P<tag>[^/]+)/(?P<file>[^/]+)")
HOST = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")
STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def property_of(name: str, value: str) -> Property:
    """A fact that the standard has no word for."""
    return Property(name=f"mk8s:{name}", value=value)


def file_component(draft: Index, entry: Entry, images: Sequence[str]) -> Component:
    """A member of the bundle, with the images that are in it."""
    of_release = entry.path.startswith(ARTIFACTS)
    url = next((address for details in entry.details if (address := _public(details.url))), "")
    named = images or [image for details in entry.details for image in details.images]
    return Component(
        name=entry.path.rpartition("/")[2],
        version=draft.version if of_release else None,
        type=ComponentType.FILE,
        bom_ref=entry.path,
        scope=ComponentScope.REQUIRED,
        description=" ".join(dict.fromkeys(one.purpose for one in entry.details if one.purpose)) or None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=entry.sha256)],
        purl=_address(draft.version, url, entry.sha256) if of_release else None,
        external_references=_references(url),
        properties=[
            *_facts(entry.details),
            property_of("path", entry.path),
            property_of("size", str(entry.size)),
            *_unknown_images(entry, named),
        ],
        components=[_image(entry.path, name) for name in sorted(set(named))],
    )


def library(one: Shipped) -> Component:
    """mk8s itself or a Python distribution that it runs with."""
    record = next(source for path, source in one.files.items() if path.endswith(".dist-info/RECORD"))
    itself = one.name == "mk8s"
    factory = LicenseFactory()
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.APPLICATION if itself else ComponentType.LIBRARY,
        bom_ref=f"python:{plain_name(one.name)}",
        scope=ComponentScope.REQUIRED,
        licenses=[factory.make_from_string(one.licence)] if one.licence else [],
        purl=None if itself else PackageURL("pypi", name=plain_name(one.name), version=one.version),
        properties=[property_of("record-sha256", record.sha256), property_of("files", str(len(one.files)))],
    )


def tool(version: str) -> Component:
    """Who made the bill."""
    return Component(name="mk8s", version=version, type=ComponentType.APPLICATION, bom_ref="tool:mk8s")


def _facts(details: Iterable[Details]) -> Iterator[Property]:
    for one in details:
        known = {"id": one.id, "arch": one.arch, "destination": one.destination}
        yield from (property_of(name, value) for name, value in known.items() if value)
        yield from (property_of("role", role) for role in one.roles)


def _unknown_images(entry: Entry, named: Sequence[str]) -> Iterator[Property]:
    """Said where nobody could look into an archive: no list must not look like an empty one."""
    if not named and any(one.id.startswith(IMAGES) for one in entry.details):
        yield property_of("images", "not known")


def _public(url: str) -> str:
    """An address without a login in it, as the standard takes it; empty for one on a machine's own disk."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    place = parts.netloc.rpartition("@")[2]
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(place):
        return ""
    return urlunsplit((parts.scheme, place, *(_escaped(part) for part in parts[2:])))


def _escaped(part: str) -> str:
    """Only what is allowed in an address; escapes that are there already stay."""
    return quote(STRAY_PERCENT.sub("%25", part), safe="/%:=&?~+!$,;'@()*")


def _references(url: str) -> list[ExternalReference]:
    return [ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(url))] if url else []


def _address(version: str, url: str, sha256: str) -> PackageURL | None:
    """The package URL of a release file: of its GitHub release, or of what lies at its address."""
    if not url:
        return None
    parts = urlsplit(url)
    found = GITHUB.fullmatch(parts.path) if parts.hostname == "github.com" else None
    checksum = f"sha256:{sha256}"
    if found is None:
        name = unquote(parts.path.rpartition("/")[2]) or parts.hostname
        return PackageURL(
            "generic", name=name, version=version, qualifiers={"checksum": checksum, "download_url": url}
        )
    return PackageURL(
        "github",
        namespace=found["owner"],
        name=found["name"],
        version=unquote(found["tag"]),
        qualifiers={"checksum": checksum, "file_name": unquote(found["file"])},
    )


def _image(path: str, name: str) -> Component:
    """A container image inside an archive."""
    try:
        reference = parse_reference(name)
    except ValueError:  # archives may name what no registry would
        return Component(name=name, type=ComponentType.CONTAINER, bom_ref=f"{path}#{name}")
    return Component(
        name=f"{reference.registry}/{reference.repository}",
        version=reference.version,
        type=ComponentType.CONTAINER,
        bom_ref=f"{path}#{name}",
        purl=_image_address(reference),
    )


def _image_address(reference: Reference) -> PackageURL:
    repository = f"{reference.registry}/{reference.repository}"
    qualifiers = {"repository_url": repository} | ({"tag": reference.tag} if reference.tag else {})
    last = reference.repository.rpartition("/")[2]
    return PackageURL("oci", name=last, version=reference.digest or None, qualifiers=qualifiers)
