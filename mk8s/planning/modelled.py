"""Modelled hosts brought to where the real ones are, as far as they were looked at: facts, files, effects.

What was found true is made true on the model by the same step: a file is placed, a command is performed. So
the rehearsal finds it true, too, and counts only what is left. No time of the run passes.

Begin reading at `as_found`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mk8s.commands import gather_facts
from mk8s.delivery import part_of
from mk8s.distros.base import Situation
from mk8s.facts import ARCHITECTURES, DATA, Facts
from mk8s.modelled import MACHINES
from mk8s.planning.making import Ground, edges_ahead, steps_of
from mk8s.planning.values import Look
from mk8s.rehearsal import Prepare
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedFile, SimulatedHost

__all__ = ["as_found"]

KIB = 1024
ROOT = "root"


def as_found(ground: Ground, looks: Mapping[str, Look]) -> Prepare:
    """For `rehearse`. Nodes that were not looked at, or did not answer, are bare hosts."""
    on_models = ground.on_models()

    async def prepare(hosts: Mapping[str, SimulatedHost]) -> None:
        for node in ground.cluster.nodes:
            look = looks.get(node.name)
            if look and look.facts:
                host = hosts[node.name]
                _be(host, look.facts)
                await _have(host, on_models, on_models.situation(node, look.facts), look)
                host.disk.room = look.facts.free + sum(file.size for file in host.files.values())

    return prepare


def _be(host: SimulatedHost, facts: Facts) -> None:
    """Be such a host, and say so word by word."""
    if facts.arch in MACHINES:
        host.arch = "arm64" if facts.arch == "arm64" else "amd64"
    host.hostname = facts.hostname
    host.profile = replace(
        host.profile,
        kernel=facts.kernel,
        os_id=facts.os_id,
        os_version=facts.os_version,
        memory=facts.memory,
        systemd=facts.systemd,
    )
    host.handles(gather_facts(DATA).operation)(_says(facts))


def _says(facts: Facts) -> Handler:
    """The answer to `gather_facts`; what is free changes with what is put on the disk."""
    machines = {name: machine for machine, name in ARCHITECTURES.items()}

    async def handler(host: SimulatedHost, _command: Command) -> Outcome:
        told = {
            "hostname": facts.hostname,
            "machine": machines.get(facts.arch, facts.arch),
            "kernel": facts.kernel,
            "os_id": facts.os_id,
            "os_version": facts.os_version,
            "boot_id": facts.boot_id,
            "init_started": facts.init_started,
            "machine_id": facts.machine_id,
            "uid": facts.uid,
            "free_kib": host.free // KIB,
            "memory_kib": facts.memory // KIB,
            "systemd": "yes" if facts.systemd else "no",
            "selinux": facts.selinux,
            "usr_local": facts.usr_local,
            "lowers_oom": "yes" if facts.lowers_oom else "no",
            "cgroup": facts.cgroup,
            "resolv_conf": facts.resolv_conf,
        }
        return Outcome(status=0, stdout="".join(f"{key}={value}\n" for key, value in told.items()).encode())

    return handler


async def _have(host: SimulatedHost, ground: Ground, situation: Situation, look: Look) -> None:
    """Have what was found, in the order in which a run would have brought it."""
    for edge in edges_ahead(ground, situation.node):
        found = look.steps.get(edge.name, ())
        steps = steps_of(ground.distro, edge, situation)
        if len(found) == len(steps):
            for step, seen in zip(steps, found, strict=True):
                if seen.standing == "true":
                    await _make_true(host, step)
                elif isinstance(step, Upload) and seen.there:
                    host.disk.make_folder(step.target.parent)
                    host.disk.grow(part_of(step), step.source.sha256, 0, seen.there)


async def _make_true(host: SimulatedHost, step: Step) -> None:
    match step:
        case Upload(source=source, target=target, mode=mode):
            host.disk.make_folder(target.parent)
            host.files[target] = SimulatedFile(source.sha256, source.size, mode, ROOT, None)
        case WriteFile(target=target, mode=mode, content=content):
            host.disk.make_folder(target.parent)
            host.disk.write(target, content, mode=mode)
        case Run(command=command, on=None):
            await host.perform(command)  # one that is refused, for what it needs is gone, is left to the run
        case Run() | WaitFor():
            pass
