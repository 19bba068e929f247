"""The proxy of containerd and of the kubelet, which fetch images and charts from outside. Pure.

The control plane itself has none: it talks to what is inside.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.distros.base import Situation
from mk8s.distros.common import proxy
from mk8s.steps import Step

__all__ = ["paths", "steps"]


def steps(s: Situation, unit: str) -> list[Step]:
    """The drop-in of a unit, such as ``containerd.service``; nothing without a proxy."""
    return proxy.steps(_variables(s), unit)


def paths(s: Situation, unit: str) -> list[PurePosixPath]:
    """The files that the unit is made of besides its own: the drop-in, where there is one."""
    return [proxy.drop_in_path(unit)] if _variables(s) else []


def _variables(s: Situation) -> dict[str, str]:
    net = s.cluster.net
    return proxy.variables(s.cluster, s.node, (net.pod_cidr, net.service_cidr), net.dns_domain)
