"""The administrator's kubeconfig on its way from the first server to the person who runs mk8s. Pure.

What may be in it, and why, stands in `upstream.kubeconfig`: the engine writes no more than that.
"""

from __future__ import annotations

from mk8s.cluster import Cluster
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.upstream import kubeconfig

__all__ = ["rewrite"]


def rewrite(engine: Engine, text: str, cluster: Cluster) -> str:
    """The same kubeconfig with the cluster's address in place of the loopback.

    Raises ActionError ``kubeconfig`` for one that is none, or that holds what the engine does not write.
    """
    return kubeconfig.rewrite(text, cluster, author=engine.title)
