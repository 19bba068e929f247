"""Every small file that mk8s writes on a vanilla node, as steps. Pure; the large ones are `upstream.parts`'.

A file with a key in it is root's alone (0600) and never shown. Begin reading at `rendered`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mk8s import endpoints
from mk8s.cluster import Cluster
from mk8s.distros.base import Situation
from mk8s.distros.upstream import kubeconfig, parts
from mk8s.distros.upstream.parts import folder
from mk8s.distros.vanilla import addons, configs, flags, paths, pki, units
from mk8s.distros.vanilla.paths import config_of, kubeconfig_of, unit_path
from mk8s.endpoints import kube_vip
from mk8s.steps import Run, WriteFile

__all__ = ["endpoint", "folders", "made_of", "rendered"]

ROOT_ONLY = 0o700
SECRET = 0o600
API_PORT = 6443
LOCAL = f"https://127.0.0.1:{API_PORT}"


def endpoint(cluster: Cluster) -> str:
    """Where kubelets, kube-proxies and people reach the API."""
    return f"https://{cluster.endpoint or cluster.primary.ip}:{endpoints.port(cluster, API_PORT)}"


def folders(s: Situation) -> list[Run]:
    """Where the files go. Folders with keys or data in them are root's alone."""
    wanted: list[tuple[PurePosixPath, int | None]] = [
        (paths.KUBERNETES, None),
        (paths.CONFIGS, None),
        (paths.PKI, ROOT_ONLY),
        (paths.KUBELET, None),
    ]
    if s.node.is_server:
        wanted += [(paths.ETCD_PKI, ROOT_ONLY), (paths.ETCD_DATA, ROOT_ONLY)]
    if s.node.role == "primary":
        wanted.append((paths.ADDONS, None))
    if s.node.is_server and s.cluster.kube_vip:
        wanted.append((paths.STATIC_PODS, None))
    return [folder(path, mode) for path, mode in wanted]


def rendered(s: Situation) -> list[WriteFile]:
    """All of them. The one that names etcd's first members is there only where this node is a founder."""
    return [*_keys(s), *_kubeconfigs(s), *_configs(s), *_units(s), *_addons(s)]


def _file(path: PurePosixPath, content: bytes, *, secret: bool = False) -> WriteFile:
    return WriteFile(f"write {path}", path, content, SECRET if secret else 0o644, secret)


def _keys(s: Situation) -> Iterator[WriteFile]:
    for file in pki.files_of(s.node, s.kept):
        yield _file(file.path, file.content, secret=file.secret)


def _kubeconfigs(s: Situation) -> Iterator[WriteFile]:
    """Servers' own components ask their own API server; what every node runs asks the endpoint."""
    outside = endpoint(s.cluster)
    yield _kubeconfig(
        s, kubeconfig_of("kubelet"), outside, f"kubelet/{s.node.name}", f"system:node:{s.node.name}"
    )
    yield _kubeconfig(s, kubeconfig_of("kube-proxy"), outside, "kube-proxy", "system:kube-proxy")
    if s.node.is_server:
        for component in ("kube-controller-manager", "kube-scheduler"):
            yield _kubeconfig(s, kubeconfig_of(component), LOCAL, component, f"system:{component}")
        yield _kubeconfig(s, paths.ADMIN, LOCAL, "admin", "admin")


def _kubeconfig(s: Situation, path: PurePosixPath, server: str, pair: str, user: str) -> WriteFile:
    authority, client = s.kept.pairs["ca"].public, s.kept.pairs[pair]
    return _file(
        path, kubeconfig.render(server, authority, client, user=user, cluster=s.cluster.name), secret=True
    )


def _configs(s: Situation) -> Iterator[WriteFile]:
    yield _file(config_of("kubelet"), configs.kubelet(s))
    yield _file(config_of("kube-proxy"), configs.proxy(s))
    if not s.node.is_server:
        return
    yield _file(config_of("kube-scheduler"), configs.scheduler(s))
    yield _file(paths.ENCRYPTION, configs.encryption(s), secret=True)
    if s.node.name in configs.founders(s):
        yield _file(paths.ETCD_CLUSTER, configs.etcd_cluster(s))
    if s.cluster.kube_vip and s.cluster.endpoint:
        admin = {"path": str(paths.ADMIN)}
        pod = kube_vip.static_pod(s.cluster.kube_vip, s.cluster.endpoint, admin)
        yield _file(paths.STATIC_PODS / "kube-vip.yaml", pod)


def _units(s: Situation) -> Iterator[WriteFile]:
    for component in flags.components(s):
        yield _file(unit_path(component), units.render(s, component))


def _addons(s: Situation) -> Iterator[WriteFile]:
    if s.node.role == "primary":
        for path, content in addons.of_cluster(s).items():
            yield _file(path, content)


def made_of(s: Situation, component: str) -> list[PurePosixPath]:
    """What a unit must be started anew for when it changes: its program, its file, the files that this names.

    Not ``etcd-cluster.env``: etcd reads it once, before it has data.
    """
    texts = {file.target: file.content.decode() for file in rendered(s)}
    found = [unit_path(component)]
    for path in found:
        found += [other for other in texts if str(other) in texts[path] and other not in found]
    return [parts.bin_dir(s) / component, *(path for path in found if path != paths.ETCD_CLUSTER)]
