"""`transport: openssh`: the manifest's login handed to the user's own ssh, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from mk8s.cluster import Cluster, Login
from mk8s.connect import make_transports
from tests.mk8s.examples import cluster as make_cluster
from tests.transports import sshd
from transports.base import Command, TransportError
from transports.openssh import OpenSSHTransport

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[sshd.Server]:
    reason = sshd.missing()
    if reason:
        pytest.skip(reason)
    with sshd.running(tmp_path / "sshd") as running:
        yield running


def on(server: sshd.Server, **changes: Any) -> Cluster:
    """A cluster whose nodes all are this server, reached by the user's own ssh."""
    login = Login(
        user=server.user,
        port=server.port,
        key_path=server.key,
        transport="openssh",
        ssh_config="none",
        identities_only=True,
        given=frozenset({"user", "port", "key_path"}),
    )
    found = make_cluster()
    nodes = tuple(replace(node, address=sshd.HOST, login=replace(login, **changes)) for node in found.nodes)
    return replace(found, nodes=nodes)


async def said_by(cluster: Cluster, known_hosts: Path, script: str) -> str:
    """What the first node says over its road."""
    road = make_transports(cluster, known_hosts)[cluster.primary.name]
    assert isinstance(road, OpenSSHTransport)
    try:
        with anyio.fail_after(30):
            return (await road.run(Command(operation="test", description="test", script=script))).text
    finally:
        await road.close()


async def test_a_node_is_reached_with_the_users_own_ssh(server: sshd.Server) -> None:
    """With the login, port and key of the manifest, and the host keys that were pinned for it."""
    assert await said_by(on(server), server.known_hosts, "echo there") == "there"


async def test_the_nodes_variables_reach_its_commands(server: sshd.Server) -> None:
    """As over the built-in transport."""
    cluster = on(server, environment={"GREETING": "from the manifest"})

    assert await said_by(cluster, server.known_hosts, "echo $GREETING") == "from the manifest"


async def test_no_nodes_ssh_inherits_the_secrets_of_another(
    server: sshd.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ProxyCommand is any program: it gets our variables, and none that the manifest names for a secret."""
    monkeypatch.setenv("SECRET_OF_ANOTHER", "sesame")
    monkeypatch.setenv("WHERE", "here")
    relay = tmp_path / "relay"
    relay.write_text(f"#!/bin/sh\nenv >{tmp_path}/seen\nexec ssh -V\n")
    relay.chmod(0o755)
    config = tmp_path / "ssh_config"
    config.write_text(f"ProxyCommand {relay}\n")
    cluster = on(server, ssh_config=config)
    first, second, *rest = cluster.nodes
    second = replace(second, login=replace(second.login, password_env="SECRET_OF_ANOTHER"))

    with pytest.raises(TransportError):
        await said_by(replace(cluster, nodes=(first, second, *rest)), server.known_hosts, "true")

    seen = (tmp_path / "seen").read_text()
    assert "WHERE=here" in seen
    assert "sesame" not in seen
