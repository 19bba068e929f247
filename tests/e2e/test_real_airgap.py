"""Real Kubernetes over an air gap: fetched file by file as upstream publishes it, its images from a registry.

The server and the registry are on this machine and hold the real test release; kubeadm itself says which
images it wants, and mk8s puts the archive together. In a place without a way out they become a cluster.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mk8s.images import image_names
from mk8s.project import load_listing
from tests.e2e.bunker import bunker, watched
from tests.e2e.driving import MK8S
from tests.e2e.labs import LabMaker
from tests.e2e.real_clusters import HEALTHY, IMAGE, manifest_of
from tests.e2e.real_upstream import real_upstream

# The cluster's own networks, by default. With cni bridge a pod's packets go to its node as they are; those to
# a service take the default route until the node's kube-proxy has rules for it, which is not at once.
OWN = ("10.244.0.0/16", "10.96.0.0/16")

pytestmark = [pytest.mark.e2e, pytest.mark.real, pytest.mark.timeout(1800)]


def test_a_cluster_from_upstreams_files_and_a_registrys_images(
    lab: LabMaker, real_release: dict[str, Path], tmp_path: Path
) -> None:
    """kubeadm, a server and a worker: fetched, bundled, carried, run; smoke passes and no packet leaves."""
    hosts = lab.fresh(2)
    connected, inside = tmp_path / "connected", tmp_path / "inside"
    connected.mkdir()
    manifest = connected / "cluster.yaml"
    text = manifest_of(hosts, "kubeadm", Path("artifacts"), servers=1, nodes=2)
    manifest.write_text(text)
    cluster = load_listing(manifest).cluster
    with real_upstream(tmp_path / "upstream", real_release["kubeadm"], cluster) as upstream:
        manifest.write_text(f"images: ['{IMAGE}']\n{text}{upstream.mirrors}")
        _mk8s(connected, "download", "cluster.yaml")
        _mk8s(connected, "bundle", "create", "cluster.yaml", "-o", "../real.mk8s.tar")
    assert IMAGE in (image_names(connected / "artifacts/images-linux-amd64.tar") or ())
    shutil.rmtree(connected)
    shutil.rmtree(tmp_path / "upstream")

    inside.mkdir()
    subprocess.run(["tar", "-xf", str(tmp_path / "real.mk8s.tar"), "-C", str(inside), "mk8s"], check=True)
    program = str(inside / "mk8s" / "mk8s")
    with bunker(hosts) as place, watched(hosts, *OWN) as watch:
        unpacked = place.run(program, "bundle", "unpack", str(tmp_path / "real.mk8s.tar"), str(inside))
        assert unpacked.returncode == 0, unpacked.stderr
        for verb, *options in (["run"], ["smoke"], ["health", "--wait", HEALTHY]):  # DNS takes its time
            done = place.run(program, verb, "cluster.yaml", *options, cwd=inside, timeout=1200)
            assert done.returncode == 0, done.stdout + done.stderr
        assert (watch.count, watch.seen) == (0, [])


def _mk8s(folder: Path, *words: str) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache"), "TERM": "dumb"}
    done = subprocess.run(
        [*MK8S, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
