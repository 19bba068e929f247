"""Whose cluster it is: the hash of its CA, read on the first server just before a join, put before the token.

With a short token a node believes whoever answers at `server`; with ``K10<hash of the CA>::server:PASSWORD``
it believes the holder of that CA alone. The hash comes over the road that mk8s has to the first server,
which was verified by its host key.
Source: K3s' and RKE2's documentation of tokens ("secure form"). Begin reading at `lookups`.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from mk8s.distros.base import Lookup, Situation
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.roles import uses_datastore
from mk8s.distros.rancher.values import settings_of
from transports.base import Command, Outcome

__all__ = ["AUTHORITY", "lookups", "registers", "secure"]

AUTHORITY = "authority"
PREFIX = re.compile(r"K10[0-9a-f]{64}")

# The file is the engine's own and holds the password; only what stands before it is printed.
READ = """\
found=$(sed -n '1s/^\\(K10[0-9a-f]\\{64\\}\\)::.*$/\\1/p' "$1") || exit 1
[ -n "$found" ] || { echo "$1 holds no token in the secure form" >&2; exit 1; }
printf '%s\\n' "$found"
"""


def registers(s: Situation) -> bool:
    """Whether this node joins at the first server; servers with a common datastore find each other in it."""
    if s.node.role == "primary":
        return False
    return not (s.node.is_server and uses_datastore(s.cluster))


def lookups(engine: Engine, s: Situation) -> list[Lookup]:
    """The CA's hash, for a node whose token is written by mk8s and whose servers are here."""
    given = {"token", "token-file"} & settings_of(s.node).keys()
    if s.cluster.joins or given or not registers(s):
        return []
    primary = s.cluster.primary
    place = PurePosixPath(engine.data_dir(primary)) / "server" / "token"
    command = Command(
        operation=f"{engine.name}.authority",
        description=f"read the hash of the cluster's CA on {primary.name}",
        script=READ,
        args=(str(place),),
    )
    return [Lookup(AUTHORITY, "the hash of the cluster's CA", command, _read, on=primary.name)]


def _read(outcome: Outcome) -> str:
    """Raises ValueError for an answer that is no hash."""
    found = outcome.text.strip()
    if not PREFIX.fullmatch(found):
        raise ValueError("no hash of a CA")
    return found


def secure(s: Situation, token: str) -> str:
    """The token with the CA's hash before it, once that is known. A secret, as the token is."""
    known = s.learned.get(AUTHORITY, "")
    short = token == s.token and not token.startswith("K10")
    return f"{known}::server:{token}" if known and token and short and registers(s) else token
