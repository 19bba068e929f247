"""A manifest for a lab's hosts, ready for `mk8s run`. Text is made here without looking at anything.

Law: a file that somebody else wrote, or changed the first line of, is never overwritten.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .addresses import LabHost
from .errors import UnfitError

__all__ = [
    "DEFAULT_VERSION",
    "MARK",
    "ManifestChoices",
    "machine_arch",
    "manifest_text",
    "refuse_foreign",
    "servers_of",
    "write",
]

MARK = "# Written by `mk8s lab up`, which may overwrite it while this line is here."


DEFAULT_VERSION = "v1.33.4+rke2r1"


@dataclass(frozen=True, slots=True)
class ManifestChoices:
    """What a manifest says beside its nodes. `servers` 0: three of five or more hosts, else one."""

    distro: str = "rke2"
    version: str = DEFAULT_VERSION
    arch: str = "amd64"
    servers: int = 0
    user: str = "dev"
    artifacts: Path | None = None
    standin: bool = False  # `artifacts` is not Rancher's


def machine_arch() -> str:
    """This machine's processor by the name that releases use."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


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
        f"version: {choices.version}",
        f"arch: {choices.arch}",
        "airgap: true",
    ]
    if choices.artifacts:
        note = (
            "  # a stand-in: it behaves like RKE2, runs no pods, and is not Rancher's"
            if choices.standin
            else ""
        )
        lines.append(f"artifacts_dir: {_quoted(choices.artifacts)}{note}")
    lines += ["ssh:", f"  known_hosts: {_quoted(known_hosts)}", "nodes:"]
    for index, host in enumerate(hosts):
        lines += _node(host, index == 0, index < servers, key, choices.user)
    return "\n".join(lines) + "\n"


def _node(host: LabHost, primary: bool, server: bool, key: Path, user: str) -> list[str]:
    lines = [
        f"  - address: {host.address}",
        f"    user: {user}",
        f"    role: {'server' if server else 'agent'}",
        f"    ssh_key_path: {_quoted(key)}",
        "    config: |",
        f"      node-name: {host.name}",
    ]
    return [*lines[:3], "    primary: true", *lines[3:]] if primary else lines


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
