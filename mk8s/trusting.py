"""See the host keys of all nodes and bastions, tell what is known of them, and pin what a person accepts.

Nobody logs in to a host whose key is not trusted: what stands behind an unknown bastion is seen in the next
round, when that was accepted. A changed key is never accepted but by name.

This module asks nobody and prints nothing; `cli.trust` does. Begin reading at `Trust.look`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import anyio

from mk8s.connect import Roads
from mk8s.errors import UsageError
from mk8s.ways import Hop
from transports.base import TransportError
from transports.ssh import Bastion, SSHOptions
from transports.ssh.connection import look_at_host
from transports.ssh.hostkeys import fingerprint, host_name, kind_of, pin

__all__ = ["Listed", "Look", "Trust", "is_listed", "listed_fingerprints"]

State: TypeAlias = Literal["known", "certified", "new", "changed", "revoked", "unseen", "behind", "pinned"]
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
BASTION = "bastion"  # what each of them is called
BETWEEN = re.compile(r"[\s,;|\"'@=<>(){}\[\]]+")
HOST_AND_PORT = re.compile(r"^([^:]+):[0-9]+$")
GOOD = ("known", "certified", "pinned")
Listed: TypeAlias = dict[str, tuple[frozenset[str], ...]]


@dataclass(frozen=True, slots=True)
class Look:
    """One host as it was seen."""

    names: tuple[str, ...]  # of the nodes; of a bastion, `bastion`
    hop: Hop
    chain: tuple[Hop, ...]  # the bastions before it
    state: State
    key: bytes = b""
    problem: str = ""

    @property
    def known_name(self) -> str:
        """As known_hosts writes it."""
        return host_name(self.hop.host, self.hop.port, self.hop.known_as)

    @property
    def kind(self) -> str:
        return kind_of(self.key)

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -lf` prints it; empty where no key was seen."""
        return fingerprint(self.key) if self.key else ""

    def as_data(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "host": self.hop.host,
            "port": self.hop.port,
            "through": [hop.name for hop in self.chain],
            "kind": self.kind,
            "fingerprint": self.fingerprint,
            "state": self.state,
            "problem": self.problem,
        }


class Trust:
    """The hosts of a cluster, and what is known of them."""

    def __init__(self, roads: Roads) -> None:
        self._roads = roads
        self.looks: dict[tuple[Hop, ...], Look] = {}  # by the way there, the host itself last
        for way in roads.ways.values():
            for end in range(1, len(way.bastions) + 1):
                self._add(way.bastions[:end], BASTION)
            self._add((*way.bastions, way.target), way.node.name)

    def _add(self, hops: tuple[Hop, ...], name: str) -> None:
        look = self.looks.setdefault(hops, Look((), hops[-1], hops[:-1], "behind"))
        if name not in look.names:
            self.looks[hops] = replace(look, names=(*look.names, name))

    async def look(self) -> list[Look]:
        """See every host that was not seen yet and whose bastions are trusted, all at once."""
        waiting = [hops for hops, look in self.looks.items() if look.state == "behind" and self._open(hops)]
        async with anyio.create_task_group() as tasks:
            for hops in waiting:
                tasks.start_soon(self._look, hops)
        return [self.looks[hops] for hops in waiting]

    def _open(self, hops: tuple[Hop, ...]) -> bool:
        return all(self.looks[hops[:end]].state in GOOD for end in range(1, len(hops)))

    async def _look(self, hops: tuple[Hop, ...]) -> None:
        look, roads = self.looks[hops], self._roads
        options = roads.bastion_options(hops[-1])
        label = f"{', '.join(look.names)} ({options.address})"
        via = roads.bastion(hops[:-1])
        if via is not None:
            via.hold()
        try:
            self.looks[hops] = await seen(look, label, options, roads, via)
        except TransportError as problem:
            words = f"{problem.message}; {problem.remedy}" if problem.remedy else problem.message
            self.looks[hops] = replace(look, state="unseen", problem=words)
        finally:
            if via is not None:
                await via.release()

    def pin(self, looks: Iterable[Look]) -> None:
        """Trust these from now on. Raises OSError."""
        for look in looks:
            pin(self._roads.known_hosts, look.known_name, look.key)
            self.looks[(*look.chain, look.hop)] = replace(look, state="pinned")

    def still_known(self, look: Look) -> list[tuple[Path, int]]:
        """The lines that were left and still give a pinned host other keys: those of your own known_hosts."""
        keys = self._roads.bastion_options(look.hop).host_keys
        return keys.lines(look.hop.host, look.hop.port, look.hop.known_as, but=look.key)

    def twins(self) -> list[list[Look]]:
        """Hosts that have one key in common: machines made from one image, or one machine named twice."""
        by_key: dict[bytes, list[Look]] = {}
        for look in self.looks.values():
            if look.key:
                by_key.setdefault(look.key, []).append(look)
        return [looks for looks in by_key.values() if len({look.hop.host for look in looks}) > 1]


async def seen(look: Look, label: str, options: SSHOptions, roads: Roads, via: Bastion | None) -> Look:
    """The look with its key, and what is known of that."""
    shown = await look_at_host(label, options, roads.starts, via=via)
    look = replace(look, key=shown.key)
    try:
        options.host_keys.verify(
            options.host, options.port, shown.key, alias=options.known_as, certificate=shown.certificate
        )
    except TransportError as problem:
        word = problem.lineage[0].removeprefix("hostkey.")
        state: State = "changed" if word == "changed" else "revoked" if word == "revoked" else "new"
        plain = state == "new" and not shown.certificate  # a certificate that is wrong is worth a word
        return replace(look, state=state, problem="" if plain else problem.message)
    known = options.host_keys.known(options.host, options.port, options.known_as)
    return replace(look, state="known" if shown.key in known else "certified")


def listed_fingerprints(path: Path) -> Listed:
    """The fingerprints in a hoster's list, each with the words of its lines, which may name the host.

    Any text with ``SHA256:...`` in it will do, such as what ``ssh-keygen -lf`` prints. Raises UsageError.
    """
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", remedy="name the hoster's list"
        ) from error
    found: Listed = {}
    for line in lines:
        for text in FINGERPRINT.findall(line):
            found[text] = (*found.get(text, ()), words_of(line))
    if not found:
        raise UsageError(
            f"{path} has no fingerprint in it",
            remedy="one is SHA256: and 43 characters, as `ssh-keygen -lf KEY.pub` prints",
        )
    return found


def words_of(line: str) -> frozenset[str]:
    """What may be a host in a line: also that of ``root@node-1``, ``[10.0.0.1]:22`` and ``node-1.site:``."""
    words = BETWEEN.split(line)
    return with_short_names([*words, *(HOST_AND_PORT.sub(r"\1", word.strip(":.")) for word in words)])


def with_short_names(names: Iterable[str]) -> frozenset[str]:
    """The names in small letters, and of each with a domain the part before it. `bastion` names nobody."""
    small = {name.lower() for name in names if name != BASTION}
    return frozenset(small | {name.partition(".")[0] for name in small if not name[:1].isdigit()})


def is_listed(look: Look, listed: Listed, all_names: Sequence[str]) -> bool:
    """Whether a host's key is on the list, in a line that names no other host."""
    mine = with_short_names((look.hop.host, *look.names))
    others = with_short_names(all_names) - mine
    return any(not words & others for words in listed.get(look.fingerprint, ()))
