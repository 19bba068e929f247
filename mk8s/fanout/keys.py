"""The key of one run: made here, kept nowhere, good for reading pieces and nothing else.

Its line in a source's authorized_keys forbids everything (`restrict`) but one command, which serves
ranges of the files that mk8s linked there; it expires by the node's own clock even if mk8s never comes
back; and where the other nodes are known by IP address, it is good from these alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mk8s.cluster import Node

__all__ = ["MARK", "RunKey", "addresses_of", "make_key"]

MARK = "mk8s-fan-out"
"""The comment of our lines in authorized_keys: by it they are found again and removed."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """A pair in OpenSSH's own forms."""

    private: bytes = field(repr=False)  # the whole file
    public: str  # ssh-ed25519 AAAA..., without a comment


def make_key() -> RunKey:
    """A new ed25519 pair, from the operating system's randomness."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return RunKey(private, public.decode())


def addresses_of(nodes: Iterable[Node]) -> str:
    """The ``from=`` of the key: all addresses of these nodes, or empty where one is known by name only.

    A node may come from any of its addresses; one behind another is refused, and is sent to from here.
    """
    found: dict[str, None] = {}
    for node in nodes:
        for text in (node.address, node.ip):
            try:
                found[str(ip_address(text))] = None
            except ValueError:
                return ""
    return ",".join(found)
