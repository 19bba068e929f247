"""What a distro needs kept for a cluster's whole life: keys, certificates, random words, numbers. Pure data.

A driver only names what it needs, in `Distro.needs`. `mk8s.keeper` makes each thing once, keeps it in the
cluster's state folder before any node is given it, and never makes it again: a run that resumes, or one
that adds nodes, finds what is there. What a driver is given back is `Kept`.

Laws:

1. A need is known by its name, unique in a cluster; per-node needs carry the node's name (``kubelet/n1``).
2. What is kept outlives the manifest's words: a `Constant` keeps its first value for ever.
3. Keys never appear in a title, an argument, the journal or a log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "Authority",
    "Certificate",
    "Constant",
    "Kept",
    "KeyPair",
    "Need",
    "Number",
    "Pair",
    "Random",
    "RandomKind",
    "pretend",
    "secrets_pretended",
]

RandomKind: TypeAlias = Literal["hex-32", "base64-32", "bootstrap-token", "word-8"]


@dataclass(frozen=True, slots=True)
class Random:
    """A secret word: 64 hex digits, base64 of 32 bytes, kubeadm's token ``[a-z0-9]{6}.[a-z0-9]{16}``, or
    8 characters ``[a-z0-9]``, which is all that VRRP takes.
    """

    name: str
    kind: RandomKind


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of its own, self-signed."""

    name: str
    common_name: str
    days: int = 3650


@dataclass(frozen=True, slots=True)
class Certificate:
    """A leaf certificate with its key, signed by the `Authority` called `authority`."""

    name: str
    authority: str
    common_name: str
    organization: str = ""
    server: bool = False  # extended key usages
    client: bool = False
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    days: int = 365


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A bare RSA key pair, such as the one that signs service-account tokens."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stays what it was when it was first asked for, whatever the manifest says later."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """The smallest number of a pool that was free when it was first asked for; 0 <= number < below."""

    name: str
    pool: str
    below: int


Need: TypeAlias = Random | Authority | Certificate | KeyPair | Constant | Number


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate (or public key) and its private key, both PEM."""

    public: bytes
    private: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept, by the names of the needs. Asking for what was not needed is a bug: KeyError."""

    # Random, Constant; brought anew by each run: datastore-password, -ca, -cert, -key (PEM) of `datastore`.
    words: Mapping[str, str] = field(default_factory=dict, repr=False)
    pairs: Mapping[str, Pair] = field(default_factory=dict, repr=False)  # Authority, Certificate, KeyPair
    numbers: Mapping[str, int] = field(default_factory=dict)
    # Not kept but brought anew by each run: what the manifest's `registries` only names, by host.
    registry_passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    registry_authorities: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # certificates, PEM


PRETENDED_KEY = "pretended key"


def secrets_pretended(needs: Iterable[Need]) -> list[str]:
    """What of `pretend` would be secret, were it real: for who looks whether any of it got out."""
    words = [_pretended(need.name) for need in needs if isinstance(need, Random)]
    return [*words, PRETENDED_KEY]


def _pretended(name: str) -> str:
    return f"pretended-{name}"


def pretend(needs: Iterable[Need]) -> Kept:
    """What would be kept, without making a key: for plans and simulation. The same needs give the same."""
    words: dict[str, str] = {}
    pairs: dict[str, Pair] = {}
    numbers: dict[str, int] = {}
    taken: Counter[str] = Counter()
    for need in needs:
        match need:
            case Constant(name=name, value=value):
                words[name] = value
            case Random(name=name):
                words[name] = _pretended(name)
            case Number(name=name, pool=pool):
                numbers[name] = taken[pool]
                taken[pool] += 1
            case _:
                pairs[need.name] = Pair(f"pretended {need.name}\n".encode(), f"{PRETENDED_KEY}\n".encode())
    return Kept(words, pairs, numbers)
