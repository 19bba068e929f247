"""What a manifest only names, looked up: passwords and tokens in the environment, certificates on this disk.

It is done before any node is touched. Nothing of it is kept; who runs a cluster has every value hidden
(`mk8s.secrets`) before it reaches a driver. What belongs to registries stands in `mk8s.registries.given`.

Begin reading at `missing_secrets`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from mk8s.cluster import Cluster, Node
from mk8s.errors import ManifestError
from mk8s.needs import Kept
from mk8s.registries.given import missing_passwords, registry_passwords, with_registries

__all__ = [
    "DATASTORE_PASSWORD",
    "configs_of",
    "join_token",
    "missing_secrets",
    "named_secrets",
    "with_named",
]

DATASTORE_PASSWORD = "datastore-password"  # noqa: S105 - a name in `Kept.words`
LARGEST = 1 << 20  # bytes of a PEM file


def configs_of(node: Node) -> Iterator[Mapping[str, Any]]:
    """The node's config, and its drop-ins where they are mappings: a token may be in either."""
    yield node.config
    for text in node.drop_ins.values():
        try:
            loaded = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError):
            continue  # of another form, or a fault that the driver tells
        if isinstance(loaded, dict):
            yield loaded


def missing_secrets(cluster: Cluster, environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that the manifest names and that holds nothing usable."""
    named = {}
    if cluster.datastore and cluster.datastore.password_env:
        named["datastore"] = (cluster.datastore.password_env, "the datastore's password")
    if cluster.joins:
        named["join"] = (cluster.joins.token_env, f"the join token of {cluster.joins.address}")
    found = [
        f"{key}: the environment variable {variable} {how}; it is to hold {what}"
        for key, (variable, what) in named.items()
        if (how := _wrong(environment.get(variable, "")))
    ]
    return [*found, *missing_passwords(cluster, environment)]


def _wrong(value: str) -> str:
    if not value:
        return "is not set"
    return "" if value.isprintable() else "holds a control character"


def named_secrets(cluster: Cluster, environment: Mapping[str, str]) -> list[str]:
    """All values that are there, to be hidden in all that is shown; a password also as a URL has it."""
    store, joins = cluster.datastore, cluster.joins
    password = environment.get(store.password_env, "") if store and store.password_env else ""
    token = environment.get(joins.token_env, "").strip() if joins else ""
    found = dict.fromkeys((password, quote(password, safe=""), token))
    return [*filter(None, found), *registry_passwords(cluster, environment).values()]


def join_token(cluster: Cluster, environment: Mapping[str, str]) -> str:
    """The token of a control plane that exists already; empty where this manifest makes its own."""
    return environment.get(cluster.joins.token_env, "").strip() if cluster.joins else ""


def with_named(kept: Kept, cluster: Cluster, environment: Mapping[str, str]) -> Kept:
    """The same with what drivers are told of it. Raises ManifestError for a file that cannot be used."""
    return with_registries(_with_datastore(kept, cluster, environment), cluster, environment)


def _with_datastore(kept: Kept, cluster: Cluster, environment: Mapping[str, str]) -> Kept:
    store = cluster.datastore
    if store is None:
        return kept
    password = environment.get(store.password_env, "") if store.password_env else ""
    named = {"ca": store.ca_file, "cert": store.cert_file, "key": store.key_file}
    files = {
        f"datastore-{name}": _pem(path, f"datastore.{name}_file") for name, path in named.items() if path
    }
    words = {DATASTORE_PASSWORD: password} if password else {}
    return replace(kept, words={**kept.words, **words, **files})


def _pem(file: Path, where: str) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise ManifestError(f"{where}: {file} cannot be read: {error.strerror}") from error
    if b"-----BEGIN " not in content or len(content) > LARGEST:
        raise ManifestError(f"{where}: {file} holds nothing in PEM form", remedy="name a file in PEM form")
    return content.decode("utf-8", "replace")
