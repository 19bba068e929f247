"""What neither engine can do with a manifest, found before any node is touched.

Each rule is one small function from the cluster to sentences ``path: message; hint``. Add a rule to RULES;
what only one of the two refuses, its driver adds.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeAlias

import yaml

from mk8s import endpoints
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import ArtifactItem, Situation
from mk8s.distros.common import datastore, joins, meaningless, packages, placement, proxy
from mk8s.distros.rancher.config import node_keys, render_config
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.images import ARCHIVE_SUFFIXES
from mk8s.distros.rancher.merging import ConfigTextError
from mk8s.distros.rancher.roles import WITHOUT_API, api_server, has_api, servers_of
from mk8s.distros.rancher.tokens import token_faults
from mk8s.distros.rancher.values import DROP_IN_SUFFIX, is_true, settings_of, words
from mk8s.registries.faults import of_engine as registry_faults
from mk8s.registries.releases import NO_DEFAULT_ENDPOINT

__all__ = ["artifact_faults", "find_faults", "path_of"]

Rule: TypeAlias = Callable[[Engine, Cluster], Iterable[str]]

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
MANIFESTS = (".yaml", ".yml", ".json")
ISOLATED = "its servers always run a kubelet; write `control_plane: tainted`"
MEANINGLESS: Mapping[str, str] = {
    "arguments": "write the settings into the node's `config`",
    "components": "a release has containerd, runc and etcd in it; choose them by its `version`",
    "hosts_entries": "its nodes find each other by address; write /etc/hosts yourself where you need it",
    "swap": "its kubelet runs with swap in any case; leave the key out",
}
UNSUPPORTED: Mapping[str, str] = {
    "cluster-reset": "it would reset the cluster at every start; leave it out",
    "with-node-id": "mk8s asks the cluster for its nodes by name; give `node-name` instead",
}


def find_faults(engine: Engine, cluster: Cluster) -> list[str]:
    """Every fault of every rule, in the order of the rules."""
    return [fault for rule in RULES for fault in rule(engine, cluster)]


def path_of(node: Node, key: str = "") -> str:
    return f"nodes.{node.name}.config.{key}" if key else f"nodes.{node.name}.config"


def _version(engine: Engine, cluster: Cluster) -> Iterator[str]:
    if engine.parse_version(cluster.version) is None:
        hint = f"write one such as {engine.example_version}"
        yield f"version: {cluster.version!r} is no {engine.title} release; {hint}"


def _texts(engine: Engine, cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        try:
            render_config(engine, Situation(cluster, node, None, {}, "token"))
        except ConfigTextError as error:
            yield f"{path_of(node)}: {error}; see {engine.title}'s configuration file reference"


def _roles(engine: Engine, cluster: Cluster) -> Iterator[str]:
    first = cluster.primary
    if first.is_server and settings_of(first).get("server"):
        yield (
            f"{path_of(first, 'server')}: the first server joins nobody; "
            "leave `server` out, or make another node the primary"
        )
    for node in cluster.nodes:
        given = str(settings_of(node).get("server") or "")
        if node is not first and given and not re.search(rf":{engine.supervisor_port}/?$", given):
            right = f"{engine.title} registers nodes at port {engine.supervisor_port}"
            yield f"{path_of(node, 'server')}: {right}; {LEAVE}"


LEAVE = "correct the port, or leave `server` out: mk8s writes it"


def _split(engine: Engine, cluster: Cluster) -> Iterator[str]:
    """Servers that lack a part: the documentation knows control planes alone and members of etcd alone."""
    del engine
    servers = servers_of(cluster)
    for node in servers:
        given = settings_of(node)
        off = [key for key in WITHOUT_API if is_true(given.get(key, ""))]
        if "disable-apiserver" in off and len(off) < len(WITHOUT_API):
            missing = ", ".join(key for key in WITHOUT_API if key not in off)
            where = path_of(node, "disable-apiserver")
            yield f"{where}: a member of etcd alone needs {missing} too; add them"
        if is_true(given.get("disable-etcd", "")) and "disable-apiserver" in off:
            yield f"{path_of(node, 'disable-etcd')}: nothing would be left of this server; make it an agent"
    if servers and is_true(settings_of(servers[0]).get("disable-etcd", "")):
        yield (
            f"{path_of(servers[0], 'disable-etcd')}: the first server begins the cluster's etcd; "
            "make a server that has etcd the primary"
        )
    if servers and api_server(cluster) is None:
        yield f"{path_of(servers[0], 'disable-apiserver')}: no server has an API server; leave it on with one"
    elif servers and not has_api(servers[0]):
        yield from _primary_without_api(servers[0])


def _primary_without_api(first: Node) -> Iterator[str]:
    yield (
        f"{path_of(first, 'disable-apiserver')}: mk8s asks the first server for the cluster's kubeconfig; "
        "make a server with etcd and an API server the primary"
    )


def _meaningless(engine: Engine, cluster: Cluster) -> Iterator[str]:
    del engine
    yield from meaningless.faults(cluster, MEANINGLESS)
    for node in cluster.nodes:
        if node.node_ip:
            yield (
                f"nodes.{node.name}.node_ip: has no meaning for {cluster.distro}; "
                f"write `node-ip: {node.node_ip}` into the node's `config` instead"
            )


def _foreign(engine: Engine, cluster: Cluster) -> Iterator[str]:
    """Settings that the sister knows: the parser of this one would stop at them, or drop them unheard."""
    for node in cluster.nodes:
        for key in settings_of(node):
            found = next(
                (known for known in engine.foreign_keys if known.matches(str(key).removesuffix("+"))), None
            )
            if found:
                yield f"{path_of(node, key)}: {engine.title} has no such setting; {found.instead}"
    for name, source in cluster.artifacts.items():
        if source.name.startswith((engine.foreign_files + "-", engine.foreign_files + ".")):
            yield (
                f"artifacts.{name}.name: {source.name!r} is no file of {engine.title}'s release; "
                "leave the entry out, or name the file that takes its place"
            )


def _unsupported(engine: Engine, cluster: Cluster) -> Iterator[str]:
    del engine
    for node in cluster.nodes:
        for key, why in UNSUPPORTED.items():
            if is_true(settings_of(node).get(key, "")):
                yield f"{path_of(node, key)}: {why}"


def _same_on_all_servers(engine: Engine, cluster: Cluster) -> Iterator[str]:
    first = cluster.primary
    for node in cluster.servers[1:]:
        for key in engine.same_on_all_servers:
            mine, theirs = words(settings_of(node).get(key)), words(settings_of(first).get(key))
            if mine != theirs:
                shown = "" if "token" in key or "endpoint" in key else f": {_said(mine)}, not {_said(theirs)}"
                yield (
                    f"{path_of(node, key)}: differs from {first.name}'s{shown}; "
                    f"`{key}` must be the same on all servers"
                )


def _said(values: list[str]) -> str:
    return repr(",".join(values)) if values else "absent"


def _datastore(engine: Engine, cluster: Cluster) -> Iterator[str]:
    yield from datastore.faults(cluster, engine.databases)
    if engine.has(cluster, engine.datastores):
        return
    if cluster.datastore:
        yield f"datastore: {cluster.version} ignores it; {READ_FROM}"
    for node in servers_of(cluster):
        if "datastore-endpoint" in settings_of(node):
            yield f"{path_of(node, 'datastore-endpoint')}: {cluster.version} ignores it; {READ_FROM}"


READ_FROM = "it is read from v1.27.13, v1.28.9, v1.29.4 and v1.30.0 on"


def _mirror(engine: Engine, cluster: Cluster) -> Iterator[str]:
    """Spegel, by its releases."""
    if engine.has(cluster, NO_DEFAULT_ENDPOINT):
        return
    for node in servers_of(cluster):
        if "embedded-registry" in settings_of(node):
            yield (
                f"{path_of(node, 'embedded-registry')}: is not in {cluster.version}; "
                "it is from v1.26.13, v1.27.10, v1.28.6 and v1.29.1 on"
            )


def _node_names(engine: Engine, cluster: Cluster) -> Iterator[str]:
    del engine
    seen: dict[str, str] = {}
    for node in cluster.nodes:
        name = str(settings_of(node).get("node-name") or "")
        if name and not DNS_LABEL.fullmatch(name):
            yield f"{path_of(node, 'node-name')}: {name!r} is no lower-case DNS name; use a-z, 0-9 and -"
        if name and name in seen:
            yield f"{path_of(node, 'node-name')}: {name!r} is also {seen[name]}'s; every node needs its own"
        seen.setdefault(name, node.name)


def _labels_and_taints(engine: Engine, cluster: Cluster) -> Iterator[str]:
    """A config's own would silence the manifest's."""
    del engine
    yield from placement.faults(cluster, isolated=ISOLATED)
    for node in cluster.nodes:
        for key, _ in node_keys(cluster, node):
            if {key, f"{key}+"} & set(settings_of(node)):
                source = "labels" if key == "node-label" else "taints or control_plane"
                yield f"{path_of(node, key)}: stands beside the manifest's `{source}`; write all in one place"


def _drop_ins(engine: Engine, cluster: Cluster) -> Iterator[str]:
    told: set[str] = set()
    for node in cluster.nodes:
        for name, text in node.drop_ins.items():
            fault = _drop_in(engine, name, text)
            if fault and fault not in told:  # most nodes have the same
                told.add(fault)
                yield fault


def _drop_in(engine: Engine, name: str, text: str) -> str:
    if not FILE_NAME.fullmatch(name) or not name.endswith(DROP_IN_SUFFIX):
        return f"drop_ins.{name}: {engine.title} reads files that end in {DROP_IN_SUFFIX}; name it so"
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return f"drop_ins.{name}: is no YAML; write settings such as `debug: true`"
    ok = loaded is None or isinstance(loaded, dict)
    return "" if ok else f"drop_ins.{name}: is no mapping of settings; write such as `debug: true`"


def _manifests(engine: Engine, cluster: Cluster) -> Iterator[str]:
    names = Counter(path.name for path in cluster.manifests)
    for name, times in names.items():
        if times > 1:
            yield f"manifests: {times} files are called {name}, and all go into one folder; rename them"
        if PurePosixPath(name).suffix not in MANIFESTS or not FILE_NAME.fullmatch(name):
            yield f"manifests: {engine.title} applies files that end in {', '.join(MANIFESTS)}; rename {name}"


def artifact_faults(engine: Engine, cluster: Cluster, items: Sequence[ArtifactItem]) -> Iterator[str]:
    """Ids that name nothing, and archives that the engine does not read."""
    known = [item.id for item in items]
    for name in cluster.artifacts:
        if name not in known and name != "installScript" and not packages.is_package(name):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known) or 'none'}"
            yield f"artifacts.{name}: {engine.title} needs no such file here; {hint}"
    for item in items:
        if item.id.startswith("images") and not item.file.endswith(ARCHIVE_SUFFIXES):
            yield (
                f"artifacts.{item.id}.name: {item.file!r} is no image archive; "
                f"{engine.title} reads {', '.join(ARCHIVE_SUFFIXES)}"
            )


def _preinstalled(engine: Engine, cluster: Cluster) -> Iterator[str]:
    del engine
    if cluster.artifacts_mode == "preinstalled" and cluster.install_method == "script":
        yield "install_method: nothing is installed where artifacts are preinstalled; leave one out"


RULES: tuple[Rule, ...] = (
    _version,
    _texts,
    _roles,
    lambda _engine, cluster: token_faults(cluster),
    _split,
    _meaningless,
    _foreign,
    _unsupported,
    _same_on_all_servers,
    _datastore,
    _mirror,
    _node_names,
    _labels_and_taints,
    _drop_ins,
    _manifests,
    _preinstalled,
    lambda _engine, cluster: joins.faults(cluster),
    lambda _engine, cluster: endpoints.faults(cluster),
    lambda _engine, cluster: packages.faults(cluster),
    lambda _engine, cluster: proxy.faults(cluster),
    lambda _engine, cluster: registry_faults(cluster),
)
