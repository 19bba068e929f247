"""Files from this machine to a node: a small one in one move, a large one by pieces.

Laws:

1. What a node holds already is not sent again: it says the hashes of its part, and what is the beginning
   of the file stays. So a fault costs what was on the way, less than a piece.
2. A target appears whole, verified from the node's disk. A part that turns out to be another is looked
   at piece by piece, and sent anew from the first that is wrong.
3. It repeats nothing that failed on the way: that is the table's business, and the next attempt goes on.

Many pieces travel by one command, see `cutting.STRIDE`; what arrived of them counts all the same.
It knows no SSH. Begin reading at `DirectDelivery.deliver`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from machines.errors import ActionError
from mk8s.amounts import bytes_in_words
from mk8s.cutting import Cut, Cuts, Cutting, cut_file
from mk8s.delivery import PIECE, Delivered, OnBytes, part_of
from mk8s.parts import NOT_WHOLE, finish_part, part_state, read_part_state
from mk8s.steps import Upload
from mk8s.working import Hands, answered

__all__ = ["DirectDelivery"]

ATTEMPTS = 3  # how often a part is made whole before its node is given up


class DirectDelivery:
    """Sends from here. Implements `mk8s.delivery.Delivery`."""

    def __init__(self, hands: Hands, *, cut: Cut = cut_file, keep: Collection[str] = ()) -> None:
        """`keep`: the hashes of all files of this run; parts of any other content are swept away."""
        self._hands = hands
        self._keep = keep
        self.cutting = Cutting(cut)

    async def deliver(
        self, node: str, step: Upload, on_bytes: OnBytes, note: Callable[[str], None]
    ) -> Delivered:
        """See `Delivery.deliver`."""
        if step.source.size > PIECE:
            return await self._deliver_by_pieces(node, step, on_bytes, note)
        await self._hands.put(node, step.source, step, on_bytes)
        return Delivered(sent=step.source.size)

    async def _deliver_by_pieces(
        self, node: str, step: Upload, on_bytes: OnBytes, note: Callable[[str], None]
    ) -> Delivered:
        cuts = await self.cutting.of(step.source)
        sent = 0
        for _ in range(ATTEMPTS):
            start = await self.verified(node, step, cuts)
            on_bytes(start, step.source.size)
            if start:
                note(f"{step.title}: goes on behind the {bytes_in_words(start)} that are there")
            pieces = await cuts.rest(start)
            await self._hands.append(node, pieces, part_of(step), on_bytes)
            sent += step.source.size - start
            if await self.finish(node, step):
                return Delivered(sent=sent)
            note(f"{step.title}: what is there is not what was sent; looking for the piece that is wrong")
        raise ActionError(
            "integrity",
            message=f"{step.target} is not what was sent, after {ATTEMPTS} attempts",
            remedy="something else writes to this path, or the host's disk or memory is damaged",
        )

    async def verified(self, node: str, step: Upload, cuts: Cuts) -> int:
        """How many bytes of the file the node's part begins with. Raises ActionError."""
        command = part_state(part_of(step), PIECE)
        outcome = await self._hands.ask(node, command)
        if not outcome.ok:
            raise self._hands.failure(outcome, command, _nothing_known)
        there = answered(self._hands, command, outcome, read_part_state)
        return await cuts.verified(there)

    async def finish(self, node: str, step: Upload) -> bool:
        """Verify the part whole and move it to its place; False where it is not the file."""
        command = finish_part(step, self._keep)
        outcome = await self._hands.command(node, command, changed=True)
        if not outcome.ok and outcome.status != NOT_WHOLE:
            raise self._hands.failure(outcome, command, _nothing_known)
        return outcome.ok


def _nothing_known(*_: object) -> None:
    """What goes wrong here is no distro's."""
