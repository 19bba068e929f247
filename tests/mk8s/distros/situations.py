"""Clusters, situations and answers for the tests of distros."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import yaml

from mk8s.cluster import ArtifactSource, Cluster, Login, Node, Role
from mk8s.distros.base import Distro, Situation
from mk8s.facts import Facts
from mk8s.steps import Run, Step, WaitFor
from transports.base import Command, File, Outcome

__all__ = [
    "TOKEN",
    "commands_of",
    "make_cluster",
    "make_node",
    "node_json",
    "outcome",
    "release_of",
    "situation",
]

TOKEN = "join-secret"
VERSION = "v1.33.4+rke2r1"


def make_node(
    name: str,
    role: Role,
    address: str,
    config: Mapping[str, Any] | str = "",
    arch: Literal["amd64", "arm64"] = "amd64",
) -> Node:
    """A node; a config in text is parsed as the manifest's reader does."""
    text = config if isinstance(config, str) else ""
    parsed = yaml.safe_load(text) if text else config or {}
    return Node(
        name,
        role,
        address,
        arch,
        Login("ops"),
        parsed if isinstance(parsed, dict) else {},
        text,
    )


def make_cluster(
    *nodes: Node, version: str = VERSION, artifacts: Mapping[str, ArtifactSource] | None = None, **more: Any
) -> Cluster:
    """A cluster of these nodes, or of two servers and an agent."""
    made = nodes or (
        make_node("srv-1", "primary", "10.0.0.11"),
        make_node("srv-2", "server", "10.0.0.12"),
        make_node("agent-1", "agent", "10.0.0.21"),
    )
    return Cluster(
        name="test",
        distro="rke2",
        version=version,
        airgap=True,
        nodes=made,
        artifacts=artifacts or {},
        artifacts_dir=Path("/release"),
        **more,
    )


def release_of(cluster: Cluster, distro: Distro) -> dict[str, File]:
    """Every file that the driver asks for, with a hash made from its name."""
    return {
        item.id: File(
            cluster.artifacts_dir / item.file, len(item.file), hashlib.sha256(item.file.encode()).hexdigest()
        )
        for item in distro.artifacts(cluster)
    }


FACTS = Facts(
    hostname="Host-1", arch="amd64", kernel="6.1.0", os_id="debian", os_version="12", boot_id="b",
    machine_id="m", uid=0, free=1 << 40, memory=1 << 33, systemd=True, selinux="disabled",
    usr_local="writable",
)  # fmt: skip


def situation(
    cluster: Cluster, node: Node, distro: Distro, *, hostname: str = "", usr_local: str = "writable"
) -> Situation:
    """A node that was looked at, with the whole release here."""
    facts = replace(FACTS, hostname=hostname or node.name, usr_local=usr_local)
    return Situation(cluster, node, facts, release_of(cluster, distro), TOKEN)


def commands_of(distro: Distro, s: Situation, steps: Iterable[Step]) -> Iterator[Command]:
    """Whatever is sent to a node in this situation: lookups, the commands of these steps, questions."""
    yield from (lookup.command for lookup in distro.lookups(s))
    for step in steps:
        if isinstance(step, Run | WaitFor):
            yield step.command
        if isinstance(step, Run) and step.check:
            yield step.check
    yield from (question.command for question in (*distro.has_joined(s), *distro.is_healthy(s)))


def outcome(stdout: str = "", stderr: str = "", status: int = 0) -> Outcome:
    return Outcome(status=status, stdout=stdout.encode(), stderr=stderr.encode())


def node_json(
    name: str = "srv-1",
    *,
    ready: str = "True",
    labels: tuple[str, ...] = (),
    voter: str = "",
    version: str = VERSION,
) -> dict[str, Any]:
    """A Node as kubectl prints it, with more in it than anybody reads."""
    conditions = [{"type": "MemoryPressure", "status": "False"}]
    if ready:
        conditions.append({"type": "Ready", "status": ready, "message": "cni plugin not initialized"})
    if voter:
        conditions.append({"type": "EtcdIsVoter", "status": voter})
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": dict.fromkeys(labels, "true"), "uid": "1"},
        "status": {"conditions": conditions, "nodeInfo": {"kubeletVersion": version}},
    }


def as_outcome(data: Any) -> Outcome:
    return outcome(json.dumps(data))
