"""What listens on simulated hosts: programs take TCP ports and leave them, and two cannot have one.

A port that something foreign holds is put there by a test or a scenario: ``host.listening[6443] = "nginx"``.
UDP and addresses are not modelled: a port is taken on all of them.
"""

from __future__ import annotations

from transports.simulated import ServiceFailed, SimulatedHost

__all__ = ["is_taken", "leave", "listen"]

TAKEN = "listen tcp :{}: bind: address already in use"


def is_taken(host: SimulatedHost, program: str, port: int) -> bool:
    """Whether a program that is not this one has it."""
    return host.listening.get(port, program) != program


def listen(host: SimulatedHost, program: str, *ports: int) -> None:
    """The program begins to listen. Raises ServiceFailed, in Go's words, for a port that another one has."""
    for port in ports:
        if is_taken(host, program, port):
            raise ServiceFailed(TAKEN.format(port))
        host.listening[port] = program


def leave(host: SimulatedHost, program: str, *ports: int) -> None:
    """It does so no more, on these ports or, without any, on none at all."""
    for port in ports or tuple(host.listening):
        if host.listening.get(port) == program:
            del host.listening[port]
