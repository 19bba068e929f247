"""The services of a modelled host, as systemd would show them.

A model says how a service lives with a generator: it runs as time goes by, and each `yield` lets that
many seconds pass::

    def life(host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        yield 3.0                                  # reading its configuration
        if not host.disk.exists(CONFIG):
            raise ServiceFailed("no configuration")
        yield 40.0                                 # importing images
        service.ready()                            # what READY=1 says to systemd
        yield 600.0
        raise ServiceFailed("out of memory")       # and a crash later on

A life that ends without a failure is ready and stays so. A failure is repeated after `restart_after`
seconds (``Restart=always``), or ends as ``failed`` where that is None. Lives are played by the timeline,
never by a task: they do not wait, and they do not run while the host is off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from transports.simulated.host import SimulatedHost
    from transports.simulated.timeline import Happening

__all__ = ["Life", "ServiceFailed", "ServiceModel", "SimulatedService"]

Life: TypeAlias = "Callable[[SimulatedHost, SimulatedService], Iterator[float]]"
State: TypeAlias = Literal["inactive", "activating", "active", "failed"]


class ServiceFailed(Exception):  # noqa: N818 - reads as what the model says
    """The process ends with an error. The words go to the service's journal."""


def _at_once(_host: SimulatedHost, _service: SimulatedService) -> Iterator[float]:
    """A service without a model of its own: ready at once, for ever."""
    return iter(())


def _nothing(_host: SimulatedHost, _service: SimulatedService) -> None:
    """Nobody minds that it is gone."""


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """How a unit of some name behaves. One value may serve every host.

    `gone` is called when its process ends in any way: stopped, failed, or the host went down.
    """

    life: Life = _at_once
    restart_after: float | None = None  # seconds; None: Restart=no
    gone: Callable[[SimulatedHost, SimulatedService], None] = _nothing


@dataclass(slots=True)
class SimulatedService:
    """One unit: what `systemctl show` and `journalctl` would say of it."""

    host: SimulatedHost = field(repr=False)
    name: str  # with its suffix: rke2-server.service
    model: ServiceModel = field(repr=False)
    enabled: bool = False
    state: State = "inactive"
    sub: str = "dead"
    result: str = "success"
    restarts: int = 0
    pid: int = 0
    starts: int = 0  # how many times its process was begun since the host was made; never reset
    journal: list[str] = field(default_factory=list)
    _life: Iterator[float] | None = field(default=None, repr=False)
    _next: Happening | None = field(default=None, repr=False)

    def start(self) -> None:
        """``systemctl start --no-block``. One that is running, or about to, is left alone."""
        if self.state in ("active", "activating"):
            return
        self.restarts = 0
        self._begin()

    def ready(self) -> None:
        """What a life calls to say READY=1."""
        if self._life is not None:
            self.state, self.sub = "active", "running"

    def log(self, words: str) -> None:
        """Add a line to its journal."""
        self.journal.append(words)

    def stop(self) -> None:
        """``systemctl stop``, and also what happens when the host goes down. It stays enabled."""
        self._end()
        self.state, self.sub, self.result = "inactive", "dead", "success"

    def _begin(self) -> None:
        self.state, self.sub, self.result = "activating", "start", "success"
        self.pid = self.host.next_pid()
        self.starts += 1
        life = self._life = self.model.life(self.host, self)
        self._play(life)

    def _play(self, life: Iterator[float]) -> None:
        """Go on with a life until it lets time pass, ends or fails."""
        if life is not self._life:
            return
        try:
            seconds = next(life)
        except StopIteration:
            if life is self._life:
                self.ready()
        except ServiceFailed as failure:
            if life is self._life:
                self._fail(str(failure))
        else:
            if life is self._life:
                self._next = self.host.timeline.after(seconds, lambda: self._play(life))

    def _fail(self, words: str) -> None:
        self.log(words)
        self._end()
        self.result = "exit-code"
        if self.model.restart_after is None:
            self.state, self.sub = "failed", "failed"
            return
        self.state, self.sub = "activating", "auto-restart"
        self._next = self.host.timeline.after(self.model.restart_after, self._again)

    def _again(self) -> None:
        self.restarts += 1
        self._begin()

    def _end(self) -> None:
        """No process any more, and nothing of its life is still to come."""
        if self._next is not None:
            self._next.cancel()
        was_alive = self._life is not None
        self._life = self._next = None
        self.pid = 0
        if was_alive:
            self.model.gone(self.host, self)
