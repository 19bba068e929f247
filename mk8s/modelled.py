"""Models of the commands in `mk8s.commands`: what each does to a simulated host, and what it answers.

A model and its script say the same: same status, same output, same last words on stderr. A test runs
both through the same stories.

This module is used by simulation alone; no real node ever meets it. How long everything takes stands in
`DURATIONS`; the transport lets an operation's own time pass, a handler only that of the bytes it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from mk8s.model_answers import NO, YES, refuse, says
from mk8s.paces import CHANGE, GLANCE, HASHING, LOOK, RATES, UNPACKING, takes_time, work
from mk8s.parts_model import PART_DURATIONS, PART_HANDLERS
from mk8s.unpack_model import FATAL, unpack
from transports.base import Command, Outcome
from transports.simulated import (
    Answer,
    Handler,
    SimulatedFile,
    SimulatedHost,
    SimulatedService,
    Span,
    path_of,
)

__all__ = ["DURATIONS", "OS_HANDLERS", "hash_is", "model_os", "not_what_was_sent"]

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
NOT_FOUND = 5  # systemctl's exit status for a unit that is not there

OS_HANDLERS: dict[str, Handler] = {}
"""Operation -> model, one for every command in `mk8s.commands`."""

Plain = Callable[[SimulatedHost, Command], Outcome]


def model_os(host: SimulatedHost) -> None:
    """Teach a simulated host the commands of `mk8s.commands` and `mk8s.parts`, and how long they take."""
    host.use(OS_HANDLERS)
    host.use(PART_HANDLERS)
    host.use(GREETED)
    host.pace.declare(DURATIONS)


def _models(operation: str) -> Callable[[Plain], Plain]:
    """Decorator: this function models an operation that takes no time but its own."""

    def register(plain: Plain) -> Plain:
        OS_HANDLERS[operation] = _answering(plain)
        return plain

    return register


def _answering(plain: Plain) -> Plain:
    """What goes wrong on the disk is said as the program would."""

    def answer(host: SimulatedHost, command: Command) -> Outcome:
        try:
            return plain(host, command)
        except OSError as error:
            return refuse(f"{_program(command)}: {error.filename}: {error.strerror}")

    return answer


def _slow(operation: str, rate: str) -> Callable[[Plain], Plain]:
    """Decorator: the same, for one that works on all bytes of the file `$1` at that rate."""

    def register(plain: Plain) -> Plain:
        at_once = _answering(plain)

        async def later(host: SimulatedHost, command: Command, size: int) -> Outcome:
            await work(host, rate, size)
            return at_once(host, command)

        def handle(host: SimulatedHost, command: Command) -> Answer:
            file = host.files.get(_path(command))
            if file is None or not takes_time(file.size):
                return at_once(host, command)
            return later(host, command, file.size)

        OS_HANDLERS[operation] = handle
        return plain

    return register


# What `mk8s.verifying` does in scripts of drivers


async def hash_is(host: SimulatedHost, path: PurePosixPath, digest: str) -> bool:
    """Whether the file is there and is that one, after the time that hashing it takes."""
    file = host.files.get(path)
    if file is None:
        return False
    await work(host, HASHING, file.size)
    return file.sha256 == digest


def not_what_was_sent(path: PurePosixPath) -> Outcome:
    """How such a script ends where the file is another."""
    return refuse(f"mk8s: {path} is not what was sent", 65)


# Files


@_slow("file.digest", HASHING)
def _digest(host: SimulatedHost, command: Command) -> Outcome:
    file = _file(host, _path(command))
    return says(file.sha256 if file else "absent")


@_slow("file.state", HASHING)
def _state(host: SimulatedHost, command: Command) -> Outcome:
    file = _file(host, _path(command))
    return says(f"{file.sha256} {file.mode:o} {file.owner}" if file else "absent")


@_models("file.mode")
def _mode(host: SimulatedHost, command: Command) -> Outcome:
    path = _path(command)
    return says(f"{host.disk.mode(path):o}" if host.disk.exists(path) else "absent")


@_models("file.read")
def _read(host: SimulatedHost, command: Command) -> Outcome:
    return Outcome(status=0, stdout=host.disk.read(_path(command)))


@_models("file.chmod")
def _chmod(host: SimulatedHost, command: Command) -> Outcome:
    host.disk.set_mode(_path(command), int(command.args[1], 8))
    return YES


@_models("folder.check")
def _has_folder(host: SimulatedHost, command: Command) -> Outcome:
    path, mode = _path(command), command.args[1]
    met = host.disk.is_folder(path) and mode in ("", f"{host.disk.mode(path):o}")
    return YES if met else NO


@_models("folder.make")
def _make_folder(host: SimulatedHost, command: Command) -> Outcome:
    path, mode = _path(command), command.args[1]
    host.disk.make_folder(path)
    if mode:
        host.disk.set_mode(path, int(mode, 8))
    return YES


@_models("path.remove")
def _remove(host: SimulatedHost, command: Command) -> Outcome:
    host.disk.remove(_path(command))
    return YES


@_models("disk.free")
def _free(host: SimulatedHost, _command: Command) -> Outcome:
    return says(str(host.free // 1024))


@_slow("archive.unpack", UNPACKING)
def _unpack(host: SimulatedHost, command: Command) -> Outcome:
    archive, prefix = _path(command), path_of(command.args[1])
    if archive not in host.files:
        return refuse(f"tar: {archive}: Cannot open: No such file or directory\n{FATAL}", 2)
    if archive.name in host.archives:
        host.disk.make_folder(prefix)
        host.archives[archive.name](host, prefix)
        return YES
    return unpack(host, archive, prefix)


# Units


@_models("unit.show")
def _show(host: SimulatedHost, command: Command) -> Outcome:
    unit = host.service(command.args[0])
    if unit is None:
        return says(
            "MainPID=0\nNRestarts=0\nResult=success\nLoadState=not-found\n"
            "ActiveState=inactive\nSubState=dead\nUnitFileState="
        )
    return says(
        f"MainPID={unit.pid}\nNRestarts={unit.restarts}\nResult={unit.result}\nLoadState=loaded\n"
        f"ActiveState={unit.state}\nSubState={unit.sub}\n"
        f"UnitFileState={'enabled' if unit.enabled else 'disabled'}"
    )


@_models("unit.is-enabled")
def _is_enabled(host: SimulatedHost, command: Command) -> Outcome:
    unit = host.service(command.args[0])
    if unit is None:
        return refuse(
            f"Failed to get unit file state for {_full(command.args[0])}: No such file or directory"
        )
    return YES if unit.enabled else NO


@_models("unit.enable")
def _enable(host: SimulatedHost, command: Command) -> Outcome:
    return _switch(host, command, "enable")


@_models("unit.disable")
def _disable(host: SimulatedHost, command: Command) -> Outcome:
    return _switch(host, command, "disable")


def _switch(host: SimulatedHost, command: Command, verb: str) -> Outcome:
    unit = host.service(command.args[0])
    if unit is None:
        return refuse(f"Failed to {verb} unit: Unit file {_full(command.args[0])} does not exist.")
    unit.enabled = verb == "enable"
    return YES


@_models("unit.start")
def _start(host: SimulatedHost, command: Command) -> Outcome:
    return _turn(host, command, "start", SimulatedService.start, "not found")


@_models("unit.stop")
def _stop(host: SimulatedHost, command: Command) -> Outcome:
    return _turn(host, command, "stop", SimulatedService.stop, "not loaded")


def _turn(
    host: SimulatedHost, command: Command, verb: str, act: Callable[[SimulatedService], None], lack: str
) -> Outcome:
    unit = host.service(command.args[0])
    if unit is None:
        name = _full(command.args[0])
        return refuse(f"Failed to {verb} {name}: Unit {name} {lack}.", NOT_FOUND)
    act(unit)
    return YES


@_models("unit.reload")
def _reload(host: SimulatedHost, _command: Command) -> Outcome:
    host.daemon_reload()
    return YES


@_models("unit.journal")
def _journal(host: SimulatedHost, command: Command) -> Outcome:
    unit = host.service(command.args[0])
    lines = unit.journal[-int(command.args[1]) :] if unit else []
    return says("\n".join(lines)) if lines else YES


# The host itself


async def _hello(_host: SimulatedHost, _command: Command) -> Outcome:
    return YES


GREETED: Mapping[str, Handler] = {"kube.hello": _hello}
"""What `mk8s health` asks of every node first, whatever its distro."""


@_models("facts.gather")
def _facts(host: SimulatedHost, _command: Command) -> Outcome:
    profile = host.profile
    facts = {
        "hostname": host.hostname,
        "machine": MACHINES[host.arch],
        "kernel": profile.kernel,
        "os_id": profile.os_id,
        "os_version": profile.os_version,
        "boot_id": host.boot_id,
        "init_started": host.init_started,
        "machine_id": host.machine_id,
        "uid": "0",
        "free_kib": str(host.free // 1024),
        "memory_kib": str(profile.memory // 1024),
        "systemd": "yes" if profile.systemd else "no",
        "selinux": profile.selinux,
        "usr_local": profile.usr_local,
        "lowers_oom": "yes",
        "cgroup": "v2",
        "resolv_conf": "/etc/resolv.conf",
    }
    text = "".join(f"{key}={value}\n" for key, value in facts.items())
    return Outcome(status=0, stdout=text.encode())  # its own: no other host is this one


def _path(command: Command) -> PurePosixPath:
    return path_of(command.args[0])


def _file(host: SimulatedHost, path: PurePosixPath) -> SimulatedFile | None:
    if host.disk.is_folder(path):
        raise IsADirectoryError(21, "Is a directory", "-")
    return host.files.get(path)


def _full(unit: str) -> str:
    return unit if "." in unit else f"{unit}.service"


def _program(command: Command) -> str:
    """The program that complains: the one that the script ends in."""
    return {"folder.make": "mkdir", "file.chmod": "chmod", "file.read": "cat"}.get(command.operation, "sh")


DURATIONS: Mapping[str, Span] = {
    **RATES,
    **PART_DURATIONS,
    **dict.fromkeys(OS_HANDLERS, GLANCE),
    "file.chmod": CHANGE,
    "folder.make": CHANGE,
    "path.remove": CHANGE,
    "archive.unpack": CHANGE,
    "unit.show": LOOK,
    "unit.is-enabled": LOOK,
    "unit.journal": Span(0.03, 0.2),  # journalctl reads its files; order of magnitude
    "unit.enable": Span(0.1, 0.5),  # systemd reads all units anew; order of magnitude
    "unit.disable": Span(0.1, 0.5),
    "unit.reload": Span(0.1, 0.5),
    "unit.start": Span(0.03, 0.1),  # --no-block
    "unit.stop": Span(0.5, 5.0),  # until the processes have ended; order of magnitude
    "facts.gather": Span(0.03, 0.1),  # a dozen small programs; order of magnitude
    "kube.hello": GLANCE,
}
"""How long each operation here takes; the first are rates, for the bytes that an operation works on."""
