"""All checks over one scene. Pure: findings come out in the order in which people are told them.

Importing this module registers every check; `ALL` is `base.CHECKS`, complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from machines.words import did_you_mean
from mk8s.preflight import (
    configs,
    egress,
    hosts,
    kernel,
    releases,
    remains,
    services,
    together,
    virtual,
    ways,
)
from mk8s.preflight.base import CHECKS, Finding, Scene

__all__ = ["ALL", "findings", "waiver_faults"]

ALL = CHECKS
REGISTERED_BY = (together, hosts, kernel, remains, services, configs, ways, virtual, releases, egress)


def findings(scene: Scene) -> list[Finding]:
    """What every check says, the good news too. Those that the manifest waives are marked."""
    found = [finding for check in ALL.values() for finding in check.run(scene)]
    return [replace(finding, waived=_is_waived(finding, scene.cluster.waived)) for finding in found]


def waiver_faults(waived: Iterable[str]) -> list[str]:
    """What is wrong with the names in the manifest's ``checks.waive``. Empty: all can be waived."""
    faults = []
    for name in sorted(waived):
        if name not in ALL:
            faults.append(f"checks.waive: there is no check {name!r}; {did_you_mean(name, ALL)}")
        elif ALL[name].firm:
            faults.append(f"checks.waive: {name} cannot be waived: {ALL[name].firm}")
    return faults


def _is_waived(finding: Finding, waived: frozenset[str]) -> bool:
    return finding.level != "ok" and finding.check in waived and not ALL[finding.check].firm
