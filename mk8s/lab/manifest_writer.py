"""A manifest for a lab's hosts, ready for `mk8s run`. Text is made here without looking at anything.

Laws: a file that somebody else wrote, or changed the first line of, is never overwritten. What stands in
the manifest is explained in it, because it is the first one that many people read.
"""

from __future__ import annotations

import ipaddress
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .addresses import LabHost
from .errors import UnfitError

__all__ = [
    "DEFAULT_VERSION",
    "DEFAULT_VERSIONS",
    "MARK",
    "SMOKE_IMAGE",
    "ManifestChoices",
    "machine_arch",
    "machine_swaps",
    "manifest_text",
    "refuse_foreign",
    "servers_of",
    "write",
]

MARK = "# Written by `mk8s lab up`, which may overwrite it while this line is here."


DEFAULT_VERSION = "v1.33.4+rke2r1"
DEFAULT_VERSIONS: Mapping[str, str] = {
    "rke2": DEFAULT_VERSION,
    "k3s": "v1.33.4+k3s1",
    "k0s": "v1.33.4+k0s.0",
    "kubeadm": "v1.20.2",
    "vanilla": "v1.20.2",
}
"""What is installed by default; of kubeadm and vanilla the one version that a lab can build."""
UPSTREAM = ("kubeadm", "vanilla")
"""Distros of Kubernetes' own programs."""
SMOKE_IMAGE = "registry.local/busybox:1.35"
"""Its name in the release that a lab builds."""

NETWORKS = (("10.244.0.0/16", "10.96.0.0/16"), ("172.30.0.0/16", "172.31.0.0/16"))
"""Networks of pods and of services: the default, and what is taken where hosts are in one of those."""
STANDIN_NOTES: Mapping[str, str] = {
    "rke2": "a stand-in: it behaves like RKE2, runs no pods, and is not Rancher's",
    "k3s": "a stand-in: it behaves like K3s, runs no pods, and is not the K3s project's",
    "k0s": "a stand-in: it behaves like k0s, runs no pods, and is not the k0s project's",
}
REAL_NOTE = "real Kubernetes, built here from Debian's packages: for labs"


@dataclass(frozen=True, slots=True)
class ManifestChoices:
    """What a manifest says beside its nodes. `servers` 0: three of five or more hosts, else one."""

    distro: str = "rke2"
    version: str = ""  # the distro's in DEFAULT_VERSIONS
    arch: str = "amd64"
    servers: int = 0
    user: str = "dev"
    artifacts: Path | None = None
    standin: bool = False  # `artifacts` is not the distro's own
    built: bool = False  # `artifacts` is the real release that a lab builds
    swaps: bool = False  # the machine has swap, and so have its hosts


def machine_arch() -> str:
    """This machine's processor by the name that releases use."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def machine_swaps(table: Path = Path("/proc/swaps")) -> bool:
    """Whether this machine has swap in use. Its hosts share its memory, so they have it, too."""
    try:
        return len(table.read_text().splitlines()) > 1  # the first line has the columns' names
    except OSError:
        return False


def servers_of(count: int, asked: int = 0) -> int:
    """How many of the hosts become servers. Raises UnfitError if there are not that many."""
    if asked < 0 or asked > count:
        raise UnfitError(f"{asked} servers of {count} hosts are not possible", remedy=f"name 1 to {count}")
    return asked or (3 if count >= 5 else 1)


def manifest_text(hosts: Sequence[LabHost], key: Path, known_hosts: Path, choices: ManifestChoices) -> str:
    """The manifest: the first hosts are servers, the very first is the primary."""
    servers = servers_of(len(hosts), choices.servers)
    lines = [
        MARK,
        f"distro: {choices.distro}",
        _version(choices),
        f"arch: {choices.arch}",
        "airgap: true",
        *_release(choices),
        *(_kubernetes(hosts, choices, servers) if choices.distro in UPSTREAM else []),
        "ssh:",
        "  config: none  # your own ssh_config says nothing about a lab's hosts",
        f"  known_hosts: {_quoted(known_hosts)}",
        "nodes:",
    ]
    for index, host in enumerate(hosts):
        lines += _node(host, index == 0, index < servers, key, choices)
    return "\n".join(lines) + "\n"


def _version(choices: ManifestChoices) -> str:
    note = "  # the one that a lab can build; --artifacts names others" if choices.built else ""
    return f"version: {choices.version or DEFAULT_VERSIONS[choices.distro]}{note}"


def _release(choices: ManifestChoices) -> list[str]:
    if not choices.artifacts:
        return []
    note = STANDIN_NOTES.get(choices.distro, "") if choices.standin else REAL_NOTE if choices.built else ""
    return [f"artifacts_dir: {_quoted(choices.artifacts)}{f'  # {note}' if note else ''}"]


def _kubernetes(hosts: Sequence[LabHost], choices: ManifestChoices, servers: int) -> list[str]:
    """What distros of Kubernetes' own programs need, with the words that explain it."""
    lines = []
    if choices.built:
        lines.append(f"smoke_image: {SMOKE_IMAGE}  # in the release; `mk8s smoke` starts pods of it")
    if choices.swaps:
        lines.append("swap: allow  # this machine has swap, and a lab's hosts share its memory")
    if servers > 1:
        lines += [
            "# The nodes register at the first server. An address that moves between the servers is better:",
            "# endpoint: ADDRESS",
        ]
    return [*lines, *_networks(hosts)]


def _networks(hosts: Sequence[LabHost]) -> list[str]:
    """The networks inside the cluster, where the default is taken by the hosts themselves."""
    default, other = NETWORKS
    addresses = [ipaddress.ip_address(host.address) for host in hosts]
    if not any(address in ipaddress.ip_network(cidr) for address in addresses for cidr in default):
        return [
            "# The networks inside the cluster, as they are by default:",
            f"# network: {{pod_cidr: {default[0]}, service_cidr: {default[1]}}}",
        ]
    pods, services = other
    return [
        f"network: {{pod_cidr: {pods}, service_cidr: {services}}}  # the default is this lab's own network"
    ]


def _node(host: LabHost, primary: bool, server: bool, key: Path, choices: ManifestChoices) -> list[str]:
    takes_name = choices.distro in ("rke2", "k3s")  # in the distro's config; k0s goes by the host's own
    return [
        f"  - address: {host.address}",
        *([f"    name: {host.name}"] if choices.distro in UPSTREAM else []),
        f"    user: {choices.user}",
        f"    role: {'server' if server else 'agent'}",
        *(["    primary: true"] if primary else []),
        f"    ssh_key_path: {_quoted(key)}",
        *(["    config: |", f"      node-name: {host.name}"] if takes_name else []),
    ]


def _quoted(path: Path) -> str:
    """A path as YAML: plain where that is safe, else in JSON's quotes, which are YAML too."""
    text = str(path)
    plain = all(letter.isalnum() or letter in "/._-+" for letter in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def refuse_foreign(path: Path) -> None:
    """Raises UnfitError if the file is there and does not begin with our mark."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            first = stream.readline().rstrip("\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnfitError(f"{path} cannot be read: {error.strerror}", remedy=_OTHER) from error
    if first != MARK:
        raise UnfitError(
            f"{path} is there already, and was not written by `mk8s lab`",
            cause="it may be yours",
            remedy=_OTHER,
        )


_OTHER = "name another file with --manifest PATH"


def write(path: Path, text: str) -> None:
    """Write in one move. Raises UnfitError for a file that is not ours or a folder that is not there."""
    refuse_foreign(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise UnfitError(f"{path} cannot be written: {error.strerror}", remedy=_OTHER) from error
