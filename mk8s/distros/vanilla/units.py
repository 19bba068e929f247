"""The systemd units. Pure.

Laws:

1. Only etcd says when it is ready (Type=notify), and it waits for its quorum however long that takes. The
   others are ``active`` as soon as they run: whether they work is asked at their health ports.
2. None gives up: each is started again five seconds after it failed, for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mk8s.distros.base import Situation
from mk8s.distros.vanilla import flags
from mk8s.distros.vanilla.paths import ETCD_CLUSTER

__all__ = ["render"]

PLAIN = re.compile(r"[A-Za-z0-9@:/.,=_+-]+")


@dataclass(frozen=True, slots=True)
class _Unit:
    description: str
    page: str
    after: str = "network-online.target"
    requires: str = ""
    service: tuple[str, ...] = ("Type=simple", "Restart=always")


_UNITS: Mapping[str, _Unit] = {
    "etcd": _Unit(
        "etcd",
        "https://etcd.io/docs/",
        service=(
            "Type=notify",
            "TimeoutStartSec=infinity",
            "Restart=on-failure",
            f"EnvironmentFile={ETCD_CLUSTER}",
            "LimitNOFILE=65536",
            "OOMScoreAdjust=-999",
        ),
    ),
    "kube-apiserver": _Unit(
        "Kubernetes API server",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/",
        after="network-online.target etcd.service",
        service=("Type=simple", "Restart=always", "LimitNOFILE=65536"),
    ),
    "kube-controller-manager": _Unit(
        "Kubernetes controller manager",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/",
        after="network-online.target kube-apiserver.service",
    ),
    "kube-scheduler": _Unit(
        "Kubernetes scheduler",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/",
        after="network-online.target kube-apiserver.service",
    ),
    "kubelet": _Unit(
        "Kubernetes kubelet",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/",
        after="network-online.target containerd.service",
        requires="containerd.service",
    ),
    "kube-proxy": _Unit(
        "Kubernetes network proxy",
        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",
    ),
}


def render(s: Situation, component: str) -> bytes:
    """The unit file of a component on this node."""
    unit = _UNITS[component]
    head = [f"Description={unit.description}", f"Documentation={unit.page}", "Wants=network-online.target"]
    head += [f"After={unit.after}"] + ([f"Requires={unit.requires}"] if unit.requires else [])
    head += ["StartLimitIntervalSec=0"]
    service = [
        *unit.service,
        "RestartSec=5",
        *_environment(s, component),
        f"ExecStart={_command(s, component)}",
    ]
    sections = (("Unit", head), ("Service", service), ("Install", ["WantedBy=multi-user.target"]))
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections).encode()


def _environment(s: Situation, component: str) -> list[str]:
    """etcd 3.4 refuses to run on arm64 unless told so."""
    return (
        ["Environment=ETCD_UNSUPPORTED_ARCH=arm64"] if component == "etcd" and s.node.arch == "arm64" else []
    )


def _command(s: Situation, component: str) -> str:
    return " \\\n  ".join(map(_quoted, flags.command_line(s, component)))


def _quoted(word: str) -> str:
    """A word as systemd reads it back: ``%`` and ``$`` mean something to it."""
    word = word.replace("%", "%%").replace("$", "$$")
    if PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
