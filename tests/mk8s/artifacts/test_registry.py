"""The client of registries and the archive it fills, against a stand-in registry over HTTP."""

from __future__ import annotations

import json
import tarfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio

from mk8s.artifacts.cache import Cache
from mk8s.artifacts.egress import Egress, EgressError
from mk8s.artifacts.fetch import Fetcher
from mk8s.artifacts.filing import CacheError
from mk8s.artifacts.image_archive import holds_exactly, write_images
from mk8s.artifacts.logins import Login, Logins
from mk8s.artifacts.registry import Registry, RegistryError
from mk8s.artifacts.web import FetchError, Web
from mk8s.distros.upstream.images import find
from mk8s.images import image_names
from tests.mk8s.artifacts.fetching import HANG
from tests.registryd import Fault, RegistryServer, Store, digest_of, put_image

PAUSE, DNS = "registry.k8s.io/pause:3.10", "registry.k8s.io/coredns/coredns:v1.11.3"
BASE, OWN = b"base layer" * 1000, b"own layer" * 500
LOGIN = ("me", "hush")


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


@pytest.fixture
def store() -> Store:
    """Two images that share a layer, for both architectures."""
    made = Store()
    put_image(made, "pause", "3.10", [BASE], ("amd64", "arm64"))
    put_image(made, "coredns/coredns", "v1.11.3", [BASE, OWN], ("amd64", "arm64"))
    return made


@dataclass
class Desk:
    registry: Registry
    folder: Path
    pauses: list[float]

    async def archive(self, names: Sequence[str], name: str = "images.tar", arch: str = "amd64") -> Path:
        images = await self.registry.resolve_all(names, arch)
        path = self.folder / name
        await trio.to_thread.run_sync(write_images, images, await self.registry.fetch(images), path, arch)
        return path


@asynccontextmanager
async def desk(
    server: RegistryServer,
    folder: Path,
    logins: Logins | None = None,
    egress: Egress | None = None,
    auth: httpx.Auth | None = None,
) -> AsyncIterator[Desk]:
    async with httpx.AsyncClient(trust_env=False, auth=auth, timeout=HANG) as client:
        web = Web(client, egress or Egress())
        fetcher = Fetcher(web, Cache.open(folder / "cache", lambda _words: None))
        mirrors = {"registry.k8s.io": server.url, "a.example": server.url}
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

        yield Desk(Registry(web, fetcher, mirrors, logins or Logins(), sleep), folder, pauses)


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: stream.read() for member in tar if (stream := tar.extractfile(member))}


@pytest.mark.anyio
async def test_an_archive_has_the_images_and_what_they_share_once(store: Store, tmp_path: Path) -> None:
    """Both lists point to the same blobs; docker's has the names as they were asked for."""
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            path = await d.archive([PAUSE, DNS])
    found = members(path)
    assert image_names(path) == (PAUSE, DNS)
    assert list(found)[:3] == ["index.json", "manifest.json", "oci-layout"]
    assert all(
        digest_of(content) == f"sha256:{name[13:]}"
        for name, content in found.items()
        if name.startswith("blobs/")
    )
    docker = json.loads(found["manifest.json"])
    assert [len(image["Layers"]) for image in docker] == [1, 2]
    assert all(name in found for image in docker for name in (image["Config"], *image["Layers"]))
    layout = [
        entry["annotations"]["io.containerd.image.name"]
        for entry in json.loads(found["index.json"])["manifests"]
    ]
    assert layout == [DNS, PAUSE]
    assert len(found) == 3 + 2 + 2 + 2  # lists, manifests, configs, layers
    assert len(server.asked("/blobs/")) == 2 + 2


@pytest.mark.anyio
async def test_the_same_images_give_the_same_bytes(store: Store, tmp_path: Path) -> None:
    """Whenever, and with whatever cache."""
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            first, second = await d.archive([PAUSE, DNS], "a.tar"), await d.archive([PAUSE, DNS], "b.tar")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.anyio
async def test_names_are_read_in_the_order_of_the_list(store: Store, tmp_path: Path) -> None:
    """The distro's own pause stands before an application's, whatever it is called."""
    put_image(store, "app/pause", "1", [OWN])
    names = [PAUSE, "a.example/app/pause:1"]
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            path = await d.archive(names)
    assert find(image_names(path) or (), "pause") == PAUSE


@pytest.mark.anyio
async def test_each_architecture_has_its_own_archive(store: Store, tmp_path: Path) -> None:
    """arm64's is of the variant v8 in the index, and of arm64 in the config."""
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            path = await d.archive([PAUSE], arch="arm64")
    found = members(path)
    assert json.loads(found[json.loads(found["manifest.json"])[0]["Config"]])["architecture"] == "arm64"


@pytest.mark.anyio
async def test_an_image_of_one_architecture_does_not_pass_for_another(store: Store, tmp_path: Path) -> None:
    """A tag without an index tells its platform only in its config."""
    put_image(store, "single", "1", [OWN], ("amd64",), index=False)
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            with pytest.raises(RegistryError, match=r"registry.k8s.io/single:1 .* linux/arm64 is wanted"):
                await d.archive(["registry.k8s.io/single:1"], arch="arm64")
    assert not (tmp_path / "images.tar").exists()


@pytest.mark.anyio
async def test_a_name_with_a_digest_is_held_to_it_and_found_by_it(store: Store, tmp_path: Path) -> None:
    """A runtime looks such an image up by its digest, a reader of the archive by what was asked."""
    digest = store.tags["pause", "3.10"]
    names = [
        f"{PAUSE}@{digest}",
        f"registry.k8s.io/coredns/coredns@{store.tags['coredns/coredns', 'v1.11.3']}",
    ]
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            path = await d.archive(names)
    layout = json.loads(members(path)["index.json"])["manifests"]
    known = {entry["annotations"]["io.containerd.image.name"] for entry in layout}
    assert known == {PAUSE, f"registry.k8s.io/pause@{digest}", names[1]}
    assert set(names) < set(image_names(path) or ())
    assert holds_exactly(path, names)


@pytest.mark.anyio
async def test_a_manifest_that_is_not_its_digest_is_refused(store: Store, tmp_path: Path) -> None:
    """Whatever lies between us and the registry."""
    other = store.manifests[store.tags["pause", "3.10"]].content + b" "
    with RegistryServer(store, faults=[Fault("manifests/3.10", body=other)]) as server:
        async with desk(server, tmp_path) as d:
            with pytest.raises(RegistryError, match="gave something else"):
                await d.registry.resolve(PAUSE, "amd64")


@pytest.mark.anyio
async def test_a_token_is_fetched_and_used_for_all_of_a_repository(store: Store, tmp_path: Path) -> None:
    """Asked once for each repository, for pulling only, without a password where there is none."""
    with RegistryServer(store, tokens=True) as server:
        async with desk(server, tmp_path) as d:
            await d.archive([PAUSE])
    tokens = server.asked("/token")
    assert len(tokens) == 1
    assert "scope=repository%3Apause%3Apull" in tokens[0].path
    assert tokens[0].authorization == ""


@pytest.mark.anyio
async def test_a_private_image_costs_the_users_login(store: Store, tmp_path: Path) -> None:
    """Sent to the token server, and the token to the registry."""
    with RegistryServer(store, tokens=True, login=LOGIN) as server:
        logins = Logins({server.host: Login(*LOGIN)})
        async with desk(server, tmp_path, logins) as d:
            assert image_names(await d.archive([PAUSE])) == (PAUSE,)
    assert {r.authorization.partition(" ")[0] for r in server.asked("/v2/")} == {"", "Bearer"}


@pytest.mark.anyio
async def test_a_token_goes_before_the_login_that_earned_it(store: Store, tmp_path: Path) -> None:
    """Where netrc knows the registry, its login opens the token server and nothing else."""
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {LOGIN[0]} password {LOGIN[1]}\n")
    with RegistryServer(store, tokens=True, login=LOGIN) as server:
        logins = Logins({server.host: Login(*LOGIN)})
        netrc = httpx.NetRCAuth(str(tmp_path / ".netrc"))
        async with desk(server, tmp_path, logins, auth=netrc) as d:
            assert image_names(await d.archive([PAUSE])) == (PAUSE,)
    assert server.asked("/blobs/")[0].authorization == "Bearer token-1"


@pytest.mark.anyio
@pytest.mark.parametrize("given", [{}, {"wrong": True}])
async def test_without_the_right_login_it_says_how_to_give_one(
    given: dict[str, bool], store: Store, tmp_path: Path
) -> None:
    """And does not show the one it has."""
    with RegistryServer(store, tokens=True, login=LOGIN) as server:
        logins = Logins({server.host: Login("me", "other-secret")} if given else {})
        async with desk(server, tmp_path, logins) as d:
            with pytest.raises(
                RegistryError, match=r"does not let us have registry.k8s.io/pause:3.10"
            ) as caught:
                await d.registry.resolve(PAUSE, "amd64")
    assert f"docker login {server.host}" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.anyio
async def test_a_password_goes_to_no_other_host_without_encryption(store: Store, tmp_path: Path) -> None:
    """A plain registry may name any token server."""
    with RegistryServer(store) as server:
        challenge = f'Bearer realm="http://{server.other_host}/token",service="x"'
        server.faults.append(Fault("manifests", status=401, headers={"WWW-Authenticate": challenge}))
        async with desk(server, tmp_path, Logins({server.host: Login(*LOGIN)})) as d:
            with pytest.raises(RegistryError, match="without encryption"):
                await d.registry.resolve(PAUSE, "amd64")
    assert server.asked("/token") == []


@pytest.mark.anyio
async def test_a_password_is_not_given_to_whom_a_redirect_leads(store: Store, tmp_path: Path) -> None:
    """Who answers there is not the registry that the password is for; a token for anybody is asked for."""
    with RegistryServer(store) as server:
        elsewhere = f"http://{server.other_host}/v2/pause/manifests/3.10"
        own = f'Bearer realm="http://{server.host}/token",service="x"'
        server.faults.append(Fault("manifests", status=302, headers={"Location": elsewhere}))
        server.faults.append(Fault("manifests", status=401, headers={"WWW-Authenticate": own}))
        async with desk(server, tmp_path, Logins({server.host: Login(*LOGIN)})) as d:
            await d.registry.resolve(PAUSE, "amd64")
    assert [request.authorization for request in server.asked("/token")] == [""]


@pytest.mark.anyio
@pytest.mark.parametrize("realm", ["http://[", "https://[zz]/token"])
async def test_a_token_server_that_is_no_address_is_told(realm: str, store: Store, tmp_path: Path) -> None:
    """A registry may say anything."""
    with RegistryServer(store) as server:
        server.faults.append(
            Fault("manifests", status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
        )
        async with desk(server, tmp_path) as d:
            with pytest.raises(RegistryError, match="which is no address"):
                await d.registry.resolve(PAUSE, "amd64")


@pytest.mark.anyio
async def test_a_token_that_ends_on_the_way_is_fetched_anew(store: Store, tmp_path: Path) -> None:
    """Large layers take longer than tokens live."""
    with RegistryServer(store, tokens=True) as server:
        async with desk(server, tmp_path) as d:
            images = await d.registry.resolve_all([PAUSE], "amd64")
            server.token = "token-2"
            assert len(await d.registry.fetch(images)) == 2
    assert len(server.asked("/token")) >= 2


@pytest.mark.anyio
async def test_blobs_may_come_from_elsewhere_and_the_token_does_not_go_there(
    store: Store, tmp_path: Path
) -> None:
    """Large registries send blobs from storage of others."""
    with RegistryServer(store, tokens=True, cdn=True) as server:
        async with desk(server, tmp_path) as d:
            await d.archive([PAUSE])
    sent = server.asked("/cdn/")
    assert len(sent) == 2
    assert {(request.host, request.authorization) for request in sent} == {(server.other_host, "")}


@pytest.mark.anyio
async def test_an_air_gap_lets_nothing_else_be_asked(store: Store, tmp_path: Path) -> None:
    """A redirect is a request, too."""
    with RegistryServer(store, cdn=True) as server:
        async with desk(server, tmp_path, egress=Egress(frozenset({server.url}))) as d:
            images = await d.registry.resolve_all([PAUSE], "amd64")
            with pytest.raises(EgressError, match=r"the image registry.k8s.io/pause:3.10 wants it"):
                await d.registry.fetch(images)
            with pytest.raises(EgressError):
                await d.registry.resolve("docker.io/library/busybox:1", "amd64")
    assert server.asked("/cdn/") == []


@pytest.mark.anyio
async def test_what_passes_by_itself_is_waited_for(store: Store, tmp_path: Path) -> None:
    """A server's fault, and being asked too often: as long as the registry says, within reason."""
    faults = [
        Fault("manifests", 503),
        Fault("manifests", 429, {"Retry-After": "40"}),
        Fault("manifests", 429, {"Retry-After": "4000"}),
    ]
    with RegistryServer(store, faults=faults) as server:
        async with desk(server, tmp_path) as d:
            await d.registry.resolve(PAUSE, "amd64")
    assert d.pauses == [1, 40, 60]


@pytest.mark.anyio
async def test_a_missing_image_is_not_asked_for_again(store: Store, tmp_path: Path) -> None:
    """It will not come by asking."""
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            with pytest.raises(RegistryError, match=r"has no image registry.k8s.io/pause:9"):
                await d.registry.resolve("registry.k8s.io/pause:9", "amd64")
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_an_endless_manifest_is_not_read_to_its_end(store: Store, tmp_path: Path) -> None:
    """The specification's limit is 4 MiB."""
    with RegistryServer(store, faults=[Fault("manifests", body=b" " * (5 << 20))]) as server:
        async with desk(server, tmp_path) as d:
            with pytest.raises(FetchError, match="makes no sense"):
                await d.registry.resolve(PAUSE, "amd64")


@pytest.mark.anyio
async def test_a_blob_that_changed_on_the_disk_ends_the_archive(store: Store, tmp_path: Path) -> None:
    """It was right when it came. Nothing half-made stays."""
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            images = await d.registry.resolve_all([PAUSE], "amd64")
            blobs = await d.registry.fetch(images)
    layer = blobs[images[0].manifest.layers[0].digest]
    layer.chmod(0o600)
    layer.write_bytes(b"x" * layer.stat().st_size)
    with pytest.raises(CacheError, match="has changed since"):
        write_images(images, blobs, tmp_path / "images.tar", "amd64")
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.anyio
async def test_an_archive_is_known_by_its_images(store: Store, tmp_path: Path) -> None:
    """Whole, all of them and no other: then nothing has to be fetched."""
    with RegistryServer(store) as server:
        async with desk(server, tmp_path) as d:
            path = await d.archive([PAUSE, DNS])
    assert holds_exactly(path, [DNS, PAUSE])
    assert not holds_exactly(path, [PAUSE])
    assert not holds_exactly(path, [DNS, PAUSE, "busybox:1"])
    path.write_bytes(path.read_bytes()[:-20_000])
    assert not holds_exactly(path, [DNS, PAUSE])
    assert not holds_exactly(tmp_path / "none.tar", [])
