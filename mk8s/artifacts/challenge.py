"""How a registry says which login it wants (``WWW-Authenticate``), and what a token server answers. Pure.

Source: RFC 9110, section 11; and the token specification of Docker's distribution.
Begin reading at `read_challenge`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

__all__ = ["Challenge", "read_challenge", "read_token"]

PARAMETER = re.compile(r'\s*,?\s*([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
SHORTEST = 60.0  # seconds that a token lives which says nothing of it, by the specification
LONGEST_TOKEN = 64 << 10
TOKEN = re.compile(r"[\x21-\x7e]+")  # it becomes a line of a header


@dataclass(frozen=True, slots=True)
class Challenge:
    """What stands in the header. `realm` of a bearer challenge is the token server's URL."""

    scheme: str  # bearer or basic
    realm: str = ""
    service: str = ""
    scope: str = ""

    def url(self, scope: str) -> str:
        """The URL that gives a token for `scope`, where the challenge itself names none."""
        parts = urlsplit(self.realm)
        wanted = {"service": self.service, "scope": self.scope or scope}
        query = [*parse_qsl(parts.query), *((name, value) for name, value in wanted.items() if value)]
        return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))


def read_challenge(header: str) -> Challenge | None:
    """The first challenge of a kind that we can meet; None: there is none."""
    for kind in ("bearer", "basic"):
        found = re.search(rf"(?:^|,)\s*{kind}(?:\s+|$)", header, re.IGNORECASE)
        if found:
            given = _parameters(header[found.end() :])
            return Challenge(kind, given.get("realm", ""), given.get("service", ""), given.get("scope", ""))
    return None


def read_token(body: bytes) -> tuple[str, float]:
    """The token and the seconds that it lives. Raises ValueError for an answer that holds none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    given = document if isinstance(document, dict) else {}
    token = given.get("token") or given.get("access_token")
    if not isinstance(token, str) or not TOKEN.fullmatch(token) or len(token) > LONGEST_TOKEN:
        raise ValueError("the token server's answer holds no token")
    lives = given.get("expires_in")
    return token, float(lives) if isinstance(lives, int) and 0 < lives < 1 << 30 else SHORTEST


def _parameters(text: str) -> dict[str, str]:
    """``name="value"`` and ``name=value`` up to whatever is neither."""
    found: dict[str, str] = {}
    place = 0
    while match := PARAMETER.match(text, place):
        name, quoted, bare = match.groups()
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if bare is None else bare)
        place = match.end()
    return found
