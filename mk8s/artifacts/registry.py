"""A small, strict client of container registries: which blobs an image consists of, and the blobs.

Laws:

1. Every URL goes through `Web`, so through the egress policy. https is spoken, and http only with a mirror
   whose address in the manifest begins with http://.
2. A document counts only under its hash: the one in the name, in the index or in the registry's own header.
   Blobs are fetched by their hashes, through the cache that all downloads share.
3. A password is sent to the token server that the registry names, over https, or to its own host. It stands
   in no message.

Source: the OCI distribution specification 1.1. This module knows no cluster and writes no archive.
Begin reading at `Registry.resolve`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import trio

from machines.words import one_line
from mk8s.artifacts.cache import Blob
from mk8s.artifacts.challenge import Challenge, read_challenge, read_token
from mk8s.artifacts.fetch import OnBytes, Wanted
from mk8s.artifacts.logins import Login, Logins
from mk8s.artifacts.manifests import ACCEPT, LARGEST_DOCUMENT, Descriptor, Index, Manifest, read_document
from mk8s.artifacts.places import Place, place_of
from mk8s.artifacts.references import Reference, parse_reference
from mk8s.artifacts.web import FetchError, Small, Web, refuse_status
from mk8s.errors import ExitCode, Mk8sError

__all__ = ["Blobs", "Registry", "RegistryError", "Resolved"]

_T = TypeVar("_T")
_K = TypeVar("_K")

DIGEST_HEADER = "docker-content-digest"
TRIES = 4
FIRST_WAIT = 1.0  # seconds before the second try; doubled each time
LONGEST_WAIT = 60.0
AT_ONCE = 4
LEEWAY = 20.0  # seconds before its end in which a token is not used any more
UNAUTHORIZED, FORBIDDEN, MISSING, TOO_MANY, SERVER_CLASS = 401, 403, 404, 429, 500


class RegistryError(Mk8sError):
    """An image cannot be had from its registry. No node was touched."""

    exit_code = ExitCode.MANIFEST_NEEDS_YOU


class Blobs(Protocol):
    """Who fetches blobs: resumed, verified and shared. `mk8s.artifacts.fetch.Fetcher` is one."""

    async def fetch(self, wanted: Wanted, on_bytes: OnBytes = ...) -> Blob: ...


@dataclass(frozen=True, slots=True)
class Resolved:
    """An image of one platform, as its registry describes it."""

    reference: Reference
    place: Place
    digest: str  # of the manifest
    document: bytes  # the manifest, byte for byte
    manifest: Manifest

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The config and the layers, each once."""
        return tuple({blob.digest: blob for blob in (self.manifest.config, *self.manifest.layers)}.values())


@dataclass(frozen=True, slots=True)
class _Pass:
    """What lets us in: a header's value, and when it ends."""

    value: str = field(repr=False)
    until: float


class Registry:
    """Asks registries for one run. Shared by all its tasks."""

    def __init__(
        self,
        web: Web,
        blobs: Blobs,
        mirrors: Mapping[str, str],
        logins: Logins,
        sleep: Callable[[float], Awaitable[None]] = trio.sleep,
    ) -> None:
        self._web = web
        self._blobs = blobs
        self._mirrors = mirrors
        self._logins = logins
        self._sleep = sleep  # seconds
        self._passes: dict[tuple[str, str], _Pass] = {}
        self._challenges: dict[tuple[str, str], Challenge] = {}
        self._not_its_own: set[tuple[str, str]] = set()  # challenges that another host made, after a redirect

    async def resolve_all(self, names: Sequence[str], arch: str) -> list[Resolved]:
        """All these images for Linux on `arch`, in order. Raises for the first that cannot be had."""
        found: dict[int, Resolved] = {}

        async def one(number: int) -> None:
            found[number] = await self.resolve(names[number], arch)

        await _together(one, range(len(names)))
        return [found[number] for number in range(len(names))]

    async def resolve(self, name: str, arch: str) -> Resolved:
        """Which blobs the image consists of. Raises RegistryError, FetchError or EgressError."""
        try:
            reference = parse_reference(name)
        except ValueError as error:
            raise RegistryError(str(error), remedy="correct the name in the manifest's `images`") from error
        place = place_of(reference, self._mirrors)
        content, document = await self._document(reference, place, reference.version)
        if isinstance(document, Index):
            chosen = self._read(reference, partial(document.choose, arch))
            content, document = await self._document(reference, place, chosen.digest)
        if isinstance(document, Index):
            raise _unfit(reference, "its index leads to another index")
        return Resolved(reference, place, _digest(content), content, document)

    async def fetch(
        self, images: Sequence[Resolved], on_bytes: OnBytes = lambda _here, _all: None
    ) -> dict[str, Path]:
        """All blobs of these images, each fetched once. The result: digest -> file.

        `on_bytes` hears the bytes that are here and those of all blobs together.
        """
        wanted = {blob.digest: (image, blob) for image in images for blob in image.blobs}
        here = dict.fromkeys(wanted, 0)
        total = sum(blob.size for _, blob in wanted.values())
        found: dict[str, Path] = {}

        async def one(digest: str) -> None:
            def count(bytes_here: int, _all: int | None) -> None:
                here[digest] = bytes_here
                on_bytes(sum(here.values()), total)

            found[digest] = (await self._blob(*wanted[digest], count)).path

        await _together(one, sorted(wanted))
        return found

    async def _blob(self, image: Resolved, blob: Descriptor, on_bytes: OnBytes) -> Blob:
        """A token may have ended while other blobs were on their way: then once more with a new one."""
        url = image.place.url("blobs", blob.digest)
        for again in (True, False):
            headers = await self._headers(image.place, image.reference)
            wanted = Wanted(url, f"the image {image.reference.asked}", blob.sha256, blob.size, headers)
            try:
                return await self._blobs.fetch(wanted, on_bytes)
            except FetchError as error:
                if not again or error.kind != "status" or not headers:
                    raise
                self._forget(image.place, headers)
        raise AssertionError("the second try returns or raises")

    async def _document(
        self, reference: Reference, place: Place, version: str
    ) -> tuple[bytes, Index | Manifest]:
        answer = await self._ask(reference, place, place.url("manifests", version))
        found = _digest(answer.body)
        promised = version if version.startswith("sha256:") else answer.headers.get(DIGEST_HEADER, found)
        if promised.startswith("sha256:") and promised != found:
            raise RegistryError(
                f"{place.host} gave something else for {reference.asked}",
                cause=f"its hash is {found[:19]}…, and should be {one_line(promised)[:19]}…",
                remedy="try again; if it stays so, a proxy in between or the registry is damaged",
            )
        kind = answer.headers.get("content-type", "")
        return answer.body, self._read(reference, lambda: read_document(answer.body, kind))

    async def _ask(self, reference: Reference, place: Place, url: str) -> Small:
        """The answer to a question that may need a login first."""
        headers = await self._headers(place, reference)
        answer = await self._patiently(url, reference, headers)
        if answer.status == UNAUTHORIZED:
            self._forget(place, headers)
            challenge = read_challenge(answer.headers.get("www-authenticate", ""))
            if challenge:
                self._challenges[place.key] = challenge
                if urlsplit(answer.url).netloc.rpartition("@")[2] != place.host:
                    self._not_its_own.add(place.key)
                answer = await self._patiently(url, reference, await self._headers(place, reference))
        _refuse(answer, reference, place)
        return answer

    async def _patiently(self, url: str, reference: Reference, headers: Mapping[str, str]) -> Small:
        """The answer, asked for again after what passes by itself."""
        wanted_by = f"the image {reference.asked}"
        asked = {"Accept": ACCEPT, **headers}
        for attempt in range(TRIES):
            try:
                answer = await self._web.small(url, wanted_by, headers=asked, most=LARGEST_DOCUMENT)
                if answer.status == TOO_MANY or answer.status >= SERVER_CLASS:
                    refuse_status(answer, url)
                return answer
            except FetchError as error:
                if not error.transient or attempt == TRIES - 1:
                    raise
                await self._sleep(min(LONGEST_WAIT, max(FIRST_WAIT * 2**attempt, error.after)))
        raise AssertionError("the last try returns or raises")

    async def _headers(self, place: Place, reference: Reference) -> dict[str, str]:
        """What lets us in, as far as is known: nothing before the first challenge."""
        challenge, login = self._challenges.get(place.key), self._login(place)
        if challenge is None:
            return {}
        if challenge.scheme == "basic":
            return {"Authorization": login.basic} if login else {}
        known = self._passes.get(place.key)
        if known is None or known.until < trio.current_time() + LEEWAY:
            known = self._passes[place.key] = await self._pass(challenge, place, reference)
        return {"Authorization": known.value}

    async def _pass(self, challenge: Challenge, place: Place, reference: Reference) -> _Pass:
        """A token for this repository, for whoever we are there."""
        url = _token_url(challenge, place)
        login = self._login(place)
        if not _may_be_asked(url, place, login is not None):
            raise RegistryError(
                f"{place.host} wants a token from {one_line(challenge.realm)[:200]}, without encryption",
                remedy="name a mirror of yours in the manifest's `mirrors`",
            )
        headers = {"Authorization": login.basic} if login else {}
        answer = await self._patiently(url, reference, headers)
        if answer.status in (UNAUTHORIZED, FORBIDDEN):
            raise _no_entry(reference, place, login is not None)
        refuse_status(answer, url)
        try:
            token, lives = read_token(answer.body)
        except ValueError as error:
            raise RegistryError(
                f"{place.host}: {error}", cause=f"{reference.asked} is wanted from there"
            ) from error
        return _Pass(f"Bearer {token}", trio.current_time() + max(lives, LEEWAY + 1))

    def _login(self, place: Place) -> Login | None:
        """Ours there; none where somebody else asks for it."""
        return None if place.key in self._not_its_own else self._logins.find(place.host)

    def _forget(self, place: Place, headers: Mapping[str, str]) -> None:
        """Drop the token that was no use, unless another task has a new one already."""
        known = self._passes.get(place.key)
        if known and known.value == headers.get("Authorization"):
            del self._passes[place.key]

    def _read(self, reference: Reference, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except ValueError as error:
            raise _unfit(reference, str(error)) from error


async def _together(work: Callable[[_K], Awaitable[None]], keys: Iterable[_K]) -> None:
    """Some at once; the first problem ends all and is raised as it is."""
    limiter = trio.CapacityLimiter(AT_ONCE)
    problems: list[Exception] = []

    async def one(key: _K) -> None:
        async with limiter:
            try:
                await work(key)
            except Exception as error:  # raised again below, outside of the group
                problems.append(error)
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for key in keys:
            nursery.start_soon(one, key)
    if problems:
        raise problems[0]


def _token_url(challenge: Challenge, place: Place) -> str:
    try:
        return challenge.url(f"repository:{place.repository}:pull")
    except ValueError as error:
        raise RegistryError(
            f"{place.host} wants a token from {one_line(challenge.realm)[:200]}, which is no address",
            remedy="is it a registry at all? name a mirror of yours in the manifest's `mirrors`",
        ) from error


def _may_be_asked(url: str, place: Place, with_login: bool) -> bool:
    """A token server: over https; or plain where the registry is, and then with a password only its own."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    return place.plain and not (with_login and parts.netloc.rpartition("@")[2] != place.host)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _refuse(answer: Small, reference: Reference, place: Place) -> None:
    """Raise for a status that is no success, in an image's words where they differ from a file's."""
    if answer.status in (UNAUTHORIZED, FORBIDDEN):
        raise _no_entry(reference, place, with_login=False)
    if answer.status == MISSING:
        raise RegistryError(
            f"{place.host} has no image {reference.asked}",
            cause=f"it was asked for {place.repository}:{reference.version} and answered 404",
            remedy="check name and tag; an entry of the manifest's `images` replaces one of the same name",
        )
    refuse_status(answer, answer.url)


def _no_entry(reference: Reference, place: Place, with_login: bool) -> RegistryError:
    how = "with the login that is known for it" if with_login else "without a login"
    return RegistryError(
        f"{place.host} does not let us have {reference.asked} {how}",
        cause="the image is private, or there is none of that name: many registries do not tell which",
        remedy=f"check the name; a login is taken from ~/.docker/config.json (`docker login {place.host}`)"
        " or ~/.netrc",
    )


def _unfit(reference: Reference, why: str) -> RegistryError:
    return RegistryError(
        f"{reference.asked} cannot be put into the release: {why}",
        remedy="name another image for it in the manifest's `images`",
    )
