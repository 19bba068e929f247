"""Simulated nodes per second, and the memory that they take. Each size runs in a process of its own.

*framework*: the shipped node table in a world where every action just takes time and has an effect;
every record is checked against every invariant. *rehearsal*: `mk8s simulate` without its screen: the
RKE2 driver's steps, the executor, and modelled hosts that answer each command. *seeds*: fifty nodes with one
fault in a hundred operations, one seed after the other, on one core and on all: what a sweep in CI costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import NotMeasuredError, Stopwatch, call, peak_memory
from benchmarks.tables import Table, count, mebibytes, seconds
from machines.registry import Guard
from mk8s.cluster import Cluster, Login, Node, Role

__all__ = ["framework", "rehearsal", "run", "seeds"]

SIZES = (100, 1_000, 10_000)
SERVERS = 3
ROUNDS = 3
SEEDS = 60
FIFTY = (5, 50)  # servers, and nodes in all
FAULTS = 0.01  # of operations


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
    yield _sweep(12 if quick else SEEDS)


def _sweep(count_: int) -> Table:
    """A sweep over seeds, by one process and by as many as can really run."""
    from mk8s.simulating.pool import cores

    table = Table(
        "simulation: seeds of 50 nodes with faults",
        ["processes", "seeds", "wall", "CPU", "seeds/s", "CPU a seed", "ratio of seeds/s"],
    )
    alone = 0.0
    for jobs in sorted({1, cores()}):
        wall, cpu = call(seeds, count_, jobs)
        alone = alone or count_ / wall
        table.add(
            count(jobs),
            count(count_),
            seconds(wall),
            seconds(cpu),
            f"{count_ / wall:.1f}",
            seconds(cpu / count_),
            f"{count_ / wall / alone:.2f}",
        )
    table.notes.append("The start of the processes is in it.")
    return table


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


def seeds(number: int, jobs: int) -> list[float]:
    """Wall and CPU seconds of so many seeds on so many processes."""
    from mk8s.simulating.pool import over_seeds

    with Stopwatch() as watch:
        ended = list(over_seeds(_prepare, range(number), jobs=jobs, lost=_lost))
    _refuse_failure(sum(ended) == number)
    return [watch.wall, watch.cpu]


def _prepare() -> Callable[[int], bool]:
    """What each process loads once: the work for one seed. False where a law of the run is broken."""
    from machines.simulation import FAULT_KINDS, FaultPlan
    from mk8s.distros.rke2 import DISTRO
    from mk8s.rehearsal import Conditions, rehearse

    cluster = _cluster(FIFTY[1], FIFTY[0])
    rates = dict.fromkeys(FAULT_KINDS, FAULTS / len(FAULT_KINDS))

    def work(seed: int) -> bool:
        return bool(rehearse(Conditions(cluster, DISTRO), seed, faults=FaultPlan(seed, rates)).records)

    return work


def _lost(_seed: int, _words: str) -> bool:
    return False


def rehearsal(size: int) -> list[float]:
    """Wall and CPU seconds, records and bytes of memory of a whole rehearsal."""
    from mk8s.distros.rke2 import DISTRO
    from mk8s.rehearsal import Conditions, rehearse

    cluster = _cluster(size)
    with Stopwatch() as watch:
        done = rehearse(Conditions(cluster, DISTRO))
    _refuse_failure(done.result.ok)
    memory = peak_memory()  # of the run itself: who reads its records pays for them
    return [watch.wall, watch.cpu, len(done.records), memory]


def _cluster(size: int, servers: int = SERVERS) -> Cluster:
    nodes = tuple(
        Node(f"node-{i}", _role(i, servers), f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", "amd64", Login("root"))
        for i in range(size)
    )
    return Cluster(
        name="bench",
        distro="rke2",
        version="v1.33.4+rke2r1",
        airgap=True,
        nodes=nodes,
        artifacts={},
        artifacts_dir=Path("/release"),
    )


def _role(number: int, servers: int = SERVERS) -> Role:
    if number == 0:
        return "primary"
    return "server" if number < servers else "agent"


def _has_role(role: str) -> Guard:
    return lambda member: bool(member.role == role)


def _refuse_failure(ok: bool) -> None:
    if not ok:
        raise NotMeasuredError("a simulated node did not become healthy")
