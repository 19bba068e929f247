"""What the objects in a file of Kubernetes manifests would have nodes and controllers fetch. Pure.

A file is foreign content: it is read with YAML's safe loader, and walked without following an alias twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import yaml

from machines.documents import FASTEST

__all__ = ["Fetched", "Pulled", "fetched", "whole_name"]

Source: TypeAlias = tuple[str, str]

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
SOURCES: Mapping[str, tuple[str, ...]] = {
    "HelmChart": ("repo", "chart"),
    "HelmRepository": ("url",),
    "OCIRepository": ("url",),
    "GitRepository": ("url",),
    "Bucket": ("endpoint",),
    "Application": ("repoURL",),
    "ApplicationSet": ("repoURL",),
}
"""Kinds that make a controller in the cluster fetch something, and the keys below them that say from where.

They are K3s's and RKE2's own charts, Flux's sources and Argo CD's applications.
"""
DEEPEST = 60  # levels; a pod of a stateful set lies in the ninth


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image of a container. `always`: it is asked for at every start, also where a node has it."""

    name: str
    always: bool

    @property
    def whole(self) -> str:
        return whole_name(self.name)

    @property
    def registry(self) -> str:
        return self.whole.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Each image and each source (what, host) once, in order."""

    images: tuple[Pulled, ...]
    sources: tuple[Source, ...]


def fetched(text: str) -> Fetched | None:
    """What a file's objects name; None for a file that is no YAML."""
    try:
        documents = [found for found in yaml.load_all(text, FASTEST) if found is not None]
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    seen: set[int] = set()
    mappings = [found for document in documents for found in _mappings(document, seen, 0)]
    images = dict.fromkeys(image for found in mappings for image in _images(found))
    sources = dict.fromkeys(source for found in mappings for source in _sources(found))
    return Fetched(tuple(images), tuple(sources))


def whole_name(image: str) -> str:
    """An image's name as containerd knows it: with registry and tag, and without a digest behind a tag.

    ``busybox`` is ``docker.io/library/busybox:latest``.
    """
    name, _, digest = image.partition("@")
    first, _, rest = name.partition("/")
    if not rest:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    if ":" in name.rpartition("/")[2]:
        return name
    return f"{name}@{digest}" if digest else f"{name}:latest"


def _mappings(value: Any, seen: set[int], depth: int) -> Iterator[Mapping[Any, Any]]:
    """Every mapping in a document, once. What lies deeper than anything sensible is passed over."""
    if not isinstance(value, dict | list) or id(value) in seen or depth > DEEPEST:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value:
        yield from _mappings(part, seen, depth + 1)


def _images(found: Mapping[Any, Any]) -> Iterator[Pulled]:
    for container in (part for key in CONTAINERS for part in _each(found.get(key))):
        if isinstance(container.get("image"), str) and container["image"]:
            yield Pulled(container["image"], _is_always(container["image"], container.get("imagePullPolicy")))
    for image in (volume.get("image") for volume in _each(found.get("volumes"))):
        if isinstance(image, dict) and isinstance(image.get("reference"), str) and image["reference"]:
            yield Pulled(image["reference"], _is_always(image["reference"], image.get("pullPolicy")))


def _each(value: object) -> list[dict[Any, Any]]:
    """The mappings in a list; none where it is none."""
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _is_always(image: str, policy: object) -> bool:
    """Kubernetes' own rule: without a policy, only the tag ``latest`` is asked for again."""
    return policy == "Always" if policy else whole_name(image).endswith(":latest")


def _sources(found: Mapping[Any, Any]) -> Iterator[Source]:
    keys = SOURCES.get(str(found.get("kind")), ())
    spec = found.get("spec")
    for part in _mappings(spec, set(), 0) if keys else ():
        for key in keys:
            host = _host(part.get(key))
            if host:
                yield f"the {key} of {found['kind']} {_name(found)}", host


def _name(found: Mapping[Any, Any]) -> str:
    about = found.get("metadata")
    return str(about.get("name", "")) if isinstance(about, dict) else ""


def _host(value: object) -> str:
    if not isinstance(value, str):
        return ""
    if "://" not in value and "@" in value:  # as git writes it: git@host:path
        return value.partition("@")[2].partition(":")[0]
    try:
        return urlsplit(value).hostname or ""
    except ValueError:
        return ""
