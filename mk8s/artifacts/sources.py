"""Where each file of a release is fetched from, with the manifest's words put over upstream's. Pure.

The order: ``artifacts.<id>.url``, then ``mirrors``, then where upstream publishes it. A list of hashes
goes the same way; where it is a file of the release itself (RKE2's), its own ``artifacts.<id>.url`` counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mk8s.cluster import Cluster
from mk8s.distros.base import ArtifactItem

__all__ = ["ANYWHERE", "Source", "is_own_file", "name_in", "resolve_url", "sources_of"]

ANYWHERE = "*"
SHA256 = "sha256:"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a release and where it is fetched from."""

    item: ArtifactItem
    url: str  # empty: put together from images, or nobody says
    upstream: str  # upstream's own URL, whatever replaces it; empty: none. Its name is the one in lists
    checksums_url: str  # empty: nobody publishes a hash of it
    promised: str  # the sha256 that the manifest itself gives, 64 hex digits; empty: none

    @property
    def obtainable(self) -> bool:
        """Whether anybody says how to get it."""
        return bool(self.url or self.item.origin.images)

    @property
    def key(self) -> str:
        """A short name of the URL, for files."""
        return hashlib.sha256(self.url.encode()).hexdigest()


def sources_of(items: Sequence[ArtifactItem], cluster: Cluster) -> list[Source]:
    """The source of each file of the release, in order; the user's own files are passed over."""
    own = [item for item in items if not is_own_file(item)]
    lists = {item.origin.url: _url(item, cluster) for item in own if item.origin.url}
    return [_source(item, cluster, lists) for item in own]


def is_own_file(item: ArtifactItem) -> bool:
    """Whether it is a file of the user's that lies elsewhere, such as a manifest to apply."""
    return Path(item.file).is_absolute()


def resolve_url(url: str, mirrors: Mapping[str, str]) -> str:
    """The URL to ask instead: by the longest beginning that `mirrors` has, else by ``*``, else itself.

    A beginning is replaced by its mirror; a host alone is ``https://host``. The mirror of ``*`` is followed
    by ``/host/path``.
    A beginning ends where a part of the path ends: ``https://a.example/b`` is none of ``https://a.example/bc``.
    """
    whole = {_whole(name): mirror for name, mirror in mirrors.items() if name != ANYWHERE}
    fitting = [beginning for beginning in whole if _begins(url, beginning)]
    if fitting:
        longest = max(fitting, key=len)
        return _joined(whole[longest], url[len(longest) :])
    if ANYWHERE in mirrors and url.startswith(("https://", "http://")):
        return _joined(mirrors[ANYWHERE], url.partition("://")[2])
    return url


def name_in(url: str) -> str:
    """The file's name at the end of a URL, decoded: what a list of hashes calls it."""
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _source(item: ArtifactItem, cluster: Cluster, lists: Mapping[str, str]) -> Source:
    origin = item.origin
    listed = lists.get(origin.checksums_url) or resolve_url(origin.checksums_url, cluster.mirrors)
    given = cluster.artifacts.get(item.id)
    promised = given.checksum.removeprefix(SHA256).lower() if given else ""
    return Source(item, _url(item, cluster), origin.url, listed, promised)


def _url(item: ArtifactItem, cluster: Cluster) -> str:
    given = cluster.artifacts.get(item.id)
    return given.url if given and given.url else resolve_url(item.origin.url, cluster.mirrors)


def _whole(beginning: str) -> str:
    return beginning if "://" in beginning else f"https://{beginning}"


def _begins(url: str, beginning: str) -> bool:
    rest = url[len(beginning) :]
    return url.startswith(beginning) and (not rest or rest[0] in "/?" or beginning.endswith("/"))


def _joined(mirror: str, rest: str) -> str:
    return f"{mirror.rstrip('/')}/{rest.lstrip('/')}" if rest else mirror
