"""The steps of each edge for a kubeadm node. Pure: a situation goes in, values come out.

What `start` and `join` do depends on how far kubeadm has come on the host, which is asked just before
(`lookups`): nothing there, running, half done by a crash, or done. A run that was cut off at any moment so
finds its way: what runs is waited for, what is half done is taken back first, what is done is left alone.

Begin reading at `stage`, then down the file.
"""

from __future__ import annotations

from dataclasses import replace

from mk8s import endpoints
from mk8s.commands import read_file, unit_enable, unit_is_enabled, unit_stop
from mk8s.distros.base import Lookup, Question, Situation
from mk8s.distros.common import packages
from mk8s.distros.kubeadm import cluster_commands, commands, config, files, paths
from mk8s.distros.kubeadm.artifacts import staged_ids
from mk8s.distros.kubeadm.readiness import (
    ca_hash,
    is_registered,
    kubeadm_has_joined,
    kubeadm_is_done,
    no_image_is_missing,
    read_progress,
)
from mk8s.distros.upstream import host, manifests, network, parts, proxies, runtime
from mk8s.kube import commands as kube
from mk8s.kube.judges import is_ok, member_is_full, no_other_is_joining, node_is_ready, readyz_is_ok
from mk8s.steps import Run, Step, WaitFor, WriteFile
from transports.base import Command

__all__ = [
    "bootstrap",
    "has_joined",
    "is_healthy",
    "join",
    "lookups",
    "refresh",
    "stage",
    "start",
    "stop_unit",
    "verify",
]

ROOT_ONLY = 0o700
ENDPOINT_PORTS = (config.API_PORT,)
BETWEEN_LOOKS = 3.0  # seconds, at the most, between two questions to an API server
BETWEEN_GLANCES = 1.5  # the same for what the host itself knows
CONTROLLERS, SCHEDULER, KUBELET = 10257, 10259, 10248  # ports of their own health


def stage(s: Situation) -> list[Step]:
    """Everything this node installs from, under a folder that only root may read."""
    return [*parts.stage(s, staged_ids(s.node, s.cluster)), *packages.stage(s)]


def bootstrap(s: Situation) -> list[Step]:
    """Prepare the host, install the programs, the runtime and the network. No kubelet joins anything yet."""
    return [
        *packages.install(s),
        *host.prepare(s),
        *runtime.install(s),
        *network.install(s),
        *(parts.install_binary(s, name, name) for name in ("kubeadm", "kubelet", "kubectl")),
        *_units(s),
        *_own_files(s),
        *_images(s),
        *endpoints.install(s, ENDPOINT_PORTS),
    ]


def _units(s: Situation) -> list[Step]:
    return [
        WriteFile(f"write {paths.KUBELET_UNIT}", paths.KUBELET_UNIT, files.kubelet_unit(s)),
        parts.folder(paths.DROP_IN.parent),
        WriteFile(f"write {paths.DROP_IN}", paths.DROP_IN, files.drop_in(s)),
        *proxies.steps(s, paths.KUBELET_UNIT.name),
        WriteFile(f"write {paths.RUNNER_UNIT}", paths.RUNNER_UNIT, files.runner_unit(s)),
        _enable(),
    ]


def _enable() -> Run:
    unit = paths.KUBELET_UNIT.name
    return Run(f"enable {unit}", unit_enable(unit), unit_is_enabled(unit))


def _own_files(s: Situation) -> list[Step]:
    steps: list[Step] = [
        parts.folder(paths.OURS, ROOT_ONLY),
        WriteFile(f"write {paths.RUNNER}", paths.RUNNER, files.runner(s), mode=0o755),
        WriteFile(f"write {paths.CLUSTER_CONFIG}", paths.CLUSTER_CONFIG, config.cluster_config(s)),
    ]
    if s.cluster.kube_vip and s.node.is_server:
        lasting = files.kube_vip(s.cluster, first=False)
        steps.append(WriteFile(f"write {paths.KUBE_VIP}", paths.KUBE_VIP, lasting))
    if s.cluster.kube_vip and s.node.role == "primary":
        first = files.kube_vip(s.cluster, first=True)
        steps.append(WriteFile(f"write {paths.KUBE_VIP_FIRST}", paths.KUBE_VIP_FIRST, first))
    return steps


def _images(s: Situation) -> list[Step]:
    """Without a way to a registry, what is missing now would be missed in the middle of a join."""
    if not s.cluster.airgap:
        return []
    more = [s.cluster.kube_vip.image] if s.cluster.kube_vip and s.node.is_server else []
    command = commands.find_missing_images(s.node, more)
    return [WaitFor("every image is there", command, no_image_is_missing)]


# Start and join


def lookups(s: Situation) -> list[Lookup]:
    """How far this host is; for all but the first server also what the cluster has to say."""
    found = [Lookup("progress", "how far kubeadm has come", commands.ask(), read_progress, s.node.name)]
    if s.node.role == "primary":
        return found
    primary = s.cluster.primary.name
    authority = read_file(paths.PKI / "ca.crt")
    registered = Lookup("registered", "whether it was a node", commands.ask(), is_registered, s.node.name)
    return [*found, registered, Lookup("ca-hash", "the cluster's authority", authority, ca_hash, primary)]


def start(s: Situation) -> list[Step]:
    """The first server: `kubeadm init`, until its API is ready and has the node."""
    return [*_run_kubeadm(s, []), *_api_and_etcd(s), _as_wait(_member(s, ready=False))]


def join(s: Situation) -> list[Step]:
    """Any other node: `kubeadm join`. A server is a full member of etcd before the next one may begin."""
    if not s.node.is_server:
        return [*_run_kubeadm(s, [_token(s)]), _as_wait(_member(s, ready=False))]
    before = [_stale_member(s), _one_at_a_time(s), _token(s), _certificates(s)]
    return [*_run_kubeadm(s, before), *_api_and_etcd(s), _as_wait(_member(s, ready=_has_network(s)))]


def _run_kubeadm(s: Situation, before: list[Step]) -> list[Step]:
    """kubeadm to its end, from wherever it is. `before`: what must be true elsewhere when it begins."""
    progress = s.learned.get("progress", "none")
    steps: list[Step] = [_enable()]
    if progress == "half":
        steps += _take_back(s)
    if progress in ("none", "half"):
        steps += [*before, _config(s), Run("start kubeadm", commands.start())]
    if progress != "done":
        steps.append(_wait("kubeadm has succeeded", commands.ask(), BETWEEN_GLANCES))
    forget = Run("remove the config with the token", commands.forget_config(), commands.has_no_config())
    return [*steps, forget]


def _take_back(s: Situation) -> list[Step]:
    """A half-made server may be the vote that the others lack: they must do without it first.

    Its kubelet starts what is there of it at boot, so the majority comes back by itself.

    kubeadm refuses a name whose Node is Ready still, as it is for 40 s after its kubelet has ended. So the
    Node goes first, if this host's own kubelet made it; another host's of the same name is left alone. And
    before the Node the kubelet: one that could not register until now would make it anew in the next second.
    """
    reset = Run("take back what kubeadm has half made", commands.reset(s.node))
    if s.node.role == "primary":
        return [reset]
    steps: list[Step] = [reset]
    if s.learned.get("registered"):
        forget = cluster_commands.forget_node(s.node.name)
        kubelet = Run("stop its kubelet", unit_stop(paths.KUBELET_UNIT.name))
        steps = [kubelet, Run("delete its half-made Node", forget, on=s.cluster.primary.name), reset]
    if s.node.is_server:
        readyz, on = kube.readyz(cluster_commands.tools()), s.cluster.primary.name
        steps.insert(0, WaitFor("the cluster answers", readyz, readyz_is_ok(), BETWEEN_LOOKS, on))
    return steps


def _config(s: Situation) -> WriteFile:
    """As it is now: the token may have been renewed, and the user may have mended a rejected config."""
    content = config.init_config(s) if s.node.role == "primary" else config.join_config(s)
    return WriteFile(f"write {paths.RUNNER_CONFIG}", paths.RUNNER_CONFIG, content, mode=0o600, secret=True)


def _one_at_a_time(s: Situation) -> Step:
    """etcd permits one learner, and two members that do not start would cost the quorum."""
    judge = no_other_is_joining(s.node.name, s.node.ip)
    command = kube.etcd_members(cluster_commands.tools())
    return WaitFor("no other server is joining", command, judge, on=s.cluster.primary.name)


def _stale_member(s: Situation) -> Step:
    """A member at this address is of an attempt that is over: by now this host has no data of etcd's."""
    remove, check = cluster_commands.remove_member(s.node.ip), cluster_commands.has_no_member(s.node.ip)
    title = "remove the etcd member that an earlier attempt left"
    return Run(title, remove, check, on=s.cluster.primary.name)


def _token(s: Situation) -> Step:
    token = config.token(s)
    create = cluster_commands.create_token(token, config.token_config(_on_primary(s)))
    return Run(
        "let nodes join with the token", create, cluster_commands.has_token(token), s.cluster.primary.name
    )


def _certificates(s: Situation) -> Step:
    secrets = {"certificateKey": config.certificate_key(s)}
    upload = cluster_commands.upload_certificates(config.cluster_config(_on_primary(s), secrets))
    title = "offer the certificates that servers join with"
    return Run(title, upload, cluster_commands.has_certificates(), s.cluster.primary.name)


def _on_primary(s: Situation) -> Situation:
    """The cluster's configuration as its first server has it. What is known of this host is not of that."""
    return replace(s, node=s.cluster.primary, facts=None)


# Readiness


def verify(s: Situation) -> list[Step]:
    """The user's manifests, which may bring the network; then the role's own readiness, where it counts."""
    applied = manifests.apply(s, cluster_commands.tools())
    api = _api_and_etcd(s) if applied else []
    return [*api, *applied, *map(_as_wait, is_healthy(s))]


def has_joined(s: Situation) -> list[Question]:
    """kubeadm has succeeded here, a reboot starts the kubelet, and the cluster has the node."""
    done = Question("kubeadm has succeeded", commands.ask(), kubeadm_has_joined)
    return [done, _member(s, ready=False)]


def is_healthy(s: Situation) -> list[Question]:
    """kubelet and control plane well, etcd whole, the pod routes set, and the node Ready in this version."""
    tools = cluster_commands.tools()
    kubelet = Question("the kubelet is well", kube.healthz(tools, KUBELET, tls=False), is_ok())
    member = _member(s, ready=_has_network(s), version=s.cluster.version)
    return [kubelet, *_server_questions(s), *network.questions(s), member]


def refresh(s: Situation) -> list[Step]:
    return [*network.refresh(s), *endpoints.refresh(s, ENDPOINT_PORTS)]


def stop_unit(s: Situation) -> list[Step]:
    """Take back a start as far as systemd goes. The next start takes back the files, too."""
    del s
    return [Run("stop kubeadm and the kubelet", commands.stop())]


def _server_questions(s: Situation) -> list[Question]:
    if not s.node.is_server:
        return []
    tools = cluster_commands.tools()
    return [
        *_api_questions(s),
        Question("the controller-manager is well", kube.healthz(tools, CONTROLLERS), is_ok()),
        Question("the scheduler is well", kube.healthz(tools, SCHEDULER), is_ok()),
    ]


def _api_questions(s: Situation) -> list[Question]:
    tools = cluster_commands.tools()
    whole = member_is_full(s.node.name)
    return [
        Question("the API server is ready", kube.readyz(tools), readyz_is_ok()),
        Question("its etcd member has started", kube.etcd_members(tools), whole),
    ]


def _api_and_etcd(s: Situation) -> list[Step]:
    return [_as_wait(question) for question in _api_questions(s)]


def _member(s: Situation, *, ready: bool, version: str = "") -> Question:
    """Asked on the node itself where it has an API server, otherwise on the first server."""
    on = None if s.node.is_server else s.cluster.primary.name
    judge = node_is_ready(s.node.name, ready=ready, version=version)
    title = f"the node is {'Ready' if ready else 'registered'}"
    return Question(title, kube.get_node(cluster_commands.tools(), s.node.name), judge, on)


def _has_network(s: Situation) -> bool:
    """Without one built in, no node becomes Ready before the user's manifests have brought it."""
    return s.cluster.net.cni != "none" or bool(s.cluster.manifests)


def _as_wait(question: Question) -> WaitFor:
    return WaitFor(question.title, question.command, question.judge, BETWEEN_LOOKS, question.on)


def _wait(title: str, command: Command, interval: float) -> WaitFor:
    return WaitFor(title, command, kubeadm_is_done, interval)
