"""Simulated nodes per second, and the memory that they take. Each size runs in a process of its own.

*framework*: the shipped node table in a world where every action just takes time and has an effect;
every record is checked against every invariant. *rehearsal*: `mk8s simulate` without its screen: the
RKE2 driver's steps, the executor, and modelled hosts that answer each command.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import NotMeasuredError, Stopwatch, call, peak_memory
from benchmarks.tables import Table, count, mebibytes, seconds
from machines.registry import Guard
from mk8s.cluster import Role

__all__ = ["framework", "rehearsal", "run"]

SIZES = (100, 1_000, 10_000)
SERVERS = 3
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Plain:
    """A member."""

    name: str
    role: str


def run(quick: bool) -> Iterator[Table]:
    """Both, at each size; the median of three by speed."""
    table = Table(
        "simulation: nodes per second in virtual time",
        ["what", "nodes", "wall", "CPU", "nodes/s", "nodes/CPU s", "records/s", "peak memory"],
    )
    for what in (framework, rehearsal):
        for size in SIZES[:2] if quick else SIZES:
            rounds = 1 if quick or (what is rehearsal and size > SIZES[1]) else ROUNDS
            wall, cpu, records, memory = sorted(call(what, size) for _ in range(rounds))[rounds // 2]
            table.add(
                what.__name__,
                count(size),
                seconds(wall),
                seconds(cpu),
                count(size / wall),
                count(size / cpu),
                count(records / wall),
                mebibytes(memory),
            )
    yield table


def framework(size: int) -> list[float]:
    """Wall and CPU seconds, records and bytes of memory of a simulated group without a distro."""
    from machines import Table as Machine
    from machines import load_machine
    from machines.simulation import World, simulate
    from mk8s.resources import spec_path

    spec = load_machine(spec_path("machines", "node.yaml"))
    guards = {f"is_{role}": _has_role(role) for role in ("primary", "server", "agent")}
    world = World()
    members = [Plain(f"node-{number}", _role(number)) for number in range(size)]
    with Stopwatch() as watch:
        done = simulate(Machine(spec, guards), world.registry(spec, guards), members)
    _refuse_failure(done.result.ok)
    return [watch.wall, watch.cpu, done.journal.durable_seq, peak_memory()]


def rehearsal(size: int) -> list[float]:
    """Wall and CPU seconds, records and bytes of memory of a whole rehearsal."""
    from mk8s.cluster import Cluster, Login, Node
    from mk8s.distros.rke2 import DISTRO
    from mk8s.rehearsal import rehearse

    nodes = tuple(
        Node(f"node-{i}", _role(i), f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", "amd64", Login("root"))
        for i in range(size)
    )
    cluster = Cluster(
        name="bench",
        distro="rke2",
        version="v1.33.4+rke2r1",
        airgap=True,
        nodes=nodes,
        artifacts={},
        artifacts_dir=Path("/release"),
    )
    with Stopwatch() as watch:
        done = rehearse(cluster, DISTRO)
    _refuse_failure(done.result.ok)
    return [watch.wall, watch.cpu, len(done.records), peak_memory()]


def _role(number: int) -> Role:
    if number == 0:
        return "primary"
    return "server" if number < SERVERS else "agent"


def _has_role(role: str) -> Guard:
    return lambda member: bool(member.role == role)


def _refuse_failure(ok: bool) -> None:
    if not ok:
        raise NotMeasuredError("a simulated node did not become healthy")
