"""A real node that fetches an image through the manifest's `registries`: mirror, login and all.

The image is in no archive. The mirror wants a password, and it is the only host that the node can ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.driving import Driver, wait_until
from tests.e2e.labs import LabMaker
from tests.e2e.real_clusters import RealCluster, manifest_of
from tests.registryd import RegistryServer, load_archive

pytestmark = [pytest.mark.e2e, pytest.mark.real, pytest.mark.timeout(1800)]

PASSWORD = 'quite"secret\\word'
POD = """
apiVersion: v1
kind: Pod
metadata: {name: fetched}
spec:
  containers:
  - {name: it, image: "shop/busybox:1.35", imagePullPolicy: Always, command: [sleep, "3600"]}
"""
REGISTRIES = """\
components: {{containerd: 1.6.20}}
manifests: [pod.yaml]
registries:
  mirrors:
    docker.io: {{endpoints: ["{url}"]}}
  access:
    {host}: {{username: puller, password_env: MIRROR_PASSWORD}}
"""


@pytest.fixture
def mirror(lab: LabMaker, real_release: dict[str, Path]) -> Iterator[tuple[RealCluster, RegistryServer]]:
    """A cluster of one host, whose registry is this machine."""
    hosts = lab.fresh(1)
    store = load_archive(real_release["vanilla"] / "images-linux-amd64.tar")
    address = str(hosts.layout.gateway)
    with RegistryServer(store, tokens=True, login=("puller", PASSWORD), address=address) as server:
        folder = hosts.key.parent / "with-registries"
        folder.mkdir()
        text = manifest_of(hosts, "vanilla", real_release["vanilla"], servers=1, nodes=1)
        (folder / "cluster.yaml").write_text(text + REGISTRIES.format(url=server.url, host=server.host))
        (folder / "pod.yaml").write_text(POD)
        yield RealCluster(Driver(hosts, folder / "cluster.yaml"), 1), server


def test_a_pod_gets_its_image_from_the_mirror(mirror: tuple[RealCluster, RegistryServer]) -> None:
    """Under its own name; the password is on the node, for root alone, and nowhere else."""
    cluster, server = mirror
    without = cluster.driver.run("--output", "plain")
    assert without.code == 2
    assert "MIRROR_PASSWORD is not set" in without.err

    done = cluster.driver.run("--output", "plain", env={"MIRROR_PASSWORD": PASSWORD})

    assert done.code == 0, done.err
    wait_until(lambda: "Running" in cluster.kubectl("get pod fetched"), "the pod runs", 300.0)
    assert server.asked("/v2/shop/busybox/manifests/1.35")
    modes = cluster.driver.on_host(1, "stat -c %a /etc/containerd/config.toml /etc/mk8s/containerd-1.toml")
    assert modes.split() == ["600", "600"]
    kept = [path for path in cluster.driver.manifest.parent.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"quite" in path.read_bytes()]
    assert "quite" not in done.out + done.err
