"""The database outside the cluster: its forms, its password, its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from mk8s.cluster import Cluster, Datastore
from mk8s.distros.base import Situation
from mk8s.distros.common import datastore
from mk8s.needs import Kept
from mk8s.steps import WriteFile
from tests.mk8s.distros.situations import make_cluster

FOLDER = PurePosixPath("/etc/mk8s/datastore")
SECRET = "p@ss:w/rd"
ENV = "DB_PASSWORD"
MYSQL, POSTGRES = "mysql://user@tcp(db:3306)/kube", "postgres://user@db:5432/kube"


def with_store(endpoint: str, **fields: object) -> Cluster:
    return make_cluster(datastore=Datastore(endpoint, **fields))  # type: ignore[arg-type]


def situation(cluster: Cluster, kept: Kept | None = None, place: int = 0) -> Situation:
    return Situation(cluster, cluster.nodes[place], None, {}, "", kept or Kept({datastore.PASSWORD: SECRET}))


@pytest.mark.parametrize(
    ("text", "kind"),
    [(MYSQL, "mysql"), (POSTGRES, "postgres"), ("postgresql://u@h/d", "postgres"),
     ("https://a:2379,https://b:2379", "etcd"), ("nats://u@h:4222", "nats")],
)  # fmt: skip
def test_the_scheme_says_the_kind(text: str, kind: str) -> None:
    assert datastore.kind(text) == kind


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        (MYSQL, "mysql://user:p@ss:w/rd@tcp(db:3306)/kube"),
        (POSTGRES, "postgres://user:p%40ss%3Aw%2Frd@db:5432/kube"),
        ("https://a:2379", "https://a:2379"),
    ],
)
def test_the_password_is_joined_in_as_the_engine_reads_it(text: str, joined: str) -> None:
    """A URL's is escaped, a MySQL driver's name of a source is not."""
    assert datastore.endpoint(situation(with_store(text, password_env=ENV))) == joined


def test_all_forms_of_the_password_are_secrets() -> None:
    found = datastore.secrets(situation(with_store(POSTGRES, password_env=ENV)))
    assert found == ["postgres://user:p%40ss%3Aw%2Frd@db:5432/kube", SECRET, "p%40ss%3Aw%2Frd"]


def test_without_a_datastore_there_is_nothing() -> None:
    s = situation(make_cluster())
    assert (datastore.endpoint(s), datastore.settings(s, FOLDER), datastore.steps(s, FOLDER)) == ("", {}, [])


def test_an_agent_is_told_nothing_of_it() -> None:
    s = situation(with_store(POSTGRES, ca_file=Path("ca.pem")), place=2)
    assert (datastore.settings(s, FOLDER), datastore.steps(s, FOLDER)) == ({}, [])


def test_servers_get_the_files_and_their_places() -> None:
    """The key is root's alone, and hidden."""
    files = {name: Path(f"{name}.pem") for name in ("ca_file", "cert_file", "key_file")}
    kept = Kept({name: f"text of {name}" for name in datastore.FILES.values()})
    s = situation(with_store("https://a:2379", **files), kept)
    assert datastore.settings(s, FOLDER) == {
        "datastore-endpoint": "https://a:2379",
        "datastore-cafile": "/etc/mk8s/datastore/ca.crt",
        "datastore-certfile": "/etc/mk8s/datastore/client.crt",
        "datastore-keyfile": "/etc/mk8s/datastore/client.key",
    }
    written = [step for step in datastore.steps(s, FOLDER) if isinstance(step, WriteFile)]
    assert [(step.target.name, step.mode, step.secret) for step in written] == [
        ("ca.crt", 0o600, False), ("client.crt", 0o600, False), ("client.key", 0o600, True),
    ]  # fmt: skip
    assert written[2].content == b"text of datastore-key"


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (Datastore("oracle://x"), "rke2 knows no such database; write such as mysql://"),
        (Datastore("nats://u@h:4222"), "rke2 knows no nats; write such as"),
        (Datastore("mysql://u:hush@tcp(h:1)/d"), "has a password in it; leave it out"),
        (Datastore("postgres://u:hush@h/d"), "has a password in it"),
        (Datastore("postgres://u@h/d?sslmode=require&password=hush"), "has a password in it"),
        (Datastore("mysql://user@db:3306/kube"), "is not complete; write such as mysql://user@tcp("),
        (Datastore("postgres://user@db"), "is not complete; write such as postgres://"),
        (Datastore("postgres://user@db:99999/x"), "is not complete"),
        (Datastore("https://a:2379,b:2379"), "is not complete"),
        (Datastore("postgres://user@db/ kube"), "has a space, a quote or a backslash in it"),
        (Datastore("https://a:2379", password_env=ENV), "etcd knows clients by certificates"),
        (Datastore("postgres://db/kube", password_env=ENV), "the endpoint names no user"),
        (Datastore(POSTGRES, cert_file=Path("c")), "datastore.cert_file: a certificate and its key go"),
        (Datastore(POSTGRES, key_file=Path("k")), "datastore.key_file: a certificate and its key go"),
    ],
)
def test_what_cannot_be_is_told(store: Datastore, words: str) -> None:
    """And a password in it is never repeated."""
    (fault,) = datastore.faults(make_cluster(datastore=store))
    assert words in fault
    assert "hush" not in fault


@pytest.mark.parametrize(
    "store",
    [Datastore(MYSQL, ENV), Datastore(POSTGRES, ENV), Datastore("postgres://db/kube?sslmode=disable"),
     Datastore("https://a:2379,https://b:2379", None, Path("a"), Path("b"), Path("c")),
     Datastore("mysql://user@unix(/run/mysqld.sock)/kube")],
)  # fmt: skip
def test_good_ones_are_no_faults(store: Datastore) -> None:
    assert list(datastore.faults(make_cluster(datastore=store))) == []


def test_the_same_twice_is_a_fault() -> None:
    """The nodes' own config and the manifest's key would contradict each other one day."""
    cluster = with_store(POSTGRES)
    first = replace(cluster.primary, config={"datastore-endpoint": "postgres://x/y"})
    (fault,) = datastore.faults(replace(cluster, nodes=(first, *cluster.nodes[1:])))
    assert fault.startswith("nodes.srv-1.config.datastore-endpoint: stands beside `datastore`")
