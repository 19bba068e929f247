"""The checks of what hosts see of each other, provoked: their levels and their exact words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import Balancer, ControlPlane, Datastore, Proxy
from mk8s.preflight.base import Host, Scene
from mk8s.preflight.found import DropIn, Target, Way
from mk8s.preflight.planning import attempts, command_for
from tests.mk8s.examples import cluster, node
from tests.mk8s.preflight.scenes import host, own, scene, seeing, the_trouble, troubles, wanting

SILENT, SHUT, OPEN = Way("silent", words="no answer"), Way("blocked", words="No route to host"), Way("open")
ANSWERS, NAMELESS = Way("open", answers=True), Way("nameless", words="Invalid argument")
THREE = replace(
    cluster(
        node("n1", "primary", "10.0.0.1"), node("n2", "server", "10.0.0.2"), node("n3", "agent", "10.0.0.3")
    ),
    version="v1.20.2",
)


def three(**reached: dict[Target, Way]) -> list[Host]:
    """Two servers and an agent, with the ways that each of them tried."""
    made = [host("n1"), host("n2", "server"), host("n3", "agent")]
    hosts = [
        wanting(replace(each, node=member), own_ip="") for each, member in zip(made, THREE.nodes, strict=True)
    ]
    return [seeing(each, ways=reached.get(each.node.name, {})) for each in hosts]


# Ports between nodes


def test_a_port_that_others_do_not_reach_is_told_on_the_node_it_is_of() -> None:
    """Once for all that fail alike, with the port's owner and the way it failed."""
    shut: dict[Target, Way] = {("tcp", "10.0.0.1", 6443): SILENT, ("tcp", "10.0.0.1", 10250): SILENT}
    finding = the_trouble(scene(*three(n2=shut, n3=shut), about=THREE))
    assert (finding.check, finding.node, finding.level) == ("ports-between", "n1", "error")
    assert finding.message == (
        "n2, n3 do not reach its TCP 6443 (the API server), TCP 10250 (the kubelet): no answer"
    )
    assert "security groups" in finding.remedy


def test_ways_that_are_shut_in_different_manners_are_told_apart() -> None:
    hosts = three(n2={("tcp", "10.0.0.1", 2379): SHUT}, n3={("tcp", "10.0.0.1", 6443): SILENT})
    assert the_trouble(scene(*hosts, about=THREE)).message == (
        "n2 does not reach its TCP 2379 (etcd): No route to host; "
        "n3 does not reach its TCP 6443 (the API server): no answer"
    )


def test_silence_on_udp_is_a_warning() -> None:
    """It may be a host that sends no ICMP."""
    finding = the_trouble(scene(*three(n3={("udp", "10.0.0.2", 8472): SILENT}), about=THREE))
    assert (finding.node, finding.level) == ("n2", "warn")
    assert finding.message == "n3 does not reach its UDP 8472 (VXLAN): no answer"


def test_a_refusal_proves_that_the_way_is_open() -> None:
    """Nothing listens on a bare host; and what is not known is not judged."""
    ways: dict[Target, Way] = {
        ("tcp", "10.0.0.1", 6443): OPEN,
        ("tcp", "10.0.0.1", 10250): ANSWERS,
        ("tcp", "10.0.0.2", 6443): Way("unknown", words="odd"),
    }
    assert troubles(scene(*three(n3=ways), about=THREE)) == []


@pytest.mark.parametrize(
    ("tool", "why", "remedy"),
    [
        ("none", "it has neither bash, nc nor curl", "install bash"),
        ("", "it gave no answer in time", "try again once it is less busy"),
    ],
)
def test_a_host_that_cannot_try_says_so(tool: str, why: str, remedy: str) -> None:
    """With what helps against the one or the other."""
    first, *others = three()
    finding = the_trouble(scene(seeing(first, tool=tool), *others, about=THREE))
    assert (finding.check, finding.node, finding.level) == ("ports-between", "n1", "warn")
    assert finding.message == f"the ways from here to the other nodes were not tried: {why}"
    assert finding.remedy == f"{remedy}, or look by hand"


def test_a_host_that_tried_nothing_says_so_also_where_others_do_not_reach_it() -> None:
    """Else its own silence would look as if it reached everybody."""
    first, second, third = three(n2={("tcp", "10.0.0.1", 6443): SILENT})
    finding = the_trouble(scene(seeing(first, tool=""), second, third, about=THREE))
    assert (finding.check, finding.node, finding.level) == ("ports-between", "n1", "error")
    assert finding.message == (
        "n2 does not reach its TCP 6443 (the API server): no answer; "
        "the ways from here to the other nodes were not tried: it gave no answer in time"
    )
    assert finding.remedy.endswith("; try again once it is less busy, or look by hand")


def test_many_who_fail_alike_are_counted() -> None:
    names = [f"a{i}" for i in range(6)]
    about = cluster(node("n1", "primary", "10.0.0.1"), *(node(name) for name in names))
    shut: dict[Target, Way] = {("tcp", "10.0.0.1", 6443): SILENT}
    agents = [seeing(replace(host(name, "agent"), node=node(name)), ways=shut) for name in names]
    first = replace(host("n1"), node=about.primary)
    finding = the_trouble(scene(first, *agents, about=replace(about, version="v1.20.2")))
    assert finding.message.startswith("a0, a1, a2, a3 and 2 more do not reach its TCP 6443")


# Who is asked for what


def asked_of(seen: Scene) -> dict[str, set[tuple[str, int]]]:
    return {
        name: {(each.target.node.name, each.opening.port) for each in tried}
        for name, tried in attempts(seen).items()
    }


def test_agents_are_not_asked_for_what_only_servers_use() -> None:
    asked = asked_of(scene(*three(), about=THREE))
    assert ("n1", 2379) in asked["n2"]
    assert ("n1", 2379) not in asked["n3"]
    assert asked["n1"] == {(name, port) for name in ("n2", "n3") for port in (6443, 2379, 10250, 8472)}


def test_nobody_knocks_where_somebody_listens_on_a_bare_host() -> None:
    """It is none of ours; the check `ports` tells it."""
    first, *others = three()
    busy = replace(
        first,
        found=replace(first.found, listening=frozenset({6443}), listening_udp=frozenset({8472})),
    )
    assert {port for _, port in asked_of(scene(busy, *others, about=THREE))["n3"]} >= {10250}
    assert not {("n1", 6443), ("n1", 8472)} & asked_of(scene(busy, *others, about=THREE))["n3"]


def test_nodes_that_are_healthy_on_both_sides_are_not_asked() -> None:
    hosts = [replace(each, state="healthy") for each in three()]
    assert asked_of(scene(*hosts, about=THREE)) == {}
    hosts[2] = replace(hosts[2], state="pending")
    assert set(asked_of(scene(*hosts, about=THREE))["n1"]) == {("n3", p) for p in (6443, 2379, 10250, 8472)}


def test_a_large_cluster_costs_each_node_a_bounded_number_of_attempts() -> None:
    """All try the servers; an agent is tried by one server and two agents."""
    agents = [node(f"a{i}", "agent", f"10.1.{i // 250}.{i % 250}") for i in range(300)]
    servers = [node(f"s{i}", "primary" if i == 0 else "server", f"10.0.0.{i}") for i in range(3)]
    about = cluster(*servers, *agents)
    hosts = [replace(host(each.name, each.role), node=each) for each in about.nodes]
    asked = asked_of(scene(*hosts, about=about))
    per_agent = [len(found) for name, found in asked.items() if name.startswith("a")]
    per_server = [len(found) for name, found in asked.items() if name.startswith("s")]
    assert max(per_agent) <= 3 * 4 + 2 * 4
    assert max(per_server) <= 2 * 4 + 101 * 4
    tried = [{n for n, found in asked.items() if any(t == f"a{i}" for t, _ in found)} for i in range(300)]
    assert {len(each) for each in tried} == {3}
    assert all(any(name.startswith("s") for name in each) for each in tried)


def test_a_node_with_nothing_to_try_is_not_asked() -> None:
    alone = cluster(node("n1", "primary", "10.0.0.1"))
    seen = replace(host(), node=alone.primary)
    assert command_for(seen, scene(seen, about=alone), {}) is None


# Names


def named(**names: dict[str, tuple[str, ...]]) -> list[Host]:
    hosts = three()
    return [seeing(each, names=names.get(each.node.name, {})) for each in hosts]


NAMED = replace(THREE, endpoint="api.example.org", balancer=Balancer())
GOOD: dict[str, tuple[str, ...]] = {"api.example.org": ("10.0.0.9",)}


@pytest.mark.parametrize(
    ("answer", "level", "message"),
    [
        ((), "error", "api.example.org is not known here"),
        (("127.0.1.1",), "error", "api.example.org is 127.0.1.1 here, the host itself"),
        (("10.0.0.8",), "warn", "api.example.org is 10.0.0.8 here, and elsewhere 10.0.0.9"),
    ],
)
def test_a_name_that_leads_elsewhere_is_told(answer: tuple[str, ...], level: str, message: str) -> None:
    hosts = named(n1=GOOD, n2=GOOD, n3={"api.example.org": answer})
    finding = the_trouble(scene(*hosts, about=NAMED))
    assert (finding.check, finding.node, finding.level, finding.message) == ("names", "n3", level, message)


def test_a_host_may_be_itself_to_itself() -> None:
    """Debian writes 127.0.1.1 for a host's own name."""
    about = cluster(node("n1", "primary", "n1"), node("n2", "agent", "10.0.0.2"))
    first, second = (replace(host(each.name, each.role), node=each) for each in about.nodes)
    hosts = [seeing(first, names={"n1": ("127.0.1.1",)}), seeing(second, names={"n1": ("10.0.0.1",)})]
    assert troubles(scene(*hosts, about=replace(about, version="v1.20.2"))) == []


# Endpoints


def reaching(where: Target, way: Way, about: Any) -> Scene:
    """All three tried one target, all the same way."""
    return scene(*(seeing(each, ways={where: way}) for each in three()), about=about)


BALANCED = replace(THREE, endpoint="10.0.0.9", balancer=Balancer())


def test_a_balancer_that_is_silent_is_told_on_every_node() -> None:
    found = troubles(reaching(("tcp", "10.0.0.9", 6443), SILENT, BALANCED))
    assert {(f.check, f.level, f.message) for f in found} == {
        ("endpoint", "warn", "10.0.0.9 does not answer at TCP 6443: no answer")
    }
    assert len(found) == 3


@pytest.mark.parametrize("way", [OPEN, ANSWERS])
def test_a_balancer_with_no_server_behind_it_may_refuse(way: Way) -> None:
    assert troubles(reaching(("tcp", "10.0.0.9", 6443), way, BALANCED)) == []


def test_a_control_plane_that_exists_must_answer() -> None:
    about = replace(THREE, joins=ControlPlane("10.0.0.9", "TOKEN"))
    found = troubles(reaching(("tcp", "10.0.0.9", 6443), OPEN, about))
    assert {(f.check, f.level, f.message) for f in found} == {
        ("endpoint", "error", "10.0.0.9 does not answer at TCP 6443: nothing listens there")
    }


# Virtual addresses


VIRTUAL = replace(THREE, endpoint="10.0.0.9", balancer=Balancer(by="kube-vip", interface="eth0"))


def holding(address: str = "10.0.0.1/24", interface: str = "eth0", **reached: Any) -> Host:
    first = three()[0]
    return seeing(replace(first, found=replace(first.found, owned=(own(interface, address),))), **reached)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (
            holding(interface="ens3"),
            "there is no interface eth0 with an address, to hold 10.0.0.9; there are ens3",
        ),
        (
            holding("10.0.0.1/30"),
            "10.0.0.9 is in no network of eth0 (10.0.0.1/30): neighbours would not find it there",
        ),
        (holding("10.0.0.9/24"), "the host has 10.0.0.9 already"),
        (holding(neighbours=frozenset({"10.0.0.9"})), "another machine has 10.0.0.9 already: it answers"),
        (holding(ways={("tcp", "10.0.0.9", 6443): OPEN}), "another machine has 10.0.0.9 already: it answers"),
    ],
)
def test_an_address_that_servers_cannot_hold_is_told(first: Host, message: str) -> None:
    finding = the_trouble(scene(first, *three()[1:], about=VIRTUAL))
    assert (finding.check, finding.node, finding.level, finding.message) == (
        "virtual-address", "n1", "error", message,
    )  # fmt: skip


def test_without_an_interface_the_one_with_the_nodes_address_counts() -> None:
    """Not the default route's, which may lead elsewhere."""
    about = replace(VIRTUAL, balancer=Balancer(by="keepalived"))
    first = three()[0]
    two = (own("eth0", "192.0.2.5/24"), own("eth1", "10.0.0.1/24"))
    assert (
        troubles(scene(replace(first, found=replace(first.found, owned=two)), *three()[1:], about=about))
        == []
    )


def test_a_firewall_has_to_let_vrrp_through_where_servers_use_it() -> None:
    """It is no port, and cannot be tried."""
    walled = [replace(each, found=replace(each.found, firewalls=("ufw",))) for each in three()]
    about = replace(VIRTUAL, balancer=Balancer(by="keepalived"))
    remedies = {f.node: f.remedy for f in troubles(scene(*walled, about=about))}
    assert [name for name, remedy in remedies.items() if "IP protocol 112" in remedy] == ["n1", "n2"]


def test_an_address_that_is_free_and_near_is_fine() -> None:
    shut: dict[Target, Way] = {("tcp", "10.0.0.9", 6443): SHUT}
    assert troubles(scene(holding(ways=shut), *three()[1:], about=VIRTUAL)) == []


def test_servers_that_run_may_hold_it() -> None:
    """A run that adds nodes finds the address in use: by its own cluster."""
    first = replace(holding("10.0.0.9/24"), state="healthy")
    assert troubles(scene(first, *three()[1:], about=VIRTUAL)) == []


# Datastores, proxies, disks


@pytest.mark.parametrize(
    ("endpoint", "where"),
    [
        ("postgres://mk:p%40ss@10.9.9.9:5433/db", "10.9.9.9:5433"),
        ("mysql://mk:word@tcp(10.9.9.9)/db?tls=true", "10.9.9.9:3306"),
        ("https://10.9.9.9:2379,https://10.9.9.8:2379", "10.9.9.9:2379"),
        ("postgresql://mk@[fd00::9]/db", "fd00::9:5432"),
    ],
)
def test_a_datastore_that_a_server_does_not_reach_is_told_without_its_password(
    endpoint: str, where: str
) -> None:
    """Agents do not need it."""
    at, _, port = where.rpartition(":")
    about = replace(THREE, datastore=Datastore(endpoint))
    found = troubles(reaching(("tcp", at, int(port)), SHUT, about))
    assert {(f.node, f.check, f.level) for f in found} == {(n, "datastore", "error") for n in ("n1", "n2")}
    assert found[0].message == f"the datastore does not answer at {where} (No route to host)"


def test_a_datastore_of_the_users_own_config_is_looked_at_too() -> None:
    first, *others = three()
    given = {"datastore-endpoint": "https://10.9.9.9:2379"}
    shut = seeing(
        replace(first, node=replace(first.node, config=given)), ways={("tcp", "10.9.9.9", 2379): OPEN}
    )
    finding = the_trouble(scene(shut, *others, about=THREE))
    assert finding.message == "the datastore does not answer at 10.9.9.9:2379 (nothing listens there)"


def test_a_proxy_that_leads_nowhere_is_told_in_an_air_gap() -> None:
    first, *others = three()
    proxied = replace(first, found=replace(first.found, proxies=(("proxy.corp:3128", "/etc/environment"),)))
    shut = seeing(proxied, ways={("tcp", "proxy.corp", 3128): NAMELESS})
    finding = the_trouble(scene(shut, *others, about=THREE))
    assert (finding.check, finding.level) == ("proxy", "warn")
    assert finding.message == "the proxy proxy.corp:3128 does not answer: what asks it waits for ever"
    assert "/etc/environment" in finding.remedy
    assert troubles(scene(shut, *others, about=replace(THREE, airgap=False))) == []


def test_a_proxy_of_the_manifest_is_tried_as_well() -> None:
    first, *others = three()
    member = replace(first.node, proxy=Proxy(https="http://10.9.9.9:8080/"))
    shut = seeing(replace(first, node=member), ways={("tcp", "10.9.9.9", 8080): SILENT})
    assert the_trouble(scene(shut, *others, about=THREE)).remedy.startswith("take it out of the manifest")


@pytest.mark.parametrize(("seconds", "told"), [(0.0099, False), (0.025, True), (None, False)])
def test_a_disk_that_is_slow_is_told_with_the_number_and_its_source(
    seconds: float | None, told: bool
) -> None:
    first, *others = three()
    slow = seeing(wanting(first, etcd_dir="/var/lib/etcd"), write_seconds=seconds)
    found = troubles(scene(slow, *others, about=THREE))
    words = (
        "one small write takes 25 ms at /var/lib/etcd (the mean of many), and etcd wants less than 10 ms "
        "nearly always: leaders change, joins time out"
    )
    assert [(f.check, f.level, f.message) for f in found] == (
        [("disk-latency", "warn", words)] if told else []
    )


# Addresses, MTU, configuration


def test_an_address_of_another_node_is_told() -> None:
    first, second, third = three()
    twice = replace(second, found=replace(second.found, owned=(own("eth1", "10.0.0.1/24"),)))
    finding = the_trouble(scene(first, twice, third, about=THREE))
    assert (finding.check, finding.node, finding.level) == ("address-unique", "n2", "error")
    assert finding.message == "it has 10.0.0.1, the address of n1"


def test_an_address_that_two_will_choose_is_told_where_nobody_names_one() -> None:
    """As virtual machines have whose first card is behind a network of their host."""
    hosts = [
        replace(each, found=replace(each.found, owned=(own("eth0", "10.0.2.15/24"),))) for each in three()
    ]
    assert troubles(scene(*hosts, about=THREE)) == []
    first, *_ = troubles(scene(*(wanting(each, chooses_own_ip=True) for each in hosts), about=THREE))
    assert first.message == (
        "it will choose 10.0.2.15 for its own address, the default route's, and so will n2, n3"
    )


def test_an_mtu_that_is_smaller_than_another_is_told() -> None:
    sizes = (1500, 1500, 1400)
    hosts = [
        replace(each, found=replace(each.found, mtu=size)) for each, size in zip(three(), sizes, strict=True)
    ]
    finding = the_trouble(scene(*hosts, about=THREE))
    assert (finding.check, finding.node, finding.level) == ("mtu", "n3", "warn")
    assert finding.message == "its MTU is 1400, and n1's is 1500: large packets vanish between them"


def test_an_mtu_that_leaves_no_room_is_told_on_all() -> None:
    hosts = [replace(each, found=replace(each.found, mtu=1200)) for each in three()]
    found = troubles(scene(*hosts, about=THREE))
    assert {f.message for f in found} == {"its MTU is 1200: a pod network has no room in it"}


KEYS = ("cluster-cidr", "agent-token", "tls-san")


def servers(
    first: dict[str, Any], second: dict[str, Any], second_drop_ins: dict[str, str] | None = None
) -> Scene:
    one, two, agent = (wanting(each, same_on_servers=KEYS) for each in three())
    two = replace(two, node=replace(two.node, config=second, drop_ins=second_drop_ins or {}))
    return scene(replace(one, node=replace(one.node, config=first)), two, agent, about=THREE)


def test_a_drop_in_that_makes_servers_unequal_is_told() -> None:
    """The config alone is equal: the file that is read after it is not."""
    config = {"cluster-cidr": "10.42.0.0/16"}
    finding = the_trouble(servers(config, config, {"90.yaml": "cluster-cidr: 10.50.0.0/16\n"}))
    assert (finding.check, finding.node, finding.level) == ("server-keys", "n2", "error")
    assert finding.message == (
        "on n1 and here are not the same: cluster-cidr (10.50.0.0/16, not 10.42.0.0/16)"
    )


def test_values_of_secret_keys_are_not_shown() -> None:
    finding = the_trouble(servers({"agent-token": "hush"}, {"agent-token": "hash"}))
    assert finding.message == "on n1 and here are not the same: agent-token"


def test_lists_are_equal_in_either_spelling_and_added_to_by_files() -> None:
    """``key+`` in a later file adds."""
    assert troubles(servers({"tls-san": ["a", "b"]}, {"tls-san": "a"}, {"9.yaml": "tls-san+: [b]\n"})) == []


def test_a_file_that_the_manifest_does_not_know_is_told_and_counts() -> None:
    """Its values stay on the host: a checksum tells them apart."""
    one, two, agent = (wanting(each, same_on_servers=KEYS) for each in three())
    file = DropIn("/etc/rancher/rke2/config.yaml.d/50-old.yaml", "cluster-cidr", "123-4")
    spoiled = replace(two, found=replace(two.found, drop_ins=(file,)))
    warned, told = troubles(scene(one, spoiled, agent, about=THREE))
    assert (warned.check, warned.level) == ("drop-ins", "warn")
    assert warned.message == (
        "files that the manifest does not know are read after its config: "
        "/etc/rancher/rke2/config.yaml.d/50-old.yaml (cluster-cidr)"
    )
    assert (told.check, told.node) == ("server-keys", "n2")
    known = replace(spoiled, node=replace(two.node, drop_ins={"50-old.yaml": ""}))
    assert troubles(scene(one, known, agent, about=THREE)) == []
