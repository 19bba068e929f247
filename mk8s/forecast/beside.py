"""A prediction beside the run that it is of: made in a process of its own, and told as soon as it is there.

Laws:

1. The run never waits for it: nothing here blocks, but for the moment in which a process is begun or ended.
2. The run never fails of it: whatever goes wrong is an answer in words.
3. It takes what is left of this machine: lowest priority, few seeds, not more nodes than `MOST_NODES`, not
   longer than `LONGEST`, and it ends with the run, however that ends: whoever reads the run's output would
   wait for the process that still holds it.

It reads the manifest, sizes of release files and what the sources name; it touches no node, writes nothing.
Begin reading at `Foreteller`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

from mk8s.errors import Mk8sError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from pathlib import Path

    from mk8s.forecast.basis import Kind
    from mk8s.forecast.sources import Sources

__all__ = ["Answer", "Asked", "Foreteller", "Prediction", "foretell"]

SEEDS = 5
MOST_NODES = 300  # some ten seconds of one core
LONGEST = 120  # seconds
LOWEST_PRIORITY = 19
KINDS: Mapping[Kind, str] = {
    "learnt": "learnt",
    "carried-over": "carried over",
    "given": "given",
    "default": "as the models say",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the process is told: it loads the rest itself."""

    manifest: Path
    sources: Sources
    past: bytes = b""  # the journal, where the run goes on


@dataclass(frozen=True, slots=True)
class Prediction:
    """Seconds from where this run begins, or goes on, until all nodes are healthy."""

    low: float
    middle: float
    high: float
    rests_on: str  # for people


Answer: TypeAlias = Prediction | str
"""A prediction; or why there is none."""


class Foreteller:
    """One prediction that is on its way; `None`: nobody asked for one. To be left as a context is."""

    def __init__(self, asked: Asked | None, work: Callable[[Asked], Answer] | None = None) -> None:
        """`work`: what the process does; of a module's own, so that it can travel there."""
        self._asked = asked
        self._work = work or foretell
        self._process: SpawnProcess | None = None
        self._wire: Connection | None = None
        self.prediction: Prediction | None = None  # once it was told

    def __enter__(self) -> Self:
        if self._asked is not None:
            with suppress(OSError):  # no process, no prediction
                self._begin(self._asked)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def news(self) -> Answer | None:
        """The answer, once and as soon as it is there. Never blocks."""
        if self._wire is None:
            return None
        try:
            if not self._wire.poll():
                return None
            answer: Answer = self._wire.recv()
        except (EOFError, OSError):
            answer = "its process ended"
        self._end()
        if isinstance(answer, Prediction):
            self.prediction = answer
        return answer

    def _begin(self, asked: Asked) -> None:
        from multiprocessing import get_context, resource_tracker

        resource_tracker.ensure_running()  # otherwise `start` does, and lets SIGINT through again
        context = get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(self._work, asked, theirs), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # inherited: Ctrl-C is the run's
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self._process, self._wire = process, ours

    def _end(self) -> None:
        if self._process is not None and self._wire is not None:
            self._process.kill()
            self._process.join()
            self._wire.close()
        self._process = self._wire = None


def _serve(work: Callable[[Asked], Answer], asked: Asked, wire: Connection) -> None:
    """The process: one question, one answer."""
    signal.alarm(LONGEST)
    os.nice(LOWEST_PRIORITY)
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    try:
        answer = work(asked)
    except Mk8sError as error:
        answer = str(error)
    except Exception as error:  # law 2
        answer = f"{type(error).__name__}: {error}"
    with suppress(OSError):  # nobody listens any more
        wire.send(answer)


def _end_with_the_run() -> None:
    """A run that was killed ends nothing by itself."""
    from multiprocessing import parent_process

    run = parent_process()
    if run is not None:
        run.join()
        os._exit(1)


def foretell(asked: Asked) -> Answer:
    """Rehearse the run. Raises Mk8sError."""
    from mk8s.forecast.predicting import forecast, seeds_for
    from mk8s.forecast.sizes import sizes_at_hand
    from mk8s.forecast.sources import profile_from
    from mk8s.images import images_in
    from mk8s.project import load_project
    from mk8s.rehearsal import Conditions

    project = load_project(asked.manifest, keys=False)
    cluster = project.cluster
    if len(cluster.nodes) > MOST_NODES:
        return f"{len(cluster.nodes)} nodes are more than are rehearsed beside a run; mk8s plan predicts it"
    profile = profile_from(asked.sources, cluster)
    release = sizes_at_hand(cluster, project.distro).release
    conditions = Conditions(
        cluster, project.distro, profile, release=release, images=images_in(release), past=asked.past
    )
    seen = forecast(conditions, min(SEEDS, seeds_for(len(cluster.nodes))))
    if seen.to_all is None:
        return "the rehearsal does not get all nodes healthy; mk8s plan says why"
    counts = [f"{len(seen.basis.of(kind))} {words}" for kind, words in KINDS.items() if seen.basis.of(kind)]
    return Prediction(
        seen.to_all.low, seen.to_all.middle, seen.to_all.high, f"durations: {', '.join(counts)}"
    )
