"""The administrator's kubeconfig on its way from the first server to the person who runs mk8s. Pure.

A kubeconfig can name programs that kubectl then runs, and files that it then reads, on the machine where
it is used. RKE2 writes neither; so one that holds more than RKE2 writes is refused, for whoever is root on
a server has no business on that machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from machines.errors import ActionError
from machines.words import shown
from mk8s.cluster import Cluster
from mk8s.distros.rke2.config import host_in_url

__all__ = ["rewrite"]

LOOPBACK = re.compile(r"(?P<before>server:\s*[\"']?https://)(127\.0\.0\.1|localhost|\[::1\])(?=[:/\"'\s]|$)")
LONGEST = 1 << 18  # characters; RKE2's has three thousand
TOP = {"apiVersion", "kind", "preferences", "current-context", "clusters", "contexts", "users"}
LISTS = {
    "clusters": ("cluster", {"server", "certificate-authority-data", "tls-server-name"}),
    "contexts": ("context", {"cluster", "user", "namespace"}),
    "users": ("user", {"client-certificate-data", "client-key-data", "token", "username", "password"}),
}


def rewrite(text: str, cluster: Cluster) -> str:
    """The same kubeconfig with the cluster's address in place of the loopback.

    Raises ActionError ``kubeconfig`` for one that is none, or that holds what RKE2 does not write.
    """
    strange = next(_strange(text), "")
    if strange:
        raise ActionError(
            "kubeconfig",
            message=f"the kubeconfig on the first server is not as RKE2 writes it: {strange}",
            remedy="it could make kubectl run programs on your machine, so it was not kept; "
            "find out who changed it",
            final=True,
        )
    address = host_in_url(cluster.endpoint or cluster.primary.address)
    return LOOPBACK.sub(lambda found: f"{found['before']}{address}", text)


def _strange(text: str) -> Iterator[str]:
    """What in it is not RKE2's, in words."""
    try:
        config = yaml.safe_load(text) if len(text) <= LONGEST else None
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
