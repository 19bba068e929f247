"""Clusters, nodes and manifests that several tests use."""

from __future__ import annotations

from pathlib import Path

from mk8s.cluster import Cluster, Login, Node, Role
from mk8s.standin import build_release

__all__ = ["beside_release", "cluster", "node"]


def node(name: str, role: Role = "agent", address: str = "") -> Node:
    """A node with defaults that no test cares about."""
    return Node(
        name=name, role=role, address=address or f"{name}.example", arch="amd64", login=Login(user="ops")
    )


def cluster(
    *nodes: Node, artifacts_dir: Path = Path("/nowhere"), servers: int = 3, agents: int = 3
) -> Cluster:
    """A cluster of these nodes, or of so many servers and agents."""
    made = nodes or (
        node("srv-1", "primary", "10.0.0.1"),
        *(node(f"srv-{i}", "server", f"10.0.0.{i}") for i in range(2, servers + 1)),
        *(node(f"agent-{i}", "agent", f"10.0.1.{i}") for i in range(1, agents + 1)),
    )
    return Cluster(
        name="test",
        distro="rke2",
        version="v1.33.4+rke2r1",
        airgap=True,
        nodes=made,
        artifacts={},
        artifacts_dir=artifacts_dir,
    )


def beside_release(folder: Path, text: str) -> Path:
    """A manifest with the stand-in's release beside it."""
    build_release(folder / "release", images_size=1 << 16)
    path = folder / "cluster.yaml"
    path.write_text(text)
    return path
