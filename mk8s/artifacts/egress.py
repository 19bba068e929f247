"""Where mk8s may send a request: a small pure policy that every URL passes before it is used.

An air gap is a promise about what is *not* done, so it is kept in one place: nothing opens a URL, a
redirect's target neither, that `Egress.refuse` has not let through. This module knows no network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from mk8s.artifacts.places import registry_places
from mk8s.cluster import Cluster
from mk8s.errors import ExitCode, Mk8sError

__all__ = ["Egress", "EgressError", "egress_in_air_gap", "shown_url"]

SCHEMES = ("https", "http", "file")
PORTS = {"https": 443, "http": 80}
CARRY = "fetch it where there is a network (`mk8s download`, `mk8s bundle`) and carry it here"


class EgressError(Mk8sError):
    """A URL that must not be used. Nothing was sent there."""

    exit_code = ExitCode.MANIFEST_NEEDS_YOU


@dataclass(frozen=True, slots=True)
class Egress:
    """What may be asked: everything (`places` is None), or local files and what begins with these URLs."""

    places: frozenset[str] | None = None

    def allows(self, url: str) -> bool:
        """Whether `url` may be used. A URL of no scheme that mk8s knows never may."""
        parts = _split(url)
        if parts is None:
            return False
        return self.places is None or parts.scheme == "file" or any(_leads(p, parts) for p in self.places)

    def refuse(self, url: str, wanted_by: str) -> None:
        """Raise EgressError unless `url` may be used. `wanted_by`: who wants it, for people."""
        if self.allows(url):
            return
        if _split(url) is None:
            raise EgressError(
                f"{shown_url(url)} is no address that {wanted_by} can be fetched from",
                remedy="an address begins with https://, http:// or file:// and names a host or a path",
            )
        raise EgressError(
            f"{shown_url(url)} is outside of the air gap; {wanted_by} wants it",
            cause="airgap: true lets mk8s ask the manifest's own mirrors and urls, and nothing else",
            remedy=f"{CARRY}; or name a mirror of yours in the manifest's `mirrors`",
        )


def egress_in_air_gap(cluster: Cluster) -> Egress:
    """What `airgap: true` allows: local files, the manifest's own mirrors, and its artifacts' own URLs."""
    own: Iterable[str] = (source.url for source in cluster.artifacts.values() if source.url)
    return Egress(frozenset({*cluster.mirrors.values(), *registry_places(cluster.mirrors), *own}))


def shown_url(url: str) -> str:
    """A URL for messages: without a password in it, and without a query, which may hold a signature."""
    head, question, _ = url.partition("?")
    scheme, separator, rest = head.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}{'?…' if question else ''}"


def _split(url: str) -> SplitResult | None:
    """The parts of a URL that can be asked; None for any other text."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or any(c.isspace() or c == "\\" or not c.isprintable() for c in url):
        return None
    found = parts.path if parts.scheme == "file" else parts.hostname
    return parts if found else None


def _leads(place: str, parts: SplitResult) -> bool:
    """Whether `place` is a beginning of the URL: same scheme, host and port, and whole parts of the path."""
    own = _split(place)
    if own is None or _host(own) != _host(parts):
        return False
    path, beginning = unquote(parts.path).split("/"), unquote(own.path).rstrip("/").split("/")
    return not {".", ".."} & set(path) and path[: len(beginning)] == beginning


def _host(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or PORTS.get(parts.scheme, 0)
