"""Which nodes may serve, and which may fetch: opened at the first need, closed at the end, whatever happens.

Laws:

1. Where a key may be is written down before it is put there (`places`), and forgotten only once a node
   has said that it is gone.
2. A node that was lost is prepared anew: its memory, where receivers keep the key, may be empty.
3. Closing waits for nobody long: a node that does not answer is left to the next run and to the
   key's own end.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from machines.errors import ActionError
from mk8s.cluster import Cluster, Node
from mk8s.delivery import part_of
from mk8s.fanout.commands import close, open_source, read_host_keys, receive, share
from mk8s.fanout.keys import RunKey, addresses_of
from mk8s.fanout.places import Places
from mk8s.steps import Upload
from mk8s.working import Hands
from transports.base import Command, Outcome

__all__ = ["Doors", "UnfitError", "local_nodes"]

CLOSING = 20.0  # seconds for all nodes together


class UnfitError(Exception):
    """The node `node` cannot serve, or cannot fetch; the words say why."""

    def __init__(self, node: str, words: str) -> None:
        super().__init__(words)
        self.node = node


class Doors:
    """One run's key, and where it has been put."""

    def __init__(self, cluster: Cluster, hands: Hands, places: Places, key: RunKey) -> None:
        self._nodes = {node.name: node for node in cluster.nodes}
        self._hands = hands
        self._places = places
        self._key = key
        self._turns: dict[str, anyio.Lock] = {}
        self._sources: dict[str, tuple[str, ...]] = {}  # node -> its host keys
        self._shared: set[tuple[str, str]] = set()  # (node, sha256)
        self._receivers: set[str] = set()

    async def open_source(self, node: str) -> tuple[str, ...]:
        """Let the node serve, and get its host keys. Raises UnfitError, ActionError where it is away."""
        async with self._turn(node):
            if node not in self._sources:
                others = [other for other in self._nodes.values() if other.name != node]
                user = self._nodes[node].login.user
                outcome = await self._tell(node, open_source(user, self._key, addresses_of(others)))
                self._sources[node] = _host_keys(node, outcome)
            return self._sources[node]

    async def share(self, node: str, step: Upload) -> None:
        """Let the node serve this file, or what it has of it. Raises as `open_source`."""
        async with self._turn(node):
            if (node, step.source.sha256) not in self._shared:
                await self._tell(node, share(part_of(step), step.target, step.source.sha256))
                self._shared.add((node, step.source.sha256))

    async def open_receiver(self, node: str) -> None:
        """Let the node fetch. Raises UnfitError where it has no ssh, ActionError where it is away."""
        async with self._turn(node):
            if node not in self._receivers:
                await self._tell(node, receive(self._key))
                self._receivers.add(node)

    def moved(self, node: str, sha256: str) -> None:
        """The file is elsewhere on the node now: it is shared anew before it is served again."""
        self._shared.discard((node, sha256))

    def lost(self, node: str) -> None:
        """The node did not answer: who knows what is left there."""
        self._sources.pop(node, None)
        self._receivers.discard(node)
        self._shared = {(other, file) for other, file in self._shared if other != node}

    async def close(self) -> list[str]:
        """Remove the key wherever it may be, also an earlier run's; the nodes where it may still be."""
        left = [node for node in self._places.known() if node in self._nodes]
        strangers = [node for node in self._places.known() if node not in self._nodes]
        for node in strangers:  # not in the manifest any more: nobody here can reach them
            self._places.remove(node)
        with anyio.move_on_after(CLOSING, shield=True):
            async with anyio.create_task_group() as tasks:
                for node in left:
                    tasks.start_soon(self._close, node)
        return sorted([*self._places.known(), *strangers])

    async def _close(self, node: str) -> None:
        try:
            outcome = await self._hands.command(node, close(self._places.known()[node]), changed=True)
        except ActionError:
            return
        self.lost(node)
        if outcome.ok:
            self._places.remove(node)

    async def _tell(self, node: str, command: Command) -> Outcome:
        self._places.add(node, self._nodes[node].login.user)
        outcome = await self._hands.command(node, command, changed=True)
        if not outcome.ok:
            raise UnfitError(node, outcome.complaint)
        return outcome

    def _turn(self, node: str) -> anyio.Lock:
        return self._turns.setdefault(node, anyio.Lock())


def _host_keys(node: str, outcome: Outcome) -> tuple[str, ...]:
    try:
        return read_host_keys(outcome)
    except ValueError as error:
        raise UnfitError(node, str(error)) from error


def local_nodes(nodes: Sequence[Node]) -> list[str]:
    """Nodes that mk8s runs on: it reaches them without sshd, so others may not."""
    return [node.name for node in nodes if node.login.local]
