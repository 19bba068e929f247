"""A release of real Kubernetes, fetched with `mk8s download` as from the internet."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mk8s.images import image_names
from mk8s.lab.real.recipe import VERSION
from mk8s.project import load_listing
from tests.e2e.driving import MK8S, Driver, wait_until
from tests.e2e.labs import LabMaker
from tests.e2e.real_clusters import RealCluster, manifest_of
from tests.e2e.real_upstream import IMAGES, Upstream, real_upstream
from transports.base import digest_of_file

pytestmark = [pytest.mark.e2e, pytest.mark.real, pytest.mark.timeout(1800)]

MANIFEST = """
distro: {distro}
version: {version}
smoke_image: registry.local/busybox:1.35
nodes:
  - {{address: 10.0.0.1, role: server}}
"""


def fetched(folder: Path) -> str:
    """What `mk8s download` says."""
    done = subprocess.run(
        [*MK8S, "download", "cluster.yaml"], cwd=folder, capture_output=True, text=True, timeout=900,
        check=False, env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "TERM": "dumb"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


def write_manifest(folder: Path, distro: str, upstream: Upstream | None = None) -> Path:
    path = folder / "cluster.yaml"
    text = MANIFEST.format(distro=distro, version=VERSION)
    path.write_text(text + (upstream.mirrors if upstream else ""))
    return path


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla"])
def test_the_release_is_fetched_whole_and_once(
    distro: str, real_release: dict[str, Path], tmp_path: Path
) -> None:
    """The same files; the archive of images put together anew; the second time nothing is transferred."""
    cluster = load_listing(write_manifest(tmp_path, distro)).cluster
    release = real_release[distro]
    with real_upstream(tmp_path / "upstream", release, cluster) as upstream:
        write_manifest(tmp_path, distro, upstream)
        said = fetched(tmp_path)
        upstream.images.requests.clear()
        again = fetched(tmp_path)
    assert f"made    {IMAGES}" in said
    assert "kubeadm was not asked" not in said
    assert {line.split()[0] for line in again.splitlines()} & {"fetched", "made", "cached"} == set()
    assert upstream.images.requests == []
    files = {path.name for path in cluster.artifacts_dir.iterdir() if not path.name.startswith(".")}
    assert files == {path.name for path in release.iterdir()} - {"README.txt"}
    same = {
        name
        for name in files
        if digest_of_file(cluster.artifacts_dir / name) == digest_of_file(release / name)
    }
    assert files - same == {IMAGES, "SHA256SUMS"}
    assert set(image_names(cluster.artifacts_dir / IMAGES) or ()) == set(image_names(release / IMAGES) or ())


def test_a_run_in_an_air_gap_fetches_from_the_manifests_mirrors(
    lab: LabMaker, real_release: dict[str, Path], tmp_path: Path
) -> None:
    """Files, hashes and images: nothing is here before. The node's images are those of the archive."""
    distro = "vanilla"  # kubeadm's way from such a server is test_real_airgap.py
    hosts = lab.fresh(1)
    manifest = tmp_path / "cluster.yaml"
    text = manifest_of(hosts, distro, tmp_path / "artifacts", servers=1, nodes=1)
    manifest.write_text(text)
    cluster = load_listing(manifest).cluster
    assert cluster.airgap
    with real_upstream(tmp_path / "upstream", real_release[distro], cluster) as upstream:
        manifest.write_text(text + upstream.mirrors)
        driver = Driver(hosts, manifest, {"XDG_CACHE_HOME": str(tmp_path / "cache")})
        done = driver.run("--output", "plain")
    assert done.code == 0, done.err
    wait_until(lambda: list(RealCluster(driver, 1).ready().values()) == [True], "the node is Ready")
    there = driver.on_host(1, "/usr/local/bin/ctr -n k8s.io images ls -q").split()
    assert set(image_names(cluster.artifacts_dir / IMAGES) or ("unreadable",)) <= set(there)
