"""One URL becomes one whole file of the cache, however often the line is cut.

Laws:

1. Whole is what has the promised hash; where nobody promises one, what has the length that the server
   said. An answer that says neither is refused: a cut one would look the same.
2. A part is taken up again only if the server still has the same file (`If-Range`), or if a hash decides
   at the end. Where that hash differs, the whole file is asked for once more, never spliced.
3. Only what may pass is tried again: no connection, silence, a cut, 429, 5xx. Never another 4xx.

Time and randomness come in through the constructor. Begin reading at `Fetcher.fetch`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

import httpx
import trio

from mk8s.amounts import bytes_in_words
from mk8s.artifacts.answers import Wanted, continues, known_from, length_of, range_for, refuse_page
from mk8s.artifacts.cache import Blob, Cache, CacheError, Part
from mk8s.artifacts.egress import shown_url
from mk8s.artifacts.filing import free_bytes
from mk8s.artifacts.local import copy_local, read_local
from mk8s.artifacts.web import FetchError, Small, Web, each_piece, refuse_packed, refuse_status

__all__ = ["Fetcher", "OnBytes", "Patience", "Wanted"]

_T = TypeVar("_T")

PARTIAL, UNSATISFIABLE = 206, 416
POLL = 0.2  # seconds between looks at a part that another process fetches
WORTH = 64 << 10  # bytes; a try that brought so many was not in vain
TOLD = 2.0  # seconds; a longer pause is told

OnBytes: TypeAlias = Callable[[int, int | None], None]
"""Called with the bytes of the file that are here, and those that it has in all (None: not known)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and when a fetch is tried again. Seconds."""

    tries: int = 5  # in a row without progress
    first: float = 0.5
    longest: float = 30.0
    longest_asked: float = 300.0  # of a server's Retry-After

    def pause(self, failures: int, after: float, jitter: float) -> float:
        """Before the next try: doubled after each failure, between a half and the whole of it."""
        grown = min(self.longest, self.first * 2.0 ** (failures - 1))
        return max(after, grown * (0.5 + jitter / 2))


@dataclass(slots=True)
class Fetcher:
    """Fetches files into the cache for one run. Shared by all its tasks."""

    web: Web
    cache: Cache
    patience: Patience = field(default_factory=Patience)
    random: Callable[[], float] = random.random
    say: Callable[[str], None] = lambda _words: None
    free: Callable[[Path], int] = free_bytes

    async def fetch(self, wanted: Wanted, on_bytes: OnBytes = lambda _here, _all: None) -> Blob:
        """The whole file, out of the cache or fetched into it.

        Raises EgressError for a URL that must not be used, FetchError when it cannot be had, CacheError
        when it cannot be kept.
        """
        self.web.egress.refuse(wanted.url, wanted.name)
        async with self._part(wanted) as part:
            if wanted.sha256 and (blob := await _in_thread(self.cache.take, wanted.sha256)):
                on_bytes(blob.size, blob.size)
                return blob
            if urlsplit(wanted.url).scheme == "file":
                await _in_thread(copy_local, wanted.url, part)
            else:
                await self._download(wanted, part, on_bytes)
            _refuse_other(wanted, part)
            return await _in_thread(self.cache.keep, part)

    async def small(self, url: str, wanted_by: str, *, patient: bool = True) -> bytes:
        """A small file into memory; `patient`: tried again as `fetch` does. Raises as `fetch`."""
        self.web.egress.refuse(url, wanted_by)
        if urlsplit(url).scheme == "file":
            return await _in_thread(read_local, url)
        failures = 0
        while True:
            try:
                found: Small = await self.web.small(url, wanted_by)
                refuse_status(found, url)
                return found.body
            except FetchError as error:
                failures += 1
                if not patient:
                    raise
                await self._pause(error, failures)

    async def length(self, wanted: Wanted) -> int | None:
        """How long the file is, as its server says; None where it does not. Raises only EgressError."""
        if wanted.size is not None or urlsplit(wanted.url).scheme == "file":
            return wanted.size
        try:
            async with self.web.open(
                wanted.url, wanted.name, headers=wanted.headers, method="HEAD"
            ) as answer:
                return length_of(answer) if answer.is_success else None
        except FetchError:
            return None

    def begun(self, wanted: Wanted) -> int:
        """Bytes of the file that an earlier transfer left."""
        return self.cache.begun(_key(wanted))

    @asynccontextmanager
    async def _part(self, wanted: Wanted) -> AsyncIterator[Part]:
        """The file's part, ours alone; waits for another process that fetches the same."""
        told = False
        while True:
            with self.cache.part(_key(wanted)) as part:
                if part is not None:
                    yield part
                    return
            if not told:
                self.say(f"{wanted.name}: another mk8s fetches it: waiting")
                told = True
            await trio.sleep(POLL)

    async def _download(self, wanted: Wanted, part: Part, on_bytes: OnBytes) -> None:
        failures, anew = 0, False
        most = await _in_thread(_recall, part, wanted)
        while True:
            try:
                resumed = await self._transfer(wanted, part, on_bytes)
                doubtful = resumed or part.known is None or part.known.size is None
                if doubtful and not anew and wanted.sha256 not in ("", part.sha256):
                    anew = True  # spliced from two files, damaged while it lay here, or cut without a sign
                    part.forget()
                    continue
                return
            except FetchError as error:
                failures = 1 if part.size - most >= WORTH else failures + 1
                most = max(most, part.size)
                await self._pause(error, failures)

    async def _pause(self, error: FetchError, failures: int) -> None:
        """Wait before the next try. Raises `error` where there is none."""
        if not error.transient or failures >= self.patience.tries:
            raise error
        if error.after > self.patience.longest_asked:
            raise error
        pause = self.patience.pause(failures, error.after, self.random())
        if pause >= TOLD or error.kind == "timeout":
            self.say(f"{error.problem}: trying again in {pause:.0f} s")
        await trio.sleep(pause)

    async def _transfer(self, wanted: Wanted, part: Part, on_bytes: OnBytes) -> bool:
        """Fetch what is missing of a part. Whether it was begun by an earlier transfer."""
        if part.size and part.size == (wanted.size or (part.known.size if part.known else None)):
            return True  # it was cut just before its last name: the hash decides
        asked = {**wanted.headers, **range_for(part, wanted)}
        async with self.web.open(wanted.url, wanted.name, headers=asked) as answer:
            refuse_packed(answer)
            if answer.status_code == UNSATISFIABLE and part.size:
                part.forget()
                return await self._transfer(wanted, part, on_bytes)
            refuse_status(answer, wanted.url)
            resumed = answer.status_code == PARTIAL
            if resumed and not continues(answer, part):
                part.forget()
                said = f"{shown_url(wanted.url)}: the server sent another part than was asked for"
                raise FetchError("range", said, transient=True)
            if not resumed:
                part.begin(known_from(answer, wanted))
            self._look_for_room(part)
            await _receive(answer, part, wanted, on_bytes)
            return resumed

    def _look_for_room(self, part: Part) -> None:
        """Raise CacheError where the rest of a file of known size has no room."""
        size = part.known.size if part.known else None
        free = self.free(self.cache.folder)
        if size is not None and size - part.size > free:
            raise CacheError(
                f"{self.cache.folder}: {bytes_in_words(size - part.size)} are to be fetched, "
                f"{bytes_in_words(free)} are free",
                remedy="free some space there, then do the same again: what has arrived is kept",
            )


async def _receive(answer: httpx.Response, part: Part, wanted: Wanted, on_bytes: OnBytes) -> None:
    size = part.known.size if part.known else None
    on_bytes(part.size, size)

    async def take(piece: bytes) -> None:
        if not part.size and not wanted.sha256:
            refuse_page(answer, wanted.url, piece)
        if size is not None and part.size + len(piece) > size:
            raise FetchError("length", f"{shown_url(wanted.url)} has more than its {size} bytes")
        try:
            due = part.add(piece)
        except CacheError:
            if size is None:  # it may have no end: the disk is not left full of it
                part.forget()
            raise
        if due:
            await _in_thread(part.sync)
        on_bytes(part.size, size)

    await each_piece(answer, wanted.url, take)
    if size is not None and part.size != size:
        raise FetchError(
            "cut", f"{shown_url(wanted.url)} ended after {part.size} of {size} bytes", transient=True
        )


def _recall(part: Part, wanted: Wanted) -> int:
    """Take up what an earlier transfer left, if it can be told what it is of. The bytes there are. Slow."""
    known = part.known
    if known is None or known.url != wanted.url:
        part.forget()
        return 0
    part.recall()
    if not wanted.sha256 and known.size and part.size >= known.size:
        part.recall(known.size - 1)  # the server is asked for the last byte: so it is still the same file
    return part.size


def _refuse_other(wanted: Wanted, part: Part) -> None:
    if wanted.sha256 and part.sha256 != wanted.sha256:
        found = part.sha256
        part.forget()
        raise FetchError(
            "hash",
            f"{shown_url(wanted.url)}: its sha256 is {found[:12]}…, and should be {wanted.sha256[:12]}…",
            cause="the file at the server is not the one that the hash was published for",
            remedy="try again later or elsewhere; if the file is right, give its `checksum` in the manifest",
        )


def _key(wanted: Wanted) -> str:
    return hashlib.sha256(wanted.url.encode()).hexdigest()


async def _in_thread(function: Callable[..., _T], *args: object) -> _T:
    return await trio.to_thread.run_sync(partial(function, *args))
