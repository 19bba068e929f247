"""What a registry says of an image, read strictly: an index of platforms, a manifest of blobs. Pure.

Laws:

1. A document is of the kind that it says it is. One that could be read as both kinds is refused, because
   two readers would then see two images under one digest.
2. Everything named in it is bounded in size and number before anything is fetched.
3. Only what may be handed on: layers that a registry does not hold itself are refused, not left out.

Source of kinds and fields: the OCI image specification 1.1, and Docker's image manifest, version 2 schema 2.
Begin reading at `read_document`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from machines.words import one_line, shown
from mk8s.artifacts.references import DIGEST

__all__ = ["ACCEPT", "LARGEST_DOCUMENT", "Descriptor", "Index", "Manifest", "check_config", "read_document"]

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
INDEXES = (f"{OCI}.index.v1+json", f"{DOCKER}.distribution.manifest.list.v2+json")
MANIFESTS = (f"{OCI}.manifest.v1+json", f"{DOCKER}.distribution.manifest.v2+json")
CONFIGS = (f"{OCI}.config.v1+json", f"{DOCKER}.container.image.v1+json")
LAYERS = frozenset(
    {
        *(f"{OCI}.layer.v1.tar{packed}" for packed in ("", "+gzip", "+zstd")),
        *(f"{DOCKER}.image.rootfs.diff.tar{packed}" for packed in ("", ".gzip", ".zstd")),
    }
)
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
LARGEST_DOCUMENT = 4 << 20  # bytes; the limit that the distribution specification recommends
LARGEST_CONFIG = 8 << 20
LARGEST_LAYER = 16 << 30
MOST_LAYERS = 127  # what a container runtime can mount, and more than any builder makes
MOST_PLATFORMS = 1000
VARIANTS = {"amd64": ("", "v1"), "arm64": ("", "v8")}  # what every processor of the kind can run


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob or document as another document names it."""

    digest: str  # sha256:…
    size: int  # bytes
    media_type: str

    @property
    def sha256(self) -> str:
        return self.digest.removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class Index:
    """One name for several platforms."""

    platforms: Mapping[tuple[str, str, str], Descriptor]  # os, architecture, variant; first ones win

    def choose(self, arch: str) -> Descriptor:
        """The manifest for Linux on `arch`. Raises ValueError naming what there is instead."""
        for variant in VARIANTS[arch]:
            found = self.platforms.get(("linux", arch, variant))
            if found:
                return found
        there = sorted("/".join(filter(None, platform)) for platform in self.platforms)
        raise ValueError(f"it has no linux/{arch}, only {one_line(', '.join(there[:12])) or 'nothing'}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One platform's image."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


def read_document(content: bytes, content_type: str) -> Index | Manifest:
    """An index or a manifest. `content_type`: what the registry calls it.

    Raises ValueError with words for every other kind, and for one that breaks the rules.
    """
    document = _json(content)
    said = content_type.partition(";")[0].strip().lower()
    kind = document.get("mediaType", said)
    if said in (*INDEXES, *MANIFESTS) and kind != said:
        raise ValueError(f"it is called {shown(said)} and calls itself {shown(kind)}")
    if document.get("schemaVersion") != 2:
        raise ValueError("it is in Docker's first format, which carries no hashes; push it again")
    if kind in INDEXES and not {"layers", "config"} & document.keys():
        return _index(document)
    if kind in MANIFESTS and "manifests" not in document:
        return _manifest(document, str(kind))
    raise ValueError(f"{shown(kind)} is not a container image")


def check_config(content: bytes, arch: str, layers: int) -> None:
    """Raise ValueError unless this config is of an image for Linux on `arch` with so many layers."""
    config = _json(content)
    found = f"{config.get('os', 'linux')}/{config.get('architecture', '')}"
    if found != f"linux/{arch}":
        raise ValueError(f"it is for {one_line(found)}, and linux/{arch} is wanted")
    roots = config.get("rootfs")
    listed = roots.get("diff_ids") if isinstance(roots, dict) else None
    if not isinstance(listed, list) or len(listed) != layers:
        raise ValueError("its config and its manifest disagree about the number of layers")


def _index(document: Mapping[str, Any]) -> Index:
    found: dict[tuple[str, str, str], Descriptor] = {}
    for entry in _entries(document, "manifests", MOST_PLATFORMS):
        platform = entry.get("platform")
        if isinstance(platform, dict) and entry.get("mediaType") in MANIFESTS:
            key = tuple(str(platform.get(name, "")) for name in ("os", "architecture", "variant"))
            found.setdefault((key[0], key[1], key[2]), _descriptor(entry, LARGEST_DOCUMENT))
    return Index(found)


def _manifest(document: Mapping[str, Any], kind: str) -> Manifest:
    given = document.get("config")
    config = _descriptor(given if isinstance(given, dict) else {}, LARGEST_CONFIG)
    if config.media_type not in CONFIGS:
        raise ValueError(f"{shown(config.media_type)} is not the config of a container image")
    layers = tuple(_layer(entry) for entry in _entries(document, "layers", MOST_LAYERS))
    return Manifest(kind, config, layers)


def _layer(entry: Mapping[str, Any]) -> Descriptor:
    kind = str(entry.get("mediaType", ""))
    if "foreign" in kind or "nondistributable" in kind or entry.get("urls"):
        raise ValueError(
            "one of its layers may not be handed on, so no registry holds it (as in images for Windows)"
        )
    if kind not in LAYERS:
        raise ValueError(f"{shown(kind)} is not a layer of a container image")
    return _descriptor(entry, LARGEST_LAYER)


def _descriptor(entry: Mapping[str, Any], largest: int) -> Descriptor:
    digest, size = entry.get("digest"), entry.get("size")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise ValueError(f"{shown(digest)} is not a sha256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= largest:
        raise ValueError(f"{digest[:19]}… of {shown(size)} bytes; {largest} is the most")
    return Descriptor(digest, size, str(entry.get("mediaType", "")))


def _entries(document: Mapping[str, Any], name: str, most: int) -> list[Mapping[str, Any]]:
    entries = document.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"it has no list of {name}")
    if len(entries) > most:
        raise ValueError(f"it has {len(entries)} {name}; {most} is the most")
    return entries


def _json(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return document
    raise ValueError("the registry's answer is not JSON of an image; is it a registry at all?")
