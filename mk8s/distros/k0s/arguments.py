"""The words of `k0s install`: the node's role, what the manifest says of it, and the user's own. Pure.

They end in the unit's command line, where every user of the host can read them, so none is a secret: the
join token comes in a file. Source: k0s' flag tables at the release tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mk8s.cluster import Cluster, Node
from mk8s.distros.common import placement
from mk8s.distros.k0s import versions
from mk8s.distros.k0s.roles import CONFIG, TOKEN_FILE, flag, is_ip, is_single, role_of, runs_pods, way

__all__ = ["KUBELET", "LATE", "install_words", "late_words"]

KUBELET = "--kubelet-extra-args"
LATE = "--ignore-pre-flight-checks"


def install_words(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """What follows ``k0s install``."""
    words = [role_of(node), *(_of_controller(cluster, node) if node.is_server else ())]
    if node.role != "primary":
        words.append(f"--token-file={TOKEN_FILE}")
    if runs_pods(cluster, node):
        words += _of_worker(node)
    return (*words, *_own(cluster, node))


def late_words(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """Words of the user's that this release's service takes, but not its `k0s install`."""
    if versions.has_release(cluster, versions.IGNORES_CHECKS_AT_INSTALL):
        return ()
    return tuple(word for word in node.arguments if word.partition("=")[0] == LATE)


def _of_controller(cluster: Cluster, node: Node) -> Iterator[str]:
    yield f"--config={CONFIG}"
    if not runs_pods(cluster, node) or is_single(node):
        return
    yield "--enable-worker"
    if way(cluster) == "schedulable" and versions.has_release(cluster, versions.NO_TAINTS):
        yield "--no-taints"


def _of_worker(node: Node) -> Iterator[str]:
    if node.labels:
        yield f"--labels={','.join(placement.labels(node))}"
    if node.taints:
        yield f"--taints={','.join(node.taints)}"
    kubelet = _kubelet(node)
    if kubelet:
        yield f"{KUBELET}={kubelet}"


def _kubelet(node: Node) -> str:
    """The user's words for the kubelet, and the node's address in the cluster where it has another."""
    given = flag(node, KUBELET) or ""
    named = any(word.partition("=")[0] == "--node-ip" for word in given.split())
    own = f"--node-ip={node.node_ip}" if node.node_ip and is_ip(node.node_ip) and not named else ""
    return " ".join(filter(None, (given, own)))


def _own(cluster: Cluster, node: Node) -> Sequence[str]:
    """The user's own words, but for those that stand elsewhere already."""
    late = late_words(cluster, node)
    kept: list[str] = []
    words = iter(node.arguments)
    for word in words:
        if word == KUBELET:
            next(words, None)  # its value
        elif word not in late and not word.startswith(f"{KUBELET}="):
            kept.append(word)
    return kept
