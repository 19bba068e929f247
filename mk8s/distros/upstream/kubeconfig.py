"""Kubeconfigs: made for upstream's programs, and checked on their way to the person who runs mk8s. Pure.

A kubeconfig can name programs that kubectl then runs, and files that it then reads, on the machine where
it is used. No distro writes either; so one that holds more is refused, for whoever is root on a server
has no business on that machine.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import yaml

from machines.errors import ActionError
from machines.words import shown
from mk8s import endpoints
from mk8s.cluster import Cluster
from mk8s.needs import Pair

__all__ = ["render", "rewrite"]

LOOPBACK = re.compile(
    r"(?P<before>server:\s*[\"']?https://)(127\.0\.0\.1|localhost|\[::1\])(:(?P<port>[0-9]{1,5}))?(?=[:/\"'\s]|$)"
)
LONGEST = 1 << 18  # characters; a usual one has some thousand
TOP = {"apiVersion", "kind", "preferences", "current-context", "clusters", "contexts", "users"}
LISTS = {
    "clusters": ("cluster", {"server", "certificate-authority-data", "tls-server-name"}),
    "contexts": ("context", {"cluster", "user", "namespace"}),
    "users": ("user", {"client-certificate-data", "client-key-data", "token", "username", "password"}),
}


def render(server: str, authority: bytes, client: Pair, *, user: str, cluster: str = "kubernetes") -> bytes:
    """A kubeconfig with everything in it. A secret: it holds the client's key.

    `server`: a URL such as ``https://10.0.0.11:6443``. `authority`: the CA's certificate, PEM.
    The same input gives the same bytes.
    """
    context = f"{user}@{cluster}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": cluster,
            "cluster": {"certificate-authority-data": _base64(authority), "server": server},
        }],
        "users": [{
            "name": user,
            "user": {
                "client-certificate-data": _base64(client.public),
                "client-key-data": _base64(client.private),
            },
        }],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }  # fmt: skip
    return yaml.safe_dump(config, sort_keys=True, width=1 << 20).encode()


def rewrite(text: str, cluster: Cluster, *, author: str) -> str:
    """The same kubeconfig with the cluster's address in place of the loopback.

    `author`: who writes such files on a server, for the message. Raises ActionError ``kubeconfig`` for one
    that is none, or that holds what no distro writes.
    """
    strange = next(_strange(text), "")
    if strange:
        raise ActionError(
            "kubeconfig",
            message=f"the kubeconfig on the first server is not as {author} writes it: {strange}",
            remedy="it could make kubectl run programs on your machine, so it was not kept; "
            "find out who changed it",
            final=True,
        )
    there = endpoints.in_url(endpoints.address(cluster))

    def outside(found: re.Match[str]) -> str:
        port = found["port"]
        return f"{found['before']}{there}" + (f":{endpoints.port(cluster, int(port))}" if port else "")

    return LOOPBACK.sub(outside, text)


class _EachOnce(yaml.SafeLoader):
    """Refuses a key that stands twice: readers differ in which of the two they believe."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        if len(set(names)) < len(names):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _strange(text: str) -> Iterator[str]:
    """What in it no distro writes, in words."""
    try:
        config = yaml.load(text, _EachOnce) if len(text) <= LONGEST else None  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError, ValueError):
        config = None
    if not isinstance(config, dict):
        yield "it is no kubeconfig"
        return
    yield from _unknown(config, TOP, "")
    for key, (what, known) in LISTS.items():
        yield from _strange_in(config.get(key, []), key, what, known)


def _strange_in(items: Any, key: str, what: str, known: set[str]) -> Iterator[str]:
    if not isinstance(items, list):
        yield f"{key} is no list"
        return
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get(what), dict):
            yield f"something in {key} is none"
            return
        yield from _unknown(item, {"name", what}, f"{key}: ")
        yield from _unknown(item[what], known, f"{key}: {what}: ")


def _unknown(mapping: dict[Any, Any], known: set[str], where: str) -> Iterator[str]:
    yield from (f"{where}{shown(name)}" for name in mapping if name not in known)
