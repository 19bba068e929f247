"""Time to a highly available control plane and to the whole cluster, by three ways of going about it.

The steps are the same: those of the kubeadm driver, run by mk8s' own executor over the same connections,
on hosts of the same lab with new disks each time, with a real Kubernetes. What differs is the order:

- *one by one*: a node after the other, each from its first step to its last.
- *barriers*: every step on all nodes at once, and nobody begins the next one before the slowest has done
  this one; servers still join one after the other, because etcd takes one new member at a time.
- *mk8s run*: each node at its own pace, held back by signals alone. With its journal and its transcript.

Needs root on Linux and the real test release (docs/real-release.md). All hosts of a lab share this machine's
processors, so what several do at once takes several times as long. The second table shows the same orders
where each host has its own: modelled hosts in virtual time, twenty of them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import trio

from benchmarks.measuring import NotMeasuredError, medians
from benchmarks.tables import Table, ratio, seconds
from machines import MemoryJournal, read_journal
from machines.critical import critical_path
from machines.simulation import run_simulated
from mk8s.binding import Binding
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Distro, Situation, load_distro
from mk8s.lab import Lab, UnfitError
from mk8s.lab.machine import require_root
from mk8s.lab.places import cache_folder
from mk8s.lab.real import real_release
from mk8s.manifest import load_cluster_text
from mk8s.needs import pretend
from mk8s.parts_model import modelled_cuts
from mk8s.project import Project, load_project
from mk8s.rehearsal import Conditions, modelled_roads, nominal_release, rehearse
from mk8s.release import find_release
from mk8s.rollout import Rollout, Surroundings
from mk8s.running import run_cluster
from mk8s.session import open_journal, real_rollout
from mk8s.steps import Step
from mk8s.tables import node_machine
from transports.simulated import SimulatedNetwork

__all__ = ["run"]

SERVERS, AGENTS = 3, 2
SUBNET = "10.92.0.0/24"
ROUNDS = 2
COLUMNS = ["order", "to a whole control plane", "ratio", "to all nodes", "ratio"]
MODELLED = [f"192.0.2.{number}" for number in range(11, 31)]
StepsOf = Callable[[Situation], list[Step]]


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds from the beginning to the last server's and to the last node's readiness."""

    control_plane: float
    whole: float
    path: Sequence[str] = ()


Order = Callable[[Binding], Awaitable[Took]]


def run(quick: bool) -> Iterator[Table]:
    """Fresh hosts for each way and each round."""
    try:
        require_root()
    except UnfitError as reason:
        raise NotMeasuredError(reason.problem) from reason
    release = real_release(cache_folder(os.environ, Path.home()), lambda words: print(words, file=sys.stderr))
    table = Table(
        f"rollouts: real Kubernetes by kubeadm on {SERVERS} servers and {AGENTS} agents",
        COLUMNS,
    )
    ways: dict[str, Callable[[Project], Took]] = {
        "one by one": lambda project: by_hand(project, one_by_one),
        "barriers": lambda project: by_hand(project, with_barriers),
        "mk8s run": by_mk8s,
    }
    took = {
        name: [_once(way, release.kubeadm) for _ in range(1 if quick else ROUNDS)]
        for name, way in ways.items()
    }
    figures = {name: medians([[t.control_plane, t.whole] for t in found]) for name, found in took.items()}
    _fill(table, figures)
    table.notes += [
        "Critical path of a `mk8s run`:",
        "",
        *(f"    {line}" for line in took["mk8s run"][-1].path),
    ]
    yield table
    yield in_the_model()


def _fill(table: Table, figures: Mapping[str, Sequence[float]]) -> None:
    ours = figures["mk8s run"]
    for name, (control_plane, whole) in figures.items():
        table.add(
            name,
            *(seconds(control_plane), ratio(control_plane, ours[0])),
            *(seconds(whole), ratio(whole, ours[1])),
        )


def in_the_model() -> Table:
    """The three orders in virtual time, for twenty hosts."""
    cluster = load_cluster_text(_manifest(MODELLED, Path("artifacts"), ""), Path("twenty.yaml")).cluster
    distro = load_distro(cluster.distro)
    rehearsed = rehearse(Conditions(cluster, distro))
    fired = [record.at for record in rehearsed.records if record.signal == "servers-healthy"]
    took = {
        "one by one": _modelled(cluster, distro, one_by_one),
        "barriers": _modelled(cluster, distro, with_barriers),
        "mk8s run": Took(fired[0], rehearsed.result.at),
    }
    table = Table(
        f"rollouts: {SERVERS} servers and {len(cluster.agents)} agents in the model, virtual time", COLUMNS
    )
    _fill(table, {name: [each.control_plane, each.whole] for name, each in took.items()})
    return table


def _modelled(cluster: Cluster, distro: Distro, order: Order) -> Took:
    network = SimulatedNetwork()
    around = Surroundings(
        transports=modelled_roads(cluster, distro, network, 0),
        journal=MemoryJournal(),
        release=nominal_release(cluster, distro),
        token="",
        kept=pretend(distro.needs(cluster)),
        cut=modelled_cuts,
        keep_kubeconfig=lambda _text: None,
    )
    binding = Rollout(cluster, distro, around).binding
    return run_simulated(lambda: order(binding), seed=0)


def _once(way: Callable[[Project], Took], release: Path) -> Took:
    with tempfile.TemporaryDirectory(prefix="mk8s-bench-") as name, _lab(Path(name)) as lab:
        manifest = Path(name) / "cluster.yaml"
        ssh = f"ssh: {{user: dev, key_path: {lab.key}, known_hosts: {lab.known_hosts}}}"
        manifest.write_text(_manifest([host.address for host in lab.hosts], release, ssh))
        return way(load_project(manifest))


@contextmanager
def _lab(folder: Path) -> Iterator[Lab]:
    """Fresh hosts, gone afterwards."""
    lab = Lab(folder / "lab", name="bench", subnet=SUBNET)
    lab.down()
    try:
        lab.up(SERVERS + AGENTS)
        yield lab
    finally:
        lab.down()


def _manifest(addresses: Sequence[str], release: Path, ssh: str) -> str:
    nodes = [
        f"  - {{address: {address}, role: {'server' if number < SERVERS else 'agent'}}}"
        for number, address in enumerate(addresses)
    ]
    head = ["distro: kubeadm", "version: v1.20.2", f"artifacts_dir: {release}", ssh, "nodes:"]
    return "\n".join([*head, *nodes, ""])


# -- mk8s as it is


def by_mk8s(project: Project) -> Took:
    """The whole program but for the start of Python, with plain output."""
    began = time.monotonic()
    run_cluster(project.manifest, None, "plain", 30.0)
    whole = time.monotonic() - began
    records = read_journal(project.past_state().journal)
    spec = node_machine(project.cluster)
    fired = [
        record.at for record in records if record.kind == "signal" and record.signal == "servers-healthy"
    ]
    legs = critical_path(records, spec)
    overhead = whole - records[-1].at  # before the journal's clock and after its end
    path = [
        f"{leg.seconds:6.1f} s  {leg.node:<12} {leg.edge}{f'  (after: {leg.after})' if leg.after else ''}"
        for leg in legs
    ]
    return Took(fired[0] + overhead, whole, path)


# -- the same steps in other orders


def by_hand(project: Project, order: Order) -> Took:
    """Bind everything as a run does, and let `order` decide who does what when."""
    state = project.state()
    release = find_release(project.cluster, project.distro)
    with open_journal(state) as journal:
        rollout = real_rollout(project, state, journal, release)

        async def main() -> Took:
            try:
                return await order(rollout.binding)
            finally:
                await rollout.close()

        return trio.run(main)


async def one_by_one(binding: Binding) -> Took:
    began = anyio.current_time()
    control_plane = 0.0
    for node in binding.cluster.nodes:
        for steps_of in _life(binding, node):
            await _all(binding, node, steps_of)
        if node.is_server:
            control_plane = anyio.current_time() - began
    return Took(control_plane, anyio.current_time() - began)


async def with_barriers(binding: Binding) -> Took:
    began = anyio.current_time()
    distro, cluster = binding.distro, binding.cluster
    for steps_of in (distro.stage, distro.bootstrap):
        await _in_step(binding, cluster.nodes, steps_of)
    for server in cluster.servers:
        await _all(binding, server, _enter(binding, server))
    await _in_step(binding, cluster.servers, distro.verify)
    control_plane = anyio.current_time() - began
    for steps_of in (distro.join, distro.verify):
        await _in_step(binding, cluster.agents, steps_of)
    return Took(control_plane, anyio.current_time() - began)


def _life(binding: Binding, node: Node) -> Sequence[StepsOf]:
    distro = binding.distro
    return distro.stage, distro.bootstrap, _enter(binding, node), distro.verify


def _enter(binding: Binding, node: Node) -> StepsOf:
    return binding.distro.start if node.role == "primary" else binding.distro.join


async def _all(binding: Binding, node: Node, steps_of: StepsOf) -> None:
    steps = await _steps(binding, node, steps_of)
    await binding.executor.run_steps(node.name, steps, binding.distro.classify)


async def _steps(binding: Binding, node: Node, steps_of: StepsOf) -> list[Step]:
    """A start and a join ask other nodes first, as in a run."""
    situation = await binding.situation_of(node.name)
    asks = steps_of in (binding.distro.start, binding.distro.join)
    return steps_of(await binding.informed(situation) if asks else situation)


async def _in_step(binding: Binding, nodes: Sequence[Node], steps_of: StepsOf) -> None:
    """The first step on all nodes, then the second on all nodes ..."""
    steps: dict[str, list[Step]] = {}

    async def prepare(node: Node) -> None:
        steps[node.name] = await _steps(binding, node, steps_of)

    await _at_once(prepare, nodes)
    for number in range(max(map(len, steps.values()), default=0)):

        async def do(node: Node, number: int = number) -> None:
            mine = steps[node.name][number : number + 1]
            await binding.executor.run_steps(node.name, mine, binding.distro.classify)

        await _at_once(do, nodes)


async def _at_once(do: Callable[[Node], Coroutine[Any, Any, None]], nodes: Sequence[Node]) -> None:
    async with anyio.create_task_group() as tasks:
        for node in nodes:
            tasks.start_soon(do, node)
