"""config.yaml: what the user wrote, word for word, and the few keys that mk8s adds where they are absent.

Nothing is added that the user gave, in any spelling that the engine reads as the same setting; a drop-in
counts as given. Begin reading at `render_config`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.common import datastore, packages, placement
from mk8s.distros.rancher.authority import registers, secure
from mk8s.distros.rancher.engine import Addition, Engine
from mk8s.distros.rancher.merging import merge, top_level_keys
from mk8s.distros.rancher.roles import servers_of
from mk8s.distros.rancher.values import DROP_IN_SUFFIX, settings_of
from mk8s.registries import Given
from mk8s.registries import engine as registries

__all__ = ["datastore_folder", "join_token", "node_keys", "render_config"]


def render_config(engine: Engine, s: Situation) -> bytes:
    """The node's config.yaml. Holds secrets.

    Raises ConfigTextError; `faults` finds the same before any node is touched.
    """
    text = s.node.config_text if s.node.config_text.strip() else _dump(s.node.config)
    present = [*top_level_keys(text), *_in_drop_ins(s.node)]
    wanted = _additions(engine, s)
    return merge(text, tuple((key, value) for key, value in wanted if not _given(key, present))).encode()


def _in_drop_ins(node: Node) -> list[str]:
    named = {name for name in node.drop_ins if name.endswith(DROP_IN_SUFFIX)}
    return [key for key in settings_of(node) if key not in node.config] if named else []


def _additions(engine: Engine, s: Situation) -> list[Addition]:
    cluster, node = s.cluster, s.node
    additions: list[Addition] = []
    if registers(s):
        additions.append(("server", engine.server_url(cluster)))
    wanted = secure(s, join_token(cluster, node, s.token))
    if wanted:
        additions.append(("token", wanted))
    if node.is_server:
        additions += _of_servers(engine, s)
    additions += engine.own_settings(cluster, node)
    additions += node_keys(cluster, node)
    additions += packages.selinux(s).items()
    if cluster.registries:
        given = Given(cluster.registries)
        additions += registries.settings(given, cluster.version, server=node.is_server).items()
    return additions


def _of_servers(engine: Engine, s: Situation) -> list[Addition]:
    cluster = s.cluster
    additions: list[Addition] = []
    if names := endpoints.names(cluster):
        additions.append(("tls-san", names))
    if cluster.network:
        additions += [
            ("cluster-cidr", cluster.network.pod_cidr),
            ("service-cidr", cluster.network.service_cidr),
            ("cluster-domain", cluster.network.dns_domain),
        ]
    return [*additions, *datastore.settings(s, datastore_folder(engine)).items()]


def datastore_folder(engine: Engine) -> PurePosixPath:
    """Where a server's certificates for the datastore lie."""
    return engine.config.parent / "datastore"


def node_keys(cluster: Cluster, node: Node) -> list[Addition]:
    """Labels and taints, which a node gets when it registers and never again."""
    given: list[Addition] = [
        ("node-label", placement.labels(node)),
        ("node-taint", placement.taints(cluster, node)),
    ]
    return [(key, value) for key, value in given if value]


def _given(key: str, present: Iterable[str]) -> bool:
    """A list key ending in ``+`` appends in the engine, and ``token-file`` stands for ``token``."""
    spellings = {key, f"{key}+", f"{key}-file"}
    return any(name in spellings for name in present)


def join_token(cluster: Cluster, node: Node, token: str) -> str:
    """What this node joins with: agents use the servers' ``agent-token`` where the user set one."""
    if node.is_server:
        return token
    given = (
        str(settings_of(server)["agent-token"])
        for server in servers_of(cluster)
        if settings_of(server).get("agent-token")
    )
    return next(given, token)


def _dump(config: Mapping[str, Any]) -> str:
    if not config:
        return ""
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=1 << 20)
