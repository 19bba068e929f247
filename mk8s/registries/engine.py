"""registries.yaml and the keys of config.yaml for RKE2 and K3s, which are one engine. Pure.

Source: the private registry page of both documentations. The engine reads registries.yaml when it starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from mk8s.cluster import RegistryAccess
from mk8s.registries.known import DOCKER_HUB, Given, host_of_registry, is_login, quoted
from mk8s.registries.releases import NO_DEFAULT_ENDPOINT, begins_with

__all__ = ["DEFAULT_REGISTRY", "NO_FALLBACK", "OTHER_FILE", "registries_yaml", "settings"]

Tree: TypeAlias = Mapping[str, "Tree | list[str] | str | bool"]

DEFAULT_REGISTRY = "system-default-registry"  # a server's setting: agents learn it from there
NO_FALLBACK = "disable-default-registry-endpoint"
OTHER_FILE = "private-registry"  # makes the engine read another file than registries.yaml


def registries_yaml(given: Given) -> bytes:
    """The engine's registries.yaml. Holds passwords."""
    tree: dict[str, Tree] = {
        "mirrors": {name: _mirror(mirror.endpoints, mirror.rewrite) for name, mirror in given.mirrors()},
        "configs": {host: _config(given, host, access) for host, access in _configs(given).items()},
    }
    found = {name: part for name, part in tree.items() if part}
    return "\n".join(["# written by mk8s", *_lines(found, ""), ""]).encode()


def settings(given: Given, version: str, *, server: bool) -> dict[str, str]:
    """Keys of config.yaml that belong to it, with their values as the user would write them."""
    found = {}
    if server and given.registries.default:
        found[DEFAULT_REGISTRY] = given.registries.default
    alone = given.registries.mirrors and not given.registries.fallback
    if alone and begins_with(version, NO_DEFAULT_ENDPOINT):
        found[NO_FALLBACK] = "true"
    return found


def _mirror(endpoints: tuple[str, ...], rewrite: Mapping[str, str]) -> Tree:
    parts: dict[str, Tree | list[str]] = {"endpoint": list(endpoints), "rewrite": rewrite}
    return {name: part for name, part in parts.items() if part}


def _configs(given: Given) -> dict[str, RegistryAccess]:
    """As the manifest names hosts; Docker Hub by both names, for the engine looks for either."""
    found = dict(given.registries.access)
    if DOCKER_HUB in found:
        found.setdefault(host_of_registry(DOCKER_HUB), found[DOCKER_HUB])
    return found


def _config(given: Given, host: str, access: RegistryAccess) -> Tree:
    asked = host_of_registry(host)
    auth = {"username": access.username, "password": given.password(asked) if access.password_env else ""}
    authority = given.authority_of(asked)
    tls: dict[str, str | bool] = {}
    if authority:
        tls["ca_file"] = str(authority)
    if access.insecure:
        tls["insecure_skip_verify"] = True
    parts: dict[str, Tree] = {"auth": auth if is_login(access) else {}, "tls": tls}
    return {name: part for name, part in parts.items() if part}


def _lines(tree: Tree, indent: str) -> Iterator[str]:
    for key, value in tree.items():
        name = quoted(key) if indent == "  " or not key.isidentifier() else key
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, f"{indent}  ")
        elif isinstance(value, list):
            yield f"{indent}{name}:"
            yield from (f"{indent}  - {quoted(item)}" for item in value)
        else:
            yield f"{indent}{name}: {_value(value)}"


def _value(value: Tree | str | bool) -> str:
    """A mapping is an empty one here."""
    return quoted(value) if isinstance(value, str) else json.dumps(value)
