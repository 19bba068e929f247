"""Mistakes in networks, inner addresses, kube-vip, images and names of checks, and what a person reads."""

from __future__ import annotations

import pytest

from mk8s.cluster import Network
from tests.mk8s.manifest.manifests import (
    SERVER,
    SOUND,
    UPSTREAM,
    cluster_of,
    faults_of,
    refusal_of,
    with_nodes,
)

KUBEADM = f"{UPSTREAM}nodes:\n{SERVER}"
VIP = "kube_vip: {interface: eth0, image: 'kube-vip:v0.8.0'}\n"
ONE = "{address: 10.0.0.1, role: server, primary: true}"

NETWORKS = {
    "pods without a size": (
        f"{KUBEADM}network: {{pod_cidr: 10.244.0.0}}\n",
        ["5:11: network.pod_cidr: '10.244.0.0' is not a network"],
    ),
    "pods with a host's bits": (
        f"{KUBEADM}network: {{pod_cidr: 10.244.1.0/16}}\n",
        ["5:11: network.pod_cidr: '10.244.1.0/16' has bits of a host in it"],
    ),
    "pods with a mask": (
        f"{KUBEADM}network: {{pod_cidr: 10.244.0.0/255.255.0.0}}\n",
        ["5:11: network.pod_cidr: '10.244.0.0/255.255.0.0' is not a network"],
    ),
    "pods in words": (
        f"{KUBEADM}network: {{pod_cidr: flannel}}\n",
        ["5:11: network.pod_cidr: 'flannel' is not a network"],
    ),
    "pods in IPv6": (
        f"{KUBEADM}network: {{pod_cidr: 'fd00::/48'}}\n",
        ["5:11: network.pod_cidr: 'fd00::/48' is an IPv6 network"],
    ),
    "too few addresses for pods": (
        f"{KUBEADM}network: {{pod_cidr: 10.244.0.0/25}}\n",
        ["5:11: network.pod_cidr: '10.244.0.0/25' is too small"],
    ),
    "too many addresses for pods": (
        f"{KUBEADM}network: {{pod_cidr: 128.0.0.0/1}}\n",
        ["5:11: network.pod_cidr: '128.0.0.0/1' is too large"],
    ),
    "too few addresses for services": (
        f"{KUBEADM}network: {{service_cidr: 10.96.0.0/29}}\n",
        ["5:11: network.service_cidr: '10.96.0.0/29' is too small"],
    ),
    "too many addresses for services": (
        f"{KUBEADM}network: {{service_cidr: 10.0.0.0/8}}\n",
        ["5:11: network.service_cidr: '10.0.0.0/8' is too large"],
    ),
    "services as a list": (
        f"{KUBEADM}network: {{service_cidr: [10.96.0.0/16]}}\n",
        ["5:11: network.service_cidr: expected text, found a list"],
    ),
    "services inside the pods' network": (
        f"{KUBEADM}network:\n  pod_cidr: 10.32.0.0/11\n  service_cidr: 10.33.0.0/16\n",
        ["7:3: network.service_cidr: '10.33.0.0/16' overlaps the network of pods, 10.32.0.0/11 in line 6"],
    ),
    "pods over the default of services": (
        f"{KUBEADM}network: {{pod_cidr: 10.96.0.0/12}}\n",
        ["5:11: network.pod_cidr: '10.96.0.0/12' overlaps the network of services, 10.96.0.0/16 by default"],
    ),
    "a node in the pods' network": (
        with_nodes("{address: 10.244.0.5, role: server}", head=UPSTREAM),
        ["4:6: nodes[0].address: '10.244.0.5' lies in the network of pods, 10.244.0.0/16 by default"],
    ),
    "a node in the services' network": (
        f"network: {{service_cidr: 10.0.0.0/16}}\n{KUBEADM}",
        ["5:6: nodes[0].address: '10.0.0.1' lies in the network of services, 10.0.0.0/16 in line 1"],
    ),
    "a node_ip in the pods' network": (
        with_nodes("{address: a, node_ip: 10.244.0.5, role: server}", head=UPSTREAM),
        ["4:18: nodes[0].node_ip: '10.244.0.5' lies in the network of pods, 10.244.0.0/16 by default"],
    ),
    "the endpoint in the services' network": (
        f"{KUBEADM}endpoint: 10.96.0.1\n",
        ["5:1: endpoint: '10.96.0.1' lies in the network of services, 10.96.0.0/16 by default"],
    ),
    "more nodes than networks for pods": (
        with_nodes(
            *(f"{{address: 10.0.0.{i}, role: server}}" for i in (1, 2, 3)),
            head=f"{UPSTREAM}network: {{pod_cidr: 10.244.0.0/23}}\n",
        ),
        ["3:11: network.pod_cidr: '10.244.0.0/23' has room for 2 nodes, and there are 3"],
    ),
    "a domain in capitals": (
        f"{KUBEADM}network: {{dns_domain: Cluster.Local.}}\n",
        ["5:11: network.dns_domain: 'Cluster.Local.' is not a DNS domain"],
    ),
    "a domain that is a command": (
        f"{KUBEADM}network: {{dns_domain: '$(reboot)'}}\n",
        ["5:11: network.dns_domain: '$(reboot)' is not a DNS domain"],
    ),
    "a network plugin by name": (
        f"{KUBEADM}network: {{cni: calico}}\n",
        ["5:11: network.cni: expected one of bridge, none, found 'calico'"],
    ),
    "a misspelt key of the network": (
        f"{KUBEADM}network: {{pod_cdir: 10.244.0.0/16}}\n",
        ["5:11: network.pod_cdir: the key 'pod_cdir' is not known"],
    ),
}

ADDRESSES = {
    "a name where an IP belongs": (
        with_nodes("{address: a, node_ip: a.example, role: server}"),
        ["4:18: nodes[0].node_ip: 'a.example' is not an IP address"],
    ),
    "no host's address": (
        with_nodes("{address: a, node_ip: 0.0.0.0, role: server}"),
        ["4:18: nodes[0].node_ip: '0.0.0.0' is not the address of one host"],
    ),
    "one node_ip twice": (
        with_nodes(
            "{address: a, node_ip: 10.0.0.1, role: server}", "{address: b, node_ip: 10.0.0.1, role: agent}"
        ),
        ["5:18: nodes[1].node_ip: '10.0.0.1' is the node_ip of nodes[0] too, in line 4"],
    ),
    "a node_ip that is another node's address": (
        with_nodes(ONE, "{address: b, node_ip: 10.0.0.1, role: agent}"),
        ["5:18: nodes[1].node_ip: '10.0.0.1' is the address of nodes[0] too, in line 4"],
    ),
    "kube_vip with nothing to hold": (
        f"{KUBEADM}{VIP}",
        ["5:1: kube_vip: there is no `endpoint` for it to hold"],
    ),
    "kube_vip with a name to hold": (
        f"{KUBEADM}endpoint: k8s.example.org\n{VIP}",
        ["5:1: endpoint: 'k8s.example.org' is a name: kube_vip holds an address"],
    ),
    "kube_vip with a server's own address": (
        f"{KUBEADM}endpoint: 10.0.0.1\n{VIP}",
        ["5:1: endpoint: '10.0.0.1' is the address of nodes[0] in line 4"],
    ),
    "kube_vip with a node's inner address": (
        with_nodes("{address: a, node_ip: 10.0.0.2, role: server}", head=UPSTREAM)
        + f"endpoint: 10.0.0.2\n{VIP}",
        ["5:1: endpoint: '10.0.0.2' is the address of nodes[0] in line 4"],
    ),
    "kube_vip without its keys": (
        f"{KUBEADM}endpoint: 10.0.0.9\nkube_vip: {{}}\n",
        [
            "6:1: kube_vip: the key 'interface' is missing",
            "6:1: kube_vip: the key 'image' is missing",
        ],
    ),
    "an interface that is an option": (
        f"{KUBEADM}endpoint: 10.0.0.9\n{VIP.replace('eth0', '--eth0')}",
        ["6:12: kube_vip.interface: '--eth0' is not the name of a network interface"],
    ),
    "an interface with too long a name": (
        f"{KUBEADM}endpoint: 10.0.0.9\n{VIP.replace('eth0', 'e' * 16)}",
        [f"6:12: kube_vip.interface: '{'e' * 16}' is not the name of a network interface"],
    ),
    "kube-vip in no version": (
        f"{KUBEADM}endpoint: 10.0.0.9\n{VIP.replace(':v0.8.0', '')}",
        ["6:29: kube_vip.image: 'kube-vip' says no version"],
    ),
}

OTHERS = {
    "an image's name in capitals": (
        f"{SOUND}smoke_image: Registry/BusyBox:1.35\n",
        ["5:1: smoke_image: 'Registry/BusyBox:1.35' is not the name of an image"],
    ),
    "an image without a tag": (
        f"{SOUND}smoke_image: registry.local:5000/busybox\n",
        ["5:1: smoke_image: 'registry.local:5000/busybox' says no version"],
    ),
    "an image that is a URL": (
        f"{SOUND}smoke_image: https://registry.local/busybox:1\n",
        ["5:1: smoke_image: 'https://registry.local/busybox:1' is not the name of an image"],
    ),
    "something else to do about swap": (
        f"{KUBEADM}swap: off\n",
        ["5:1: swap: expected one of allow, disable, refuse, found 'off'"],
    ),
    "a yes": (
        f"{KUBEADM}hosts_entries: yes\n",
        ["5:1: hosts_entries: expected true or false, found 'yes'"],
    ),
    "an empty path of a manifest": (
        f"{KUBEADM}manifests: ['']\n",
        ["5:13: manifests[0]: '' is not a path"],
    ),
    "one manifest without its dash": (
        f"{KUBEADM}manifests: a.yaml\n",
        ["5:1: manifests: expected a list, found 'a.yaml'"],
    ),
    "a check's name that is none": (
        f"{KUBEADM}checks: {{waive: [swap, 'all checks']}}\n",
        ["5:24: checks.waive[1]: 'all checks' is not the name of a check"],
    ),
    "checks without a verb": (
        f"{KUBEADM}checks: [swap]\n",
        ["5:1: checks: expected a mapping, found a list"],
    ),
}

VERSIONS = {
    "1.20.2": ("'1.20.2' is not a release of Kubernetes", 'it begins with v: "v1.20.2"'),
    "v1.20": ("'v1.20' is not a release of Kubernetes", 'write the whole release, such as "v1.20.0"'),
    "1.30": ("'1.30' is not a release of Kubernetes", 'write the whole release, such as "v1.30.0"'),
    "v1.20.2+rke2r1": (
        "'v1.20.2+rke2r1' is not a release of Kubernetes",
        'Kubernetes\' own release has no such ending: "v1.20.2"',
    ),
    "v1.31.0-rc.1": (
        "'v1.31.0-rc.1' is not a release of Kubernetes",
        'Kubernetes\' own release has no such ending: "v1.31.0"',
    ),
    "v1.020.2": ("'v1.020.2' is not a release of Kubernetes", 'such as "v1.28.3"'),
    "stable": ("'stable' is not a release of Kubernetes", 'such as "v1.28.3"'),
    "v1.20.2; reboot": ("'v1.20.2; reboot' is not a release of Kubernetes", 'such as "v1.28.3"'),
    "v1.19.16": (
        "'v1.19.16' is older than what this mk8s installs",
        "it installs v1.20 to v1.36",
    ),
    "v1.37.0": (
        "'v1.37.0' is newer than what this mk8s installs",
        "it installs v1.20 to v1.36",
    ),
}

TABLE = {**NETWORKS, **ADDRESSES, **OTHERS}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE)
def test_a_mistake_is_told_with_its_place_and_the_offending_text(text: str, expected: list[str]) -> None:
    """Exactly these faults: one mistake is told once."""
    assert faults_of(text) == expected


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_of_kubeadm_and_vanilla_is_kubernetes_own(distro: str, version: str) -> None:
    """The whole release, because it stands in file names and is compared with what nodes report."""
    message, hint = VERSIONS[version]

    (fault,) = refusal_of(f"distro: {distro}\nversion: {version}\nnodes:\n{SERVER}").faults

    assert (fault.line, fault.column, fault.path) == (2, 1, "version")
    assert (fault.message, fault.hint) == (message, hint)


@pytest.mark.parametrize("version", ["v1.20.2", "v1.24.17", "v1.36.0"])
def test_a_version_of_kubernetes_is_taken_as_it_stands(version: str) -> None:
    """From v1.20 to v1.36."""
    assert cluster_of(KUBEADM.replace("v1.20.2", version)).version == version


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (f"{KUBEADM}network: {{pod_cidr: 10.244.0.0}}\n", "with its size, such as 10.244.0.0/16"),
        (f"{KUBEADM}network: {{pod_cidr: 10.244.1.0/16}}\n", "did you mean '10.244.0.0/16'?"),
        (f"{KUBEADM}network: {{pod_cidr: 10.0.0.0/255.0.0.0}}\n", "did you mean '10.0.0.0/8'?"),
        (f"{KUBEADM}network: {{pod_cidr: x}}\n", "an address and a size, such as 10.244.0.0/16"),
        (
            f"{KUBEADM}network: {{pod_cidr: 'fd00::/48'}}\n",
            "clusters are IPv4 inside for now: such as 10.244.0.0/16",
        ),
        (f"{KUBEADM}network: {{pod_cidr: 10.244.0.0/25}}\n", "from /8 to /24: every node gets a /24 of it"),
        (
            f"{KUBEADM}network: {{service_cidr: 10.0.0.0/8}}\n",
            "from /12 to /28: the API server takes no larger one",
        ),
        (f"{KUBEADM}network: {{dns_domain: Cluster.Local.}}\n", "did you mean 'cluster.local'?"),
        (
            f"{KUBEADM}endpoint: 10.244.0.1\n",
            "give `network.pod_cidr` addresses that nothing else has",
        ),
        (
            with_nodes(
                *(f"{{address: 10.0.0.{i}, role: server}}" for i in range(1, 6)),
                head=f"{UPSTREAM}network: {{pod_cidr: 10.244.0.0/24}}\n",
            ),
            "every node gets a /24 of it: a /21 is enough",
        ),
        (f"{KUBEADM}{VIP}", "give `endpoint` an address of the nodes' network that no machine has"),
        (f"{SOUND}smoke_image: busybox\n", "add the tag that the release carries, such as :1.35"),
        (f"{SOUND}smoke_image: BusyBox:1\n", "an image's name has small letters only"),
        (
            f"{SOUND}checks: {{waive: [Swap]}}\n",
            "small letters, digits and -; `mk8s preflight` prints each check's name",
        ),
    ],
)
def test_a_hint_says_what_to_do(text: str, hint: str) -> None:
    """The usual slips are known by name."""
    assert refusal_of(text).faults[0].hint == hint


def test_a_network_is_not_compared_where_the_distro_has_its_own() -> None:
    """RKE2 takes its networks from its own config; the defaults here are not its."""
    assert cluster_of(with_nodes("{address: 10.244.0.5, role: server}")).net == Network()


def test_only_the_address_inside_the_cluster_must_lie_outside_the_networks() -> None:
    """mk8s may reach a node by an address that the nodes never see."""
    text = with_nodes("{address: 10.244.0.5, node_ip: 192.168.0.5, role: server}", head=UPSTREAM)

    assert cluster_of(text).primary.ip == "192.168.0.5"


def test_a_node_may_say_its_address_twice() -> None:
    """`node_ip` and `address` of one node are no two machines."""
    text = with_nodes("{address: 10.0.0.1, node_ip: 10.0.0.1, role: server}")

    assert cluster_of(text).primary.node_ip == "10.0.0.1"


def test_room_for_nodes_is_the_users_matter_without_the_built_in_network() -> None:
    """Other networks divide the addresses in their own way."""
    head = f"{UPSTREAM}network: {{pod_cidr: 10.244.0.0/24, cni: none}}\n"
    nodes = [f"{{address: 10.0.0.{i}, role: server}}" for i in (1, 2, 3)]

    assert len(cluster_of(with_nodes(*nodes, head=head)).nodes) == 3


def test_more_nodes_than_the_default_holds_are_told_at_the_networks_key() -> None:
    """There is no line of it, so the file's first is named."""
    nodes = [f"{{address: 10.{i >> 8}.{i & 255}.1, role: server}}" for i in range(257)]

    assert faults_of(with_nodes(*nodes, head=UPSTREAM)) == [
        "1:1: network.pod_cidr: '10.244.0.0/16' has room for 256 nodes, and there are 257"
    ]


@pytest.mark.parametrize(
    "image",
    [
        "busybox:1.35",
        "registry.local/busybox:1.35",
        "registry.local:5000/a/b__c/d-e:v1.0_x",
        f"ghcr.io/kube-vip/kube-vip@sha256:{'0' * 64}",
        "127.0.0.1/Busybox".lower() + ":1",
    ],
)
def test_an_image_has_a_name_and_a_version(image: str) -> None:
    """With or without a registry; a digest is a version too."""
    assert cluster_of(f"{SOUND}smoke_image: '{image}'\n").smoke_image == image
