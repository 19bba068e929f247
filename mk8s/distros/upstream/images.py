"""Which image is meant: names are read from the release, and computed only where there is none. Pure.

What a release holds outweighs every table: registries and tags have changed between patch releases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mk8s.cluster import Cluster
from mk8s.distros.base import Situation
from mk8s.distros.upstream.versions import release_of

__all__ = ["find", "named", "nominal_images", "repository"]

NEW_REGISTRY = 25  # v1.25.0 took registry.k8s.io in place of k8s.gcr.io
SUBFOLDER = 21  # from v1.21 on CoreDNS has a folder and a v: coredns/coredns:v1.8.0
KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")

# For a plan and a simulation without a release only: minor release -> tag, from there on.
PAUSE: Mapping[int, str] = {0: "3.2", 23: "3.6", 32: "3.10"}
ETCD: Mapping[int, str] = {0: "3.4.13-0", 22: "3.5.0-0", 23: "3.5.1-0", 32: "3.5.16-0", 34: "3.6.4-0"}
COREDNS: Mapping[int, str] = {0: "1.7.0", SUBFOLDER: "v1.8.0", 23: "v1.8.6", 32: "v1.11.3"}


def named(s: Situation, component: str) -> str:
    """The full reference of ``pause``, ``etcd``, ``coredns``, ``kube-apiserver``, ...: as in the release.

    Where the release is not here, a nominal one for the version. Raises KeyError for a component that
    is in neither.
    """
    found = find(s.images, component) or find(nominal_images(s.cluster), component)
    if not found:
        raise KeyError(f"{component}: no such image")
    return found


def find(images: Iterable[str], component: str) -> str:
    """The first reference whose last name is `component`, or nothing."""
    return next((image for image in images if _component(image) == component), "")


def repository(s: Situation) -> str:
    """The registry and folder that Kubernetes' own images are in: ``registry.k8s.io``."""
    image = find(s.images, "kube-apiserver") or find(s.images, "pause") or named(s, "pause")
    return image.rpartition("/")[0]


def nominal_images(cluster: Cluster) -> tuple[str, ...]:
    """What a release of this version holds, as far as is known without it. Tags may differ in a real one."""
    minor = release_of(cluster).minor
    registry = "registry.k8s.io" if minor >= NEW_REGISTRY else "k8s.gcr.io"
    coredns = "coredns/coredns" if minor >= SUBFOLDER else "coredns"
    return (
        *(f"{registry}/{name}:{cluster.version}" for name in KUBERNETES),
        f"{registry}/pause:{_at(PAUSE, minor)}",
        f"{registry}/etcd:{_at(ETCD, minor)}",
        f"{registry}/{coredns}:{_at(COREDNS, minor)}",
    )


def _component(image: str) -> str:
    """``k8s.gcr.io/pause:3.2`` -> ``pause``."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _at(since: Mapping[int, str], minor: int) -> str:
    return since[max(first for first in since if first <= minor)]
