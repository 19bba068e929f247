"""RKE2's other modes on real hosts, with its stand-in: one server with all of them, agents alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.distro_runs import nothing_changes, whole
from tests.e2e.driving import Driver, drive
from tests.e2e.labs import LabMaker

pytestmark = pytest.mark.e2e

DATA = "/var/lib/rancher"
TOKEN = "cat /var/lib/rancher/rke2/server/token"
NODE = "/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml get node {} -o json"
MODES = """\
control_plane: tainted
proxy: {http: "http://proxy.example.org:3128", no_proxy: [.example.org]}
drop_ins: {servers: {90-site.yaml: "etcd-expose-metrics: true\\n"}}
manifests: [./team.yaml]
network: {pod_cidr: 10.52.0.0/16, service_cidr: 10.53.0.0/16}
"""
TEAM = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n"


@pytest.fixture(scope="module")
def one(lab: LabMaker, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """One server in every mode that one server can have; a second host stands ready."""
    driver = drive(lab.fresh(3), tmp_path_factory.mktemp("one"), release)
    head, *nodes = driver.manifest.read_text().split("  - address:")
    driver.manifest.write_text(f"{head}  - address:{nodes[0]}")
    driver.add(MODES)
    driver.edit(r"^    primary: true$", "    primary: true\n    labels: {example.org/rack: r2}")
    (driver.manifest.parent / "team.yaml").write_text(TEAM)
    whole(driver, driver.run())
    return driver


def test_one_server_is_a_whole_cluster(one: Driver) -> None:
    """And a second run changes nothing on it."""
    assert one.events(1).count("cluster-init") == 1
    nothing_changes(one, DATA, "rke2-server")


def test_every_mode_is_on_the_host(one: Driver) -> None:
    """Where RKE2 reads it."""
    config = one.on_host(1, "cat /etc/rancher/rke2/config.yaml")
    assert "example.org/rack=r2" in config
    assert "10.52.0.0/16" in config
    assert "etcd-expose-metrics: true" in one.on_host(1, "cat /etc/rancher/rke2/config.yaml.d/90-site.yaml")
    assert "name: team" in one.on_host(1, "cat /var/lib/rancher/rke2/server/manifests/*team*")
    environment = one.on_host(1, "systemctl show -p Environment -p EnvironmentFiles rke2-server; "
                                 "cat /etc/default/rke2-server 2>/dev/null || true")  # fmt: skip
    assert "http://proxy.example.org:3128" in environment
    assert "10.53.0.0/16" in environment


def test_the_node_registered_with_its_labels_and_taints(one: Driver) -> None:
    """By the API's own word."""
    node = one.on_host(1, NODE.format(one.lab.hosts[0].name))
    assert "example.org/rack" in node
    assert "node-role.kubernetes.io/control-plane" in node


def agents(one: Driver, folder: Path, release: Path, i: int, extra: str = "") -> Driver:
    """A manifest with host `i` alone, as an agent of the cluster that `one` made."""
    alone = Driver(one.lab, folder / "agents.yaml")
    head, *nodes = drive(one.lab, folder, release).manifest.read_text().split("  - address:")
    node = nodes[i - 1].replace("role: server", "role: agent").replace("    primary: true\n", "")
    join = f"join: {{address: {one.lab.hosts[0].address}, token_env: TOKEN}}\n"
    alone.manifest.write_text(head.replace("nodes:\n", f"{extra}{join}nodes:\n  - address:{node}"))
    return alone


def test_an_agent_joins_a_control_plane_of_somebody_else(one: Driver, release: Path, tmp_path: Path) -> None:
    """The servers are never asked; a wrong token is told, and the right one mends it."""
    alone = agents(one, tmp_path, release, 2)

    wrong = alone.run(env={"TOKEN": "not-the-token"})
    done = alone.run(env={"TOKEN": one.on_host(1, TOKEN).strip()})

    assert wrong.code == 1
    assert "token" in wrong.err
    whole(alone, done)


def test_a_preinstalled_host_is_checked_and_sent_nothing(one: Driver, release: Path, tmp_path: Path) -> None:
    """The third host has the release from its own image: mk8s finds it there, in the right version."""
    alone = agents(one, tmp_path, release, 3, "artifacts_mode: preinstalled\n")

    absent = alone.run(env={"TOKEN": one.on_host(1, TOKEN).strip()})
    one.on_host(3, "systemctl status ssh >/dev/null; true")
    put_release(one, release, 3)
    done = alone.run(env={"TOKEN": one.on_host(1, TOKEN).strip()})

    assert absent.code == 1
    assert "rke2" in absent.err
    whole(alone, done)
    assert alone.on_host(3, "find /var/lib/mk8s/artifacts -type f 2>/dev/null | wc -l").strip() == "0"


def put_release(driver: Driver, release: Path, i: int) -> None:
    """As an image builder does: the tarball unpacked, the images in their place."""
    for file in release.iterdir():
        if file.name.endswith((".tar.gz", ".tar.zst")):
            driver.put_on_host(i, file, f"/root/{file.name}")
    driver.on_host(
        i,
        "mkdir -p /var/lib/rancher/rke2/agent/images && tar xzof /root/rke2.linux-*.tar.gz -C /usr/local && "
        "mv /root/rke2-images.* /var/lib/rancher/rke2/agent/images/ && systemctl daemon-reload",
    )


def test_the_same_manifest_for_k3s_says_which_keys_mean_nothing_there(one: Driver) -> None:
    """Only `distro:` and `version:` are changed."""
    text = one.manifest.read_text().replace("distro: rke2", "distro: k3s")
    other = one.manifest.parent / "k3s.yaml"
    other.write_text(
        text.replace("v1.33.4+rke2r1", "v1.33.4+k3s1").replace("config: |", "config: |\n      cni: canal")
    )

    refused = one.mk8s("validate", str(other))

    assert refused.code == 2
    assert "cni" in refused.err
    assert "flannel-backend" in refused.err
