"""Mistakes in the keys of modes: each is told with its place, and what to write instead."""

from __future__ import annotations

import pytest

from mk8s.cluster import Balancer, ControlPlane, Datastore, Jump, Proxy
from tests.mk8s.manifest.manifests import HEAD, SOUND, cluster_of, faults_of, with_nodes

AGENT = "{address: 10.0.0.9, role: agent}"
JOIN = "join: {address: 10.0.0.1, token_env: TOKEN}\n"

BAD = {
    "an endpoint by kube-vip without its keys": (
        f"{SOUND}endpoint: {{address: 10.0.0.9, by: kube-vip}}\n",
        ["5:1: endpoint: the key 'interface' is missing", "5:1: endpoint: the key 'image' is missing"],
    ),
    "an endpoint without an address": (
        f"{SOUND}endpoint: {{by: keepalived}}\n",
        ["5:1: endpoint: the key 'address' is missing"],
    ),
    "a name that should be held": (
        f"{SOUND}endpoint: {{address: k8s.example.org, by: cplb}}\n",
        ["5:12: endpoint.address: 'k8s.example.org' is a name: cplb holds an address"],
    ),
    "a node's own address that should be held": (
        f"{SOUND}endpoint: {{address: 10.0.0.1, by: keepalived}}\n",
        ["5:12: endpoint.address: '10.0.0.1' is also the address in line 4"],
    ),
    "keys of another way to the endpoint": (
        f"{SOUND}endpoint: {{address: 10.0.0.9, by: keepalived, image: 'v:1'}}\n",
        ["5:47: endpoint.image: means nothing with `by: keepalived`"],
    ),
    "keys of ways to an endpoint that the user runs": (
        f"{SOUND}endpoint: {{address: 10.0.0.9, interface: eth0, router_id: 7}}\n",
        [
            "5:31: endpoint.interface: means nothing with `by: external`",
            "5:48: endpoint.router_id: means nothing with `by: external`",
        ],
    ),
    "two ways to the endpoint": (
        f"{SOUND}endpoint: {{address: 10.0.0.9}}\nkube_vip: {{interface: eth0, image: 'v:1'}}\n",
        ["6:1: kube_vip: `endpoint` says already what holds it"],
    ),
    "a password in the datastore": (
        f"{SOUND}datastore: {{endpoint: 'postgres://me:secret@db:5432/k'}}\n",
        ["5:13: datastore.endpoint: this datastore has a password in it"],
    ),
    "a datastore of no kind": (
        f"{SOUND}datastore: {{endpoint: 'sqlite.db'}}\n",
        ["5:13: datastore.endpoint: 'sqlite.db' is not a datastore"],
    ),
    "a certificate without its key": (
        f"{SOUND}datastore: {{endpoint: 'https://e:2379', cert_file: ./c.pem}}\n",
        ["5:41: datastore.cert_file: stands without `key_file`"],
    ),
    "a server that should join": (
        f"{SOUND}{JOIN}",
        ["4:25: nodes[0].role: a server beside `join`"],
    ),
    "an endpoint beside join": (
        with_nodes(AGENT) + JOIN + "endpoint: 10.0.0.7\n",
        ["6:1: endpoint: means nothing beside `join`"],
    ),
    "a taint without an effect": (
        with_nodes(
            "{address: 10.0.0.1, role: server, primary: true, taints: ['a=b']}",
        ),
        ["4:63: nodes[0].taints[0]: 'a=b' is not a taint"],
    ),
    "labels that Kubernetes would refuse": (
        with_nodes("{address: 10.0.0.1, role: server, primary: true, labels: {'-a': b, c: 'd e'}}"),
        [
            "4:63: nodes[0].labels.-a: '-a' is not the key of a label",
            "4:72: nodes[0].labels.c: 'd e' is not the value of a label",
        ],
    ),
    "a proxy with a password": (
        f"{SOUND}proxy: {{http: 'http://me:pw@proxy:3128'}}\n",
        ["5:9: proxy.http: this URL has a password in it"],
    ),
    "a proxy with a broken address": (
        f"{SOUND}proxy: {{http: 'http://['}}\n",
        ["5:9: proxy.http: 'http://[' is not the URL of a proxy"],
    ),
    "a bastion that is none": (
        f"{SOUND}ssh: {{jump: ['a b']}}\n",
        ["5:14: ssh.jump[0]: 'a b' is not a bastion"],
    ),
    "a drop-in in another folder": (
        f"{SOUND}drop_ins: {{all: {{../x.yaml: 'a: 1'}}}}\n",
        ["5:18: drop_ins.all[\"../x.yaml\"]: '../x.yaml' is not a plain file name"],
    ),
    "a variable that no shell takes": (
        f"{SOUND}ssh: {{environment: {{'A-B': c}}}}\n",
        ["5:21: ssh.environment.A-B: 'A-B' is not the name of a variable"],
    ),
    "an argument that is none": (
        with_nodes("{address: 10.0.0.1, role: server, primary: true, arguments: [single]}"),
        ["4:66: nodes[0].arguments[0]: 'single' is not an argument"],
    ),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_a_mistake_in_a_mode_is_told_where_it_stands(text: str, told: list[str]) -> None:
    """Line, column, path and words; nothing else is told."""
    assert faults_of(text) == told


def test_agents_alone_have_no_primary() -> None:
    """With `join` a manifest needs no server, and the first agent does not become one."""
    cluster = cluster_of(with_nodes(AGENT) + JOIN)

    assert cluster.joins == ControlPlane("10.0.0.1", "TOKEN")
    assert (cluster.servers, [node.role for node in cluster.nodes]) == ((), ["agent"])


def test_the_modes_become_what_drivers_read() -> None:
    """Every key where a driver looks for it."""
    cluster = cluster_of(
        f"{HEAD}endpoint: {{address: 10.0.0.99, by: keepalived, interface: eth1, router_id: 7}}\n"
        "datastore: {endpoint: 'https://e1:2379', password_env: DB}\n"
        "control_plane: tainted\nproxy: {http: 'http://p:1'}\n"
        "drop_ins: {all: {a.yaml: {x: 1}, b.yaml: 'y: 2'}, servers: {b.yaml: 'y: 3'}}\n"
        "ssh: {jump: ['ops@b:2222', 'c']}\n"
        "nodes:\n  - {address: 10.0.0.1, role: server, primary: true, labels: {a: b},"
        " taints: ['k:NoExecute'], proxy: {https: 'http://q:2', no_proxy: [.x]}}\n"
        "  - {address: 10.0.0.2, role: agent, jump: []}\n"
    )
    server, agent = cluster.nodes

    assert (cluster.endpoint, cluster.balancer) == ("10.0.0.99", Balancer("keepalived", "eth1", "", 7))
    assert cluster.datastore == Datastore("https://e1:2379", "DB")
    assert (cluster.control_plane, cluster.artifacts_mode) == ("tainted", "bundle")
    assert (dict(server.labels), server.taints) == ({"a": "b"}, ("k:NoExecute",))
    assert server.proxy == Proxy("", "http://q:2", (".x",))
    assert agent.proxy == Proxy("http://p:1")
    assert (dict(server.drop_ins), dict(agent.drop_ins)) == (
        {"a.yaml": "x: 1\n", "b.yaml": "y: 3"},
        {"a.yaml": "x: 1\n", "b.yaml": "y: 2"},
    )
    assert server.login.jumps == (Jump("b", "ops", 2222), Jump("c"))
    assert agent.login.jumps == ()
