"""The steps that put the way to the endpoint onto a server, and the files that others carry there. Pure.

Only keepalived with haproxy is installed on hosts; kube-vip comes as a manifest. Begin reading at `install`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Node
from mk8s.commands import has_folder, make_folder
from mk8s.distros.base import Opening, Situation
from mk8s.endpoints import commands, haproxy, keepalived, kube_vip
from mk8s.endpoints.names import port
from mk8s.steps import Run, Step, WriteFile

__all__ = ["images", "install", "is_on_hosts", "listens", "manifests", "openings", "programs", "refresh"]

OWN = PurePosixPath("/etc/mk8s/endpoint")
HAPROXY, KEEPALIVED = (
    PurePosixPath("/etc/haproxy/haproxy.cfg"),
    PurePosixPath("/etc/keepalived/keepalived.conf"),
)
ROOT_ONLY = 0o700


def is_on_hosts(cluster: Cluster) -> bool:
    """Whether programs of the servers' own hold the endpoint."""
    return cluster.balancer.by == "keepalived" and bool(cluster.endpoint)


def install(s: Situation, ports: Sequence[int]) -> list[Step]:
    """haproxy and keepalived running on a server; nothing elsewhere. `ports`: of the servers.

    At the end of a bootstrap: the first server then has the address before it starts, and nobody waits
    for it. Each config is checked by its program before it takes the old one's place.
    """
    if not is_on_hosts(s.cluster) or not s.node.is_server:
        return []
    check = keepalived.check_script(s.cluster, ports)
    return [
        _folder(OWN, ROOT_ONLY),
        _folder(keepalived.CHECK.parent),
        WriteFile(f"write {keepalived.CHECK}", keepalived.CHECK, check, mode=0o755),
        *_program(s, HAPROXY, haproxy.config(s.cluster, ports)),
        *_program(s, KEEPALIVED, keepalived.config(s.cluster, s.node, s.kept)),
    ]


def refresh(s: Situation, ports: Sequence[int]) -> list[Step]:
    """The same for a server that is healthy: it learns of servers that were added."""
    return install(s, ports)


def manifests(cluster: Cluster) -> dict[str, bytes]:
    """What is applied to the cluster where pods hold the endpoint: file name -> text, in order."""
    if cluster.kube_vip is None or not cluster.endpoint:
        return {}
    return kube_vip.daemon_set(cluster.kube_vip, cluster.endpoint)


def images(cluster: Cluster) -> tuple[str, ...]:
    """Images that a release must hold for it."""
    return (cluster.kube_vip.image,) if cluster.kube_vip and cluster.kube_vip.image else ()


def programs(node: Node, cluster: Cluster) -> tuple[str, ...]:
    """What must be on the host already: those of the two that no package among the artifacts brings."""
    if not is_on_hosts(cluster) or not node.is_server:
        return ()
    brought = [source.name for name, source in cluster.artifacts.items() if name.startswith("packages")]
    both = (HAPROXY.stem, KEEPALIVED.stem)
    return tuple(name for name in both if not any(file.startswith(name) for file in brought))


def listens(node: Node, cluster: Cluster, ports: Sequence[int]) -> dict[int, str]:
    """TCP ports that must be free on a server for it, and who takes them. `ports`: of the servers."""
    if not is_on_hosts(cluster) or not node.is_server:
        return {}
    return {port(cluster, own): "haproxy" for own in ports}


def openings(node: Node, cluster: Cluster, ports: Sequence[int]) -> tuple[Opening, ...]:
    """The same ports as other nodes must reach them: they join there. `ports`: of the servers."""
    return tuple(Opening(port, name) for port, name in listens(node, cluster, ports).items())


def _program(s: Situation, target: PurePosixPath, content: bytes) -> list[Step]:
    name, template = target.stem, OWN / target.name
    words = (name, template, target, s.node.ip)
    return [
        WriteFile(f"write {template}", template, content, mode=0o600, secret=name == "keepalived"),
        Run(f"let {name} run", commands.apply(*words), commands.is_applied(*words)),
    ]


def _folder(path: PurePosixPath, mode: int | None = None) -> Run:
    return Run(f"make the folder {path}", make_folder(path, mode), has_folder(path, mode))
