"""The steps of each edge, but for the installation, which is each driver's own. Pure.

The order of a start: nobody else is joining (members of etcd), start without waiting, the unit is active,
the API and the supervisor answer, the node is a member. Only then may the next server start, because etcd
takes one learner at a time.

Where the unit is of a release that does not notify, `active` says only that a process runs; the other
questions are those that prove something, and they are the same.

Begin reading at `stage`, then down the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mk8s.cluster import Node
from mk8s.commands import unit_disable, unit_enable, unit_is_enabled, unit_stop
from mk8s.distros.base import Question, Situation
from mk8s.distros.common import packages
from mk8s.distros.rancher import commands, files
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.images import Archive, staging_dir
from mk8s.distros.rancher.readiness import (
    answers,
    etcd_is_healthy,
    is_version,
    no_other_is_joining,
    node_is_member,
    unit_is_active,
)
from mk8s.distros.rancher.roles import has_api, has_etcd, labels_of
from mk8s.distros.rancher.tokens import secrets_of
from mk8s.distros.rancher.values import settings_of
from mk8s.steps import Judge, Run, Step, Upload, WaitFor
from transports.base import Command, File

__all__ = [
    "enable",
    "has_joined",
    "is_healthy",
    "is_preinstalled",
    "join",
    "node_name",
    "stage",
    "start",
    "stop_unit",
    "verify",
    "wait_until_up",
]

ROOT_ONLY = 0o700
BETWEEN_LOOKS = 3.0  # seconds, at the most, between two questions to an API server
BETWEEN_GLANCES = 1.0  # the same for what systemd knows: cheap, and nobody else's time


def stage(
    s: Situation, parts: Sequence[tuple[File, PurePosixPath]], archives: Sequence[Archive]
) -> list[Step]:
    """Everything this node installs from, under a folder that only root may read."""
    place = staging_dir(s.cluster)
    return [
        files.folder(place, ROOT_ONLY),
        files.folder(place / "images", ROOT_ONLY),
        *(_upload(*part) for part in parts),
        *(_upload(archive.file, archive.staged) for archive in archives),
        *files.stage_manifests(s),
        *packages.stage(s),
    ]


def _upload(file: File, target: PurePosixPath) -> Upload:
    return Upload(f"put {target.name} on the node", file, target)


def is_preinstalled(engine: Engine, s: Situation, programs: Sequence[PurePosixPath]) -> list[Step]:
    """The program is on the host already, in the manifest's version; else this ends the edge for good."""
    title = f"{engine.title} {s.cluster.version} is on the host"
    return [WaitFor(title, commands.ask_version(engine, programs), is_version(s.cluster.version))]


def enable(engine: Engine, node: Node) -> Run:
    unit = engine.unit_of(node)
    return Run(f"enable {unit}", unit_enable(unit), unit_is_enabled(unit))


def start(engine: Engine, s: Situation) -> list[Step]:
    """The first server: up, and ready for others to register."""
    return [*_start_unit(engine, s), *wait_until_up(engine, s)]


def wait_until_up(engine: Engine, s: Situation) -> list[Step]:
    """The unit is active, its endpoints answer, and the node is registered in its roles."""
    unit = engine.unit_of(s.node)
    active = unit_is_active(engine, secrets_of(s))
    return [
        _wait(f"{unit} is active", commands.ask_unit(engine, s.node), active),
        *_waits(_endpoint_questions(engine, s)),
        *_waits(_member(engine, s, ready=False)),
    ]


def join(engine: Engine, s: Situation) -> list[Step]:
    """Any other node. A server is a full member, and Ready, before the next one may start."""
    unit = engine.unit_of(s.node)
    active = unit_is_active(engine, secrets_of(s))
    return [
        *_one_at_a_time(engine, s),
        *_start_unit(engine, s),
        _wait(f"{unit} is active", commands.ask_unit(engine, s.node), active),
        *_waits(_endpoint_questions(engine, s)),
        *_waits(_member(engine, s, ready=_has_network(engine, s))),
    ]


def verify(engine: Engine, s: Situation) -> list[Step]:
    """The role's own readiness, seen where it counts."""
    return _waits(is_healthy(engine, s))


def stop_unit(engine: Engine, s: Situation) -> list[Step]:
    """Take back a start. The next start enables the unit again."""
    unit = engine.unit_of(s.node)
    return [
        Run(f"disable {unit}", unit_disable(unit)),
        Run(f"stop {unit}", unit_stop(unit)),
    ]


def has_joined(engine: Engine, s: Situation) -> list[Question]:
    """The unit runs, a reboot will start it, and the cluster has the node in its role."""
    active = unit_is_active(engine, secrets_of(s), enabled=True)
    unit = Question(f"{engine.unit_of(s.node)} is active", commands.ask_unit(engine, s.node), active)
    return [unit, *_member(engine, s, ready=False)]


def is_healthy(engine: Engine, s: Situation) -> list[Question]:
    """Active, answering (servers), and a member in this version; Ready unless the user brings the network."""
    active = unit_is_active(engine, secrets_of(s))
    unit = Question(f"{engine.unit_of(s.node)} is active", commands.ask_unit(engine, s.node), active)
    member = _member(engine, s, ready=_has_network(engine, s), version=s.cluster.version)
    return [unit, *_endpoint_questions(engine, s), *member]


def _start_unit(engine: Engine, s: Situation) -> list[Step]:
    """With the config as it is now: the user may have mended it since a join was rejected and taken back."""
    unit = engine.unit_of(s.node)
    return [
        *files.settings(engine, s),
        enable(engine, s.node),
        Run(f"start {unit}", commands.start_unit(engine, s.node)),
    ]


def _endpoint_questions(engine: Engine, s: Situation) -> list[Question]:
    """What answers on a server itself. A member of etcd alone has nothing but that."""
    if not s.node.is_server:
        return []
    secrets = secrets_of(s)
    if not has_api(s.node):
        healthy = etcd_is_healthy(engine, secrets)
        return [Question("etcd is healthy", commands.ask_etcd(engine, s.node), healthy)]
    readyz, ping = commands.ask_readyz(engine, s.node), commands.ask_ping(engine, s.node)
    return [
        Question("the API server is ready", readyz, answers(engine, "ok", secrets)),
        Question("the supervisor answers", ping, answers(engine, "pong", secrets)),
    ]


def _one_at_a_time(engine: Engine, s: Situation) -> list[Step]:
    """etcd permits one learner."""
    primary = s.cluster.primary
    if not has_etcd(engine, s.cluster, s.node):
        return []
    judge = no_other_is_joining(node_name(s), ready=_has_network(engine, s))
    command = commands.ask_nodes(engine, primary)
    return [WaitFor("no other server is joining", command, judge, on=primary.name)]


def _member(engine: Engine, s: Situation, *, ready: bool, version: str = "") -> list[Question]:
    """Asked on the node itself where it has an API server, otherwise on the first, which has.

    Of somebody else's control plane only the node's own object can be read, with its kubelet's kubeconfig.
    """
    name = node_name(s)
    judge = node_is_member(name, labels_of(engine, s.cluster, s.node), ready=ready, version=version)
    title = f"the node is {'Ready' if ready else 'registered'}"
    if s.cluster.joins:
        own = commands.ask_node(engine, s.node, name, engine.kubelets_kubeconfig(s.node))
        return [Question(title, own, judge)]
    server = s.node if has_api(s.node) else s.cluster.primary
    on = None if server is s.node else server.name
    return [Question(title, commands.ask_node(engine, server, name), judge, on)]


def node_name(s: Situation) -> str:
    """The Node object's name: the user's `node-name`, else the hostname in lower case, as the engine does."""
    given = settings_of(s.node).get("node-name")
    return str(given or (s.facts.hostname if s.facts else s.node.name)).lower()


def _has_network(engine: Engine, s: Situation) -> bool:
    """Without one, no node becomes Ready before the user has brought it."""
    return not engine.without_network(s.cluster)


def _waits(questions: Sequence[Question]) -> list[Step]:
    return [WaitFor(one.title, one.command, one.judge, BETWEEN_LOOKS, one.on) for one in questions]


def _wait(title: str, command: Command, judge: Judge) -> WaitFor:
    return WaitFor(title, command, judge, BETWEEN_GLANCES)
