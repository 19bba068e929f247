"""Manifests for tests: a sound one to change, and ways to read a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.cluster import Cluster
from mk8s.errors import ManifestError
from mk8s.manifest import LoadedCluster, load_cluster_text

HEAD = "distro: rke2\nversion: v1.28.3+rke2r2\n"
SERVER = "  - {address: 10.0.0.1, role: server, primary: true}\n"
UPSTREAM = "distro: kubeadm\nversion: v1.20.2\n"
SOUND = f"{HEAD}nodes:\n{SERVER}"
EVERY_DISTRO = ["k0s", "k3s", "kubeadm", "rke2", "vanilla"]
PLACE = Path("/srv/clusters/my.yaml")


def loaded(text: str, place: Path = PLACE) -> LoadedCluster:
    """A manifest read as if it stood at `place`, by a person called anna."""
    return load_cluster_text(text, place, home=Path("/home/anna"), operator="anna", distros=EVERY_DISTRO)


def cluster_of(text: str) -> Cluster:
    return loaded(text).cluster


def refusal_of(text: str) -> ManifestError:
    """What reading this text is refused with."""
    with pytest.raises(ManifestError) as refused:
        loaded(text, Path("my.yaml"))
    return refused.value


def faults_of(text: str) -> list[str]:
    """Every fault as a user reads it, but for hints."""
    return [str(fault).split("\n")[0].removeprefix("my.yaml:") for fault in refusal_of(text).faults]


def with_nodes(*nodes: str, head: str = HEAD) -> str:
    return f"{head}nodes:\n" + "".join(f"  - {node}\n" for node in nodes)
