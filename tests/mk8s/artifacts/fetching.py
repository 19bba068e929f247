"""What tests of fetching share: content, a cache in a folder of the test, a fetch from start to end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import trio

from mk8s.artifacts.cache import Blob, Cache
from mk8s.artifacts.egress import Egress
from mk8s.artifacts.fetch import Fetcher, Patience, Wanted
from mk8s.artifacts.web import Web, make_client

__all__ = ["HANG", "QUICK", "cache_in", "content", "digest", "fetch"]

QUICK = Patience(tries=3, first=0.0)
HANG = 60.0  # seconds of silence that no busy machine has; each counts as a try


def content(size: int, seed: int = 1) -> bytes:
    """Bytes that do not repeat, the same for the same seed."""
    blocks = (hashlib.sha256(b"%d %d" % (seed, n)).digest() for n in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def cache_in(folder: Path, say: Callable[[str], None] = lambda _words: None) -> Cache:
    return Cache.open(folder / "cache", say)


def fetch(
    cache: Cache,
    wanted: Wanted,
    *,
    egress: Egress | None = None,
    stall: float = HANG,
    patience: Patience = QUICK,
) -> Blob:
    """Fetch one file, with no pause between tries."""

    async def main() -> Blob:
        async with make_client(stall=stall) as client:
            return await Fetcher(Web(client, egress or Egress()), cache, patience).fetch(wanted)

    return trio.run(main)
