"""What a sound manifest becomes: names, roles, order, logins, configs, defaults."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mk8s.cluster import ArtifactSource, Cluster, KubeVip, Login, Network, Node
from mk8s.distros.base import load_distro
from mk8s.manifest import load_cluster
from mk8s.resources import spec_path
from tests.mk8s.manifest.manifests import EVERY_DISTRO, HEAD, SOUND, UPSTREAM, cluster_of, loaded, with_nodes

PRIMARY = "{address: 10.0.0.1, role: server, primary: true}"


def test_the_smallest_manifest_gets_every_default() -> None:
    """distro, version and one server are enough."""
    assert cluster_of(SOUND) == Cluster(
        name="my",
        distro="rke2",
        version="v1.28.3+rke2r2",
        airgap=True,
        nodes=(Node("10-0-0-1", "primary", "10.0.0.1", "amd64", Login("anna")),),
        artifacts={},
        artifacts_dir=Path("/srv/clusters/artifacts"),
        source=Path("/srv/clusters/my.yaml"),
        digest=hashlib.sha256(SOUND.encode()).hexdigest(),
    )


def test_the_original_format_is_read_as_it_stands() -> None:
    """Every key of the first mk8s, K1 to K12, with its config word for word."""
    text = (
        "distro: rke2\nversion: v1.28.3+rke2r2\narch: arm64\nairgap: true # this is assumed for now\n"
        "artifacts:\n  binary:\n    name: b.tar.gz\n    url: https://example.org/b\n"
        f"    checksum: {'A' * 64}\n"
        "nodes:\n"
        "  - address: 192.168.1.100\n    user: ubuntu\n    role: server\n    primary: true\n"
        "    local: false\n    ssh_key_path: ~/.ssh/id_rsa\n"
        "    ## Pass config file wholesale\n    config: |\n"
        '      write-kubeconfig-mode: "0644"\n\n      # SANs\n      tls-san:\n        - k8s-test-1\n'
    )

    cluster = cluster_of(text)

    assert cluster.artifacts == {"binary": ArtifactSource("b.tar.gz", "https://example.org/b", "A" * 64)}
    assert cluster.nodes == (
        Node(
            name="192-168-1-100",
            role="primary",
            address="192.168.1.100",
            arch="arm64",
            login=Login(
                "ubuntu", key_path=Path("/home/anna/.ssh/id_rsa"), given=frozenset({"user", "key_path"})
            ),
            config={"write-kubeconfig-mode": "0644", "tls-san": ["k8s-test-1"]},
            config_text='write-kubeconfig-mode: "0644"\n\n# SANs\ntls-san:\n  - k8s-test-1\n',
        ),
    )


def test_nodes_stand_in_the_order_primary_servers_agents() -> None:
    """Within a role the manifest's order stays."""
    cluster = cluster_of(
        with_nodes(
            "{name: a2, address: a2, role: agent}",
            "{name: s2, address: s2, role: server}",
            "{name: a1, address: a1, role: agent}",
            "{name: s1, address: s1, role: server, primary: true}",
        )
    )

    assert [(node.name, node.role) for node in cluster.nodes] == [
        ("s1", "primary"),
        ("s2", "server"),
        ("a2", "agent"),
        ("a1", "agent"),
    ]


def test_without_a_marked_primary_the_first_server_is_chosen_and_said() -> None:
    """Nothing is decided in silence."""
    found = loaded(
        with_nodes(
            "{address: a, role: agent}",
            "{address: b, role: server}",
            "{address: c, role: server}",
            "{address: d, role: server}",
        )
    )

    assert found.cluster.primary.name == "b"
    assert found.notices == ("no node has `primary: true`: b, the first server, becomes the primary",)


def test_an_even_number_of_servers_is_noticed() -> None:
    """Two servers lose the cluster with either of them."""
    found = loaded(with_nodes(PRIMARY, "{address: b, role: server}"))

    assert found.notices == ("2 servers survive no more failures than 1: an odd number is better",)


@pytest.mark.parametrize(("endpoint", "told"), [("", True), ("endpoint: 10.0.0.100\n", False)])
def test_several_servers_without_an_address_for_them_all_are_noticed(endpoint: str, told: bool) -> None:
    """Where the kubelets ask one server only, the loss of that one is the loss of all."""
    nodes = "".join(
        f"  - {{address: 10.0.0.{n}, role: server, primary: {str(n == 1).lower()}}}\n" for n in (1, 2, 3)
    )
    found = loaded(f"distro: kubeadm\nversion: v1.30.2\n{endpoint}nodes:\n{nodes}")

    words = (
        "no `endpoint`: every node asks the API of 10-0-0-1, so that all are lost while it is down; "
        "name an address that leads to all servers"
    )
    assert found.notices == ((words,) if told else ())


def test_a_key_that_changes_nothing_yet_is_noticed() -> None:
    """The original format has it; nobody may believe that it is obeyed."""
    assert (
        "airgap: false: a run fetches missing release files" in loaded(f"{SOUND}airgap: false\n").notices[0]
    )


def test_more_than_one_etcd_join_is_noticed() -> None:
    """It is the user's wish, and etcd's rule."""
    assert "etcd takes one new member at a time" in loaded(f"{SOUND}limits: {{etcd-joins: 2}}\n").notices[0]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.1", "10-0-0-1"),
        ("fd00::1", "fd00-1"),
        ("FD00:0::0001", "fd00-1"),
        ("::1", "1"),
        ("Node-1.Example.org", "node-1"),
        ("node-1", "node-1"),
    ],
)
def test_a_node_without_a_name_is_called_after_its_address(address: str, name: str) -> None:
    """Dots and colons become dashes; of a host name the first label is taken."""
    assert cluster_of(with_nodes(f"{{address: '{address}', role: server}}")).nodes[0].name == name


def test_made_names_are_unique_and_never_take_a_given_one() -> None:
    """Given names first, then numbers."""
    cluster = cluster_of(
        with_nodes(
            "{address: web.a.example, role: server}",
            "{address: web.b.example, role: server}",
            "{address: web.c.example, role: server}",
            "{address: x, role: server, name: web-2}",
        )
    )

    assert [node.name for node in cluster.nodes] == ["web", "web-3", "web-4", "web-2"]


def test_a_node_added_at_the_end_renames_nobody() -> None:
    """The journal knows nodes by name."""
    nodes = ["{address: web.a.example, role: server}", "{address: web.b.example, role: server}"]

    before = [node.name for node in cluster_of(with_nodes(*nodes)).nodes]
    after = [
        node.name for node in cluster_of(with_nodes(*nodes, "{address: web.c.example, role: server}")).nodes
    ]

    assert after[:2] == before


@pytest.mark.parametrize(
    ("file", "name"),
    [("Prod Cluster.v2.yaml", "prod-cluster-v2"), ("___.yaml", "cluster"), ("x" * 80, "x" * 63)],
)
def test_a_cluster_without_a_name_is_called_after_its_file(file: str, name: str) -> None:
    """Made a DNS label; where nothing is left of it, "cluster"."""
    assert loaded(SOUND, Path(file)).cluster.name == name


def test_the_ssh_section_holds_for_nodes_that_say_nothing() -> None:
    """Every key of it, and a node's own word wins."""
    section = (
        "ssh: {user: root, port: 2222, key_path: keys/id, known_hosts: ./hosts, host_keys: accept-new,\n"
        "      password_env: P, passphrase_env: Q, sudo_password_env: R}\n"
    )
    own = (
        "{address: b, role: agent, user: u, port: 22,"
        " password_env: X, passphrase_env: Y, sudo_password_env: Z}"
    )

    cluster = cluster_of(with_nodes(PRIMARY, own) + section)

    key = Path("/srv/clusters/keys/id")
    given = frozenset({"user", "port", "key_path"})
    assert cluster.nodes[0].login == Login("root", 2222, key, False, "P", "Q", "R", given=given)
    assert cluster.nodes[1].login == Login("u", 22, key, False, "X", "Y", "Z", given=given)
    assert (cluster.known_hosts, cluster.host_keys) == (Path("/srv/clusters/hosts"), "accept-new")


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("~/k", "/home/anna/k"),
        ("k", "/srv/clusters/k"),
        ("../k", "/srv/clusters/../k"),
        ("/k", "/k"),
        ("~", "/home/anna"),
    ],
)
def test_paths_are_seen_from_the_manifest_and_tilde_is_home(written: str, path: str) -> None:
    """Wherever mk8s was started."""
    assert cluster_of(f"{SOUND}artifacts_dir: '{written}'\n").artifacts_dir == Path(path)


def test_an_unknown_users_home_is_taken_as_it_is_written() -> None:
    """It becomes a missing file later, not a crash."""
    assert cluster_of(f"{SOUND}artifacts_dir: ~nobody-here/x\n").artifacts_dir == Path(
        "/srv/clusters/~nobody-here/x"
    )


def test_limits_budgets_gates_and_policy_are_handed_on() -> None:
    """Durations in seconds, budgets as text."""
    cluster = cluster_of(
        f"{SOUND}limits: {{uploads: 2, etcd-joins: 1, agent-joins: 3, connections: 4}}\n"
        "budgets: {server: 0, agent: 20%}\ngates: {agents: primary-ready}\n"
        "policy: {edges: {stage: {timeout: 90s, deadline: 1.5h}, verify: {deadline: 2m}}}\n"
    )

    assert cluster.limits == {"uploads": 2, "etcd-joins": 1, "agent-joins": 3, "connections": 4}
    assert cluster.budgets == {"server": "0", "agent": "20%"}
    assert cluster.agents_wait_for == "primary-ready"
    assert cluster.policy == {"stage": {"timeout": 90.0, "deadline": 5400.0}, "verify": {"deadline": 120.0}}


def test_what_kubernetes_itself_needs_is_handed_on() -> None:
    """Networks, a virtual address, files to apply, and what to do about hosts."""
    cluster = cluster_of(
        f"{UPSTREAM}nodes:\n  - {{address: a.example, node_ip: 192.168.0.1, role: server}}\n"
        "network: {pod_cidr: 10.32.0.0/16, service_cidr: 10.33.0.0/24, dns_domain: k8s.example, cni: none}\n"
        "endpoint: 192.168.0.9\nkube_vip: {interface: eth0, image: 'kube-vip:v0.8.0'}\n"
        "manifests: [b.yaml, ~/a.yaml]\nhosts_entries: true\nswap: allow\nsmoke_image: busybox:1.35\n"
        "checks: {waive: [memory, ports.6443]}\n"
    )

    assert (cluster.primary.address, cluster.primary.ip) == ("a.example", "192.168.0.1")
    assert cluster.network == Network("10.32.0.0/16", "10.33.0.0/24", "k8s.example", "none")
    assert cluster.kube_vip == KubeVip("eth0", "kube-vip:v0.8.0")
    assert cluster.manifests == (Path("/srv/clusters/b.yaml"), Path("/home/anna/a.yaml"))
    assert (cluster.hosts_entries, cluster.swap) == (True, "allow")
    assert cluster.smoke_image == "busybox:1.35"
    assert cluster.waived == {"memory", "ports.6443"}


def test_a_part_of_the_networks_leaves_the_rest_at_its_default() -> None:
    """One key is enough."""
    cluster = cluster_of(f"{SOUND}network: {{pod_cidr: 10.32.0.0/16}}\n")

    assert cluster.net == Network(pod_cidr="10.32.0.0/16")


def test_a_network_that_nobody_brings_is_noticed() -> None:
    """The nodes would wait for it."""
    text = f"{UPSTREAM}nodes:\n  - {PRIMARY}\nnetwork: {{cni: none}}\n"

    assert loaded(text).notices == (
        "network.cni is none and `manifests` is empty: no node gets ready until you install a network",
    )
    assert loaded(f"{text}manifests: [net.yaml]\n").notices == ()


def test_sections_that_are_left_empty_are_as_if_they_were_not_there() -> None:
    """`artifacts:` with everything under it commented out is common."""
    sections = "artifacts ssh config limits budgets gates policy network kube_vip checks manifests"
    empty = "".join(f"{key}:\n" for key in (*sections.split(), "name", "smoke_image"))

    assert cluster_of(SOUND + empty).nodes == cluster_of(SOUND).nodes


def test_addresses_are_kept_in_their_short_spelling() -> None:
    """IPv6 in one spelling, so that comparisons hold."""
    cluster = cluster_of(
        with_nodes("{address: 'FD00:0:0::1', role: server}", "{address: A.example, role: agent}")
    )

    assert [node.address for node in cluster.nodes] == ["fd00::1", "A.example"]


@pytest.mark.parametrize("path", sorted(spec_path("clusters").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_sound(path: Path) -> None:
    """What we show works, its distro can do it, and a file that it names is there."""
    cluster = load_cluster(path, distros=EVERY_DISTRO).cluster

    assert cluster.source == path
    assert load_distro(cluster.distro).faults(cluster) == []


def test_the_role_of_the_original_local_node_needs_no_key() -> None:
    """A local node is reached without SSH."""
    cluster = cluster_of(
        f"{HEAD}nodes:\n  - {{address: 10.0.0.1, role: server, local: true, ssh_key_path: nowhere}}\n"
    )

    assert cluster.primary.login.local
