"""mk8s.artifacts.fetch against a real HTTP server: what is cut goes on, what is wrong is never kept."""

from __future__ import annotations

import errno
import gzip
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from mk8s.artifacts.egress import Egress, EgressError
from mk8s.artifacts.fetch import Fetcher, Patience, Wanted
from mk8s.artifacts.filing import CacheError
from mk8s.artifacts.web import FetchError, Web, make_client
from tests.httpd import Cut, NoLength, Server, Stall, Status, Swap, WrongLength, WrongRange
from tests.mk8s.artifacts.fetching import HANG, cache_in, content, digest, fetch

PATH = "/releases/v1/file"
DATA = content(300_000)
OTHER = content(300_000, seed=2)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({PATH: DATA}) as server:
        yield server


def wanted(server: Server, data: bytes | None = DATA, path: str = PATH) -> Wanted:
    return Wanted(server.url(path), "a file", digest(data) if data is not None else "")


def kept(folder: Path) -> list[bytes]:
    """Every whole file of the cache."""
    return [path.read_bytes() for path in (folder / "cache" / "blobs").rglob("*") if path.is_file()]


def test_a_file_arrives_whole(server: Server, tmp_path: Path) -> None:
    """Under the name of its hash, read-only, and nothing else is left over."""
    blob = fetch(cache_in(tmp_path), wanted(server))
    assert blob.path.read_bytes() == DATA
    assert (blob.sha256, blob.size, blob.path.stat().st_mode & 0o777) == (digest(DATA), len(DATA), 0o444)
    assert sorted(path.suffix for path in (tmp_path / "cache" / "partial").iterdir()) == [".lock"]


def test_what_the_cache_has_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    """Identity is the hash: from another cluster, another mirror, it is the same file."""
    cache = cache_in(tmp_path)
    fetch(cache, wanted(server))
    fetch(cache, Wanted(server.url("/a/mirror/of/it"), "a file", digest(DATA)))
    assert [path for _, path, _ in server.asked] == [PATH]


@pytest.mark.parametrize("percent", [0, 10, 50, 90, 100])
@pytest.mark.parametrize("known", [True, False])
def test_a_cut_costs_nothing_twice(server: Server, tmp_path: Path, percent: int, known: bool) -> None:
    """The next try goes on at the byte where the last one ended, whether a hash is known or not."""
    server.fault(PATH, Cut(len(DATA) * percent // 100))
    blob = fetch(cache_in(tmp_path), wanted(server, DATA if known else None))
    assert blob.path.read_bytes() == DATA
    assert server.sent[PATH] == len(DATA)


def test_another_process_goes_on_where_the_last_one_ended(server: Server, tmp_path: Path) -> None:
    """What is on the disk is hashed, and the rest is asked for with the server's own validator."""
    cuts = [Cut(90_000), Cut(10), Cut(10)]
    server.fault(PATH, *cuts)
    with pytest.raises(FetchError, match="was cut"):
        fetch(cache_in(tmp_path), wanted(server))
    assert fetch(cache_in(tmp_path), wanted(server)).path.read_bytes() == DATA
    assert server.sent[PATH] == len(DATA)
    assert server.asked[-1][2]["range"] == f"bytes={sum(cut.after for cut in cuts)}-"
    assert "if-range" in server.asked[-1][2]


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_changes_between_two_tries_is_never_spliced(
    server: Server, tmp_path: Path, known: bool
) -> None:
    """The server says with its validator that it is another one; it is fetched from its beginning."""
    server.fault(PATH, Cut(100_000), Swap(OTHER))
    blob = fetch(cache_in(tmp_path), wanted(server, OTHER if known else None))
    assert blob.path.read_bytes() == OTHER
    assert server.sent[PATH] == 100_000 + len(OTHER)


def test_without_validators_the_hash_finds_a_splice(server: Server, tmp_path: Path) -> None:
    """The whole is asked for once more."""
    server.validators = False
    server.fault(PATH, Cut(100_000), Swap(OTHER))
    assert fetch(cache_in(tmp_path), wanted(server, OTHER)).path.read_bytes() == OTHER
    assert server.times(PATH) == 3


def test_with_neither_validators_nor_a_hash_nothing_is_resumed(server: Server, tmp_path: Path) -> None:
    """Nothing could tell that the two halves belong together."""
    server.validators = False
    server.fault(PATH, Cut(100_000))
    assert fetch(cache_in(tmp_path), wanted(server, None)).path.read_bytes() == DATA
    assert "range" not in server.asked[-1][2]


def test_a_server_without_ranges_sends_it_all_again(server: Server, tmp_path: Path) -> None:
    """A 200 to a question for a range is the whole file from its beginning."""
    server.ranges = False
    server.fault(PATH, Cut(100_000))
    assert fetch(cache_in(tmp_path), wanted(server)).path.read_bytes() == DATA
    assert "range" in server.asked[-1][2]


def test_another_part_than_was_asked_for_is_refused(server: Server, tmp_path: Path) -> None:
    """A wrong Content-Range: the part is dropped and the whole asked for."""
    server.fault(PATH, Cut(100_000), WrongRange())
    assert fetch(cache_in(tmp_path), wanted(server)).path.read_bytes() == DATA
    assert "range" not in server.asked[-1][2]


def test_a_file_that_became_shorter_is_begun_anew(server: Server, tmp_path: Path) -> None:
    """416 to a range that was good before."""
    server.validators = False
    short = DATA[:50_000]
    server.fault(PATH, Cut(100_000), Swap(short))
    assert fetch(cache_in(tmp_path), wanted(server, short)).path.read_bytes() == short


def test_another_file_than_promised_is_not_kept(server: Server, tmp_path: Path) -> None:
    """Said with both hashes, at once, without a second try."""
    with pytest.raises(FetchError, match=digest(DATA)[:12]) as caught:
        fetch(cache_in(tmp_path), wanted(server, OTHER))
    assert (caught.value.kind, caught.value.exit_code) == ("hash", 2)
    assert digest(OTHER)[:12] in str(caught.value)
    assert (kept(tmp_path), server.times(PATH)) == ([], 1)


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "has no such file"), (403, "does not let us"), (410, "any more"), (401, "netrc")],
)
def test_an_error_page_is_never_saved(server: Server, tmp_path: Path, status: int, words: str) -> None:
    """What a 4xx says is final and each has its own words."""
    server.fault(PATH, Status(status))
    with pytest.raises(FetchError, match=words):
        fetch(cache_in(tmp_path), wanted(server, None))
    assert (kept(tmp_path), server.times(PATH)) == ([], 1)


def test_a_page_for_people_is_no_file(server: Server, tmp_path: Path) -> None:
    """The 200 of a login page, where no hash would find it out."""
    server.fault(PATH, Status(200, {"Content-Type": "text/html; charset=utf-8"}))
    with pytest.raises(FetchError, match="a page for people"):
        fetch(cache_in(tmp_path), wanted(server, None))
    assert kept(tmp_path) == []


def test_a_server_in_trouble_is_asked_again(server: Server, tmp_path: Path) -> None:
    """5xx and 429 pass."""
    server.fault(PATH, Status(503), Status(429))
    assert fetch(cache_in(tmp_path), wanted(server)).path.read_bytes() == DATA


def test_trouble_that_stays_is_told(server: Server, tmp_path: Path) -> None:
    """After the last try, as something that may pass: exit code 1."""
    server.fault(PATH, Status(503), always=True)
    with pytest.raises(FetchError, match="answers 503") as caught:
        fetch(cache_in(tmp_path), wanted(server))
    assert (server.times(PATH), caught.value.exit_code) == (3, 1)


def test_nobody_listening_is_told_with_the_host(tmp_path: Path) -> None:
    """Which host, and that a proxy could be missing."""
    with socket.socket() as ours:  # so that nobody else listens there
        ours.bind(("127.0.0.1", 0))
        there = f"127.0.0.1:{ours.getsockname()[1]}"
        with pytest.raises(FetchError, match=f"no connection to {there}: Connection refused") as caught:
            fetch(cache_in(tmp_path), Wanted(f"http://{there}/x", "a file"))
    assert "HTTPS_PROXY" in str(caught.value)


def test_encryption_that_the_server_does_not_speak_is_no_fault_of_the_system(
    server: Server, tmp_path: Path
) -> None:
    """OpenSSL's numbers look like those of the system, and mean something else."""
    address = server.url(PATH).replace("http://", "https://")
    with pytest.raises(FetchError) as caught:
        fetch(cache_in(tmp_path), Wanted(address, "a file"))
    assert "SSL" in caught.value.problem
    assert "not permitted" not in caught.value.problem


def test_silence_is_cut_and_resumed(server: Server, tmp_path: Path) -> None:
    """A server that sends nothing more for too long is given up, and asked for the rest."""
    # On a busy machine it may also fall silent by itself: then it is to end before the last byte once more.
    server.fault(PATH, Stall(100_000), *[Stall(len(DATA) - 1)] * 20)
    patience = Patience(tries=20, first=0.0)
    assert fetch(cache_in(tmp_path), wanted(server), stall=0.2, patience=patience).path.read_bytes() == DATA
    assert server.asked[-1][2]["range"].startswith("bytes=")


def test_more_claimed_than_sent_is_no_whole_file(server: Server, tmp_path: Path) -> None:
    """The length is held against what came, where no hash is known."""
    server.validators = False
    server.fault(PATH, WrongLength(len(DATA) + 1), always=True)
    with pytest.raises(FetchError, match="cut"):
        fetch(cache_in(tmp_path), wanted(server, None))
    assert kept(tmp_path) == []


def test_less_claimed_than_promised_is_refused(server: Server, tmp_path: Path) -> None:
    """A size that somebody else vouches for wins over the server's."""
    with pytest.raises(FetchError, match="300000 bytes, and should have 300001"):
        fetch(cache_in(tmp_path), Wanted(server.url(PATH), "a file", size=300_001))
    assert kept(tmp_path) == []


def test_without_a_length_and_a_hash_nobody_knows_the_end(server: Server, tmp_path: Path) -> None:
    """Refused before it is taken, with what helps."""
    server.fault(PATH, NoLength())
    with pytest.raises(FetchError, match="without a length") as caught:
        fetch(cache_in(tmp_path), wanted(server, None))
    assert "checksum" in str(caught.value)
    assert kept(tmp_path) == []


def test_without_a_length_the_hash_knows_the_end(server: Server, tmp_path: Path) -> None:
    """A cut that looks like an end is found, and the whole asked for."""
    server.fault(PATH, NoLength(100_000), NoLength())
    assert fetch(cache_in(tmp_path), wanted(server)).path.read_bytes() == DATA


def test_no_room_is_told_before_the_body_is_taken(server: Server, tmp_path: Path) -> None:
    """By the length that the answer has, where nobody said it before."""

    async def main() -> None:
        async with make_client(stall=HANG) as client:
            fetcher = Fetcher(Web(client, Egress()), cache_in(tmp_path), free=lambda _folder: 299_999)
            await fetcher.fetch(wanted(server))

    with pytest.raises(CacheError, match=r"293\.0 KiB are to be fetched, 293\.0 KiB are free"):
        trio.run(main)
    assert [path.stat().st_size for path in (tmp_path / "cache").rglob("*.part")] == [0]


def test_packed_content_is_refused(server: Server, tmp_path: Path) -> None:
    """It was asked for as it is; its length and its parts would be those of something else."""
    server.fault(PATH, Status(200, {"Content-Encoding": "gzip"}, gzip.compress(DATA)))
    with pytest.raises(FetchError, match="'gzip'"):
        fetch(cache_in(tmp_path), wanted(server))
    assert server.asked[0][2]["accept-encoding"] == "identity"


def test_redirects_are_followed_and_hold_for_resumption(server: Server, tmp_path: Path) -> None:
    """A release page that sends on to where its files lie."""
    to = {"Location": "/releases/v1/file"}
    server.fault("/latest", Status(302, to), always=True)
    server.fault(PATH, Cut(100_000))
    assert fetch(cache_in(tmp_path), wanted(server, path="/latest")).path.read_bytes() == DATA
    assert server.sent[PATH] == len(DATA)


def test_a_circle_of_redirects_ends(server: Server, tmp_path: Path) -> None:
    """Ten are enough for everybody."""
    server.fault("/a", Status(302, {"Location": "/a"}), always=True)
    with pytest.raises(FetchError, match="more than 10 times"):
        fetch(cache_in(tmp_path), wanted(server, path="/a"))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_never_leads_to_another_kind_of_address(
    server: Server, tmp_path: Path, target: str
) -> None:
    """A server does not choose what is read from this machine."""
    server.fault("/a", Status(302, {"Location": target}))
    with pytest.raises(FetchError, match="sends us on to"):
        fetch(cache_in(tmp_path), wanted(server, path="/a"))


def test_a_redirect_out_of_the_air_gap_is_refused_unasked(server: Server, tmp_path: Path) -> None:
    """The mirror is allowed; where it sends us is not, and hears nothing."""
    with Server({PATH: DATA}) as outside:
        server.fault("/mirror/file", Status(302, {"Location": outside.url(PATH)}))
        gap = Egress(frozenset({server.url("/mirror")}))
        with pytest.raises(EgressError, match="outside of the air gap; a file wants it"):
            fetch(cache_in(tmp_path), wanted(server, path="/mirror/file"), egress=gap)
        assert outside.asked == []


def test_a_local_file_is_copied_and_hashed(tmp_path: Path) -> None:
    """file:// URLs, with spaces written as they are in URLs."""
    file = tmp_path / "a file"
    file.write_bytes(DATA)
    blob = fetch(cache_in(tmp_path), Wanted(file.as_uri(), "a file", digest(DATA)))
    assert blob.path.read_bytes() == DATA
    file.write_bytes(OTHER)
    assert blob.path.read_bytes() == DATA


def test_a_local_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """The path, and why."""
    with pytest.raises(FetchError, match=r"/gone cannot be read: No such file"):
        fetch(cache_in(tmp_path), Wanted((tmp_path / "gone").as_uri(), "a file"))


def room_for(room: int) -> Callable[[int, memoryview], int]:
    """os.write on a disk that takes so many bytes."""
    left = [room]

    def write(descriptor: int, piece: memoryview) -> int:
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= (count := os.write(descriptor, piece[: left[0]]))
        return count

    return write


def test_what_may_have_no_end_does_not_leave_the_disk_full(server: Server, tmp_path: Path) -> None:
    """Nobody says how long it is, so there is no telling whether more room would help."""
    server.fault(PATH, NoLength())
    cache = cache_in(tmp_path)
    cache.write = room_for(100_000)
    with pytest.raises(CacheError, match="No space left"):
        fetch(cache, wanted(server))
    (part,) = (tmp_path / "cache" / "partial").glob("*.part")
    assert part.stat().st_size == 0


def test_a_full_disk_keeps_what_arrived(server: Server, tmp_path: Path) -> None:
    """Told once; with room again, the rest is fetched and no more."""
    cache = cache_in(tmp_path)
    cache.write = room_for(100_000)
    with pytest.raises(CacheError, match="No space left") as caught:
        fetch(cache, wanted(server))
    assert "free some space" in str(caught.value)
    assert fetch(cache_in(tmp_path), wanted(server)).path.read_bytes() == DATA
    assert server.asked[-1][2]["range"].startswith("bytes=9")  # the note of what it is took the rest
    assert server.times(PATH) == 2  # what was sent to the first is not counted: it may still be going out


def test_an_odd_note_beside_a_part_is_as_good_as_none(server: Server, tmp_path: Path) -> None:
    """Then the file is fetched from its beginning."""
    server.fault(PATH, Cut(90_000), Status(404))
    with pytest.raises(FetchError):
        fetch(cache_in(tmp_path), wanted(server))
    (note,) = (tmp_path / "cache" / "partial").glob("*.json")
    note.write_text(json.dumps({"url": 7}))
    assert fetch(cache_in(tmp_path), wanted(server)).path.read_bytes() == DATA
    assert "range" not in server.asked[-1][2]


def test_a_damaged_part_is_found_by_the_hash(server: Server, tmp_path: Path) -> None:
    """Bytes that changed while they lay there: the whole is fetched once more."""
    server.fault(PATH, Cut(90_000), Status(404))
    with pytest.raises(FetchError):
        fetch(cache_in(tmp_path), wanted(server))
    (part,) = (tmp_path / "cache" / "partial").glob("*.part")
    part.write_bytes(b"x" * 90_000)
    assert fetch(cache_in(tmp_path), wanted(server)).path.read_bytes() == DATA


def test_a_damaged_blob_is_removed_and_told(server: Server, tmp_path: Path) -> None:
    """Hashed again each time it is taken."""
    said: list[str] = []
    cache = cache_in(tmp_path, said.append)
    blob = fetch(cache, wanted(server))
    blob.path.chmod(0o644)
    blob.path.write_bytes(b"rotten")
    assert fetch(cache, wanted(server)).path.read_bytes() == DATA
    assert ["is damaged" in words for words in said] == [True]


def test_two_that_want_the_same_file_fetch_it_once(server: Server, tmp_path: Path) -> None:
    """The second waits for the first, then takes its blob."""
    cache = cache_in(tmp_path)

    async def main() -> None:
        async with make_client(stall=HANG) as client, trio.open_nursery() as nursery:
            fetcher = Fetcher(Web(client, Egress()), cache)
            nursery.start_soon(fetcher.fetch, wanted(server))
            nursery.start_soon(fetcher.fetch, wanted(server))

    trio.run(main)
    assert server.times(PATH) == 1


@pytest.mark.parametrize(
    ("failures", "after", "jitter", "pause"),
    [(1, 0, 1.0, 0.5), (1, 0, 0.0, 0.25), (4, 0, 1.0, 4.0), (20, 0, 1.0, 30.0), (1, 17, 0.5, 17)],
)
def test_pauses_grow_and_heed_the_server(failures: int, after: float, jitter: float, pause: float) -> None:
    """Doubled up to half a minute, spread by chance, and never shorter than the server asks."""
    assert Patience().pause(failures, after, jitter) == pause


def test_a_server_that_wants_us_back_tomorrow_is_an_error(server: Server, tmp_path: Path) -> None:
    """Nobody waits for hours in silence."""
    server.fault(PATH, Status(429, {"Retry-After": "86400"}))
    with pytest.raises(FetchError, match="asked too often"):
        fetch(cache_in(tmp_path), wanted(server))
    assert server.times(PATH) == 1
