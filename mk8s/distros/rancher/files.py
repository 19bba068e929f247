"""What a node has beside its config.yaml: drop-ins, registries, proxy, certificates, manifests. Pure.

Begin reading at `settings`: all that the unit reads when it starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from mk8s import endpoints
from mk8s.cluster import Cluster
from mk8s.commands import has_folder, make_folder
from mk8s.distros.base import ArtifactItem, Origin, Situation
from mk8s.distros.common import datastore, proxy
from mk8s.distros.rancher.commands import STAGING, has_archive, place_archive
from mk8s.distros.rancher.config import datastore_folder, render_config
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.values import settings_of, words
from mk8s.registries import engine as registries
from mk8s.registries import given_of
from mk8s.registries.steps import authority_steps
from mk8s.steps import Run, Step, Upload, WriteFile

__all__ = ["folder", "manifest_items", "networks_of", "place_manifests", "settings", "stage_manifests"]

ROOT_ONLY = 0o700


def folder(path: PurePosixPath, mode: int | None = None) -> Run:
    return Run(f"make the folder {path}", make_folder(path, mode), has_folder(path, mode))


def settings(engine: Engine, s: Situation) -> list[Step]:
    """Every file that the unit reads when it starts, the config itself last."""
    given = given_of(s.cluster, s.kept)
    return [
        folder(engine.config.parent),
        *authority_steps(given),
        *datastore.steps(s, datastore_folder(engine)),
        *_proxy(engine, s),
        *_drop_ins(engine, s),
        *(
            [_secret(engine.config.with_name("registries.yaml"), registries.registries_yaml(given))]
            if given
            else []
        ),
        _secret(engine.config, render_config(engine, s)),
    ]


def _secret(path: PurePosixPath, content: bytes) -> WriteFile:
    return WriteFile(f"write {path}", path, content, mode=0o600, secret=True)


def _drop_ins(engine: Engine, s: Situation) -> Iterator[Step]:
    if not s.node.drop_ins:
        return
    place = PurePosixPath(f"{engine.config}.d")
    yield folder(place)
    for name, text in sorted(s.node.drop_ins.items()):
        yield _secret(place / name, text.encode())


def _proxy(engine: Engine, s: Situation) -> list[Step]:
    """The unit's own file of variables, which both units name as /etc/default/%N."""
    primary = s.cluster.primary
    domain = str(settings_of(primary).get("cluster-domain") or s.cluster.net.dns_domain)
    found = proxy.variables(s.cluster, s.node, networks_of(s.cluster), domain)
    if not found:
        return []
    place = PurePosixPath("/etc/default") / engine.unit_of(s.node).removesuffix(".service")
    return [folder(place.parent), _secret(place, proxy.environment_file(found))]


def networks_of(cluster: Cluster) -> tuple[str, ...]:
    """Of pods and of services: the user's, the manifest's, or the engine's own."""
    given, own = settings_of(cluster.primary), cluster.network
    pods = words(given.get("cluster-cidr")) or [own.pod_cidr if own else "10.42.0.0/16"]
    services = words(given.get("service-cidr")) or [own.service_cidr if own else "10.43.0.0/16"]
    return (*pods, *services)


# The manifest's `manifests`: the engine applies what lies in a folder of the first server


def manifest_items(engine: Engine, cluster: Cluster) -> list[ArtifactItem]:
    """The user's files, which the first server needs."""
    there = _manifests(engine, cluster)
    return [
        ArtifactItem(
            f"manifest-{number}",
            str(path),
            "applied to the new cluster",
            True,
            frozenset({"primary"}),
            True,
            Origin(destination=str(there / path.name)),
        )
        for number, path in enumerate(cluster.manifests)
    ]


def _manifests(engine: Engine, cluster: Cluster) -> PurePosixPath:
    return PurePosixPath(engine.data_dir(cluster.primary)) / "server" / "manifests"


def stage_manifests(s: Situation) -> list[Step]:
    """Put them on the first server, in the folder of the release."""
    return [Upload(f"put {place.name} on the node", s.release[name], place) for name, place, _ in _staged(s)]


def place_manifests(engine: Engine, s: Situation) -> list[Step]:
    """Give them their places before the first start, and with them what holds the endpoint."""
    found = list(_staged(s))
    target = _manifests(engine, s.cluster)
    own = endpoints.manifests(s.cluster) if s.node.role == "primary" else {}
    steps: list[Step] = [folder(target.parent, ROOT_ONLY), folder(target, ROOT_ONLY)] if found or own else []
    steps += [
        WriteFile(f"write {target / name}", target / name, text, mode=0o600) for name, text in own.items()
    ]
    for name, place, bare in found:
        file = s.release[name]
        command = place_archive(engine, file, place, target / bare)
        steps.append(
            Run(f"place {bare} among the manifests", command, has_archive(engine, file, target / bare))
        )
    return steps


def _staged(s: Situation) -> Iterator[tuple[str, PurePosixPath, str]]:
    """Id, staged place and own name of each; only on the first server."""
    if s.node.role != "primary":
        return
    for number, path in enumerate(s.cluster.manifests):
        name = f"manifest-{number}"
        if name in s.release:
            yield name, STAGING / s.cluster.version / f"{name}.yaml", path.name
