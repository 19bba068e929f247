"""What only RKE2 cannot do with a manifest; what K3s refuses too is in `rancher.faults`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from mk8s.cluster import Cluster
from mk8s.distros.rancher import faults
from mk8s.distros.rancher.faults import path_of
from mk8s.distros.rancher.roles import servers_of
from mk8s.distros.rancher.values import settings_of, words
from mk8s.distros.releases import Since, has
from mk8s.distros.rke2 import versions
from mk8s.distros.rke2.artifacts import artifact_items, ingress_of, release_of
from mk8s.distros.rke2.engine import RKE2, cni_of

__all__ = ["find_faults"]

CHARTS = {
    "coredns": "rke2-coredns",
    "metrics-server": "rke2-metrics-server",
    "traefik": "rke2-traefik",
}
"""K3s' names in `disable` -> RKE2's."""
NOT_HERE = ("servicelb", "local-storage", "runtimes")  # K3s' parts that RKE2 does not bring


def find_faults(cluster: Cluster) -> list[str]:
    """Every fault, the common ones first."""
    return [
        *faults.find_faults(RKE2, cluster),
        *_cni(cluster),
        *_ingress(cluster),
        *_profile(cluster),
        *_disable(cluster),
        *faults.artifact_faults(RKE2, cluster, artifact_items(cluster)),
    ]


def _cni(cluster: Cluster) -> Iterator[str]:
    yield from _choices(cluster, "cni", versions.CNI_CHOICE, cni_of(cluster))
    plugins = [name for name in cni_of(cluster) if name != "multus"]
    if len(plugins) != 1:
        said = f"{', '.join(plugins)} exclude each other" if plugins else "multus needs a plugin beside it"
        yield f"{path_of(cluster.primary, 'cni')}: {said}; name one, after multus"
    by_manifest = cluster.network is not None and cluster.network.cni == "none"
    if by_manifest and not has(release_of(cluster), versions.CNI_CHOICE["none"]):
        yield f"network.cni: {cluster.version} has canal in it and no choice; take v1.20.7 or later"


def _ingress(cluster: Cluster) -> Iterator[str]:
    yield from _choices(cluster, "ingress-controller", versions.INGRESS_CHOICE, ingress_of(cluster))


def _choices(
    cluster: Cluster, key: str, choices: Mapping[str, Since], given: tuple[str, ...]
) -> Iterator[str]:
    if key not in settings_of(cluster.primary):
        return
    possible = [name for name, since in choices.items() if has(release_of(cluster), since)]
    for name in given:
        if name not in possible:
            close = difflib.get_close_matches(name, possible, n=1)
            hint = (
                f"did you mean {close[0]}?" if close else f"it has {', '.join(possible) or 'no such setting'}"
            )
            yield f"{path_of(cluster.primary, key)}: {name!r} is not in {cluster.version}; {hint}"


def _profile(cluster: Cluster) -> Iterator[str]:
    """RKE2 stops at a profile that its release does not know."""
    possible = versions.profiles_of(release_of(cluster))
    for node in cluster.nodes:
        given = str(settings_of(node).get("profile") or "")
        if given and given not in possible:
            hint = f"it has {', '.join(possible)}"
            yield f"{path_of(node, 'profile')}: {given!r} is not in {cluster.version}; {hint}"


def _disable(cluster: Cluster) -> Iterator[str]:
    for node in servers_of(cluster):
        for name in words(settings_of(node).get("disable")):
            where = f"{path_of(node, 'disable')}: {name} is K3s' name"
            if name in CHARTS:
                yield f"{where}; write {CHARTS[name]}"
            elif name in NOT_HERE:
                yield f"{where} of something that RKE2 does not bring; leave it out"
