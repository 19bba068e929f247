"""What a runtime cannot do with the manifest's `registries`: sentences ``path: message; hint``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mk8s.cluster import Cluster, Node, Registries
from mk8s.registries.engine import DEFAULT_REGISTRY, NO_FALLBACK, OTHER_FILE, settings
from mk8s.registries.hosts import folder_of_rewrite
from mk8s.registries.known import EVERY, Given, endpoint_of
from mk8s.registries.releases import CERTS_D, DEFAULT_FOLDER, K0S_DROP_INS, begins_with

__all__ = ["of_containerd", "of_engine", "of_k0s"]

NO_PLACE = re.compile(r"[\x00-\x20\x7f/\\]")  # what stands in no host's name: it becomes a folder's


def of_engine(cluster: Cluster) -> Iterator[str]:
    """RKE2 and K3s. The nodes' own `config` wins, and what contradicts `registries` is refused."""
    registries = cluster.registries
    if registries is None:
        return
    yield from _forms(registries)
    for node in cluster.nodes:
        yield from _contradictions(cluster, node, registries)


def of_containerd(cluster: Cluster, version: str = "") -> Iterator[str]:
    """kubeadm and vanilla. `version`: of the containerd that is installed, as far as it is known."""
    registries = cluster.registries
    if registries is None:
        return
    yield from _forms(registries)
    yield from _certs_d(registries)
    if registries.default:
        yield (
            "registries.default: system images are named as the release's archives say; leave it out, and "
            "give `registries.mirrors` the registry's images instead"
        )
    if version and not begins_with(version, CERTS_D):
        yield (
            f"registries: containerd {version} reads no hosts.toml; "
            "bring 1.5.0 or later, and give its version as `components.containerd`"
        )
    elif version and EVERY in registries.mirrors and not begins_with(version, DEFAULT_FOLDER):
        yield (
            f'registries.mirrors."*": containerd {version} knows registries by name only; '
            "name each registry, or bring 1.6.17 or later and give its version as `components.containerd`"
        )


def of_k0s(cluster: Cluster) -> Iterator[str]:
    registries = cluster.registries
    if registries is None:
        return
    yield from _forms(registries)
    yield from _certs_d(registries)
    if not begins_with(cluster.version, K0S_DROP_INS):
        yield f"registries: {cluster.version} reads no drop-ins for containerd; take v1.27.1 or later"


def _forms(registries: Registries) -> Iterator[str]:
    """Words that would become something else than what they are meant for."""
    for name, mirror in registries.mirrors.items():
        if not name or (NO_PLACE.search(name) or name.startswith(".")):
            yield f'registries.mirrors.{name!r}: is no registry; write its host, such as docker.io, or "*"'
        for text in mirror.endpoints:
            try:
                endpoint_of(text)
            except ValueError as error:
                hint = "write such as https://mirror.example:5000; names and passwords stand in `access`"
                yield f"registries.mirrors.{name}.endpoints: {error}; {hint}"
    for name in registries.access:
        if not name or NO_PLACE.search(name) or name.startswith(".") or name == EVERY:
            yield f"registries.access.{name!r}: is no registry; write host or host:port"


def _certs_d(registries: Registries) -> Iterator[str]:
    for name, mirror in registries.mirrors.items():
        if not mirror.endpoints:
            yield f"registries.mirrors.{name}.endpoints: is empty; name a mirror, or leave {name} out"
        if folder_of_rewrite(mirror) is None:
            yield (
                f"registries.mirrors.{name}.rewrite: containerd can only put a folder before every image; "
                'write {"^(.*)$": "folder/$1"}, or mirror the images under their own paths'
            )


def _contradictions(cluster: Cluster, node: Node, registries: Registries) -> Iterator[str]:
    path = f"nodes.{node.name}.config"
    if node.config.get(OTHER_FILE):
        yield (
            f"{path}.{OTHER_FILE}: the file that `registries` is written to would not be read; "
            "leave one of the two out"
        )
    wanted = settings(Given(registries), cluster.version, server=node.is_server)
    for key in (DEFAULT_REGISTRY, NO_FALLBACK):
        if key in node.config and key in wanted and not _same(node.config, key, wanted[key]):
            source = "registries.default" if key == DEFAULT_REGISTRY else "registries.fallback"
            yield f"{path}.{key}: contradicts `{source}`; leave one of the two out"
    if registries.default and not node.is_server and DEFAULT_REGISTRY in node.config:
        yield f"{path}.{DEFAULT_REGISTRY}: agents learn it from the servers; leave it out"


def _same(config: Mapping[str, Any], key: str, wanted: str) -> bool:
    return str(config[key]).strip().lower() == wanted.lower()
