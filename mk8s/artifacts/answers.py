"""What an answer to a request for a file says: which file, how long, whether it continues a part. Pure.

Begin reading at `range_for`, which asks, then `continues` and `known_from`, which judge the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from mk8s.artifacts.cache import Known, Part
from mk8s.artifacts.egress import shown_url
from mk8s.artifacts.fault import FetchError

__all__ = ["Wanted", "continues", "known_from", "length_of", "range_for", "refuse_page"]

CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch."""

    url: str
    name: str  # who wants it, for people
    sha256: str = ""  # what it must hash to; empty: nobody says
    size: int | None = None  # bytes, where somebody says
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def known_from(answer: httpx.Response, wanted: Wanted) -> Known:
    """What the first answer says of the file. Raises FetchError where nothing could tell a cut one."""
    size = length_of(answer)
    if not wanted.sha256:
        _refuse_endless(answer, wanted.url, size)
    if None not in (size, wanted.size) and size != wanted.size:
        raise FetchError("length", f"{shown_url(wanted.url)} has {size} bytes, and should have {wanted.size}")
    return Known(
        wanted.url,
        answer.headers.get("etag", ""),
        answer.headers.get("last-modified", ""),
        size or wanted.size,
    )


def _refuse_endless(answer: httpx.Response, url: str, size: int | None) -> None:
    """A file without an end: a hash would find out that it was cut, and there is none."""
    if size is None and "chunked" not in answer.headers.get("transfer-encoding", "").lower():
        raise FetchError(
            "length",
            f"{shown_url(url)} comes without a length, and no hash of it is known",
            cause="a file that was cut on the way would look like a whole one",
            remedy="give its `checksum` in the manifest's artifacts section",
        )


def refuse_page(answer: httpx.Response, url: str, beginning: bytes) -> None:
    """The page of a login or a proxy instead of the file: also that a hash would find out."""
    if answer.headers.get("content-type", "").startswith("text/html") and beginning.lstrip()[:1] == b"<":
        raise FetchError(
            "page",
            f"{shown_url(url)} answers with a page for people instead of the file",
            remedy="open the URL in a browser: a login or a proxy may stand in between",
        )


def continues(answer: httpx.Response, part: Part) -> bool:
    """Whether a 206 is exactly the rest of the file that the part is the beginning of."""
    found = CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    known = part.known
    if not found or known is None or int(found[1]) != part.size:
        return False
    total = None if found[3] == "*" else int(found[3])
    same_end = total is None or int(found[2]) + 1 == total
    same_size = total is None or known.size is None or total == known.size
    length = length_of(answer)
    same_length = length is None or length == int(found[2]) + 1 - part.size
    etag = answer.headers.get("etag", known.etag)
    return same_end and same_size and same_length and (not known.etag or etag == known.etag)


def range_for(part: Part, wanted: Wanted) -> dict[str, str]:
    """The headers that ask for the rest. Without a validator only a hash lets us splice."""
    known = part.known
    if not part.size or known is None:
        return {}
    strong = known.etag if known.etag and not known.etag.startswith("W/") else known.last_modified
    if not strong and not wanted.sha256:
        return {}
    condition = {"If-Range": strong} if strong else {}
    return {"Range": f"bytes={part.size}-", **condition}


def length_of(answer: httpx.Response) -> int | None:
    """Content-Length, where it makes sense."""
    text = answer.headers.get("content-length", "")
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None
