"""mk8s.artifacts.web against real servers: certificates, proxies, logins, and what they may not do."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mk8s.artifacts.egress import Egress
from mk8s.artifacts.fetch import Wanted
from mk8s.artifacts.web import FetchError, Small, Web, make_client
from mk8s.errors import Mk8sError
from mk8s.needs import Authority, Certificate
from mk8s.pki import Chance, make_authority, make_leaf
from tests.httpd import Cut, Fault, Server, Status, Swap, WrongRange
from tests.mk8s.artifacts.fetching import HANG, cache_in, content, digest, fetch

DATA = b"hello"
USUAL = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's proxies and logins."""
    for name in USUAL:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/a": DATA}) as server:
        yield server


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Server]:
    """Speaks TLS, with an authority of its own in ca.pem."""
    now, chance = datetime.now(UTC), Chance()
    authority = make_authority(Authority("ca", "a test's authority"), now, chance)
    leaf = make_leaf(
        Certificate("leaf", "ca", "server", server=True, ips=("127.0.0.1",)), authority, now, chance
    )
    (tmp_path / "ca.pem").write_bytes(authority.public)
    (tmp_path / "leaf.pem").write_bytes(leaf.public + leaf.private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem")
    with Server({"/a": DATA}, tls=context) as server:
        yield server


def get(url: str, headers: dict[str, str] | None = None) -> Small:
    async def main() -> Small:
        async with make_client(stall=HANG) as client:
            return await Web(client, Egress()).small(url, "a test", headers=headers)

    return trio.run(main)


def test_an_unknown_authority_is_not_trusted(secure: Server) -> None:
    """Told at once, with the way to name one's own; nothing is sent to it."""
    with pytest.raises(FetchError, match="not trusted") as caught:
        get(secure.url("/a"))
    assert (caught.value.kind, caught.value.transient) == ("certificate", False)
    assert "unable to get local issuer certificate" in str(caught.value)
    assert "SSL_CERT_FILE" in str(caught.value)
    assert secure.asked == []


def test_an_authority_of_ones_own_is_named_by_the_environment(
    secure: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE, as for other programs."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert get(secure.url("/a")).body == DATA


def test_from_https_nothing_leads_to_http(
    secure: Server, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain server is never asked."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    secure.fault("/a", Status(302, {"Location": server.url("/a")}))
    with pytest.raises(FetchError, match="sends us on to http://"):
        get(secure.url("/a"))
    assert server.asked == []


def test_from_http_the_way_leads_to_https(
    secure: Server, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many sites do."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    server.fault("/a", Status(301, {"Location": secure.url("/a")}))
    assert get(server.url("/a")).url == secure.url("/a")


def test_a_proxy_of_the_environment_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the whole URL."""
    monkeypatch.setenv("HTTP_PROXY", server.url())
    assert get("http://upstream.invalid/a").body == DATA
    assert server.asked[0][2]["host"] == "upstream.invalid"


def test_a_login_comes_from_netrc_and_goes_to_its_host_only(server: Server, tmp_path: Path) -> None:
    """A redirect to another host goes without it."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    server.fault("/a", Status(302, {"Location": f"http://localhost:{server.port}/a"}))
    get(server.url("/a"))
    first, second = (headers.get("authorization", "") for _, _, headers in server.asked)
    assert base64.b64decode(first.removeprefix("Basic ")) == b"me:secret"
    assert second == ""


def test_a_login_for_any_host_goes_to_none(server: Server, tmp_path: Path) -> None:
    """A release comes from hosts that nobody has heard of, by redirects."""
    (tmp_path / "netrc").write_text("default login me password secret\n")
    get(server.url("/a"))
    assert "authorization" not in server.asked[0][2]


def test_a_urls_own_login_goes_before_that_of_netrc(server: Server, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    get(server.url("/a").replace("://", "://you:word@"))
    sent = server.asked[0][2]["authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"you:word"


def test_a_header_with_a_login_stays_with_its_host(server: Server) -> None:
    """A registry's token is not for the storage that it sends us to."""
    server.fault("/a", Status(302, {"Location": f"http://localhost:{server.port}/a"}))
    get(server.url("/a"), {"Authorization": "Bearer secret", "Accept": "x/y"})
    first, second = (headers for _, _, headers in server.asked)
    assert (first["authorization"], second.get("authorization"), second["accept"]) == (
        "Bearer secret",
        None,
        "x/y",
    )


def test_a_netrc_that_cannot_be_read_is_told(server: Server, tmp_path: Path) -> None:
    """Not a traceback."""
    (tmp_path / "netrc").write_text("machine\n")
    with pytest.raises(FetchError, match="netrc file cannot be used"):
        get(server.url("/a"))


def test_a_small_answer_has_an_end(server: Server) -> None:
    """A list of hashes of a gigabyte is none."""
    server.fault("/a", Status(200, {}, b"x" * (9 << 20)))
    with pytest.raises(FetchError, match="makes no sense"):
        get(server.url("/a"))


SIZE = 60_000
FILES = [content(SIZE, seed) for seed in range(3)]
faults = st.one_of(
    st.integers(0, SIZE).map(Cut),
    st.sampled_from([Status(503), Status(429), Status(200, {"Content-Length": "3"}, b"abc"), WrongRange()]),
    st.sampled_from([Swap(data) for data in FILES]),
    st.sampled_from([Swap(FILES[0][: SIZE // 2]), Swap(b"")]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trouble=st.lists(faults, max_size=8), known=st.booleans(), ranges=st.booleans(), validators=st.booleans()
)
def test_whatever_happens_a_file_that_is_kept_is_one_that_the_server_had(
    tmp_path_factory: pytest.TempPathFactory,
    trouble: list[Fault],
    known: bool,
    ranges: bool,
    validators: bool,
) -> None:
    """Never a splice, never a page, never a beginning: whole, or an error; with a hash, that file alone."""
    with Server({"/f": FILES[0]}) as server:
        server.ranges, server.validators = ranges, validators
        server.fault("/f", *trouble)
        cache = cache_in(tmp_path_factory.mktemp("any"))
        try:
            blob = fetch(cache, Wanted(server.url("/f"), "f", digest(FILES[0]) if known else ""))
        except Mk8sError:
            return
        whole = {digest(data) for data in (*FILES, FILES[0][: SIZE // 2], b"", b"abc")}
        assert digest(blob.path.read_bytes()) == blob.sha256
        assert blob.sha256 in ({digest(FILES[0])} if known else whole)
