"""Bringing files to nodes by way of other nodes: who waits, who fetches, who is sent to, and what if not.

Each node that wants a file asks `Shares` what to do next, does it, and tells everybody that something has
changed. Nobody asks a node whether it has got on: a fetch says each piece as it is verified, and others
may fetch it from there at once.

Laws:

1. Whatever goes wrong between two nodes costs time, never the file: the pair, the source or the receiver
   is left out from then on, and in the end this machine sends.
2. What counts is what the receiver has hashed itself. A source is believed nothing.
3. A node is failed here only by its own road to us, its own disk, or what sending from here would fail by.
4. Every node that may be receiving holds a place of the edge's limit, and any of them may be the one
   that is sent to. So those who wait for others never keep a place from the one they wait for.

It knows no SSH and no table. Begin reading at `FanOutDelivery.deliver`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import anyio

from machines.errors import ActionError
from mk8s.amounts import bytes_in_words
from mk8s.cluster import Cluster
from mk8s.cutting import Cuts
from mk8s.delivery import PIECE, Delivered, OnBytes, part_of
from mk8s.direct import DirectDelivery
from mk8s.fanout.choice import Choice
from mk8s.fanout.commands import CANNOT_WRITE, SHORT, WRONG, good_pieces, pull
from mk8s.fanout.doors import Doors, UnfitError, local_nodes
from mk8s.fanout.shares import Done, Limits, Pull, Push, Shares
from mk8s.steps import Upload
from mk8s.working import Hands
from transports.base import Command, Outcome, Piece

__all__ = ["FanOutDelivery"]

ATTEMPTS = 3  # how often a part is made whole before its node is given up
FLOOR = float(1 << 20)  # bytes per second: a source that hands on more slowly is no help
READABLE_BY_ALL = 0o004


@dataclass(slots=True)
class _Job:
    """One file on its way to one node."""

    node: str
    step: Upload
    cuts: Cuts
    on_bytes: OnBytes
    note: Callable[[str], None]
    sent: int = 0
    handed_on: int = 0
    source: str = ""  # the last one that was told of

    @property
    def file(self) -> str:
        return self.step.source.sha256

    def has(self, pieces: int) -> None:
        """Tell how many bytes that is."""
        self.at(min(pieces * PIECE, self.step.source.size))

    def at(self, done: int, _sent_now: int = 0) -> None:
        """Tell how many bytes are there, of the whole file: one sending is only of its next piece."""
        self.on_bytes(done, self.step.source.size)


class FanOutDelivery:
    """Lets nodes hand files on to each other. Implements `mk8s.delivery.Delivery`."""

    def __init__(
        self,
        cluster: Cluster,
        hands: Hands,
        direct: DirectDelivery,
        doors: Doors,
        make_choice: Callable[[Callable[[str], None]], Choice],
        places: int,
    ) -> None:
        """`make_choice` is called at the first file, with what says words to people.

        `places`: nodes that this machine sends to at the same time, where nobody else can serve them.
        """
        limits = cluster.fan_out
        self._nodes = {node.name: node for node in cluster.nodes}
        self._hands = hands
        self._direct = direct
        self._make_choice = make_choice
        self._chosen: Choice | None = None
        self._doors = doors
        self._changed = anyio.Event()
        self._steps: dict[tuple[str, str], Upload] = {}  # (node, sha256) -> where it is there
        self._shares = Shares(
            Limits(limits.seeds, limits.per_node, limits.between_groups, places),
            {node.name: node.group for node in cluster.nodes},
        )
        for node in local_nodes(cluster.nodes):
            self._shares.drop_source(node)

    async def deliver(
        self, node: str, step: Upload, on_bytes: OnBytes, note: Callable[[str], None]
    ) -> Delivered:
        """See `Delivery.deliver`."""
        if self._chosen is None:
            self._chosen = self._make_choice(note)
        if not self._hands_on(step):
            return await self._direct.deliver(node, step, on_bytes, note)
        job = _Job(node, step, await self._direct.cutting.of(step.source), on_bytes, note)
        with self._counted_on(node):
            for _ in range(ATTEMPTS):
                if not await self._gather(job):
                    rest = await self._direct.deliver(node, step, on_bytes, note)
                    return Delivered(job.sent + rest.sent, job.handed_on)
                if await self._direct.finish(node, step):
                    self._doors.moved(node, job.file)
                    return Delivered(job.sent, job.handed_on)
                note(f"{step.title}: what is there is not what was sent; looking for the piece that is wrong")
        raise ActionError(
            "integrity",
            message=f"{step.target} is not what was sent, after {ATTEMPTS} attempts",
            remedy="something else writes to this path, or the host's disk or memory is damaged",
        )

    async def close(self) -> list[str]:
        """Remove the key from all nodes; those where it may still be. For the end, and the beginning."""
        return await self._doors.close()

    @property
    def _choice(self) -> Choice:
        if self._chosen is None:
            raise ValueError("nothing was chosen yet: no file was to be delivered")
        return self._chosen

    def _hands_on(self, step: Upload) -> bool:
        """Only what everybody may read in the end, so that serving it tells nobody anything."""
        return bool(
            step.source.size > PIECE
            and step.mode & READABLE_BY_ALL
            and self._choice.wants(step.source.sha256)
        )

    # One node's way to the whole file

    async def _gather(self, job: _Job) -> bool:
        """Until the part has all pieces; False where it was chosen meanwhile to send from here."""
        await self._begin(job)
        while not self._choice.direct:
            changed = self._changed
            move = self._shares.next(job.file, job.node)
            if isinstance(move, Done):
                return True
            if isinstance(move, Push | Pull):
                await self._make(job, move)
            else:
                await changed.wait()
        return False

    async def _begin(self, job: _Job) -> None:
        """Let everybody know what the node has by now."""
        there = await self._direct.verified(job.node, job.step, job.cuts)
        pieces = len(job.cuts.pieces)
        have = pieces if there >= job.step.source.size else there // PIECE
        self._steps[job.node, job.file] = job.step
        self._doors.moved(job.node, job.file)
        self._shares.want(job.file, job.node, pieces, have)
        job.has(have)
        self._tell_all()

    async def _make(self, job: _Job, move: Push | Pull) -> None:
        try:
            if isinstance(move, Push):
                await self._push(job, move)
            else:
                await self._pull(job, move)
        finally:
            self._shares.ended(move)
            self._tell_all()

    def _tell_all(self) -> None:
        """Everyone who waits looks again."""
        self._changed.set()
        self._changed = anyio.Event()

    @contextmanager
    def _counted_on(self, node: str) -> Iterator[None]:
        """A node that fails is not counted on by others until it is back."""
        try:
            yield
        except ActionError:
            self._shares.away(node)
            self._doors.lost(node)
            self._tell_all()
            raise

    # From here

    async def _push(self, job: _Job, move: Push) -> None:
        piece = job.cuts.pieces[move.first]
        alone = sum(isinstance(other, Push) for other in self._shares.moves()) == 1
        began = anyio.current_time()
        await self._hands.append(job.node, [piece], part_of(job.step), job.at)
        if alone:
            self._choice.measured(piece.size, anyio.current_time() - began)
        job.sent += piece.size
        job.source = ""
        self._shares.got(job.file, job.node, move.first + 1)

    # From another node

    async def _pull(self, job: _Job, move: Pull) -> None:
        try:
            keys = await self._source_for(job, move.source)
            if keys is not None:
                await self._doors.open_receiver(job.node)
                await self._fetch(job, move, keys)
        except UnfitError as unfit:
            job.note(f"{job.step.title}: {unfit.node} cannot take part in the fan-out: {unfit}")
            if unfit.node == job.node:
                self._shares.drop_receiver(job.node)
            else:
                self._shares.drop_source(move.source)

    async def _source_for(self, job: _Job, source: str) -> tuple[str, ...] | None:
        """Its host keys, once it serves the file; None where it does not answer."""
        try:
            keys = await self._doors.open_source(source)
            await self._doors.share(source, self._steps[source, job.file])
        except ActionError as error:
            job.note(f"{job.step.title}: {source} does not answer: {error}")
            self._shares.away(source)
            self._doors.lost(source)
            return None
        return keys

    async def _fetch(self, job: _Job, move: Pull, keys: Sequence[str]) -> None:
        command = self._pull_command(job, move, keys)
        heard, complaints = bytearray(), bytearray()
        self._tell_source(job, move)

        def on_output(stream: str, data: bytes) -> None:
            (heard if stream == "stdout" else complaints).extend(data)
            if stream == "stdout":
                self._got(job, move, good_pieces(bytes(heard)))

        try:
            outcome = await self._hands.command(job.node, command, changed=True, on_output=on_output)
        except ActionError as error:
            if "timeout" not in error.failure.lineage:
                raise
            self._leave_out(job, move, "is too slow")
            return
        finally:
            good = good_pieces(bytes(heard))
            job.handed_on += sum(piece.size for piece in self._pieces(job, move)[:good])
        await self._judge(job, move, command, replace(outcome, stderr=bytes(complaints)))

    async def _judge(self, job: _Job, move: Pull, command: Command, outcome: Outcome) -> None:
        """What a fetch that ended says of the source."""
        if outcome.ok:
            return
        if outcome.status == WRONG:
            job.note(f"{job.step.title}: {move.source} handed on wrong bytes; nobody asks it any more")
            self._shares.drop_source(move.source)
        elif outcome.status == SHORT:
            await self._begin(job)
        elif outcome.status == CANNOT_WRITE:
            raise self._hands.failure(outcome, command, _nothing_known)
        else:
            self._leave_out(job, move, f"does not hand on ({outcome.complaint})")

    def _got(self, job: _Job, move: Pull, good: int) -> None:
        have = move.first + good
        if have > self._shares.has(job.file, job.node):
            self._shares.got(job.file, job.node, have)
            job.has(have)
            self._tell_all()

    def _leave_out(self, job: _Job, move: Pull, words: str) -> None:
        job.note(f"{job.step.title}: {move.source} {words}; going on without it")
        self._shares.drop_pair(job.node, move.source)

    def _tell_source(self, job: _Job, move: Pull) -> None:
        if job.source != move.source:
            job.source = move.source
            size = job.step.source.size
            done = f"{bytes_in_words(move.first * PIECE)} of {bytes_in_words(size)}"
            job.note(f"{job.step.title}: from {move.source}: {done}")

    def _pieces(self, job: _Job, move: Pull) -> Sequence[Piece]:
        return job.cuts.pieces[move.first : move.first + move.count]

    def _pull_command(self, job: _Job, move: Pull, keys: Sequence[str]) -> Command:
        source = self._nodes[move.source]
        return pull(
            part_of(job.step),
            job.file,
            self._pieces(job, move),
            name=source.name,
            login=(source.login.user, source.ip, source.login.port),
            host_keys=keys,
            quick_ciphers=self._nodes[job.node].arch == source.arch == "amd64",
            floor=min(FLOOR, self._choice.rate / 2) if self._choice.rate else FLOOR,
        )


def _nothing_known(*_: object) -> None:
    """What goes wrong here is no distro's."""
