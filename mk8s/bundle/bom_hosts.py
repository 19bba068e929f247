"""What must be there that a bundle does not bring: on the hosts, and on the machine that mk8s runs on. Pure.

CycloneDX 1.6 has no word for *needed, but not delivered*; so these components are `required`, and the
property `mk8s:included` says `false`. `mk8s:host-requirement` says of what kind the need is.

Begin reading at `hosts` and `operator`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cyclonedx.model import Property
from cyclonedx.model.component import Component, ComponentScope, ComponentType

from mk8s.bundle.bom_parts import property_of
from mk8s.bundle.index import HostNeeds, Index
from mk8s.bundle.target import Target

__all__ = ["hosts", "operator"]

EVERY_HOST = {
    "systemd": "starts the cluster's services",
    "sshd": "mk8s reaches the host by it; not needed on a node that is local",
    "sh": "a POSIX shell: every command of mk8s runs in it",
    "coreutils": "files are moved and hashed with them",
    "tar": "unpacks the release",
    "sudo": "where the login is not root",
}
OPERATOR = {
    "ssh-keygen": "OpenSSH 8.1 or newer: verifies the bundle's signature",
    "sha256sum": "verifies the bundle's files without mk8s",
    "tar": "unpacks the bundle without mk8s",
}


def hosts(draft: Index) -> list[Component]:
    """The operating system of each kind of host, and the programs that must be on it."""
    systems = [_system(draft, number, needs) for number, needs in enumerate(draft.hosts)]
    wanted: dict[str, set[str]] = {}
    for needs in draft.hosts:
        for program in needs.programs:
            wanted.setdefault(program, set()).update(needs.roles)
    programs = [
        _program(name, "host", "kubelet and the distro's programs call it", sorted(roles))
        for name, roles in sorted(wanted.items())
        if name not in EVERY_HOST
    ]
    every = [_program(name, "host", why, []) for name, why in sorted(EVERY_HOST.items())]
    return [*(systems or [_system(draft, 0, HostNeeds(roles=()))]), *every, *programs]


def operator(runtime: Target | None) -> list[Component]:
    """The machine that mk8s runs on there. `runtime`: the Python that the bundle's mk8s is made for."""
    programs = [_program(name, "operator", why, []) for name, why in sorted(OPERATOR.items())]
    if runtime is None:
        return programs
    python = _program("CPython", "operator", f"runs the mk8s of this bundle: {runtime.words}", [])
    python.version = runtime.minor
    return [python, *_libc(runtime), *programs]


def _libc(runtime: Target) -> list[Component]:
    if not runtime.needs_glibc:
        return []
    libc = _program("glibc", "operator", "this version or newer", [])
    libc.version = runtime.libc
    return [libc]


def _system(draft: Index, number: int, needs: HostNeeds) -> Component:
    roles = ", ".join(needs.roles) or "any role"
    return Component(
        name="Linux",
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=f"host:{number}",
        scope=ComponentScope.REQUIRED,
        description=f"A host of the cluster, {roles}, for {' or '.join(draft.arches)}; with systemd",
        properties=[*_marks("operating-system", "host", needs.roles), *_amounts(needs)],
    )


def _amounts(needs: HostNeeds) -> Iterator[Property]:
    if needs.memory:
        yield property_of("memory-bytes", str(needs.memory))
    if needs.cpus:
        yield property_of("cpus", str(needs.cpus))
    yield from (property_of("kernel-module", module) for module in needs.modules)
    yield from (property_of("free-tcp-port", port) for port in needs.ports)


def _program(name: str, where: str, why: str, roles: Iterable[str]) -> Component:
    return Component(
        name=name,
        type=ComponentType.APPLICATION,
        bom_ref=f"{where}:{name}",
        scope=ComponentScope.REQUIRED,
        description=why,
        properties=_marks("program", where, roles),
    )


def _marks(kind: str, where: str, roles: Iterable[str]) -> list[Property]:
    return [
        property_of("host-requirement", kind),
        property_of("included", "false"),
        property_of("on", where),
        *(property_of("role", role) for role in roles),
    ]
