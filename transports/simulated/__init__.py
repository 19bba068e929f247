"""Modelled hosts, and a transport that reaches them. Begin reading at `host`, then `services`.

A model is strict: a command that it does not know is a mistake of its author. Time is the event
loop's, so the same code runs in virtual time; nothing here uses threads, sockets or real files.
"""

from transports.simulated.disk import STANDARD_FOLDERS, SimulatedDisk, SimulatedFile, modelled_digest
from transports.simulated.faults import FAULT_KINDS, FaultLike, FaultSource
from transports.simulated.host import Answer, Handler, Profile, SimulatedHost, UnknownCommand
from transports.simulated.network import Breach, SimulatedNetwork
from transports.simulated.pace import QUICK, Links, Pace, Span
from transports.simulated.paths import parent, path_of
from transports.simulated.services import Life, ServiceFailed, ServiceModel, SimulatedService
from transports.simulated.timeline import Happening, Time, Timeline
from transports.simulated.transport import SimulatedTransport

__all__ = [
    "FAULT_KINDS",
    "QUICK",
    "STANDARD_FOLDERS",
    "Answer",
    "Breach",
    "FaultLike",
    "FaultSource",
    "Handler",
    "Happening",
    "Life",
    "Links",
    "Pace",
    "Profile",
    "ServiceFailed",
    "ServiceModel",
    "SimulatedDisk",
    "SimulatedFile",
    "SimulatedHost",
    "SimulatedNetwork",
    "SimulatedService",
    "SimulatedTransport",
    "Span",
    "Time",
    "Timeline",
    "UnknownCommand",
    "modelled_digest",
    "parent",
    "path_of",
]
