"""A sound manifest with everything filled in: names, roles, logins, configs, order. Pure.

It is given a form without faults and says what mk8s makes of it. Whatever it decides in the user's
place and the user may not expect, it tells as a notice: one sentence each, for stderr.

Begin reading at `resolve`.
"""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from machines.forms import duration
from mk8s.cluster import (
    ArtifactSource,
    Cluster,
    FanOut,
    Login,
    Network,
    Node,
    Registries,
    RegistryAccess,
    RegistryMirror,
    Role,
)
from mk8s.manifest import mode_resolving as modes
from mk8s.manifest.configs import combine
from mk8s.manifest.schema import (
    ArtifactForm,
    BudgetsForm,
    ChecksForm,
    ConfigForm,
    FanOutForm,
    GatesForm,
    LimitsForm,
    ManifestForm,
    NetworkForm,
    NodeForm,
    PolicyForm,
    RegistryAccessForm,
    SshForm,
)
from mk8s.manifest.simulation import simulation_of
from mk8s.manifest.values import ip_of, make_label, rate
from mk8s.manifest.versions import UPSTREAM

__all__ = ["Place", "resolve"]

ORDER: Mapping[Role, int] = {"primary": 0, "server": 1, "agent": 2}
LABEL_AT_MOST = 63
SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Place:
    """Where a manifest stands and who reads it: all that resolving needs to know of this machine."""

    source: Path  # the manifest, as the user named it
    folder: Path  # its folder, absolute; relative paths in it are seen from there
    home: Path
    operator: str  # login name of whoever runs mk8s

    def locate(self, text: str) -> Path:
        """A path of the manifest on this machine: ``~`` is home, the rest is seen from the manifest."""
        if text == "~" or text.startswith("~/"):
            return self.home / text[2:]
        return self.folder / os.path.expanduser(text)  # noqa: PTH111  never raises, unlike Path's


def resolve(form: ManifestForm, place: Place, digest: str) -> tuple[Cluster, tuple[str, ...]]:
    """The cluster that a manifest without faults describes, and what was decided in the user's place.

    `digest`: sha256 of the manifest's bytes, in hex.
    """
    cluster = _nodes_and_release(form, place)
    cluster = _with_shape(cluster, form, place)
    cluster = _with_pace(cluster, form)
    cluster = replace(cluster, source=place.source, digest=digest)
    return cluster, tuple(_notices(form, cluster))


def _nodes_and_release(form: ManifestForm, place: Place) -> Cluster:
    """What is put where: the nodes, how they are entered, and the release that comes to them."""
    ssh = form.ssh or SshForm()
    return Cluster(
        name=form.name or make_label(place.source.stem) or "cluster",
        distro=form.distro,
        version=form.version,
        airgap=form.airgap,
        nodes=_nodes(form, ssh, place),
        known_hosts=place.locate(ssh.known_hosts) if ssh.known_hosts else None,
        host_keys=ssh.host_keys,
        artifacts={key: _artifact(artifact) for key, artifact in (form.artifacts or {}).items()},
        artifacts_dir=place.locate(form.artifacts_dir),
        artifacts_mode=modes.artifacts_mode(form),
        install_method=form.install_method,
        mirrors=form.mirrors or {},
        components={name: version.removeprefix("v") for name, version in (form.components or {}).items()},
        images=tuple(form.images or ()),
        registries=_registries(form, place),
        smoke_image=form.smoke_image or "",
    )


def _with_shape(cluster: Cluster, form: ManifestForm, place: Place) -> Cluster:
    """What the nodes become: how they find one another, and what is kept and run where."""
    return replace(
        cluster,
        endpoint=modes.endpoint(form),
        balancer=modes.balancer(form),
        network=_network(form.network),
        manifests=tuple(place.locate(text) for text in form.manifests or ()),
        control_plane=form.control_plane,
        datastore=modes.datastore(form.datastore, place.locate),
        joins=modes.existing(form.join),
        swap=form.swap,
        hosts_entries=form.hosts_entries,
    )


def _with_pace(cluster: Cluster, form: ManifestForm) -> Cluster:
    """How a run goes about it: how many at once, for how long, past which checks."""
    limits = form.limits or LimitsForm()
    return replace(
        cluster,
        limits=_limits(limits),
        bandwidth=rate(limits.bandwidth) if limits.bandwidth else None,
        budgets=_budgets(form.budgets or BudgetsForm()),
        agents_wait_for=(form.gates or GatesForm()).agents,
        policy=_policy(form.policy or PolicyForm()),
        fan_out=_fan_out(form.fan_out or FanOutForm()),
        waived=frozenset((form.checks or ChecksForm()).waive or ()),
        simulation=simulation_of(form.simulation),
    )


def _nodes(form: ManifestForm, ssh: SshForm, place: Place) -> tuple[Node, ...]:
    primary = None if form.join else _primary(form.nodes)
    names = _names(form.nodes)
    nodes = [
        _node(node, names[index], "primary" if index == primary else node.role, form, ssh, place)
        for index, node in enumerate(form.nodes)
    ]
    return tuple(sorted(nodes, key=lambda node: ORDER[node.role]))


def _primary(nodes: Sequence[NodeForm]) -> int:
    """The index of the marked server, or else of the first one."""
    marked = [index for index, node in enumerate(nodes) if node.primary]
    return (marked or [index for index, node in enumerate(nodes) if node.role == "server"])[0]


def _node(node: NodeForm, name: str, role: Role, form: ManifestForm, ssh: SshForm, place: Place) -> Node:
    shared = form.config or ConfigForm()
    config, text = combine(node.config, shared.agents if role == "agent" else shared.servers, shared.all)
    return Node(
        name=name,
        role=role,
        address=_spelt(node.address),
        arch=node.arch or form.arch,
        login=_login(node, ssh, place),
        config=config,
        config_text=text,
        node_ip=_spelt(node.node_ip or ""),
        group=node.group or "",
        labels=node.labels or {},
        taints=tuple(node.taints or ()),
        arguments=tuple(node.arguments or ()),
        drop_ins=modes.drop_ins(form.drop_ins, server=role != "agent"),
        proxy=modes.proxy(node.proxy, form.proxy),
    )


def _spelt(address: str) -> str:
    """An IP address in its one short spelling, a host name as it is."""
    found = ip_of(address)
    return str(found) if found else address


def _login(node: NodeForm, ssh: SshForm, place: Place) -> Login:
    key, certificate = node.ssh_key_path or ssh.key_path, node.certificate_path or ssh.certificate_path
    own = {"user": node.user or ssh.user, "port": node.port or ssh.port, "key_path": key}
    return Login(
        user=node.user or ssh.user or place.operator,
        port=node.port or ssh.port or SSH_PORT,
        key_path=place.locate(key) if key else None,
        local=bool(node.local),
        password_env=node.password_env or ssh.password_env,
        passphrase_env=node.passphrase_env or ssh.passphrase_env,
        sudo_password_env=node.sudo_password_env or ssh.sudo_password_env,
        transport=node.transport or ssh.transport,
        jumps=modes.jumps(node.jump, ssh.jump),
        ssh_config=modes.ssh_config(ssh.config, place.locate),
        certificate_path=place.locate(certificate) if certificate else None,
        identities_only=ssh.identities_only if node.identities_only is None else node.identities_only,
        escalate=node.escalate or ssh.escalate,
        given=frozenset(name for name, value in own.items() if value),
        environment={**(ssh.environment or {}), **(node.environment or {})},
    )


def _names(nodes: Sequence[NodeForm]) -> list[str]:
    """A unique name for each node: the given one, or one made from the address.

    Given names come first, so that no made name takes one away; made names depend on the nodes
    above alone, so that adding nodes at the end renames none.
    """
    taken = {node.name for node in nodes if node.name}
    tried: Counter[str] = Counter()
    names = []
    for node in nodes:
        name = node.name or _free(_name_of(node.address), taken, tried)
        taken.add(name)
        names.append(name)
    return names


def _name_of(address: str) -> str:
    """``10.0.0.1`` is 10-0-0-1; ``node-1.example.org`` is node-1."""
    found = ip_of(address)
    return make_label(str(found) if found else address.split(".")[0]) or "node"


def _free(name: str, taken: Set[str], tried: Counter[str]) -> str:
    """The name, or the first free one of ``name-2``, ``name-3`` ...; `tried` remembers how far that got."""
    candidate = name
    while candidate in taken:
        tried[name] += 1
        ending = f"-{tried[name] + 1}"
        candidate = name[: LABEL_AT_MOST - len(ending)].rstrip("-") + ending
    return candidate


def _artifact(form: ArtifactForm | None) -> ArtifactSource:
    if form is None:
        return ArtifactSource()
    return ArtifactSource(form.name or "", form.url or "", form.checksum or "")


def _fan_out(form: FanOutForm) -> FanOut:
    return FanOut(form.mode, form.seeds, form.per_node, form.between_groups)


def _registries(form: ManifestForm, place: Place) -> Registries | None:
    given = form.registries
    if given is None:
        return None
    mirrors = {
        name: RegistryMirror(tuple(mirror.endpoints), mirror.rewrite or {})
        for name, mirror in (given.mirrors or {}).items()
    }
    access = {name: _access(entry, place) for name, entry in (given.access or {}).items()}
    fallback = (not form.airgap) if given.fallback is None else given.fallback
    return Registries(mirrors, access, given.default or "", fallback)


def _access(form: RegistryAccessForm, place: Place) -> RegistryAccess:
    ca_file = place.locate(form.ca_file) if form.ca_file else None
    return RegistryAccess(form.username or "", form.password_env, ca_file, form.insecure)


def _network(form: NetworkForm | None) -> Network | None:
    if form is None:
        return None
    return Network(form.pod_cidr, form.service_cidr, form.dns_domain, form.cni)


def _limits(form: LimitsForm) -> dict[str, int]:
    given = {
        "uploads": form.uploads,
        "etcd-joins": form.etcd_joins,
        "agent-joins": form.agent_joins,
        "connections": form.connections,
    }
    return {name: limit for name, limit in given.items() if limit is not None}


def _budgets(form: BudgetsForm) -> dict[str, str]:
    given = {"server": form.server, "agent": form.agent}
    return {role: str(budget) for role, budget in given.items() if budget is not None}


def _policy(form: PolicyForm) -> dict[str, dict[str, float]]:
    """Edge to ``timeout`` and ``deadline`` in seconds, where they are given."""
    return {
        edge: {
            name: duration(value)
            for name, value in (("timeout", times.timeout), ("deadline", times.deadline))
            if value is not None
        }
        for edge, times in (form.edges or {}).items()
        if times is not None
    }


def _notices(form: ManifestForm, cluster: Cluster) -> Iterator[str]:
    if not cluster.joins:
        yield from _notices_of_servers(form, cluster)
    if cluster.artifacts_mode == "download" and not cluster.airgap:
        yield "airgap: false: a run fetches missing release files here; the nodes get them from this machine"
    if cluster.limits.get("etcd-joins", 1) > 1 and not cluster.datastore:
        yield "limits.etcd-joins is more than 1: etcd takes one new member at a time and refuses the others"
    if cluster.net.cni == "none" and not cluster.manifests:
        yield "network.cni is none and `manifests` is empty: no node gets ready until you install a network"


def _notices_of_servers(form: ManifestForm, cluster: Cluster) -> Iterator[str]:
    if not any(node.primary for node in form.nodes):
        yield f"no node has `primary: true`: {cluster.primary.name}, the first server, becomes the primary"
    servers = len(cluster.servers)
    if servers % 2 == 0 and not cluster.datastore:
        yield f"{servers} servers survive no more failures than {servers - 1}: an odd number is better"
    if cluster.distro in UPSTREAM and servers > 1 and not cluster.endpoint:
        primary = cluster.primary.name
        yield (
            f"no `endpoint`: every node asks the API of {primary}, so that all are lost while it is down; "
            "name an address that leads to all servers"
        )
