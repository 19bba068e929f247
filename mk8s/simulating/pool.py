"""The same work for many seeds, on several processes: each loads what it needs once, and answers by seed.

Laws:

1. Every seed has one answer. A process that dies (no memory, a fault of the machine) costs the seed that it
   was at, which is answered by `lost`, and another process takes its place.
2. Ctrl-C ends everything at once: the processes ignore it, and their owner ends them.
3. Answers come as they are ready; what is made of them must not depend on their order.

With one job there is no process at all. It knows no simulation. Begin reading at `over_seeds`.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeAlias, TypeVar

__all__ = ["PoolError", "cores", "over_seeds"]

T = TypeVar("T")
Work: TypeAlias = Callable[[int], T]
AHEAD = 2  # seeds that a process has: the one it is at, and the next, so that it never waits for us
MOST_LOST = 20  # processes that died: then it is the machine, and not a seed


class PoolError(RuntimeError):
    """A process could not begin its work, or too many died. The words are what it said last."""


def cores() -> int:
    """How many processes can really run at the same time here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_seeds(
    prepare: Callable[[], Work[T]], seeds: Sequence[int], *, jobs: int, lost: Callable[[int, str], T]
) -> Iterator[T]:
    """The work's answer for every seed, in the order in which they are ready.

    `prepare` is called once in each process and gives the work; both it and the answers must be of a kind
    that travels between processes. Raises PoolError.
    """
    if jobs <= 1 or len(seeds) <= 1:
        work = prepare()
        yield from (work(seed) for seed in seeds)
        return
    with closing(_Pool(prepare, deque(seeds), lost)) as pool:
        yield from pool.answers(min(jobs, len(seeds)))


@dataclass(slots=True, eq=False)
class _Worker:
    """A process, the wire to it, and the seeds that it has not answered."""

    process: SpawnProcess
    wire: Connection
    has: deque[int] = field(default_factory=deque)


class _Pool(Generic[T]):
    def __init__(
        self, prepare: Callable[[], Work[T]], seeds: deque[int], lost: Callable[[int, str], T]
    ) -> None:
        self._prepare = prepare
        self._seeds = seeds
        self._lost = lost
        self._workers: list[_Worker] = []
        self._died = 0

    def answers(self, jobs: int) -> Iterator[T]:
        for _ in range(jobs):
            self._begin()
        while self._workers:
            ready = wait([worker.wire for worker in self._workers])
            for worker in [one for one in self._workers if one.wire in ready]:
                yield from self._answer_of(worker)

    def close(self) -> None:
        """End every process now."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.wire.close()
        self._workers.clear()

    def _begin(self) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._prepare, theirs), daemon=True)
        with _ctrl_c_waits():  # a new process inherits it, and is deaf to Ctrl-C from its first moment
            process.start()
            theirs.close()
            worker = _Worker(process, ours)
            self._workers.append(worker)
        self._feed(worker)

    def _feed(self, worker: _Worker) -> None:
        while self._seeds and len(worker.has) < AHEAD:
            worker.has.append(self._seeds.popleft())
            with suppress(OSError):  # it has died: its wire's end says so to `answers`
                worker.wire.send(worker.has[-1])
        if not worker.has:
            self._let_go(worker)

    def _answer_of(self, worker: _Worker) -> Iterator[T]:
        try:
            kind, answer = worker.wire.recv()
        except (EOFError, OSError):
            yield from self._bury(worker)
            return
        if kind == "unfit":
            raise PoolError(answer)
        worker.has.popleft()
        self._feed(worker)
        yield answer

    def _bury(self, worker: _Worker) -> Iterator[T]:
        self._let_go(worker)
        self._died += 1
        said = f"its process ended with {_words(worker.process.exitcode)}"
        if self._died > MOST_LOST:
            raise PoolError(f"{self._died} processes died; the last one: {said}")
        seed = worker.has.popleft()
        self._seeds.extendleft(reversed(worker.has))
        if self._seeds:
            self._begin()
        yield self._lost(seed, said)

    def _let_go(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.wire.close()
        worker.process.join()


def _words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit status {code}"


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Held back, not ignored: what is pressed meanwhile is heard afterwards."""
    resource_tracker.ensure_running()  # else the first start does so, and lets Ctrl-C through when it has
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(prepare: Callable[[], Work[T]], wire: Connection) -> None:
    """A process: seeds in, answers out, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work = prepare()
    except Exception as error:
        wire.send(("unfit", "".join(traceback.format_exception(error))))
        return
    with suppress(EOFError, OSError):
        while True:
            wire.send(("answer", work(wire.recv())))
