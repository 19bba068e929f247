"""k0s.yaml and the words of `k0s install`: what is added to the user's config, and by which release."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mk8s.cluster import Balancer, Cluster, Network, Node
from mk8s.distros.k0s import DISTRO
from mk8s.distros.k0s.arguments import install_words, late_words
from mk8s.distros.k0s.config import additions, render_config
from mk8s.distros.k0s.merging import ConfigTextError, merge
from tests.mk8s.distros.k0s.clusters import BY_HAND, CLUSTERS, SERVERS, k0s, one, situation_of
from tests.mk8s.distros.situations import make_node

GOLDEN = Path(__file__).parents[1] / "golden_k0s" / "rendered.txt"
VERSIONS = (
    "v1.21.14+k0s.0", "v1.24.17+k0s.0", "v1.28.15+k0s.0", "v1.30.14+k0s.0", "v1.33.4+k0s.0", "v1.35.7+k0s.0",
    "v1.36.3+k0s.0",
)  # fmt: skip


def test_configs_and_command_lines_are_the_ones_that_were_read() -> None:
    """For each manifest and release; with a release that cannot do it, what is said of that."""
    rendered = "\n".join(_rendered()) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(rendered, encoding="utf-8")

    assert rendered == GOLDEN.read_text(encoding="utf-8")


def _rendered() -> Iterator[str]:
    for name, made in CLUSTERS.items():
        before: list[str] = []
        for version in VERSIONS:
            lines = list(_of_release(replace(made, version=version)))
            yield f"== {name}, {version}" + (": as before" if lines == before else "")
            yield from [] if lines == before else lines
            before = lines


def _of_release(cluster: Cluster) -> Iterator[str]:
    faults = DISTRO.faults(cluster)
    yield from (f"  refused: {fault}" for fault in faults)
    for node in [] if faults else cluster.nodes:
        late = late_words(cluster, node)
        yield f"  {node.name}: k0s install {' '.join(install_words(cluster, node))}"
        yield from [f"    and the service itself: {' '.join(late)}"] if late else []
        if node.is_server:
            text = render_config(
                situation_of(cluster, node.name, password="hush" if cluster.datastore else "")
            )
            yield from (f"    | {line}" for line in text.decode().splitlines())


def config_of(cluster: Cluster, name: str = "srv-1") -> Any:
    return yaml.safe_load(render_config(situation_of(cluster, name)))


def with_config(config: dict[str, Any] | str, **more: Any) -> Cluster:
    return k0s(
        *(make_node(node.name, node.role, node.address, config) for node in SERVERS[:2]),
        make_node("agent-1", "agent", "10.0.0.21"),
        **more,
    )


# The user's keys


def test_whatever_the_user_wrote_stays_word_for_word() -> None:
    """Lines are added between the user's, and no other is touched."""
    lines = render_config(situation_of(with_config(BY_HAND))).decode().splitlines()

    assert [line for line in lines if not line.endswith("# added by mk8s")] == BY_HAND.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "spec:\n",
        "spec: ~\n",
        "spec: {}\n",
        "{}",
        "# nothing but a word",
        "spec: {api: {address: 10.9.9.9}, storage: null}",
        '{"spec": {"network": {"provider": "calico"}}}',
        "---\nspec:\n  api:\n    sans:\n    - a.example\n",
        "spec:\n  api: &a\n    port: 6443\n  konnectivity: *a\n",
        "spec:\n    api:\n        extraArgs: {a: b}\n    extensions:\n        helm: |\n          text",
        "metadata: {name: shop}\nkind: ClusterConfig\nspec:\n  telemetry:\n    enabled: true\n",
    ],
)
def test_every_form_of_a_text_takes_the_keys_and_keeps_its_own(text: str) -> None:
    before = yaml.safe_load(text) or {}
    after = yaml.safe_load(render_config(situation_of(with_config(text))))

    assert _holds(after, before)
    assert after["spec"]["images"] == {"default_pull_policy": "Never"}


def _holds(after: Any, before: Any) -> bool:
    if isinstance(before, dict):
        return isinstance(after, dict) and all(_holds(after.get(key), value) for key, value in before.items())
    return before is None or bool(after == before)


KEYS = st.sampled_from(["spec", "api", "address", "network", "storage", "metadata", "name", "other"])
TREES = st.recursive(
    st.none() | st.text(max_size=8) | st.integers() | st.booleans(),
    lambda below: st.dictionaries(KEYS, below, max_size=4) | st.lists(below, max_size=2),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, TREES, max_size=4), st.booleans(), st.booleans())
def test_no_key_is_ever_lost_and_nothing_that_is_given_is_replaced(
    tree: dict[str, Any], flow: bool, wide: bool
) -> None:
    """What the text says counts: PyYAML writes U+0085 in a way that it reads back as a space."""
    text = yaml.safe_dump(tree, default_flow_style=flow, indent=4 if wide else 2, allow_unicode=True)
    config = yaml.safe_load(text)
    wanted = additions(situation_of(one()))

    after = yaml.safe_load(merge(text, config, wanted))

    assert _holds(after, config)
    assert after == yaml.safe_load(merge("", config, wanted))


@pytest.mark.parametrize(
    ("text", "why"), [("- a", "not a mapping"), ("a: [", "not valid YAML"), ("a: 1\n---\nb: 2", "YAML")]
)
def test_a_text_that_is_no_config_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ConfigTextError, match=why):
        merge(text, {}, [(("kind",), "ClusterConfig")])


@pytest.mark.parametrize(
    ("config", "path", "value"),
    [
        ({"spec": {"api": {"address": "10.5.5.5"}}}, ("api", "address"), "10.5.5.5"),
        ({"spec": {"telemetry": {"enabled": True}}}, ("telemetry", "enabled"), True),
        ({"spec": {"network": {"provider": "calico"}}}, ("network", "provider"), "calico"),
        (
            {"spec": {"images": {"default_pull_policy": "IfNotPresent"}}},
            ("images", "default_pull_policy"),
            "IfNotPresent",
        ),
    ],
)
def test_what_the_user_gave_wins(config: dict[str, Any], path: tuple[str, str], value: object) -> None:
    cluster = with_config(config, network=Network(cni="none"))

    assert config_of(cluster)["spec"][path[0]][path[1]] == value


# What is added


def test_each_controller_has_its_own_addresses() -> None:
    found = [config_of(k0s(), name)["spec"] for name in ("srv-1", "srv-2")]

    assert [spec["api"]["address"] for spec in found] == ["10.0.0.11", "10.0.0.12"]
    assert [spec["storage"]["etcd"]["peerAddress"] for spec in found] == ["10.0.0.11", "10.0.0.12"]


def test_a_node_that_is_only_known_by_name_lets_k0s_choose_its_address() -> None:
    """k0s takes an IP and nothing else there; the name goes into the certificates."""
    spec = config_of(k0s(make_node("srv-1", "primary", "srv-1.example")))["spec"]

    assert spec["api"] == {"sans": ["srv-1.example"]}
    assert "peerAddress" not in spec["storage"].get("etcd", {})


def test_outside_an_air_gap_k0s_is_left_as_it_is() -> None:
    spec = config_of(replace(k0s(), airgap=False))["spec"]

    assert not {"telemetry", "images"} & set(spec)


def test_an_endpoint_is_where_everybody_goes_unless_workers_balance_for_themselves() -> None:
    """k0s refuses the two together."""
    plain = config_of(k0s(endpoint="10.0.0.100", balancer=Balancer("cplb")))["spec"]
    local = config_of(k0s(endpoint="10.0.0.100", balancer=Balancer("cplb", node_local=True)))["spec"]

    assert plain["api"]["externalAddress"] == "10.0.0.100"
    assert "externalAddress" not in local["api"]
    assert [spec["api"]["sans"] for spec in (plain, local)] == [["10.0.0.100"]] * 2
    assert local["network"]["nodeLocalLoadBalancing"] == {"enabled": True, "type": "EnvoyProxy"}


def test_a_virtual_address_has_a_password_of_eight_characters_and_a_router_of_its_own() -> None:
    cluster = k0s(endpoint="10.0.0.100", balancer=Balancer("cplb", "eth1", router_id=77))
    balancing = config_of(cluster)["spec"]["network"]["controlPlaneLoadBalancing"]

    assert balancing["keepalived"]["vrrpInstances"] == [
        {"virtualIPs": ["10.0.0.100/32"], "authPass": "pretende", "virtualRouterID": 77, "interface": "eth1"}
    ]
    assert [need.name for need in DISTRO.needs(cluster)] == ["cplb-password"]
    assert DISTRO.needs(k0s()) == []


def test_the_networks_of_the_manifest_are_k0s_own_ones() -> None:
    network = config_of(k0s(network=Network("10.50.0.0/16", "10.60.0.0/16", "shop.local", "none")))["spec"][
        "network"
    ]

    assert network == {
        "provider": "custom", "podCIDR": "10.50.0.0/16", "serviceCIDR": "10.60.0.0/16",
        "clusterDomain": "shop.local",
    }  # fmt: skip


# The words


def words(node: Node, **more: Any) -> list[str]:
    """Of a server with an agent beside it."""
    return list(install_words(k0s(node, make_node("agent-1", "agent", "10.0.0.21"), **more), node))


@pytest.mark.parametrize(
    ("way", "added"),
    [
        (None, []),
        ("isolated", []),
        ("tainted", ["--enable-worker"]),
        ("schedulable", ["--enable-worker", "--no-taints"]),
    ],
)
def test_how_servers_are_says_whether_they_run_pods(way: str | None, added: list[str]) -> None:
    assert words(SERVERS[0], control_plane=way) == ["controller", "--config=/etc/k0s/k0s.yaml", *added]


def test_a_single_process_has_its_worker_anyway() -> None:
    cluster = CLUSTERS["single-process"]

    assert install_words(cluster, cluster.primary) == ("controller", "--config=/etc/k0s/k0s.yaml", "--single")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), ["--kubelet-extra-args=--node-ip=10.0.0.21"]),
        (("--kubelet-extra-args=--v=2",), ["--kubelet-extra-args=--v=2 --node-ip=10.0.0.21"]),
        (
            ("--kubelet-extra-args", "--v=2", "--debug"),
            ["--kubelet-extra-args=--v=2 --node-ip=10.0.0.21", "--debug"],
        ),
        (("--kubelet-extra-args=--node-ip=::1",), ["--kubelet-extra-args=--node-ip=::1"]),
    ],
)
def test_the_kubelet_hears_the_users_words_and_the_nodes_address(
    arguments: tuple[str, ...], expected: list[str]
) -> None:
    node = replace(make_node("agent-1", "agent", "192.0.2.21"), node_ip="10.0.0.21", arguments=arguments)

    assert list(install_words(k0s(SERVERS[0], node), node))[2:] == expected


@pytest.mark.parametrize(
    ("version", "late"),
    [("v1.35.6+k0s.0", True), ("v1.35.7+k0s.0", False), ("v1.36.0+k0s.0", True), ("v1.36.1+k0s.0", False)],
)
def test_a_word_that_only_the_service_takes_is_kept_from_the_installation(version: str, late: bool) -> None:
    node = replace(SERVERS[0], arguments=("--ignore-pre-flight-checks",))
    cluster = one(version=version)

    assert bool(late_words(cluster, node)) is late
    assert ("--ignore-pre-flight-checks" in install_words(cluster, node)) is not late
