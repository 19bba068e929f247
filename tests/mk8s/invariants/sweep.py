"""Many rehearsals, each drawn from its seed alone: the distro, how many nodes, what bounds them, what fails.

A `Case` is everything that makes one; `ended` runs it under all invariants and says what was wrong, which
must be nothing. Begin reading at `ended`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from machines import EdgeFailure
from machines.simulation import FAULT_KINDS, Broken, FaultPlan
from mk8s.cluster import Cluster, FanOut
from mk8s.distros.base import load_distro
from mk8s.rehearsal import Conditions, Rehearsal, rehearse
from mk8s.simulating.casting import cast
from mk8s.simulating.scenario import load_scenario, shipped_scenarios
from mk8s.simulating.striking import Rates
from mk8s.simulating.trial import Experiment, rehearsed
from tests.mk8s.examples import cluster

__all__ = ["DISTROS", "Case", "End", "drawn", "ended", "of_fifty"]

DISTROS = ("rke2", "k3s", "k0s", "kubeadm", "vanilla")
ENDS = frozenset({"healthy", "failed", "quarantined", "rolled-back"})
RATE = 0.01  # faults of any kind, per operation


@dataclass(frozen=True)
class Case:
    """One rehearsal: the same case, the same journal."""

    seed: int
    distro: str = "rke2"
    servers: int = 5
    agents: int = 45
    rate: float = RATE
    limits: Mapping[str, int] = field(default_factory=dict)
    budgets: Mapping[str, str] = field(default_factory=dict)
    fan_out: FanOut = field(default_factory=FanOut)
    bandwidth: int | None = None  # bytes per second
    agents_wait_for_primary: bool = False
    scenario: str = ""  # a shipped one, beside the rates

    @property
    def cluster(self) -> Cluster:
        return replace(
            cluster(servers=self.servers, agents=self.agents),
            distro=self.distro,
            limits=self.limits,
            budgets=self.budgets,
            fan_out=self.fan_out,
            bandwidth=self.bandwidth,
            agents_wait_for="primary-ready" if self.agents_wait_for_primary else "servers-healthy",
        )

    @property
    def faults(self) -> FaultPlan:
        return FaultPlan(self.seed, dict.fromkeys(FAULT_KINDS, self.rate / len(FAULT_KINDS)))

    def rehearse(self) -> Rehearsal:
        """Run it. Raises what a rehearsal raises."""
        distro = load_distro(self.distro)
        if not self.scenario:
            return rehearse(Conditions(self.cluster, distro), self.seed, faults=self.faults)
        made = cast([load_scenario(self.scenario)], self.cluster)
        rates = (*made.rates, Rates(self.faults.rates)) if self.rate else made.rates
        return rehearsed(Experiment(Conditions(self.cluster, distro), replace(made, rates=rates)), self.seed)


@dataclass(frozen=True)
class End:
    """What a case came to. `wrong` is empty, or says what must not be."""

    case: Case
    states: Mapping[str, int] = field(default_factory=dict)
    blocked: int = 0
    records: int = 0
    wrong: str = ""


def of_fifty(seed: int) -> Case:
    """Five servers and 45 agents of RKE2."""
    return Case(seed)


def drawn(seed: int, *, most_agents: int = 20, scenarios: bool = False) -> Case:
    """A case of any distro and shape; with scenarios, most of them with a shipped one."""
    draw = random.Random(f"shape/{seed}")
    return Case(
        seed,
        distro=DISTROS[seed % len(DISTROS)],
        servers=draw.choice((1, 1, 3, 3, 5)),
        agents=draw.randint(0, most_agents),
        rate=draw.choice((0.0, 0.003, 0.01, 0.03)),
        limits={
            "uploads": draw.choice((1, 3, 8, 50)),
            "etcd-joins": 1,
            "agent-joins": draw.choice((1, 5, 50)),
        },
        budgets={role: draw.choice(("0", "1", "20%", "100%")) for role in ("server", "agent")},
        fan_out=FanOut(draw.choice(("auto", "on", "off")), seeds=draw.randint(1, 3)),
        bandwidth=draw.choice((None, 2_000_000, 50_000_000)),
        agents_wait_for_primary=draw.random() < 0.3,
        scenario=draw.choice(("", "", "", *shipped_scenarios())) if scenarios else "",
    )


def ended(case: Case) -> End:
    """Run a case; whatever happens is an end."""
    try:
        run = case.rehearse()
    except Broken as broken:
        return End(case, wrong=str(broken))
    except Exception as error:
        return End(case, wrong=f"{type(error).__name__}: {error}")
    return End(
        case,
        Counter(run.result.states.values()),
        len(run.result.blocked),
        len(run.records),
        _wrong(run),
    )


def _wrong(run: Rehearsal) -> str:
    """What no invariant says, and still must not be."""
    result = run.result
    lost = [name for name, state in result.states.items() if state not in ENDS and name not in result.blocked]
    bugs = [f"{name}: {end.failure.message}" for name, end in result.failures.items() if _is_bug(end)]
    return "; ".join([*(f"{name} is nowhere" for name in lost), *bugs])


def _is_bug(end: EdgeFailure) -> bool:
    return end.failure.kind == "internal"
