"""The whole list of a release, from wherever its files are into the folder of the release.

Laws:

1. A file that is here and is what it must be costs no request; one that the cache has costs no transfer.
2. One file that cannot be had stops no other. All faults are told together, at the end.
3. Nothing gets its name in the folder before it is whole and verified. Where nobody publishes a hash, the
   one of the first download is written down, said, and held against the next.
4. Room is looked for before the first byte, as far as sizes are known.

Images are put together by whoever is given as `Archives`. This module knows no terminal.
Begin reading at `Download.run`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from mk8s.amounts import bytes_in_words
from mk8s.artifacts.cache import link_or_copy
from mk8s.artifacts.checksums import read_checksums
from mk8s.artifacts.egress import shown_url
from mk8s.artifacts.fault import FetchError
from mk8s.artifacts.fetch import Fetcher, OnBytes, Wanted
from mk8s.artifacts.filing import explained, free_bytes, lock_folder, write_small
from mk8s.artifacts.hashes import (
    LISTS,
    RECORDED,
    VERIFIED,
    Expectation,
    Hashes,
    is_list,
    read_recorded,
    record,
    refuse_other_list,
)
from mk8s.artifacts.origins import Came, is_of_another, read_origins, write_origins
from mk8s.artifacts.outcomes import (
    DownloadError,
    Outcome,
    Verdict,
    explained_change,
    explained_promise,
    hashes_of,
    refuse_failures,
)
from mk8s.artifacts.progress import Show
from mk8s.artifacts.references import parse_reference
from mk8s.artifacts.sources import Source, name_in
from mk8s.distros.base import ArtifactItem
from mk8s.errors import Mk8sError
from mk8s.images import image_names
from transports.base import digest_of_file

__all__ = ["Archives", "Download"]

_T = TypeVar("_T")
_K = TypeVar("_K")


class Archives(Protocol):
    """Who puts archives of container images together."""

    async def make(self, item: ArtifactItem, target: Path, on_bytes: OnBytes) -> bool:
        """Put the archive there, whole and durable. Whether it had to be made. Raises Mk8sError."""
        ...


@dataclass(frozen=True, slots=True)
class _Plan:
    """A file that is to be fetched, and what it must be."""

    source: Source
    expected: Expectation


@dataclass(slots=True)
class Download:
    """One download of one cluster's release."""

    sources: Sequence[Source]
    folder: Path  # of the release
    fetcher: Fetcher
    archives: Archives
    show: Show
    jobs: int = 4
    free: Callable[[Path], int] = free_bytes
    _limit: trio.CapacityLimiter = field(init=False)
    _came: dict[str, Came] = field(init=False)

    async def run(self) -> list[Outcome]:
        """Fetch all that is missing or differs. The outcomes, in the order of the sources.

        Raises DownloadError with every fault, at the end; Mk8sError where another download is at it.
        """
        self._limit = trio.CapacityLimiter(self.jobs)
        with explained(self.folder, "made"):
            self.folder.mkdir(parents=True, exist_ok=True)
        with lock_folder(self.folder, "another mk8s downloads into it"):
            outcomes = await self._outcomes()
            await _in_thread(self._record, outcomes)
        refuse_failures(outcomes, self.folder)
        return outcomes

    async def _outcomes(self) -> list[Outcome]:
        hashes = await self._hashes()
        files = [source for source in self.sources if source.url]
        looked = await self._each(files, partial(self._look, hashes))
        plans = [found for found in looked if isinstance(found, _Plan)]
        await self._expect(plans)
        fetched = await self._each(plans, self._fetch)
        made = await self._each([s for s in self.sources if not s.url], partial(self._make, hashes))
        ended = [found for found in looked if isinstance(found, Outcome)]
        by_id = {outcome.item.id: outcome for outcome in (*ended, *fetched, *made) if outcome}
        return [by_id[source.item.id] for source in self.sources if source.item.id in by_id]

    async def _hashes(self) -> Hashes:
        """Every list of hashes, as it is now: each fetched once."""
        self._came = await _in_thread(read_origins, self.folder)
        recorded = await _in_thread(read_recorded, self.folder, self.sources)
        for source in self.sources:
            came = self._came.get(source.item.file)
            if came and came.url != source.upstream:  # of another version: what was true of it says nothing
                recorded.pop(source.item.file, None)
                recorded.pop(name_in(source.upstream), None)
        wanted: dict[str, list[Source]] = {}
        for source in self.sources:
            url = source.url if is_list(source) else source.checksums_url
            if url and (is_list(source) or not source.promised):
                wanted.setdefault(url, []).append(source)
        found = await self._each(wanted.items(), partial(self._list, recorded))
        return Hashes(dict(zip(wanted, found, strict=True)), recorded)

    async def _list(self, recorded: dict[str, str], wanted: tuple[str, list[Source]]) -> bytes | Mk8sError:
        """A list, or why it cannot be had. Where all its files have a hash already, once is enough to ask."""
        url, sources = wanted
        known = all(is_list(source) or source.item.file in recorded for source in sources)
        try:
            found = await self.fetcher.small(url, f"the hash of {sources[-1].item.file}", patient=not known)
            for source in sources:
                refuse_other_list(source, found)
            return found
        except Mk8sError as error:
            return error

    async def _look(self, hashes: Hashes, source: Source) -> Outcome | _Plan:
        """What is here already; without a request."""
        if is_list(source):
            return await self._keep_list(hashes, source)
        expected = hashes.expected(source)
        found = await _in_thread(_digest, self.folder / source.item.file)
        if expected.problem:
            return self._failed(source, expected.problem)
        if found is None:
            return _Plan(source, expected)
        other = is_of_another(self._came.get(source.item.file), found[0], source.upstream)
        if expected.sha256 == found[0] or not (expected.sha256 or other):
            words = "" if expected.sha256 else "no hash of it is known"
            return self._done(Outcome(source.item, "here", *found, expected.published), words)
        self.show.say(f"{source.item.file} is here and is not what it should be: it is fetched again")
        return _Plan(source, expected)

    async def _keep_list(self, hashes: Hashes, source: Source) -> Outcome:
        """Upstream's list beside the files, as it is now; an older one stays where there is no newer."""
        target = self.folder / source.item.file
        found = hashes.lists.get(source.url, b"")
        if isinstance(found, Mk8sError):
            here = await _in_thread(_digest, target)
            if here is None:
                return self._failed(source, found)
            self.show.say(f"{source.item.file} stays as it is: {found.problem}")
            return self._done(Outcome(source.item, "here", *here))
        if not read_checksums(found.decode(errors="replace")):
            said = f"{shown_url(source.url)} holds no hashes"
            return self._failed(source, FetchError("hash", said, remedy="mend the mirror, or the URL"))
        await _in_thread(write_small, target, found)
        return self._done(Outcome(source.item, "fetched", *(await _in_thread(_digest, target) or ("", 0))))

    async def _expect(self, plans: Sequence[_Plan]) -> None:
        """Ask how long the files are, tell it, and look for room. Raises DownloadError for too little."""
        missing = [plan for plan in plans if not self._cached(plan)]
        lengths = await self._each(missing, self._length)
        sizes = {plan.source.item.file: size for plan, size in zip(missing, lengths, strict=True)}
        if sizes:
            self.show.expect(sizes)
        whole = sum(size for size in lengths if size)
        begun = sum(self.fetcher.begun(_wanted(plan)) for plan in missing)  # it lies on the disk already
        for place in self._disks():
            needed = whole - begun if place == self.fetcher.cache.folder else whole
            free = self.free(place)
            if needed > free:
                raise DownloadError(
                    f"{place}: {bytes_in_words(needed)} are to be fetched, {bytes_in_words(free)} are free",
                    cause="room is looked for before anything large is fetched",
                    remedy="free some space there, or name other folders: --to, XDG_CACHE_HOME",
                )

    def _disks(self) -> list[Path]:
        """The folders that have to hold what is fetched; one where both are on the same disk."""
        cache = self.fetcher.cache.folder
        same = cache.stat().st_dev == self.folder.stat().st_dev
        return [cache] if same else [cache, self.folder]

    def _cached(self, plan: _Plan) -> bool:
        return bool(plan.expected.sha256) and self.fetcher.cache.path_of(plan.expected.sha256).exists()

    async def _length(self, plan: _Plan) -> int | None:
        try:
            return await self.fetcher.length(_wanted(plan))
        except Mk8sError:
            return None  # the fetch itself tells it

    async def _fetch(self, plan: _Plan) -> Outcome:
        item = plan.source.item
        try:
            blob = await self.fetcher.fetch(_wanted(plan), partial(self.show.bytes, item.file))
            await _in_thread(link_or_copy, blob, self.folder / item.file)
        except Mk8sError as error:
            return self._failed(plan.source, _explained(error, plan))
        words = "" if plan.expected.sha256 else f"nobody publishes its hash: it is kept in {RECORDED}"
        verdict: Verdict = "cached" if blob.cached else "fetched"
        return self._done(Outcome(item, verdict, blob.sha256, blob.size, plan.expected.published), words)

    async def _make(self, hashes: Hashes, source: Source) -> Outcome | None:
        """An archive of images; or a file that only the user can bring."""
        item, target = source.item, self.folder / source.item.file
        here = await _in_thread(_digest, target)
        if not (item.origin.images or item.origin.unknown):
            return self._brought(source, hashes.expected(source), here)
        if here and hashes.recorded.get(item.file) == here[0] and await _in_thread(_holds, target, item):
            return self._done(Outcome(item, "here", *here, published=True))
        try:
            made = await self.archives.make(item, target, partial(self.show.bytes, item.file))
        except Mk8sError as error:
            return self._failed(source, error)
        found = await _in_thread(_digest, target) or ("", 0)
        return self._done(Outcome(item, "made" if made else "here", *found, published=True))

    def _brought(self, source: Source, expected: Expectation, here: tuple[str, int] | None) -> Outcome | None:
        """A file that nobody publishes. None: it is not needed, and not here."""
        item = source.item
        if here is None and not item.required:
            return None
        if here and expected.sha256 in ("", here[0]):
            return self._done(Outcome(item, "here", *here))
        said = "is not here" if here is None else "is here, and its hash is not the one in the manifest"
        remedy = f"put it there, or say in the manifest where it comes from: artifacts.{item.id}.url"
        return self._failed(source, FetchError("file", f"{item.file} {said}", remedy=remedy))

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        """Write the hashes down: what is vouched for, and apart from it what nobody but us knows."""
        urls = {source.item.id: source.url for source in self.sources}
        own_list = any(is_list(source) and not source.url for source in self.sources)
        files = [o for o in outcomes if o.sha256 and not o.item.id.startswith(LISTS)]
        first = [o for o in files if o.verdict == "fetched" and not o.published]
        verified = [o for o in files if o.published and (own_list or not urls[o.item.id])]
        record(self.folder / RECORDED, hashes_of(first if own_list else [*first, *verified]))
        if own_list:
            record(self.folder / VERIFIED, hashes_of(verified))
        upstream = {source.item.id: source.upstream for source in self.sources}
        known = [o for o in files if upstream[o.item.id] and (o.published or o.verdict != "here")]
        write_origins(self.folder, {o.item.file: Came(upstream[o.item.id], o.sha256) for o in known})

    def _failed(self, source: Source, problem: Mk8sError) -> Outcome:
        return self._done(Outcome(source.item, "failed", problem=problem), problem.problem)

    def _done(self, outcome: Outcome, words: str = "") -> Outcome:
        self.show.done(outcome.item.file, outcome.verdict, words)
        return outcome

    async def _each(self, things: Iterable[_K], work: Callable[[_K], Awaitable[_T]]) -> list[_T]:
        """The same for each, some at once; the results in order."""
        known = list(things)
        found: dict[int, _T] = {}

        async def one(number: int) -> None:
            async with self._limit:
                found[number] = await work(known[number])

        async with trio.open_nursery() as nursery:
            for number in range(len(known)):
                nursery.start_soon(one, number)
        return [found[number] for number in range(len(known))]


def _wanted(plan: _Plan) -> Wanted:
    item = plan.source.item
    return Wanted(plan.source.url, item.file, plan.expected.sha256, item.origin.size)


def _explained(error: Mk8sError, plan: _Plan) -> Mk8sError:
    """With what vouched for the hash that a file has not got."""
    if plan.source.promised:
        return explained_promise(error, plan.source.item.id)
    return explained_change(error, plan.expected.published)


def _digest(path: Path) -> tuple[str, int] | None:
    """Hash and size of a file; None: it is not here or cannot be read."""
    try:
        return (digest_of_file(path), path.stat().st_size) if path.is_file() else None
    except OSError:
        return None


def _holds(archive: Path, item: ArtifactItem) -> bool:
    """Whether an archive has all images that are known to belong into it."""
    wanted = [parse_reference(name) for name in item.origin.images]
    names = {known.asked_by_tag if known.tag else known.asked for known in wanted}
    return names <= set(image_names(archive) or ())


async def _in_thread(function: Callable[..., _T], *args: object) -> _T:
    return await trio.to_thread.run_sync(partial(function, *args))
