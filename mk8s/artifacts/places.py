"""Where a registry answers, with the manifest's `mirrors` put over it. Pure.

A mirror for a registry is named by its host (``registry.k8s.io``): then it is a registry, too, and a path in
its address becomes the beginning of the repository, as registries that hold several others want it
(``https://harbor.example/k8s`` -> ``https://harbor.example/v2/k8s/pause``). Mirrors for beginnings of URLs,
and ``"*"``, replace text as they do for every other file.

Begin reading at `place_of`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mk8s.artifacts.references import Reference
from mk8s.artifacts.sources import resolve_url

__all__ = ["Place", "place_of", "registry_places"]


@dataclass(frozen=True, slots=True)
class Place:
    """One repository at one address."""

    base: str  # the URL before /manifests/… and /blobs/…
    repository: str  # its name at this address

    @property
    def host(self) -> str:
        """host[:port] of who answers."""
        return urlsplit(self.base).netloc.rpartition("@")[2]

    @property
    def plain(self) -> bool:
        """Whether it is asked without encryption, because the manifest says http://."""
        return urlsplit(self.base).scheme == "http"

    @property
    def key(self) -> tuple[str, str]:
        """What a token is good for."""
        return self.host, self.repository

    def url(self, kind: str, version: str) -> str:
        """`kind`: manifests or blobs; `version`: a tag or a digest."""
        return f"{self.base}/{kind}/{version}"


def place_of(reference: Reference, mirrors: Mapping[str, str]) -> Place:
    """Where this image is asked for."""
    for name in (reference.registry, reference.address):
        if name in mirrors:
            base, folder = _registry(mirrors[name])
            repository = f"{folder}{reference.repository}"
            return Place(f"{base}/v2/{repository}", repository)
    url = f"https://{reference.address}/v2/{reference.repository}"
    return Place(resolve_url(url, mirrors), reference.repository)


def registry_places(mirrors: Mapping[str, str]) -> Iterator[str]:
    """The addresses of the mirrors that are registries, without paths: what an air gap lets them be asked."""
    for name, mirror in mirrors.items():
        if "://" not in name and name != "*":
            yield _registry(mirror)[0]


def _registry(mirror: str) -> tuple[str, str]:
    """Scheme and host of a registry, and the beginning of its repositories: ``k8s/`` or nothing."""
    text = mirror if "://" in mirror else f"https://{mirror}"
    scheme, _, rest = text.partition("://")
    host, _, path = rest.partition("/")
    folder = (
        path.strip("/").removeprefix("v2").strip("/")
        if path.strip("/").split("/")[0] == "v2"
        else path.strip("/")
    )
    return f"{scheme}://{host}", f"{folder}/" if folder else ""
