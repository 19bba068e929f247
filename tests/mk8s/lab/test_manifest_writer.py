"""The manifest that `up` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mk8s.lab.addresses import LabHost
from mk8s.lab.errors import UnfitError
from mk8s.lab.manifest_writer import (
    DEFAULT_VERSIONS,
    MARK,
    ManifestChoices,
    machine_swaps,
    manifest_text,
    refuse_foreign,
    servers_of,
    write,
)
from mk8s.manifest import load_cluster_text

KEY, KNOWN = Path("/labs/lab/id_ed25519"), Path("/labs/lab/known_hosts")


def hosts(count: int) -> list[LabHost]:
    return [LabHost(number, f"node-{number}", f"10.77.0.{10 + number}") for number in range(1, count + 1)]


def manifest(count: int, choices: ManifestChoices | None = None, key: Path = KEY) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        manifest_text(hosts(count), key, KNOWN, choices or ManifestChoices())
    )
    return loaded


def test_it_is_in_the_original_format() -> None:
    """Whole, so that nothing extra slips in."""
    assert manifest(2, ManifestChoices(artifacts=Path("/releases/x"))) == {
        "distro": "rke2",
        "version": "v1.33.4+rke2r1",
        "arch": "amd64",
        "airgap": True,
        "artifacts_dir": "/releases/x",
        "ssh": {"config": "none", "known_hosts": "/labs/lab/known_hosts"},
        "nodes": [
            {
                "address": "10.77.0.11",
                "user": "dev",
                "role": "server",
                "primary": True,
                "ssh_key_path": "/labs/lab/id_ed25519",
                "config": "node-name: node-1\n",
            },
            {
                "address": "10.77.0.12",
                "user": "dev",
                "role": "agent",
                "ssh_key_path": "/labs/lab/id_ed25519",
                "config": "node-name: node-2\n",
            },
        ],
    }


@pytest.mark.parametrize(
    ("count", "asked", "servers"), [(1, 0, 1), (4, 0, 1), (5, 0, 3), (6, 0, 3), (6, 5, 5), (3, 3, 3)]
)
def test_five_hosts_and_more_get_three_servers(count: int, asked: int, servers: int) -> None:
    """Three are the fewest that survive the loss of one; a number that is asked for wins."""
    roles = [node["role"] for node in manifest(count, ManifestChoices(servers=asked))["nodes"]]
    assert roles == ["server"] * servers + ["agent"] * (count - servers)


@pytest.mark.parametrize("asked", [-1, 4])
def test_more_servers_than_hosts_are_refused(asked: int) -> None:
    with pytest.raises(UnfitError, match="not possible"):
        servers_of(3, asked)


@pytest.mark.parametrize("folder", ["/my labs/x", "/a: b", "/a #b", '/a"b', "/ä", "/{x}"])
def test_any_path_comes_back_as_it_was(folder: str) -> None:
    """YAML would read some of them as something else."""
    key = Path(folder) / "key"
    assert manifest(1, key=key)["nodes"][0]["ssh_key_path"] == str(key)


def test_a_stand_in_is_called_one() -> None:
    """Whoever opens the file must not take it for Rancher's release."""
    choices = ManifestChoices(artifacts=Path("/releases/x"), standin=True)
    text = manifest_text(hosts(1), KEY, KNOWN, choices)
    assert "a stand-in" in text
    assert "not Rancher's" in text


@pytest.mark.parametrize(("distro", "title"), [("k3s", "K3s"), ("k0s", "k0s")])
def test_every_stand_in_is_called_what_it_is(distro: str, title: str) -> None:
    """It behaves like the distro that the manifest names, and is not that project's."""
    choices = ManifestChoices(distro=distro, artifacts=Path("/releases/x"), standin=True)
    text = manifest_text(hosts(1), KEY, KNOWN, choices)
    assert f"a stand-in: it behaves like {title}, runs no pods, and is not the {title} project's" in text


def test_k3s_gets_its_names_in_its_config_and_k0s_takes_the_hosts() -> None:
    """k0s has no such key, and its hosts are called what they are."""
    assert manifest(1, ManifestChoices(distro="k3s"))["nodes"][0]["config"] == "node-name: node-1\n"
    assert manifest(1, ManifestChoices(distro="k0s"))["nodes"][0].keys().isdisjoint({"config", "name"})


KUBERNETES = """\
# Written by `mk8s lab up`, which may overwrite it while this line is here.
distro: kubeadm
version: v1.20.2  # the one that a lab can build; --artifacts names others
arch: amd64
airgap: true
artifacts_dir: /cache/real/kubeadm  # real Kubernetes, built here from Debian's packages: for labs
smoke_image: registry.local/busybox:1.35  # in the release; `mk8s smoke` starts pods of it
swap: allow  # this machine has swap, and a lab's hosts share its memory
# The nodes register at the first server. An address that moves between the servers is better:
# endpoint: ADDRESS
# The networks inside the cluster, as they are by default:
# network: {pod_cidr: 10.244.0.0/16, service_cidr: 10.96.0.0/16}
ssh:
  config: none  # your own ssh_config says nothing about a lab's hosts
  known_hosts: /labs/lab/known_hosts
nodes:
  - address: 10.77.0.11
    name: node-1
    user: dev
    role: server
    primary: true
    ssh_key_path: /labs/lab/id_ed25519
  - address: 10.77.0.12
    name: node-2
    user: dev
    role: server
    ssh_key_path: /labs/lab/id_ed25519
"""


def test_a_manifest_for_real_kubernetes_explains_itself() -> None:
    """Whole, so that nothing extra slips in. The nodes are called as their hosts are."""
    choices = ManifestChoices(
        distro="kubeadm", servers=2, artifacts=Path("/cache/real/kubeadm"), built=True, swaps=True
    )

    assert manifest_text(hosts(2), KEY, KNOWN, choices) == KUBERNETES


@pytest.mark.parametrize("distro", DEFAULT_VERSIONS)
@pytest.mark.parametrize("subnet", ["10.77.0", "10.96.0", "10.244.7"])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_what_is_written_is_a_sound_manifest(distro: str, subnet: str, count: int) -> None:
    """Also where a lab's network is one that clusters use inside by default."""
    machines = [LabHost(i, f"node-{i}", f"{subnet}.{10 + i}") for i in range(1, count + 1)]
    choices = ManifestChoices(distro=distro, artifacts=Path("/r"), built=True, swaps=True)

    text = manifest_text(machines, KEY, KNOWN, choices)

    cluster = load_cluster_text(text, Path("/x/cluster.yaml"), distros=list(DEFAULT_VERSIONS)).cluster
    assert (cluster.distro, cluster.version) == (distro, DEFAULT_VERSIONS[distro])
    assert len(cluster.nodes) == count


def test_release_files_of_the_user_bring_their_own_image() -> None:
    """Which image is in them, nobody here knows."""
    choices = ManifestChoices(distro="vanilla", version="v1.33.4", artifacts=Path("/mine"))

    found = manifest(1, choices)

    assert (found["version"], found["artifacts_dir"]) == ("v1.33.4", "/mine")
    assert "smoke_image" not in found
    assert "swap" not in found


def test_swap_is_seen_in_the_systems_table(tmp_path: Path) -> None:
    """A table with nothing but the names of its columns means none; so does no table."""
    table = tmp_path / "swaps"
    table.write_text("Filename\tType\tSize\tUsed\tPriority\n")
    without = machine_swaps(table)
    table.write_text("Filename\tType\tSize\tUsed\tPriority\n/dev/vda2\tpartition\t1048572\t0\t-2\n")

    assert (without, machine_swaps(table), machine_swaps(tmp_path / "no")) == (False, True, False)


def test_a_file_of_its_own_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    write(path, f"{MARK}\nold")
    write(path, f"{MARK}\nnew")
    assert path.read_text() == f"{MARK}\nnew"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["distro: rke2\n", "", f"# mine\n{MARK}\n"])
def test_a_file_of_somebody_else_is_never_overwritten(tmp_path: Path, content: str) -> None:
    """The message names the way out."""
    path = tmp_path / "cluster.yaml"
    path.write_text(content)
    with pytest.raises(UnfitError, match="was not written by `mk8s lab`") as caught:
        write(path, f"{MARK}\nnew")
    assert "--manifest" in caught.value.remedy
    assert path.read_text() == content


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match="cannot be read"):
        refuse_foreign(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match="cannot be written"):
        write(tmp_path / "no" / "cluster.yaml", MARK)
