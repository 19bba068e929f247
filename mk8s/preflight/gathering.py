"""The one question that preflight asks every node: all that its checks look at, in one round trip.

`mk8s.preflight.script` holds its text, `mk8s.preflight.reading` reads the answer. What a node sees of the
others is another question, asked after this one: `mk8s.preflight.reaching`.
"""

from __future__ import annotations

from collections.abc import Iterator

from mk8s.distros.base import Requirements
from mk8s.preflight.remains import MARKS
from mk8s.preflight.script import SCRIPT
from transports.base import Command

__all__ = ["FORWARDING", "OPERATION", "gather"]

OPERATION = "preflight.gather"
LONGEST = 30.0  # seconds; it takes a fifth of one
FORWARDING = "net.ipv4.conf.all.forwarding"


def gather(wants: Requirements) -> Command:
    """Look at a host with a distro's wishes in mind. Read the answer with `reading.read`."""
    return Command(
        operation=OPERATION,
        description="look whether the host can become a node",
        script=SCRIPT,
        args=(wants.data_dir, *_words(wants)),
        sudo=True,
        timeout=LONGEST,
    )


def _words(wants: Requirements) -> Iterator[str]:
    """``kind:value`` each, no word twice."""
    asked = {
        "path": (wants.data_dir, *wants.program_dirs),
        "leftover": (*wants.leftovers, *MARKS),
        "module": tuple(name.replace("-", "_") for name in (*wants.modules, *wants.network_modules)),
        "program": (*wants.programs, *wants.advised_programs),
        "sysctl": (*wants.sysctls, *wants.held_sysctls, FORWARDING),
        "user": wants.users,
        "package": wants.policy_packages,
        "drop_ins": (wants.config_dir,) if wants.config_dir else (),
    }
    for kind, values in asked.items():
        yield from (f"{kind}:{value}" for value in dict.fromkeys(values))
