"""The files that the user wants applied to a new cluster. Pure.

Apply them where a run that was cut off comes by again: a start counts as done once its probe, `has_joined`,
is met, and what comes behind that would never be caught up on.
"""

from __future__ import annotations

from mk8s.distros.base import Situation, Tools
from mk8s.distros.upstream import parts
from mk8s.kube import commands as kube
from mk8s.steps import Run

__all__ = ["apply"]


def apply(s: Situation, tools: Tools) -> list[Run]:
    """In the manifest's order, on the first server; nothing on others.

    kubectl compares with what the cluster has, so this may be repeated.
    """
    if s.node.role != "primary":
        return []
    found = [parts.staged(s, name) for name in parts.manifest_ids(s.cluster)]
    return [
        Run(f"apply {path.name} ({pair[1].name})", kube.apply(tools, pair[1]))
        for pair, path in zip(found, s.cluster.manifests, strict=True)
        if pair
    ]
