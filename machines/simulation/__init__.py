"""Machines in virtual time: the same engine, another clock, seeded faults, and laws that are watched over.

`simulate` runs a whole group; `World` stands in for the nodes; `FaultPlan` says what goes wrong.
"""

from machines.simulation.clock import DAY as DAY
from machines.simulation.clock import SimulationStuck as SimulationStuck
from machines.simulation.clock import run_simulated as run_simulated
from machines.simulation.clock import self_test as self_test
from machines.simulation.faults import FAULT_KINDS as FAULT_KINDS
from machines.simulation.faults import FaultKind as FaultKind
from machines.simulation.faults import FaultPlan as FaultPlan
from machines.simulation.faults import PlannedFault as PlannedFault
from machines.simulation.faults import ScriptedFault as ScriptedFault
from machines.simulation.invariants import INVARIANTS as INVARIANTS
from machines.simulation.invariants import Broken as Broken
from machines.simulation.invariants import CheckedJournal as CheckedJournal
from machines.simulation.invariants import Checker as Checker
from machines.simulation.invariants import Invariant as Invariant
from machines.simulation.invariants import Rules as Rules
from machines.simulation.invariants import Watch as Watch
from machines.simulation.invariants import watch_over as watch_over
from machines.simulation.invariants import watched as watched
from machines.simulation.rollout import Simulated as Simulated
from machines.simulation.rollout import simulate as simulate
from machines.simulation.virtual import VirtualClock as VirtualClock
from machines.simulation.world import World as World
