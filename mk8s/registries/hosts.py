"""containerd's own files: a folder with a hosts.toml for each registry, and passwords in its config. Pure.

Sources: containerd's docs/hosts.md and docs/cri/registry.md. containerd reads hosts.toml at each pull, its
config when it starts. The registry itself is asked last unless another host is named as its `server`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from mk8s.cluster import RegistryMirror
from mk8s.registries.known import (
    EVERY,
    ROOT,
    Endpoint,
    Given,
    endpoint_of,
    host_of_registry,
    is_login,
    quoted,
)

__all__ = ["PLUGIN_1", "PLUGIN_2", "auth_toml", "folder_of_rewrite", "host_files"]

PLUGIN_1 = "io.containerd.grpc.v1.cri"  # in config version 2: containerd 1.x
PLUGIN_2 = "io.containerd.cri.v1.images"  # in config version 3: containerd 2.x
DEFAULT = "_default"  # the folder for every registry that has none
ABILITIES = 'capabilities = ["pull", "resolve"]'
WHOLE = re.compile(r"\^?\(\.[*+]\)\$?")
BEFORE_ALL = re.compile(r"(?P<folder>[a-z0-9][a-z0-9._/-]*[a-z0-9])/\$1")


def host_files(given: Given) -> dict[PurePosixPath, bytes]:
    """Path below certs.d -> content. None of them holds a secret."""
    found = {_folder(name): _with_mirrors(given, name, mirror) for name, mirror in given.mirrors()}
    for name in given.registries.access:  # so that the mirror of every registry is not asked for these
        found.setdefault(_folder(name), _itself(given, host_of_registry(name)))
    return {folder / "hosts.toml": _text(lines) for folder, lines in found.items()}


def auth_toml(given: Given | None, plugin: str) -> str:
    """The tables of containerd's config that hold names and passwords: empty where there are none.

    containerd warns that they are deprecated; there is no other place for them, and 2.3 still reads them.
    """
    if given is None:
        return ""
    return "".join(
        f'\n[plugins."{plugin}".registry.configs.{quoted(host)}.auth]\n'
        f"  username = {quoted(access.username)}\n"
        f"  password = {quoted(given.password(host) if access.password_env else '')}\n"
        for host in _asked_hosts(given)
        if is_login(access := given.access_to(host))
    )


def folder_of_rewrite(mirror: RegistryMirror) -> str | None:
    """The folder that a mirror's `rewrite` puts before every image; None where it says anything else.

    containerd knows no rewriting, but an address may have a folder: ``{"^(.*)$": "folder/$1"}``.
    """
    if not mirror.rewrite:
        return ""
    if len(mirror.rewrite) > 1:
        return None
    [(pattern, replacement)] = mirror.rewrite.items()
    found = BEFORE_ALL.fullmatch(replacement)
    return found["folder"] if found and WHOLE.fullmatch(pattern) else None


def _with_mirrors(given: Given, name: str, mirror: RegistryMirror) -> list[str]:
    folder = folder_of_rewrite(mirror) or ""
    endpoints = [endpoint_of(text).below(folder) for text in mirror.endpoints]
    if given.registries.fallback or not endpoints:
        return [
            *([] if name == EVERY else _itself(given, host_of_registry(name))),
            *_tables(given, endpoints),
        ]
    *first, last = endpoints
    # In the registry's own place, so that it is not asked itself.
    return [f"server = {quoted(last.url)}", *_settings(given, last), *_tables(given, first)]


def _itself(given: Given, host: str) -> list[str]:
    return [f"server = {quoted(f'https://{host}')}", *_tls(given, host)]


def _tables(given: Given, endpoints: list[Endpoint]) -> Iterator[str]:
    for endpoint in endpoints:
        yield ""
        yield f"[host.{quoted(endpoint.url)}]"
        yield from (f"  {line}" for line in _settings(given, endpoint))


def _settings(given: Given, endpoint: Endpoint) -> list[str]:
    """A path that does not end in /v2 counts as it is only where this is said."""
    own_path = ["override_path = true"] if endpoint.path != ROOT else []
    return [ABILITIES, *own_path, *_tls(given, endpoint.host)]


def _tls(given: Given, host: str) -> list[str]:
    authority = given.authority_of(host)
    lines = [f"ca = {quoted(str(authority))}"] if authority else []
    return [*lines, *(["skip_verify = true"] if given.access_to(host).insecure else [])]


def _asked_hosts(given: Given) -> list[str]:
    """Every host that may be asked, as containerd spells it: with a port exactly where an address has one."""
    endpoints = [endpoint_of(text).host for _, mirror in given.mirrors() for text in mirror.endpoints]
    return list(dict.fromkeys([*map(host_of_registry, given.registries.access), *endpoints]))


def _folder(name: str) -> PurePosixPath:
    return PurePosixPath(DEFAULT if name == EVERY else name)


def _text(lines: list[str]) -> bytes:
    """containerd 1.x reads nothing of a file that has no table ``host``, be it an empty one."""
    hosts = [] if any(line.startswith("[host.") for line in lines) else ["", "[host]"]
    return "\n".join(["# written by mk8s", *lines, *hosts, ""]).encode()
