"""What must hold in every run: a list of laws, each with its own books, checked after every record.

`INVARIANTS` is the list; docs/invariants.md is the same list for people, and a test holds the two
together. A simulation is watched by all of them (`watch_over`); the first breach ends it with `Broken`
and its evidence.

Begin reading at `law.Invariant`, then at any law; `watch.Watch` brings them to a run.
"""

from machines.simulation.invariants.clocks import ClockAfterQueue as ClockAfterQueue
from machines.simulation.invariants.clocks import DeadlineKept as DeadlineKept
from machines.simulation.invariants.effects import EffectKnown as EffectKnown
from machines.simulation.invariants.effects import IntentFirst as IntentFirst
from machines.simulation.invariants.effects import NoSecret as NoSecret
from machines.simulation.invariants.failures import BackOffKept as BackOffKept
from machines.simulation.invariants.failures import CatchKept as CatchKept
from machines.simulation.invariants.group import BudgetsKept as BudgetsKept
from machines.simulation.invariants.group import LimitsKept as LimitsKept
from machines.simulation.invariants.group import SignalFirst as SignalFirst
from machines.simulation.invariants.law import Breach as Breach
from machines.simulation.invariants.law import Broken as Broken
from machines.simulation.invariants.law import Invariant as Invariant
from machines.simulation.invariants.law import Rules as Rules
from machines.simulation.invariants.lives import EveryoneEnds as EveryoneEnds
from machines.simulation.invariants.lives import OneLife as OneLife
from machines.simulation.invariants.places import NoIdlePlace as NoIdlePlace
from machines.simulation.invariants.places import PlanOrder as PlanOrder
from machines.simulation.invariants.tries import TriesKept as TriesKept
from machines.simulation.invariants.watch import CheckedJournal as CheckedJournal
from machines.simulation.invariants.watch import Checker as Checker
from machines.simulation.invariants.watch import Watch as Watch
from machines.simulation.invariants.watch import watched as watched
from machines.simulation.invariants.ways import FirstWay as FirstWay
from machines.simulation.invariants.ways import StopKept as StopKept
from machines.simulation.invariants.world import OneCluster as OneCluster
from machines.simulation.invariants.world import OneLearner as OneLearner
from machines.simulation.invariants.world import WellFirst as WellFirst
from machines.simulation.invariants.world import WorldSound as WorldSound

INVARIANTS: tuple[type[Invariant], ...] = (
    IntentFirst,
    EffectKnown,
    OneLife,
    SignalFirst,
    FirstWay,
    LimitsKept,
    BudgetsKept,
    ClockAfterQueue,
    DeadlineKept,
    TriesKept,
    BackOffKept,
    CatchKept,
    StopKept,
    NoIdlePlace,
    PlanOrder,
    OneCluster,
    OneLearner,
    WellFirst,
    WorldSound,
    NoSecret,
    EveryoneEnds,
)
"""Every law that a simulation is watched by, in the order in which they look at a record."""


def watch_over(rules: Rules) -> Watch:
    """All invariants over one run."""
    return Watch(rules, INVARIANTS)
