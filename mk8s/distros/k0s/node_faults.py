"""Rules about nodes' arguments, drop-ins of containerd and files of the release. See `faults`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from mk8s.cluster import Cluster
from mk8s.distros import bare
from mk8s.distros.common import packages
from mk8s.distros.k0s import versions
from mk8s.distros.k0s.artifacts import artifact_items
from mk8s.distros.k0s.roles import DROP_INS, flag, runs_pods
from mk8s.distros.k0s.versions import has_release
from mk8s.registries.hosts import PLUGIN_1
from mk8s.registries.k0s import DROP_IN

__all__ = ["RULES"]

COMPRESSED = (".gz", ".tgz", ".zst", ".tzst", ".bz2", ".xz", ".lz4")
OURS: Mapping[str, str] = {
    "-c": "mk8s writes the config: give it as `config`",
    "--config": "mk8s writes the config: give it as `config`",
    "--token-file": "mk8s makes tokens at the moment of use; leave it out",
    "--enable-worker": "write `control_plane: tainted` or `schedulable`",
    "--no-taints": "write `control_plane: schedulable`",
    "--labels": "write `labels`",
    "--taints": "write `taints`",
    "--status-socket": "mk8s asks at the usual place; leave it out",
    "--env": "write `proxy`, or a drop-in of the unit on the host",
    "-e": "write `proxy`, or a drop-in of the unit on the host",
    "--force": "mk8s replaces the unit where it has to; leave it out",
    "--start": "mk8s starts the service when its turn comes; leave it out",
}
"""Words of `k0s install` that mk8s says itself -> what to write instead."""

OF_CONTROLLERS = ("--single", "--disable-components", "--enable-dynamic-config", "--enable-metrics-scraper")
WORD = re.compile(r"[^\x00-\x1f\x7f]+")
DROP_IN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.toml")
VERSION_LINE = re.compile(r"^\s*version\s*=\s*(\d+)", re.MULTILINE)
NEW_PLUGINS = "io.containerd.cri.v1."


def _arguments(cluster: Cluster) -> Iterator[str]:
    for node in cluster.nodes:
        path = f"nodes.{node.name}.arguments"
        for word in node.arguments:
            key = word.partition("=")[0]
            if key in OURS:
                yield f"{path}: {key} is not for here; {OURS[key]}"
            elif key in OF_CONTROLLERS and not node.is_server:
                yield f"{path}: {key} is a controller's; leave it out"
            elif not WORD.fullmatch(word):
                yield f"{path}: {word!r} is no word of a command line; write such as --profile=NAME"


def _data_dirs(cluster: Cluster) -> Iterator[str]:
    """Where the cluster's data lie is asked of each node by its own arguments."""
    for node in cluster.nodes:
        given = flag(node, "--data-dir")
        if given is not None and not given.startswith("/"):
            yield f"nodes.{node.name}.arguments: --data-dir is no absolute path; write --data-dir=/data/k0s"


def _drop_ins(cluster: Cluster) -> Iterator[str]:
    """A drop-in in the other version's form makes k0s refuse to start, or is not heard."""
    of_workers = {name for node in cluster.nodes if runs_pods(cluster, node) for name in node.drop_ins}
    told: set[str] = set()
    for node in cluster.nodes:
        for name, text in node.drop_ins.items():
            if name in told:
                continue
            told.add(name)
            yield from _drop_in(cluster, name, text, alone=name not in of_workers)


def _drop_in(cluster: Cluster, name: str, text: str, *, alone: bool) -> Iterator[str]:
    path = f"drop_ins.{name}"
    if not has_release(cluster, versions.DROP_INS):
        yield f"{path}: {cluster.version} reads no drop-ins for containerd; take v1.27.1 or later"
    elif alone:
        yield f"{path}: is containerd's, and these servers run none; give it to `agents`, or leave it out"
    elif not DROP_IN_NAME.fullmatch(name) or DROP_INS / name == DROP_IN:
        yield f"{path}: k0s reads containerd's files NAME.toml from {DROP_INS}; choose another name"
    else:
        yield from _form(cluster, path, text)


def _form(cluster: Cluster, path: str, text: str) -> Iterator[str]:
    said = VERSION_LINE.search(text)
    number = int(said[1]) if said else None
    if has_release(cluster, versions.CONTAINERD_2):
        if number == 2 or PLUGIN_1 in text:
            yield (
                f"{path}: is for containerd 1, and {cluster.version} does not start with it; "
                "write `version = 3` and plugins such as io.containerd.cri.v1.runtime"
            )
    elif number == 3 or NEW_PLUGINS in text:
        yield (
            f"{path}: is for containerd 2, and {cluster.version} has 1.7; "
            f"write `version = 2` and the plugin {PLUGIN_1}"
        )


def _artifacts(cluster: Cluster) -> Iterator[str]:
    known = artifact_items(cluster)
    if cluster.artifacts_mode != "preinstalled":
        yield from (
            fault
            for fault in bare.artifact_faults(cluster, known)
            if not packages.is_package(fault.removeprefix("artifacts.").partition(":")[0])
        )
    for item in known:
        if item.id.startswith("images") and item.file.endswith(COMPRESSED):
            yield (
                f"artifacts.{item.id}.name: {item.file!r} is compressed, and k0s imports plain tar only; "
                "unpack it first"
            )


RULES: tuple[Callable[[Cluster], Iterator[str]], ...] = (_arguments, _data_dirs, _drop_ins, _artifacts)
