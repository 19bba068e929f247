"""Join tokens: whose they are, what is wrong with them, and which values are secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.common import datastore
from mk8s.distros.rancher.config import join_token
from mk8s.distros.rancher.roles import servers_of
from mk8s.distros.rancher.values import settings_of

__all__ = [
    "needs_token",
    "password_of",
    "redact",
    "secrets_in",
    "secrets_of",
    "token_faults",
    "user_token",
]

SECRET_KEYS = ("token", "agent-token", "datastore-endpoint", "etcd-s3-access-key", "etcd-s3-secret-key")
PASSWORD_IN_URL = re.compile(r"^(?:[a-z0-9+]+://)?[^/@\s:]*:(?P<password>\S+)@")
FULL_TOKEN = re.compile(r"K10[0-9a-f]{64}::\S+")
SHORTEST_SECRET = 4  # redacting a shorter word would blot out ordinary text
HIDDEN = "[redacted]"


def user_token(cluster: Cluster) -> str | None:
    """The servers' token as the user gave it to any of them; an agent's, where agents share it."""
    nodes: tuple[Node, ...] = cluster.servers
    if not _agents_have_their_own(cluster):
        nodes = cluster.nodes
    given = (str(settings_of(node)["token"]) for node in nodes if settings_of(node).get("token"))
    return next(given, None)


def needs_token(cluster: Cluster) -> bool:
    """Whether mk8s makes the token up: nobody gave one, and no server reads one from a file on its host.

    A control plane that exists already has made its own.
    """
    from_file = any("token-file" in settings_of(node) for node in cluster.servers)
    return cluster.joins is None and user_token(cluster) is None and not from_file


def _agents_have_their_own(cluster: Cluster) -> bool:
    return any(
        "agent-token" in settings_of(s) or "agent-token-file" in settings_of(s) for s in cluster.servers
    )


def token_faults(cluster: Cluster) -> Iterator[str]:
    """Tokens that are empty, contradict each other, or lie in files that mk8s cannot read."""
    yield from _empty(cluster)
    yield from _different(cluster)
    yield from _out_of_reach(cluster)


def _empty(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        for key in ("token", "agent-token", "server"):
            if key in settings_of(node) and not str(settings_of(node)[key] or "").strip():
                yield f"nodes.{node.name}.config.{key}: is empty; give it a value or leave the line out"


def _different(cluster: Cluster) -> Iterator[str]:
    expected = user_token(cluster)
    members = cluster.servers if _agents_have_their_own(cluster) else cluster.nodes
    for node in members:
        given = settings_of(node).get("token")
        if given and password_of(str(given)) != password_of(expected or ""):
            yield f"nodes.{node.name}.config.token: differs from the other nodes'; one cluster has one token"


def password_of(token: str) -> str:
    """The part that counts: ``K10<hash of the CA>::server:`` may stand before it."""
    return token.rpartition(":")[2] if token.startswith("K10") else token


def _out_of_reach(cluster: Cluster) -> Iterator[str]:
    """Where a server reads the token from a file, mk8s cannot know it for the others."""
    servers_file = any("token-file" in settings_of(node) for node in cluster.servers)
    agents_file = servers_file or any("agent-token-file" in settings_of(node) for node in cluster.servers)
    shared = user_token(cluster) is not None
    for node in cluster.nodes:
        unknown = servers_file and not shared if node.is_server else agents_file and not _agent_token(cluster)
        if unknown and not {"token", "token-file"} & set(settings_of(node)):
            yield (
                f"nodes.{node.name}.config: another node reads the token from a file on its host; "
                "give this node `token` or `token-file` too"
            )


def _agent_token(cluster: Cluster) -> str | None:
    if not _agents_have_their_own(cluster):
        return user_token(cluster)
    given = (
        str(settings_of(server)["agent-token"])
        for server in cluster.servers
        if settings_of(server).get("agent-token")
    )
    return next(given, None)


def secrets_in(config: Mapping[str, Any]) -> list[str]:
    """Values that must never be shown, longest first, so that none leaves a rest of another."""
    found: set[str] = set()
    for key in SECRET_KEYS:
        if value := str(config.get(key) or ""):
            found.update({value, password_of(value), *_passwords_in(value)})
    return sorted((value for value in found if value), key=lambda value: (-len(value), value))


def secrets_of(s: Situation) -> list[str]:
    """What must not be seen in a journal: this node's secrets and the cluster's, longest first."""
    configs: list[Mapping[str, Any]] = [settings_of(node) for node in (s.node, *servers_of(s.cluster))]
    configs += [{"token": s.token}, {"token": join_token(s.cluster, s.node, s.token)}]
    found = {secret for config in configs for secret in secrets_in(config)}
    found.update(datastore.secrets(s))
    return sorted(found, key=lambda secret: (-len(secret), secret))


def _passwords_in(url: str) -> Iterator[str]:
    match = PASSWORD_IN_URL.match(url)
    if match:
        yield match["password"]
        yield unquote(match["password"])


def redact(text: str, secrets: list[str]) -> str:
    """The text without any secret: known values, and whatever looks like a full token."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return FULL_TOKEN.sub(HIDDEN, text)
