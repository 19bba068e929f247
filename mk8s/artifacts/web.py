"""Requests: redirects by our own rules, and every way in which the network says no as one kind of error.

Laws:

1. A URL passes the egress policy before it is used, a redirect's target too; https never becomes http.
2. Content is asked for as it is (``identity``): an answer packed for the way has no length to be held to.
3. A password goes only to the host it belongs to; it stands in no message.

httpx sends them, because it runs on trio, streams, and knows the user's proxies and certificates.
This module knows no file and no release. Begin reading at `Web.open`.
"""

from __future__ import annotations

import netrc
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpx
import trio

from mk8s.artifacts.egress import Egress, shown_url
from mk8s.artifacts.fault import AGAIN, FetchError
from mk8s.version import VERSION

__all__ = ["FetchError", "Small", "Web", "each_piece", "make_client", "refuse_packed", "refuse_status"]

STALL = 30.0  # seconds without a byte
CONNECT = 15.0  # seconds for a connection, TLS and all
MOST_REDIRECTS = 10
SMALL = 8 << 20  # bytes
REDIRECTS = (301, 302, 303, 307, 308)
OK_CLASS, TOO_MANY, SERVER_CLASS = 200, 429, 500
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"mk8s/{VERSION}"}
CHECK_NAME = "check version and URL; `artifacts.<id>.url` or `mirrors` in the manifest names another place"
WORDS = {
    401: ("wants a login (401)", "give it in ~/.netrc"),
    403: ("does not let us have it (403)", "check login and URL, or name a mirror in the manifest"),
    404: ("has no such file (404)", CHECK_NAME),
    407: ("was not asked: the proxy wants a login (407)", "put it into HTTPS_PROXY: http://user:password@host:port"),
    410: ("has no such file any more (410)", CHECK_NAME),
    429: ("says that it is asked too often (429)", "wait, then try again; what has arrived is kept"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Small:
    """A whole answer that fits into memory, whatever its status."""

    status: int
    headers: Mapping[str, str]  # names of any case
    body: bytes
    url: str  # where it came from in the end


class Web:
    """Sends requests for one run. Shared by all its tasks."""

    def __init__(self, client: httpx.AsyncClient, egress: Egress) -> None:
        self.egress = egress
        self._client = client

    @asynccontextmanager
    async def open(
        self, url: str, wanted_by: str, *, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> AsyncIterator[httpx.Response]:
        """The answer, its body not read yet, redirects followed. Its status is the caller's to judge.

        Raises EgressError for a URL that must not be used, FetchError for no answer.
        """
        sent = dict(headers or {})
        for _ in range(MOST_REDIRECTS):
            self.egress.refuse(url, wanted_by)
            response = await self._send(method, url, sent)
            try:
                target = _redirect(response)
                if target is None:
                    yield response
                    return
            finally:
                await response.aclose()
            if _host(target) != _host(url):
                sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
            url = target
        raise FetchError(
            "redirect",
            f"{shown_url(url)} leads from one address to the next, more than {MOST_REDIRECTS} times",
        )

    async def small(
        self, url: str, wanted_by: str, *, headers: Mapping[str, str] | None = None, most: int = SMALL
    ) -> Small:
        """A small answer, whole, whatever its status. Raises as `open`, and for one over `most` bytes."""
        body = bytearray()

        async def take(piece: bytes) -> None:
            body.extend(piece)
            if len(body) > most:
                raise FetchError(
                    "length", f"{shown_url(url)} has more than {most} bytes, which makes no sense"
                )

        async with self.open(url, wanted_by, headers=headers) as response:
            refuse_packed(response)
            await each_piece(response, url, take)
            return Small(response.status_code, response.headers, bytes(body), str(response.url))

    async def _send(self, method: str, url: str, headers: Mapping[str, str]) -> httpx.Response:
        with translated(url):
            request = self._client.build_request(method, url, headers=headers)
            given = "authorization" in request.headers  # then netrc's login does not take its place
            auth = None if given else httpx.USE_CLIENT_DEFAULT
            return await self._client.send(request, stream=True, follow_redirects=False, auth=auth)


def make_client(stall: float = STALL, connect: float = CONNECT) -> httpx.AsyncClient:
    """A client that heeds the user's environment: proxies, ~/.netrc, SSL_CERT_FILE; for use in trio.

    Certificates are held against those of the system and, without SSL_CERT_FILE, also Mozilla's.
    """
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return httpx.AsyncClient(
        verify=context, auth=_netrc(), headers=HEADERS, timeout=httpx.Timeout(stall, connect=connect)
    )


def refuse_status(response: httpx.Response | Small, url: str) -> None:
    """Raise FetchError for a status that is no success, in words of its own for each kind."""
    status = response.status if isinstance(response, Small) else response.status_code
    if OK_CLASS <= status < OK_CLASS + 100:
        return
    transient = status == TOO_MANY or status >= SERVER_CLASS
    said, remedy = WORDS.get(status, (f"answers {status}", AGAIN if transient else CHECK_NAME))
    after = _seconds_to_wait(response.headers.get("retry-after", "")) if transient else 0.0
    raise FetchError(
        "status",
        f"{_host_shown(url)} {said}: {shown_url(url)}",
        transient=transient,
        after=after,
        remedy=remedy,
    )


def refuse_packed(response: httpx.Response) -> None:
    """Raise FetchError for content that was packed although we asked for it as it is."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("", "identity"):
        raise FetchError(
            "encoding",
            f"{shown_url(str(response.url))} comes packed as {encoding[:40]!r}, not as it is",
            cause="then neither its length nor a part of it can be checked",
            remedy="let the server or proxy send files unchanged",
        )


async def each_piece(response: httpx.Response, url: str, take: Callable[[bytes], Awaitable[None]]) -> None:
    """Give `take` the body as it comes. Raises FetchError when it is cut, and what `take` raises."""
    pieces = response.aiter_raw()
    try:
        with translated(url):
            while (piece := await anext(pieces, None)) is not None:
                await take(piece)
    except BaseException:
        await _end(pieces)
        raise


async def _end(pieces: AsyncIterator[bytes]) -> None:
    """Let a body end that nobody reads on: generators within generators are not closed by themselves."""
    with trio.CancelScope() as scope, suppress(Exception):
        scope.cancel()
        while await anext(pieces, None) is not None:
            pass


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn httpx's errors about this URL into FetchError."""
    try:
        yield
    except httpx.HTTPError as error:
        raise _problem(error, url) from error
    except (httpx.InvalidURL, httpx.StreamError) as error:
        raise FetchError("connection", f"{shown_url(url)}: {error}") from error


def _problem(error: httpx.HTTPError, url: str) -> FetchError:
    host = _host_shown(url)
    if refused := _certificate_fault(error):
        remedy = "if the authority is your own, name its file: SSL_CERT_FILE=/path/to/ca.pem"
        said = f"{host} has a certificate that is not trusted: {refused}"
        return FetchError("certificate", said, remedy=remedy)
    match error:
        case httpx.ConnectTimeout() | httpx.ConnectError() | httpx.PoolTimeout():
            said = f"no connection to {host}: {_of_system(error) or _words(error)}"
            remedy = "is there a way to it? a proxy is taken from HTTPS_PROXY and HTTP_PROXY"
            return FetchError("connection", said, transient=True, remedy=remedy)
        case httpx.TimeoutException():
            return FetchError("timeout", f"{host} fell silent: {shown_url(url)}", transient=True)
        case httpx.ProxyError() | httpx.UnsupportedProtocol():
            return FetchError("connection", f"no way to {host}: {_words(error)}", remedy="check HTTPS_PROXY")
        case _:
            said = f"the connection to {host} was cut: {shown_url(url)}: {_words(error)}"
            return FetchError("cut", said, transient=True)


def _certificate_fault(error: BaseException | None) -> str:
    """What is wrong with a certificate, from the error below httpx's; empty: nothing of the kind."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""


def _words(error: BaseException) -> str:
    """What an error says; where it says nothing, the one below it."""
    below = error.__cause__ or error.__context__
    return str(error) or (_words(below) if below else "no answer")


def _of_system(error: BaseException | None) -> str:
    """What the system said below an error, such as ``Connection refused``; empty: nothing."""
    if isinstance(error, ssl.SSLError):
        return ""  # its numbers are its own
    if isinstance(error, OSError) and error.errno:
        found = os.strerror(error.errno) if error.errno > 0 else error.strerror  # names' numbers are below 0
        return found or ""
    if isinstance(error, BaseExceptionGroup):  # one for each address of the host
        return next(filter(None, map(_of_system, error.exceptions)), "")
    return _of_system(error.__cause__ or error.__context__) if error else ""


def _redirect(response: httpx.Response) -> str | None:
    """Where an answer sends us; None: it is an answer. Raises FetchError where we do not go."""
    if response.status_code not in REDIRECTS or "location" not in response.headers:
        return None
    here = str(response.url)
    target = urljoin(here, response.headers["location"])
    kinds = urlsplit(here).scheme, urlsplit(target).scheme
    if kinds[1] not in ("http", "https") or kinds == ("https", "http"):
        raise FetchError(
            "redirect",
            f"{shown_url(here)} sends us on to {shown_url(target)}",
            cause="from https mk8s goes on to https only, and never to a file",
            remedy="name the right URL as artifacts.<id>.url in the manifest",
        )
    return target


def _seconds_to_wait(text: str, now: datetime | None = None) -> float:
    """Retry-After: seconds, or a date. 0 for what makes no sense."""
    if text.isdecimal():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
    except (TypeError, ValueError):
        return 0.0


class _Netrc(httpx.Auth):
    """Logins by host. Its `default` is nobody's own, so nobody gets it; a URL's own login goes before."""

    def __init__(self, file: str | None) -> None:
        self._hosts = netrc.netrc(file).hosts

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        user, password = request.url.username, request.url.password
        if not request.url.userinfo and request.url.host != "default":
            user, _, password = self._hosts.get(request.url.host, ("", "", ""))
        if user or password:
            yield from httpx.BasicAuth(user, password).auth_flow(request)
        else:
            yield request


def _netrc() -> _Netrc | None:
    """The user's logins, where there is a file of them."""
    try:
        return _Netrc(os.environ.get("NETRC") or None)
    except FileNotFoundError:
        return None
    except Exception as error:  # netrc's own error class, or a file that cannot be read
        raise FetchError(
            "file", f"the netrc file cannot be used: {error}", remedy="mend it, or set NETRC"
        ) from error


def _host(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def _host_shown(url: str) -> str:
    return _host(url)[1] or shown_url(url)
