"""A database outside the cluster that holds its state: how it is named, checked and told to a server. Pure.

The endpoint in the manifest has no password: that comes from the environment variable which the manifest
names, and is joined in where a server's config is rendered. Whoever runs a cluster puts it, and the
certificates' texts, into `Situation.kept`, under the names below.

Sources: K3s' and k0s' documentation of the datastore; kine takes ``mysql://`` as go-sql-driver's DSN, whose
password stands as it is, and the others as URLs. Begin reading at `endpoint` and `settings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias
from urllib.parse import quote, urlsplit

from mk8s.cluster import Cluster, Datastore
from mk8s.commands import has_folder, make_folder
from mk8s.distros.base import Situation
from mk8s.steps import Run, Step, WriteFile

__all__ = [
    "FILES",
    "PASSWORD",
    "Kind",
    "endpoint",
    "faults",
    "files",
    "kind",
    "paths",
    "secrets",
    "settings",
    "steps",
]

Kind: TypeAlias = Literal["mysql", "postgres", "etcd", "nats"]

PASSWORD = "datastore-password"  # noqa: S105 - a name, in Kept.words
FILES = {"ca": "datastore-ca", "cert": "datastore-cert", "key": "datastore-key"}
"""Which file -> the name of its text in Kept.words."""
NAMES = {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}
KEYS = {"ca": "datastore-cafile", "cert": "datastore-certfile", "key": "datastore-keyfile"}  # RKE2's and K3s'
SCHEMES: Mapping[str, Kind] = {
    "mysql": "mysql", "postgres": "postgres", "postgresql": "postgres", "http": "etcd", "https": "etcd",
    "nats": "nats",
}  # fmt: skip
EXAMPLES: Mapping[Kind, str] = {
    "mysql": "mysql://user@tcp(db.example:3306)/kubernetes",
    "postgres": "postgres://user@db.example:5432/kubernetes",
    "etcd": "https://etcd-1.example:2379,https://etcd-2.example:2379",
    "nats": "nats://user@nats.example:4222",
}
MYSQL = re.compile(r"mysql://((?P<user>[^:@/]+)(:(?P<password>.*))?@)?(tcp\([^()/@]+\)|unix\([^()]+\))/[^/]*")
PASSWORD_PARAMETER = re.compile(r"[?&](ssl)?password=", re.IGNORECASE)  # PostgreSQL's: the user's, the key's
SPACE = re.compile(r"[\x00-\x20\x7f\"'\\]")
ROOT_ONLY = 0o700


def kind(text: str) -> Kind:
    """Which kind of database an endpoint names. Raises ValueError for another."""
    scheme, found, _ = text.partition("://")
    if not found or scheme not in SCHEMES:
        raise ValueError(f"{scheme if found else text!r} names no database that is known")
    return SCHEMES[scheme]


def files(store: Datastore) -> dict[str, Path]:
    """``ca``, ``cert`` and ``key``, as far as they are given: the files on this machine."""
    given = {"ca": store.ca_file, "cert": store.cert_file, "key": store.key_file}
    return {name: path for name, path in given.items() if path}


def endpoint(s: Situation) -> str:
    """The endpoint with its password in it: a secret. Empty where the cluster has no datastore of its own."""
    store = s.cluster.datastore
    if store is None:
        return ""
    password = s.kept.words.get(PASSWORD, "")
    return _with_password(store.endpoint, password) if password else store.endpoint


def secrets(s: Situation) -> list[str]:
    """What must be hidden wherever it turns up, in the forms in which it may."""
    password = s.kept.words.get(PASSWORD, "")
    if s.cluster.datastore is None or not password:
        return []
    return list(dict.fromkeys([endpoint(s), password, quote(password, safe="")]))


def paths(cluster: Cluster, folder: PurePosixPath) -> dict[str, PurePosixPath]:
    """Where the given files lie on a server."""
    given = files(cluster.datastore) if cluster.datastore else {}
    return {name: folder / NAMES[name] for name in given}


def steps(s: Situation, folder: PurePosixPath) -> list[Step]:
    """Write the given files on a server, into a folder that only root may read."""
    found = paths(s.cluster, folder)
    if not found or not s.node.is_server:
        return []
    make = Run(f"make the folder {folder}", make_folder(folder, ROOT_ONLY), has_folder(folder, ROOT_ONLY))
    return [make, *(_file(s, name, path) for name, path in found.items())]


def _file(s: Situation, name: str, path: PurePosixPath) -> WriteFile:
    """A plan has not read the file: it shows where it comes from."""
    source = files(s.cluster.datastore)[name] if s.cluster.datastore else path
    content = s.kept.words.get(FILES[name], f"the content of {source}\n")
    return WriteFile(f"write {path}", path, content.encode(), mode=0o600, secret=name == "key")


def settings(s: Situation, folder: PurePosixPath) -> dict[str, str]:
    """The keys of a server's config.yaml, RKE2 and K3s; the first value is a secret."""
    if s.cluster.datastore is None or not s.node.is_server:
        return {}
    found = paths(s.cluster, folder)
    return {"datastore-endpoint": endpoint(s), **{KEYS[name]: str(path) for name, path in found.items()}}


def _with_password(text: str, password: str) -> str:
    if kind(text) == "etcd":
        return text
    scheme, _, rest = text.partition("://")
    user, _, place = rest.rpartition("@") if kind(text) == "mysql" else rest.partition("@")
    said = password if kind(text) == "mysql" else quote(password, safe="")
    return f"{scheme}://{user}:{said}@{place}"


def faults(cluster: Cluster, kinds: Sequence[Kind] = ("mysql", "postgres", "etcd")) -> Iterator[str]:
    """What is wrong with the datastore. `kinds`: those that the distro takes."""
    store = cluster.datastore
    if store is None:
        return
    try:
        found = kind(store.endpoint)
    except ValueError:
        yield f"datastore.endpoint: {cluster.distro} knows no such database; write such as {_examples(kinds)}"
        return
    if found not in kinds:
        yield f"datastore.endpoint: {cluster.distro} knows no {found}; write such as {_examples(kinds)}"
        return
    yield from _form(store, found)
    yield from _entrance(store, found)
    for node in cluster.servers:
        for key in node.config:
            if str(key).startswith("datastore-"):
                yield f"nodes.{node.name}.config.{key}: stands beside `datastore`; leave one of the two out"


def _examples(kinds: Sequence[Kind]) -> str:
    return " or ".join(EXAMPLES[one] for one in kinds)


def _form(store: Datastore, found: Kind) -> Iterator[str]:
    """The text itself is not shown: it may have a password in it."""
    where, hint = "datastore.endpoint", f"write such as {EXAMPLES[found]}"
    if SPACE.search(store.endpoint):
        yield f"{where}: has a space, a quote or a backslash in it; {hint}"
    elif _has_password(store.endpoint, found):
        yield (
            f"{where}: has a password in it; leave it out, and name in `datastore.password_env` "
            "the environment variable that holds it"
        )
    elif not _is_whole(store.endpoint, found):
        yield f"{where}: is not complete; {hint}"


def _has_password(text: str, found: Kind) -> bool:
    if found == "mysql":
        return ":" in text.partition("://")[2].rpartition("@")[0]
    if PASSWORD_PARAMETER.search(text):
        return True
    return any(
        ":" in part.partition("://")[2].partition("/")[0].rpartition("@")[0] for part in text.split(",")
    )


def _is_whole(text: str, found: Kind) -> bool:
    if found == "mysql":
        return MYSQL.fullmatch(text) is not None
    members = text.split(",") if found == "etcd" else [text]
    return all(_is_url(member, database=found == "postgres") for member in members)


def _is_url(text: str, *, database: bool) -> bool:
    try:
        parts = urlsplit(text)
        known = bool(parts.scheme and parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
    return known and (len(parts.path) > 1 if database else parts.path in ("", "/"))


def _entrance(store: Datastore, found: Kind) -> Iterator[str]:
    """Passwords and certificates that go together, or not."""
    if store.password_env and found == "etcd":
        yield "datastore.password_env: etcd knows clients by certificates; give `cert_file` and `key_file`"
    elif store.password_env and "@" not in store.endpoint:
        yield f"datastore.password_env: the endpoint names no user; write such as {EXAMPLES[found]}"
    if bool(store.cert_file) != bool(store.key_file):
        given, lacking = ("cert_file", "key_file") if store.cert_file else ("key_file", "cert_file")
        yield f"datastore.{given}: a certificate and its key go together; give `{lacking}` too"
