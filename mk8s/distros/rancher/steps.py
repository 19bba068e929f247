"""The steps of each edge for an RKE2 node. Pure: a situation goes in, values come out.

The order of a start: nobody else is joining (servers), start without waiting, the unit is active, the
API and the supervisor answer, the node is a member. Only then may the next server start, because etcd
takes one learner at a time.

Begin reading at `stage`, then down the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Node
from mk8s.commands import has_folder, make_folder, unit_disable, unit_enable, unit_is_enabled, unit_stop
from mk8s.distros.base import Question, Situation
from mk8s.distros.releases import has
from mk8s.distros.rke2 import commands, versions
from mk8s.distros.rke2.artifacts import archives, cni_of, images_dir, release_of, staged, staging_dir
from mk8s.distros.rke2.commands import unit_of
from mk8s.distros.rke2.config import is_true, join_token, render_config, servers_of
from mk8s.distros.rke2.readiness import (
    CONTROL_PLANE,
    ETCD,
    answers,
    nm_cloud_setup_is_off,
    no_other_is_joining,
    node_is_member,
    unit_is_active,
)
from mk8s.distros.rke2.tokens import secrets_in
from mk8s.registries import engine, given_of
from mk8s.registries.releases import conditional_import
from mk8s.registries.steps import authority_steps
from mk8s.steps import Judge, Run, Step, Upload, WaitFor, WriteFile
from transports.base import Command, File

__all__ = [
    "bootstrap",
    "has_joined",
    "is_healthy",
    "join",
    "node_name",
    "stage",
    "start",
    "stop_unit",
    "verify",
]

CONFIG = PurePosixPath("/etc/rancher/rke2/config.yaml")
REGISTRIES = CONFIG.with_name("registries.yaml")
OTHER_PREFIX = PurePosixPath("/opt/rke2")  # where /usr/local is read-only or a mount of its own
ROOT_ONLY = 0o700
BETWEEN_LOOKS = 3.0  # seconds, at the most, between two questions to an API server
BETWEEN_GLANCES = 1.0  # the same for what systemd knows: cheap, and nobody else's time


def stage(s: Situation) -> list[Step]:
    """Everything this node installs from, under a folder that only root may read."""
    folder = staging_dir(s.cluster)
    steps: list[Step] = [_folder(folder, ROOT_ONLY), _folder(folder / "images", ROOT_ONLY)]
    for part in ("checksums", "binary", "installScript") if _by_script(s.cluster) else ("binary",):
        found = staged(s, part)
        if found:
            steps.append(_upload(*found))
    return steps + [_upload(archive.file, archive.staged) for archive in archives(s)]


def _folder(path: PurePosixPath, mode: int | None = None) -> Run:
    return Run(f"make the folder {path}", make_folder(path, mode), has_folder(path, mode))


def _upload(file: File, target: PurePosixPath) -> Upload:
    return Upload(f"put {target.name} on the node", file, target)


def _by_script(cluster: Cluster) -> bool:
    return cluster.install_method == "script"


def bootstrap(s: Situation) -> list[Step]:
    """Install, place the images, write the config, enable the unit. Starts nothing."""
    return [
        *_guards(s),
        *_install(s),
        *_images(s),
        *_import_once(s),
        *_cis(s),
        _folder(CONFIG.parent),
        *authority_steps(given_of(s.cluster, s.kept)),
        *_config(s),
        _enable(s.node),
    ]


def _guards(s: Situation) -> list[Step]:
    release = release_of(s.cluster)
    guarded = has(release, versions.NM_CLOUD_SETUP_GUARD)
    if not guarded or has(release, versions.NO_NM_CLOUD_SETUP_GUARD):
        return []
    return [WaitFor("nm-cloud-setup is off", commands.has_nm_cloud_setup(), nm_cloud_setup_is_off)]


def _install(s: Situation) -> list[Step]:
    found = staged(s, "binary")
    if not found:
        return []
    bundle, place = found
    if not _by_script(s.cluster):
        command = commands.unpack_bundle(bundle, place, _prefix(s))
        return [Run(f"verify and unpack {place.name}", command, commands.has_install(bundle))]
    command = commands.install_by_script(
        s.node, bundle, staging_dir(s.cluster), _prefix(s), _script_hashes(s)
    )
    return [Run("verify the files and run install.sh", command, commands.has_install(bundle))]


def _script_hashes(s: Situation) -> dict[str, str]:
    found = (staged(s, part) for part in ("checksums", "binary", "installScript"))
    return {place.name: file.sha256 for file, place in filter(None, found)}


def _prefix(s: Situation) -> PurePosixPath:
    """install.sh's own rule for where the bundle goes."""
    return OTHER_PREFIX if s.facts and not s.facts.usr_local_writable else commands.USUAL_PREFIX


def _images(s: Situation) -> list[Step]:
    """install.sh places only one archive and verifies only that one, so mk8s places all of them itself."""
    return [
        Run(
            f"verify and place {archive.target.name}",
            commands.place_archive(archive.file, archive.staged, archive.target),
            commands.has_archive(archive.file, archive.target),
        )
        for archive in archives(s)
    ]


def _import_once(s: Situation) -> list[Step]:
    """Let the engine import an archive again only once it has changed, where it can: not at every start."""
    if not conditional_import(s.cluster.version):
        return []
    cache = images_dir(s.node) / ".cache.json"
    title = "let images be imported only when an archive has changed"
    return [Run(title, commands.begin_cache(cache), commands.has_cache(cache))]


def _cis(s: Situation) -> list[Step]:
    if not str(s.node.config.get("profile") or "").startswith("cis"):
        return []
    command = commands.prepare_for_cis(s.node, _prefix(s))
    return [Run("prepare for the CIS profile", command, commands.is_prepared_for_cis(s.node, _prefix(s)))]


def _config(s: Situation) -> list[Step]:
    """The engine's own config, and its registries where the manifest has any."""
    content = render_config(s.cluster, s.node, s.token)
    config = WriteFile(f"write {CONFIG}", CONFIG, content, mode=0o600, secret=True)
    given = given_of(s.cluster, s.kept)
    if given is None:
        return [config]
    registries = engine.registries_yaml(given)
    return [config, WriteFile(f"write {REGISTRIES}", REGISTRIES, registries, mode=0o600, secret=True)]


def start(s: Situation) -> list[Step]:
    """The first server: up, and ready for others to register."""
    return [*_start_unit(s), *_endpoints(s), _wait_for_member(s, ready=False)]


def join(s: Situation) -> list[Step]:
    """Any other node. A server is a full member, and Ready, before the next one may start."""
    if not s.node.is_server:
        return [*_start_unit(s), _wait_for_member(s, ready=_has_network(s.cluster))]
    return [
        *_one_at_a_time(s),
        *_start_unit(s),
        *_endpoints(s),
        _wait_for_member(s, ready=_has_network(s.cluster)),
    ]


def verify(s: Situation) -> list[Step]:
    """The role's own readiness, seen where it counts."""
    return [_as_wait(question) for question in is_healthy(s)]


def stop_unit(s: Situation) -> list[Step]:
    """Take back a start. The next start enables the unit again."""
    unit = unit_of(s.node)
    return [
        Run(f"disable {unit}", unit_disable(unit)),
        Run(f"stop {unit}", unit_stop(unit)),
    ]


def has_joined(s: Situation) -> list[Question]:
    """The unit runs, a reboot will start it, and the cluster has the node in its role."""
    active = unit_is_active(_secrets(s), enabled=True)
    return [
        Question(f"{unit_of(s.node)} is active", commands.ask_unit(s.node), active),
        _member(s, ready=False),
    ]


def is_healthy(s: Situation) -> list[Question]:
    """Active, answering (servers), and a member in this version; Ready unless the user brings the network."""
    unit = Question(f"{unit_of(s.node)} is active", commands.ask_unit(s.node), unit_is_active(_secrets(s)))
    member = _member(s, ready=_has_network(s.cluster), version=s.cluster.version)
    return [unit, *_endpoint_questions(s), member]


def _enable(node: Node) -> Run:
    unit = unit_of(node)
    return Run(f"enable {unit}", unit_enable(unit), unit_is_enabled(unit))


def _start_unit(s: Situation) -> list[Step]:
    """With the config as it is now: the user may have mended it since a join was rejected and taken back."""
    unit = unit_of(s.node)
    return [
        *_config(s),
        _enable(s.node),
        Run(f"start {unit}", commands.start_unit(s.node)),
        _wait(f"{unit} is active", commands.ask_unit(s.node), unit_is_active(_secrets(s))),
    ]


def _endpoints(s: Situation) -> list[Step]:
    return [_as_wait(question) for question in _endpoint_questions(s)]


def _endpoint_questions(s: Situation) -> list[Question]:
    if not s.node.is_server:
        return []
    secrets = _secrets(s)
    return [
        Question("the API server is ready", commands.ask_readyz(s.node), answers("ok", secrets)),
        Question("the supervisor answers", commands.ask_ping(s.node), answers("pong", secrets)),
    ]


def _one_at_a_time(s: Situation) -> list[Step]:
    """etcd permits one learner. With an external datastore there is none."""
    if ETCD not in _roles(s.cluster.primary):
        return []
    judge = no_other_is_joining(node_name(s), ready=_has_network(s.cluster))
    primary = s.cluster.primary
    return [WaitFor("no other server is joining", commands.ask_nodes(primary), judge, on=primary.name)]


def _wait_for_member(s: Situation, *, ready: bool) -> WaitFor:
    return _as_wait(_member(s, ready=ready))


def _member(s: Situation, *, ready: bool, version: str = "") -> Question:
    """Asked on the node itself where it has an API server, otherwise on the primary."""
    name = node_name(s)
    server = s.node if s.node.is_server else s.cluster.primary
    judge = node_is_member(name, _roles(s.node), ready=ready, version=version)
    title = f"the node is {'Ready' if ready else 'registered'}"
    return Question(title, commands.ask_node(server, name), judge, None if server is s.node else server.name)


def node_name(s: Situation) -> str:
    """The Node object's name: the user's `node-name`, else the hostname in lower case, as the engine does."""
    given = s.node.config.get("node-name")
    return str(given or (s.facts.hostname if s.facts else s.node.name)).lower()


def _roles(node: Node) -> list[str]:
    if not node.is_server:
        return []
    embedded = "datastore-endpoint" not in node.config and not is_true(node.config.get("disable-etcd", ""))
    return [CONTROL_PLANE, ETCD] if embedded else [CONTROL_PLANE]


def _has_network(cluster: Cluster) -> bool:
    """With `cni: none` no node becomes Ready before the user has installed a network."""
    return cni_of(cluster) != ("none",)


def _secrets(s: Situation) -> list[str]:
    """What must not be seen in a journal: this node's secrets and the cluster's."""
    configs: list[Mapping[str, object]] = [node.config for node in (s.node, *servers_of(s.cluster))]
    tokens = [{"token": s.token}, {"token": join_token(s.cluster, s.node, s.token)}]
    found = {secret for config in [*configs, *tokens] for secret in secrets_in(config)}
    return sorted(found, key=lambda secret: (-len(secret), secret))


def _as_wait(question: Question) -> WaitFor:
    return WaitFor(question.title, question.command, question.judge, BETWEEN_LOOKS, question.on)


def _wait(title: str, command: Command, judge: Judge) -> WaitFor:
    return WaitFor(title, command, judge, BETWEEN_GLANCES)
