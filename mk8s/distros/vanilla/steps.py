"""The steps of each edge for a vanilla node. Pure: a situation goes in, values come out.

etcd begins as a static cluster: every server of the first run is a founder, and a founder's etcd is ready
only together with a majority of the others. So founders' etcd is begun at the end of `bootstrap`, on all of
them at once, and waited for in `start` and `join`. A server that comes later is added as a member first,
one at a time. Everything else is the same for all: units are started, and asked at their health ports.

A unit that runs with the files as they are is left alone, so an edge may be repeated at any moment. `start`
and `join` begin with the files as they should be now: the manifest may have been mended since `bootstrap`.
Begin reading at `stage`, then down the file.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s import endpoints
from mk8s.cluster import Node
from mk8s.commands import unit_disable, unit_enable, unit_is_enabled, unit_stop
from mk8s.distros.base import Question, Situation
from mk8s.distros.common import packages
from mk8s.distros.upstream import host, manifests, network, parts, proxies, runtime
from mk8s.distros.vanilla import commands, files
from mk8s.distros.vanilla.addons import of_cluster
from mk8s.distros.vanilla.artifacts import staged_ids
from mk8s.distros.vanilla.configs import founders
from mk8s.distros.vanilla.flags import components
from mk8s.kube import commands as kube
from mk8s.kube import judges
from mk8s.problems import Catalogue, load_catalogue
from mk8s.steps import Judge, Run, Step, WaitFor
from mk8s.units import answers, ask_unit, is_active, run_unit, unit_runs
from transports.base import Command

__all__ = [
    "bootstrap",
    "has_joined",
    "is_healthy",
    "join",
    "refresh",
    "stage",
    "start",
    "stop_unit",
    "units_are_active",
    "verify",
]

CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": ""}
PROGRAMS = ("kubectl", "kubelet", "kube-proxy")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")  # they exit where the API has no RBAC rules yet
BETWEEN_LOOKS = 3.0  # seconds, at the most, between two questions to an API server
BETWEEN_GLANCES = 1.0  # the same for what systemd knows: cheap, and nobody else's time


def stage(s: Situation) -> list[Step]:
    """Everything this node installs from, under a folder that only root may read."""
    return [*parts.stage(s, staged_ids(s.node, s.cluster)), *packages.stage(s)]


def bootstrap(s: Situation) -> list[Step]:
    """The host, containerd, the programs, and every file. Of the cluster, only founders' etcd is begun."""
    return [
        *packages.install(s),
        *host.prepare(s),
        *runtime.install(s),
        *network.install(s),
        *_programs(s),
        *files.folders(s),
        *files.rendered(s),
        *proxies.steps(s, _unit("kubelet")),
        *endpoints.install(s, (files.API_PORT,)),
        *(_begin(s, "etcd") if _is_founder(s) else []),
    ]


def _programs(s: Situation) -> list[Step]:
    names = [*PROGRAMS, *(["kube-apiserver", *CONTROLLERS] if s.node.is_server else [])]
    return [*(parts.install_binary(s, name, name) for name in names), *_etcd(s)]


def _etcd(s: Situation) -> list[Step]:
    found = parts.staged(s, "etcd")
    if not s.node.is_server or not found:
        return []
    file, place = found
    target = parts.bin_dir(s)
    return [
        Run(
            "verify and install etcd",
            commands.install_etcd(place, file, target),
            commands.has_etcd(file, target),
        )
    ]


def start(s: Situation) -> list[Step]:
    """The first server: its API answers, knows what may be asked of kubelets, and has the cluster's DNS."""
    return [
        *files.rendered(s),
        *_control_plane(s),
        *(_apply(path.name, path) for path in of_cluster(s)),
        *_workers(s),
    ]


def join(s: Situation) -> list[Step]:
    """Any other node. A server's etcd is a full member before anything else of it is started."""
    control_plane = _control_plane(s) if s.node.is_server else []
    return [*files.rendered(s), *control_plane, *_workers(s)]


def verify(s: Situation) -> list[Step]:
    """The node's label, the user's manifests; then the role's own readiness, seen where it counts."""
    api = [_as_wait(_ready_api())] if s.node.is_server else []
    applied = manifests.apply(s, commands.admin_tools())
    return [*api, *_label(s), *applied, *map(_as_wait, is_healthy(s))]


def refresh(s: Situation) -> list[Step]:
    """Routes to added nodes, and their names; the way from the endpoint to added servers."""
    return [*network.refresh(s), *endpoints.refresh(s, (files.API_PORT,))]


def stop_unit(s: Situation) -> list[Step]:
    """Take back a start. What depends on another is stopped before it; data and membership stay."""
    return [
        step
        for component in reversed(components(s))
        for step in (
            Run(f"disable {component}", unit_disable(_unit(component))),
            Run(f"stop {component}", unit_stop(_unit(component))),
        )
    ]


def has_joined(s: Situation) -> list[Question]:
    """Every unit runs, a reboot will start it, etcd has the member, and the cluster has the node."""
    return [*units_are_active(s, enabled=True), *_membership(s), _node(s, ready=False)]


def is_healthy(s: Situation) -> list[Question]:
    """All of it works: units, health ports, etcd, routes; the node is Ready where mk8s brings the network."""
    return [
        *units_are_active(s),
        *_membership(s),
        *([_ready_api()] if s.node.is_server else []),
        *(_healthy(component) for component in components(s) if component in commands.HEALTH),
        *network.questions(s),
        _node(s, ready=s.cluster.net.cni != "none", version=s.cluster.version),
    ]


# Servers


def _control_plane(s: Situation) -> list[Step]:
    return [
        *_admission(s),
        *_begin(s, "etcd"),
        _wait("etcd is active", ask_unit(_unit("etcd")), is_active(_catalogue())),
        *_promotion(s),
        *map(_as_wait, _membership(s)),
        *_begin(s, "kube-apiserver"),
        _as_wait(_ready_api()),
        *(step for component in CONTROLLERS for step in _up(s, component)),
    ]


def _admission(s: Situation) -> list[Step]:
    """Nothing for a founder: its membership began with the cluster."""
    if _is_founder(s):
        return []
    node, others = s.node, _others(s)
    return [
        WaitFor(
            "no other server is joining etcd",
            commands.ask_members(others),
            judges.no_other_is_joining(node.name, node.ip),
        ),
        Run(f"add {node.name} to etcd", commands.add_member(node, others), commands.is_member(node, others)),
    ]


def _promotion(s: Situation) -> list[Step]:
    if _is_founder(s):
        return []
    node, others = s.node, _others(s)
    title = f"make {node.name} a full member of etcd"
    return [Run(title, commands.promote(node, others), commands.is_voter(node, others))]


def _others(s: Situation) -> list[Node]:
    """Those that a joining server may ask: whichever of them answers."""
    return [server for server in s.cluster.servers if server is not s.node]


def _is_founder(s: Situation) -> bool:
    return s.node.is_server and s.node.name in founders(s)


def _membership(s: Situation) -> list[Question]:
    if not s.node.is_server:
        return []
    asked = kube.etcd_members(commands.admin_tools())
    return [Question("etcd has the member", asked, judges.member_is_full(s.node.name))]


def _ready_api() -> Question:
    return Question(
        "the API server is ready",
        commands.ask_ready(),
        answers(_catalogue(), "readyz check passed"),
    )


def _apply(what: str, place: PurePosixPath) -> Run:
    return Run(f"apply {what}", kube.apply(commands.admin_tools(), place))


# Every node


def _workers(s: Situation) -> list[Step]:
    return [*_up(s, "kubelet"), *_up(s, "kube-proxy"), _as_wait(_node(s, ready=False))]


def _label(s: Situation) -> list[Step]:
    """A kubelet may not give itself this one. Not part of a start: one that was cut off may count as done."""
    if not s.node.is_server:
        return []
    label = kube.label_node(commands.admin_tools(), s.node.name, CONTROL_PLANE)
    return [Run(f"label {s.node.name} as control-plane", label)]


def _up(s: Situation, component: str) -> list[Step]:
    return [*_begin(s, component), _as_wait(_healthy(component))]


def _begin(s: Situation, component: str) -> list[Step]:
    """Enabled, and started with its files as they are; nobody waits for it here."""
    unit = _unit(component)
    made_of = files.made_of(s, component) + (proxies.paths(s, unit) if component == "kubelet" else [])
    return [
        Run(f"enable {component}", unit_enable(unit), unit_is_enabled(unit)),
        Run(f"start {component}", run_unit(unit, made_of), unit_runs(unit, made_of)),
    ]


def units_are_active(s: Situation, *, enabled: bool = False) -> list[Question]:
    judge = is_active(_catalogue(), enabled=enabled)
    return [
        Question(f"{component} is active", ask_unit(_unit(component)), judge) for component in components(s)
    ]


def _healthy(component: str) -> Question:
    """The answer's status is what counts: kube-proxy says when it last wrote its rules, the others ``ok``."""
    return Question(f"{component} is healthy", commands.ask_health(component), answers(_catalogue()))


def _node(s: Situation, *, ready: bool, version: str = "") -> Question:
    """Asked on the node itself where it has an API server, otherwise on the primary."""
    server: Node = s.node if s.node.is_server else s.cluster.primary
    return Question(
        f"the node is {'Ready' if ready else 'registered'}",
        kube.get_node(commands.admin_tools(), s.node.name),
        judges.node_is_ready(s.node.name, ready=ready, version=version),
        None if server is s.node else server.name,
    )


def _unit(component: str) -> str:
    return f"{component}.service"


def _catalogue() -> Catalogue:
    return load_catalogue("vanilla")


def _as_wait(question: Question) -> WaitFor:
    return WaitFor(question.title, question.command, question.judge, BETWEEN_LOOKS, question.on)


def _wait(title: str, command: Command, judge: Judge) -> WaitFor:
    return WaitFor(title, command, judge, BETWEEN_GLANCES)
