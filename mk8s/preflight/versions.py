"""Which version a program file is, told by the text in it. Reads files; runs nothing.

Go programs of Kubernetes carry their version as text, and a release for another architecture cannot be
run here anyway. The text proves little (a file may hold it by chance), but its absence proves much.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from transports.base import File

__all__ = ["VERSIONED", "version_faults"]

VERSIONED = (
    "kubeadm", "kubelet", "kubectl",
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
)  # fmt: skip
"""Items whose file is one program of Kubernetes, whose version is the cluster's own."""

# The linker puts the version between zero bytes; other versions (of libraries) stand in running text.
ALONE = re.compile(rb"\x00(v1\.[0-9]{2,3}\.[0-9]{1,3}(?:[-+][0-9A-Za-z.+-]{1,40})?)\x00")
ANYWHERE = re.compile(rb"(?<![\w.])(v1\.[0-9]{2,3}\.[0-9]{1,3})(?![\w.])")


def version_faults(release: Mapping[str, File], version: str, arches: Sequence[str]) -> tuple[str, ...]:
    """Programs of a release that are not of this version, in words for people. Reads all of them."""
    ids = {part if not arch else f"{part}-{arch}" for part in VERSIONED for arch in ("", *arches)}
    faults = (_fault(file.path, version) for name, file in release.items() if name in ids)
    return tuple(fault for fault in faults if fault)


def _fault(path: Path, version: str) -> str:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if re.search(re.escape(version.encode()) + rb"(?![0-9])", content):
                return ""
            other = _other(content)
    except (OSError, ValueError):  # empty files cannot be mapped
        other = ""
    seems = f"it seems to be {other}" if other else "nothing in it says so"
    return f"{path.name} is not {version}: {seems}"


def _other(content: mmap.mmap) -> str:
    """The one version that a file names, if it is one."""
    for pattern in (ALONE, ANYWHERE):
        named = {match[1] for match in pattern.finditer(content)}
        if len(named) == 1:
            return named.pop().decode()
    return ""
