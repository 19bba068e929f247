"""A modelled Linux host: files, services, power and the commands it understands.

Laws:

1. It is strict. A command without a handler is a mistake of its author and raises `UnknownCommand`;
   it never pretends to succeed.
2. No threads, no sockets, no real files. Time is the event loop's, randomness is keyed by the seed.
3. It knows nothing of what is installed on it. Whoever adds a command or a service brings its model:
   `handles`, `use` and `service_models`.

Begin reading at `SimulatedHost`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Literal, TypeAlias
from uuid import UUID

from transports.base import Command, Outcome
from transports.simulated.disk import SimulatedDisk
from transports.simulated.pace import Pace
from transports.simulated.paths import beside
from transports.simulated.services import ServiceModel, SimulatedService
from transports.simulated.timeline import Scope, Time, Timeline

__all__ = ["Answer", "Handler", "Profile", "SimulatedHost", "UnknownCommand"]

Answer: TypeAlias = "Outcome | Awaitable[Outcome]"
Handler: TypeAlias = "Callable[[SimulatedHost, Command], Answer]"
"""A plain function where a command takes no time but its operation's own; else a coroutine function."""
Unpack: TypeAlias = "Callable[[SimulatedHost, PurePosixPath], None]"
GIB = 1 << 30

UNIT_FOLDERS = tuple(
    PurePosixPath(path)
    for path in ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
)
"""Where systemd looks for units, in its order of precedence."""


class UnknownCommand(AssertionError):  # noqa: N818 - a claim about the author, not about the world
    """A host was sent a command that nobody modelled. A bug of the command's author, never an answer."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What kind of machine it is. One value may serve every host."""

    kernel: str = "6.1.0-18-amd64"
    os_id: str = "debian"
    os_version: str = "12"
    memory: int = 8 * GIB  # bytes
    systemd: bool = True
    selinux: Literal["enforcing", "permissive", "disabled"] = "disabled"
    usr_local: Literal["writable", "read-only", "mount"] = "writable"
    boot_seconds: float = 30.0
    container: bool = False  # its kernel is another machine's, and goes on when it is restarted


class SimulatedHost:
    """One machine.

    `lifetime` counts boots: whoever sees it change has lost everything that was running.
    `archives` says what an uploaded archive holds, by its file name: a function that puts its members
    under a prefix. (An archive that was uploaded as bytes needs none.)
    """

    def __init__(
        self,
        name: str,
        address: str,
        *,
        arch: Literal["amd64", "arm64"] = "amd64",
        disk_free: int = 40 * GIB,
        profile: Profile = Profile(),
        seed: int = 0,
    ) -> None:
        self.name = name
        self.hostname = name
        self.address = address
        self.arch = arch
        self.profile = profile
        self.seed = seed
        self.disk = SimulatedDisk(disk_free)
        self.files, self.folders = self.disk.files, self.disk.folders
        self.services: dict[str, SimulatedService] = {}
        self.service_models: dict[str, ServiceModel] = {}
        self.archives: dict[str, Unpack] = {}
        self.cut = False  # the network cable is out; the host itself goes on
        self.well_at: float | None = None  # see `well_from`
        self.time = Time()  # a network's host has the network's
        self.timeline = Timeline()
        self.pace = Pace(seed=seed)  # a network's host has the network's
        self.running: dict[Scope, None] = {}  # commands in flight, in order; a power loss cancels them
        self.lifetime = 1
        self._power: Literal["on", "off", "booting"] = "on"
        self._own: dict[str, Handler] = {}
        self._shared: tuple[Mapping[str, Handler], ...] = ()
        self._pid = 600
        self.listening: dict[int, str] = {}  # TCP port -> the program that has it
        self._counts: dict[str, int] = {}  # how often each duration was drawn
        self._worked: dict[str, int] = {}  # bytes that were worked on, by rate

    # What it holds

    @property
    def free(self) -> int:
        """Free bytes on its disk."""
        return self.disk.free

    @property
    def boot_id(self) -> str:
        """Another one after each boot of its kernel, as /proc/sys/kernel/random/boot_id."""
        boot = 1 if self.profile.container else self.lifetime
        return str(UUID(int=self.number(f"boot/{boot}"), version=4))

    @property
    def init_started(self) -> str:
        """When its process 1 began, in ticks since its kernel did, as field 22 of /proc/1/stat."""
        return str(1000 * self.lifetime if self.profile.container else 1)

    @property
    def machine_id(self) -> str:
        """The same for ever, as /etc/machine-id."""
        return f"{self.number('machine'):032x}"

    def number(self, key: str) -> int:
        """The only source of chance, 128 bits of it: the same seed, host and key give the same number."""
        return int.from_bytes(blake2b(f"{self.seed}/{self.name}/{key}".encode(), digest_size=16).digest())

    def seconds(self, name: str, size: int = 0) -> float:
        """How long something takes here this time: an operation or a phase, by the pace; `size` in bytes."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return self.pace.seconds(self.name, name, count, size)

    @property
    def drawn(self) -> Mapping[str, int]:
        """Every duration that was drawn here, operations and phases, and how often."""
        return self._counts

    @property
    def worked(self) -> Mapping[str, int]:
        """Bytes that handlers let the host work on, by the name of their rate."""
        return self._worked

    def well_from(self, second: float) -> None:
        """Its cluster knows it as well from this second on: a model says so. The first time is what counts.

        `inf`: not yet. Of a host whose models never say it, nobody knows.
        """
        self.well_at = second if self.well_at is None else min(self.well_at, second)

    async def spend(self, name: str, size: int = 0) -> None:
        """Let that time pass: for handlers, beside what `perform` lets pass for every command."""
        if size:
            self._worked[name] = self._worked.get(name, 0) + size
        await self.time.sleep(self.seconds(name, size))

    def next_pid(self) -> int:
        self._pid += 1
        return self._pid

    # Commands

    def handles(self, operation: str) -> Callable[[Handler], Handler]:
        """Decorator: this function models that operation, on this host alone. A later one wins."""

        def register(handler: Handler) -> Handler:
            self._own[operation] = handler
            return handler

        return register

    def use(self, handlers: Mapping[str, Handler]) -> None:
        """Understand a library of commands. Kept, not copied: many hosts can share it. A later one wins."""
        if not any(handlers is known for known in self._shared):
            self._shared = (handlers, *self._shared)

    @property
    def handlers(self) -> dict[str, Handler]:
        """Every operation that this host understands."""
        merged: dict[str, Handler] = {}
        for library in reversed(self._shared):
            merged.update(library)
        return merged | self._own

    async def perform(self, command: Command) -> Outcome:
        """Do what the command says, at once and without a network. Raises UnknownCommand."""
        self.timeline.catch_up()
        answer = self.answer(command)
        return answer if isinstance(answer, Outcome) else await answer

    def answer(self, command: Command) -> Answer:
        """The outcome, where the command takes no time; else what has to be awaited for it, as `perform`.

        For one who has just asked whether the host lives: what is due by now has been played.
        """
        operation = command.operation
        handler = self._own.get(operation)
        if handler is not None:
            return handler(self, command)
        for library in self._shared:
            handler = library.get(operation)
            if handler is not None:
                return handler(self, command)
        known = "\n  ".join(sorted(self.handlers)) or "(nothing)"
        raise UnknownCommand(
            f"{self.name}: no model for operation {command.operation!r} ({command.description});\n"
            f"this host understands\n  {known}"
        )

    # Services

    def service(self, name: str) -> SimulatedService | None:
        """The unit of that name, loaded at first sight as systemd does. None: it has no unit file."""
        name = name if "." in name else f"{name}.service"
        known = self.services.get(name)
        if known is not None:
            return known
        if not self._has_unit_file(name):
            return None
        model = self.service_models.get(name, ServiceModel())
        return self.services.setdefault(name, SimulatedService(self, name, model))

    def daemon_reload(self) -> None:
        """``systemctl daemon-reload``: units whose file is gone and which do not run are forgotten."""
        for name, service in list(self.services.items()):
            if not self._has_unit_file(name) and service.state in ("inactive", "failed"):
                del self.services[name]

    def _has_unit_file(self, name: str) -> bool:
        return any(path in self.files for path in beside(UNIT_FOLDERS, name))

    # Power and cable

    @property
    def powered(self) -> bool:
        return self._power != "off"

    @property
    def booting(self) -> bool:
        return self._power == "booting"

    @property
    def up(self) -> bool:
        """Whether it runs and would answer someone whose packets get through."""
        self.timeline.catch_up()
        return self._power == "on"

    def lives(self, lifetime: int | None) -> bool:
        """Whether it is up, and in that life still."""
        self.timeline.catch_up()
        return self.lifetime == lifetime and self._power == "on"

    @property
    def reachable(self) -> bool:
        return self.up and not self.cut

    def power_off(self) -> None:
        """Pull the plug: no service is told, what runs is gone, memory is forgotten."""
        self._go_down("off")

    def power_on(self) -> None:
        """Boot. One that has power is left alone."""
        if self._power == "off":
            self._boot()

    def reboot(self) -> None:
        """Go down and come back after the profile's boot time, with the enabled services starting."""
        if self._power == "on":
            self._go_down("booting")
            self._boot()

    def _go_down(self, power: Literal["off", "booting"]) -> None:
        self._power = power
        self.lifetime += 1
        for service in self.services.values():
            service.stop()
        self.disk.forget_memory()
        for scope in self.running:
            scope.cancel()

    def _boot(self) -> None:
        self._power = "booting"
        lifetime = self.lifetime

        def up() -> None:
            if self._power == "booting" and self.lifetime == lifetime:
                self._come_up()

        self.timeline.after(self.profile.boot_seconds, up)

    def _come_up(self) -> None:
        self._power = "on"
        for service in self.services.values():
            if service.enabled:
                service.start()
