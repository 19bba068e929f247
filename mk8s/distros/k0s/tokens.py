"""Join tokens: made by a controller at the moment of use, short-lived, and of no use afterwards. Pure.

A token is one line, base64 of a gzipped kubeconfig: where to join and a bootstrap token. The id of that
token, by which it is taken back, is no secret.

What is left of the token's file once a node has joined: workers up to 1.27.12, 1.28.8 and 1.29.3 read that
file at every start and fail without it, and so do old controllers. So it is not removed but written over:
for a worker with nothing, which means "no token", and for a controller with a word that is no token, for
with an empty one a controller whose data are gone would found a new cluster. Source: k0s' cmd/worker,
cmd/controller and pkg/component/worker at the release tags.
"""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from io import BytesIO

from mk8s.cluster import Node
from transports.base import Outcome

__all__ = ["EXPIRY", "FRESH", "spent", "token_id", "token_of"]

EXPIRY = {"controller": "30m", "worker": "10m"}  # k0sctl's own
FRESH = {"controller": 1500, "worker": 420}  # seconds; a token that is older is not relied on any more
LONGEST = 1 << 16  # characters; a usual one has some two thousand
TOKEN = re.compile(r"[A-Za-z0-9+/]{100,}={0,2}")
BOOTSTRAP = re.compile(rb"\btoken: *[\"']?([a-z0-9]{6})\.[a-z0-9]{16}\b")
SPENT = b"# used: this controller has joined\n"


def token_of(outcome: Outcome) -> str:
    """The token that `k0s token create` printed. Raises ValueError, without a word of it."""
    lines = outcome.text.split()
    if len(lines) != 1 or len(lines[0]) > LONGEST or not TOKEN.fullmatch(lines[0]):
        raise ValueError("it printed no join token")
    return lines[0]


def token_id(token: str) -> str:
    """The id by which a token is taken back; empty where it cannot be told."""
    try:
        with gzip.open(BytesIO(base64.b64decode(token, validate=True))) as stream:
            found = BOOTSTRAP.search(stream.read(LONGEST))
    except (ValueError, OSError, EOFError, zlib.error):
        return ""
    return found[1].decode() if found else ""


def spent(node: Node) -> bytes:
    """What stands in the token's file once the node has joined."""
    return SPENT if node.is_server else b""
