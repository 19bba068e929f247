"""What `datastore` only names, looked up: the password in the environment, files on this machine's disk.

It is done before any node is touched. Nothing of it is kept; who runs a cluster hides it (`mk8s.secrets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mk8s.cluster import Cluster, Datastore
from mk8s.distros.common.datastore import FILES, PASSWORD, files
from mk8s.errors import ManifestError
from mk8s.needs import Kept

__all__ = ["missing_password", "with_datastore"]

LARGEST = 1 << 20  # bytes
BEGINS, PRIVATE = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"


def missing_password(cluster: Cluster, environment: Mapping[str, str]) -> list[str]:
    """A sentence where the variable that the datastore names holds no password."""
    name = cluster.datastore.password_env if cluster.datastore else None
    password = environment.get(name, "") if name else "none"
    if password and password.isprintable():
        return []
    how = "holds a control character" if password else "is not set"
    return [f"datastore: the environment variable {name} {how}; it is to hold the database's password"]


def with_datastore(kept: Kept, cluster: Cluster, environment: Mapping[str, str]) -> Kept:
    """The same with what servers are told of the datastore. Raises ManifestError for an unusable file."""
    store = cluster.datastore
    if store is None:
        return kept
    texts = {FILES[name]: _text(name, path) for name, path in files(store).items()}
    return replace(kept, words={**kept.words, **_password(store, environment), **texts})


def _password(store: Datastore, environment: Mapping[str, str]) -> dict[str, str]:
    password = environment.get(store.password_env, "") if store.password_env else ""
    return {PASSWORD: password} if password else {}


def _text(name: str, path: Path) -> str:
    where, remedy = f"datastore.{name}_file: {path}", f"name a file in PEM form with the {_WHAT[name]}"
    try:
        with path.open(encoding="ascii") as stream:
            text = stream.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise ManifestError(f"{where} cannot be read: {said}", remedy=remedy) from error
    if len(text) > LARGEST or (PRIVATE if name == "key" else BEGINS) not in text:
        raise ManifestError(f"{where} holds no {_WHAT[name]}", remedy=remedy)
    if name != "key" and PRIVATE in text:
        raise ManifestError(f"{where} holds a private key beside the certificate", remedy=remedy)
    return text


_WHAT = {
    "ca": "certificate of the database's authority",
    "cert": "client's certificate",
    "key": "client's private key",
}
