"""mk8s.artifacts.download: the whole list, what is here, what is in the cache, what goes wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio

from mk8s.artifacts.download import Download
from mk8s.artifacts.egress import Egress
from mk8s.artifacts.fetch import Fetcher, OnBytes
from mk8s.artifacts.filing import LockedError, lock_folder
from mk8s.artifacts.outcomes import DownloadError, Outcome
from mk8s.artifacts.sources import Source
from mk8s.artifacts.web import FetchError, Web, make_client
from mk8s.distros.base import ArtifactItem, Origin
from tests.httpd import Cut, Server, Status, Swap
from tests.mk8s.artifacts.fetching import HANG, QUICK, cache_in, content, digest
from tests.mk8s.artifacts.sites import BINARY, IMAGES, SUMS, Site, make_site

EVERYONE = frozenset({"primary", "server", "agent"})
RECORDED, VERIFIED = "mk8s-hashes.txt", "SHA256SUMS"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({}) as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, server: Server) -> Site:
    return make_site(tmp_path, server)


@dataclass
class Told:
    """A show that keeps what it was told."""

    verdicts: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    sizes: dict[str, int | None] = field(default_factory=dict)

    def expect(self, sizes: dict[str, int | None]) -> None:
        self.sizes = sizes

    def bytes(self, name: str, here: int, size: int | None) -> None:
        assert size is None or here <= size

    def done(self, name: str, verdict: str, words: str) -> None:
        self.verdicts[name] = verdict
        self.said += [words] if words else []

    def say(self, words: str) -> None:
        self.said.append(words)

    def close(self) -> None:
        pass


@dataclass
class Maker:
    """Makes an archive of images that holds their names."""

    made: list[str] = field(default_factory=list)
    problem: Exception | None = None

    async def make(self, item: ArtifactItem, target: Path, on_bytes: OnBytes) -> bool:
        if self.problem:
            raise self.problem
        self.made.append(item.file)
        target.write_text("\n".join(item.origin.images))
        return True


def download(
    folder: Path, sources: list[Source], *, maker: Maker | None = None, free: int = 1 << 40,
    cache: Path | None = None,
) -> tuple[Told, list[Outcome]]:  # fmt: skip
    told = Told()

    async def main() -> list[Outcome]:
        async with make_client(stall=HANG) as client:
            fetcher = Fetcher(Web(client, Egress()), cache_in(cache or folder.parent, told.say), QUICK)
            return await Download(
                sources, folder, fetcher, maker or Maker(), told, free=lambda _path: free
            ).run()

    return told, trio.run(main)


def source(server: Server, name: str, data: bytes, *, listed: bool = True, checksum: str = "") -> Source:
    """A file of a release with a list of its own, as Kubernetes' programs have."""
    assert isinstance(server.content, dict)
    server.content[f"/{name}"] = data
    if listed:
        server.content[f"/{name}.sha256"] = digest(data).encode()
    return file_at(server.url(f"/{name}"), name, server.url(f"/{name}.sha256") if listed else "", checksum)


def file_at(url: str, name: str, sums: str = "", checksum: str = "") -> Source:
    item = ArtifactItem(name, name, "a file", True, EVERYONE, True, Origin(url, sums))
    return Source(item, url, url, sums, checksum)


def own_list() -> Source:
    return Source(ArtifactItem("checksums", VERIFIED, "hashes", False, EVERYONE, False), "", "", "", "")


def images(*names: str) -> Source:
    item = ArtifactItem("images", "images.tar", "images", True, EVERYONE, True, Origin(images=names))
    return Source(item, "", "", "", "")


def test_a_release_arrives_with_the_list_of_its_hashes(site: Site) -> None:
    """Every file under its name, whole; nothing else in the folder."""
    told, outcomes = download(site.artifacts, site.sources)
    assert site.here() == site.files
    assert told.verdicts == dict.fromkeys(site.files, "fetched")
    assert [outcome.published for outcome in outcomes if outcome.item.file != SUMS] == [True, True]


def test_a_wrong_checksum_of_the_manifest_is_laid_to_the_manifest(server: Server, tmp_path: Path) -> None:
    """Not to the server, and nobody is told to give a `checksum` that stands there already."""
    file = source(server, "kubelet", b"program", checksum="ab" * 32)
    with pytest.raises(
        DownloadError, match=r"artifacts\.kubelet\.checksum in the manifest says so"
    ) as caught:
        download(tmp_path / "artifacts", [file])
    assert "correct artifacts.kubelet.checksum" in str(caught.value)


def test_what_is_here_is_not_asked_for(site: Site) -> None:
    """Only the list is, for it may have changed."""
    download(site.artifacts, site.sources)
    before = dict(site.server.sent)
    told, _ = download(site.artifacts, site.sources)
    assert told.verdicts == {BINARY: "here", IMAGES: "here", SUMS: "fetched"}
    assert {path for path, sent in site.server.sent.items() if sent > before[path]} == {site.path(SUMS)}


def test_without_a_network_what_is_here_and_whole_is_enough(site: Site) -> None:
    """The list beside the files has their hashes; that it was not renewed is said."""
    download(site.artifacts, site.sources)
    site.server.fault(site.path(SUMS), Status(503), always=True)
    told, _ = download(site.artifacts, site.sources)
    assert set(told.verdicts.values()) == {"here"}
    assert any("stays as it is" in words for words in told.said)
    assert site.server.times(site.path(SUMS)) == 2


def test_another_cluster_takes_files_out_of_the_cache(site: Site, tmp_path: Path) -> None:
    """Hard-linked: no transfer, no room."""
    download(site.artifacts, site.sources)
    told, _ = download(tmp_path / "other", site.sources)
    assert told.verdicts == {BINARY: "cached", IMAGES: "cached", SUMS: "fetched"}
    assert (tmp_path / "other" / BINARY).samefile(site.artifacts / BINARY)
    assert site.server.times(site.path(BINARY)) == 1


def test_a_damaged_file_is_replaced(site: Site) -> None:
    """And that it was damaged is said."""
    download(site.artifacts, site.sources)
    (site.artifacts / BINARY).unlink()
    (site.artifacts / BINARY).write_bytes(b"cut")
    told, _ = download(site.artifacts, site.sources)
    assert site.here() == site.files
    assert any(f"{BINARY} is here and is not what it should be" in words for words in told.said)


def test_another_versions_file_is_not_this_ones(tmp_path: Path, server: Server) -> None:
    """The same name, whole, and by the recorded hash the right one: but fetched as something else."""
    old, folder = source(server, "install.sh", b"old", listed=False), tmp_path / "artifacts"
    download(folder, [old])
    new = source(server, "v2/install.sh", b"new", listed=False)
    new = replace(new, item=replace(new.item, file="install.sh"))
    told, _ = download(folder, [new])
    assert (told.verdicts, (folder / "install.sh").read_bytes()) == ({"install.sh": "fetched"}, b"new")
    assert (folder / RECORDED).read_text() == f"{digest(b'new')}  install.sh\n"


def test_without_a_network_another_versions_hashes_prove_nothing(tmp_path: Path, server: Server) -> None:
    """The version was changed, and the new one's list cannot be had: that is told."""
    folder = tmp_path / "artifacts"
    download(folder, [source(server, "kubelet", b"old"), own_list()])
    new = source(server, "v2/kubelet", b"new")
    server.fault("/v2/kubelet.sha256", Status(503), always=True)
    with pytest.raises(DownloadError, match="answers 503"):
        download(folder, [replace(new, item=replace(new.item, file="kubelet")), own_list()])


def test_a_file_that_is_the_same_in_both_versions_stays(tmp_path: Path, server: Server) -> None:
    """By its hash, which the new version's list names."""
    folder = tmp_path / "artifacts"
    download(folder, [source(server, "runc", b"same")])
    new = source(server, "v2/runc", b"same")
    told, _ = download(folder, [replace(new, item=replace(new.item, file="runc"))])
    assert told.verdicts == {"runc": "here"}


def test_a_link_in_the_folder_is_replaced_and_not_followed(site: Site, tmp_path: Path) -> None:
    """What it led to stays as it was."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    site.artifacts.mkdir()
    (site.artifacts / BINARY).symlink_to(precious)
    download(site.artifacts, site.sources)
    assert precious.read_bytes() == b"precious"
    assert not (site.artifacts / BINARY).is_symlink()


def test_one_file_that_fails_stops_no_other(site: Site) -> None:
    """The fault is told at the end, with the file, the reason and the URL."""
    site.server.fault(site.path(BINARY), Status(404), always=True)
    with pytest.raises(DownloadError, match="1 of 3 files could not be fetched") as caught:
        download(site.artifacts, site.sources)
    assert f"{BINARY}: 127.0.0.1:{site.server.port} has no such file (404): " in str(caught.value)
    assert caught.value.exit_code == 2
    assert set(site.here()) == {IMAGES, SUMS}


def test_all_faults_are_told_together(site: Site) -> None:
    """Where only the network failed, the exit code says that trying again may help."""
    for file in (BINARY, IMAGES):
        site.server.fault(site.path(file), Status(503), always=True)
    with pytest.raises(DownloadError, match="2 of 3 files could not be fetched") as caught:
        download(site.artifacts, site.sources)
    assert caught.value.exit_code == 1


def test_the_same_trouble_of_many_files_is_told_once(tmp_path: Path) -> None:
    """No network is one problem, not one for each file."""
    with socket.socket() as ours:  # so that nobody else listens there
        ours.bind(("127.0.0.1", 0))
        files = [file_at(f"http://127.0.0.1:{ours.getsockname()[1]}/{name}", name) for name in ("a", "b")]
        with pytest.raises(DownloadError, match=r"a, b: no connection to 127\.0\.0\.1") as caught:
            download(tmp_path / "artifacts", files)
    assert str(caught.value).count("HTTPS_PROXY") == 1


@pytest.mark.parametrize(
    ("sums", "words"),
    [
        (b"", "has no sha256 in it"),
        (b"<html>sign in</html>", "has no sha256 in it"),
        (b"%s  another-file\n" % (b"0" * 64), "names hashes of other files"),
    ],
)
def test_a_list_without_the_files_hash_is_no_leave_to_skip_it(
    tmp_path: Path, server: Server, sums: bytes, words: str
) -> None:
    """A file whose hash is published is never taken unverified."""
    file = source(server, "kubelet", content(1000))
    server.fault("/kubelet.sha256", Swap(sums))
    with pytest.raises(DownloadError, match=words):
        download(tmp_path / "artifacts", [file])
    assert (server.times("/kubelet"), list((tmp_path / "artifacts").iterdir())) == (0, [])


def test_a_list_that_cannot_be_had_keeps_its_files_away(tmp_path: Path, server: Server) -> None:
    """They could not be verified; the reason is the list's."""
    file = source(server, "kubelet", content(1000))
    server.fault("/kubelet.sha256", Status(404))
    with pytest.raises(DownloadError, match=r"kubelet: .* \(404\): .*/kubelet\.sha256"):
        download(tmp_path / "artifacts", [file])
    assert server.times("/kubelet") == 0


def test_a_hash_in_the_manifest_needs_no_list(tmp_path: Path, server: Server) -> None:
    """It wins over what upstream says, and spares the question."""
    data = content(1000)
    file = source(server, "kubelet", data, checksum=digest(data))
    server.content = {"/kubelet": data}
    download(tmp_path / "artifacts", [file])
    assert [path for _, path, _ in server.asked] == ["/kubelet", "/kubelet"]  # its length, and itself


def test_where_nobody_publishes_a_list_of_all_one_is_written(tmp_path: Path, server: Server) -> None:
    """SHA256SUMS, which sha256sum -c can read, with what was verified; and it stays the same."""
    sources = [source(server, name, content(1000, n)) for n, name in enumerate(("kubelet", "kubectl"))]
    folder = tmp_path / "artifacts"
    download(folder, [*sources, own_list()])
    text = (folder / VERIFIED).read_text()
    assert text == f"{digest(content(1000, 1))}  kubectl\n{digest(content(1000, 0))}  kubelet\n"
    download(folder, [*sources, own_list()])
    assert (folder / VERIFIED).read_text() == text
    assert not (folder / RECORDED).exists()


def test_what_was_verified_once_is_enough_without_a_network(tmp_path: Path, server: Server) -> None:
    """The hashes of the last download are beside the files; each list is asked for once, not five times."""
    sources = [source(server, "kubelet", content(1000)), own_list()]
    download(tmp_path / "artifacts", sources)
    server.fault("/kubelet.sha256", Status(503), always=True)
    told, _ = download(tmp_path / "artifacts", sources)
    assert told.verdicts["kubelet"] == "here"
    assert server.times("/kubelet.sha256") == 2


def test_a_hash_that_nobody_publishes_is_kept_from_the_first_download(tmp_path: Path, server: Server) -> None:
    """And said."""
    data, folder = content(1000), tmp_path / "artifacts"
    told, _ = download(folder, [source(server, "install.sh", data, listed=False)])
    assert (folder / RECORDED).read_text() == f"{digest(data)}  install.sh\n"
    assert told.said == [f"nobody publishes its hash: it is kept in {RECORDED}"]


def test_a_file_that_is_another_than_at_the_first_download_is_refused(tmp_path: Path, server: Server) -> None:
    """With the way to say that the new one is right."""
    file, folder = source(server, "install.sh", content(1000), listed=False), tmp_path / "artifacts"
    download(folder, [file])
    (folder / "install.sh").unlink()
    server.content = {"/install.sh": b"something else"}
    with pytest.raises(DownloadError, match="at the first download it was another") as caught:
        download(folder, [file], cache=tmp_path / "fresh")
    assert f"take its line out of {RECORDED}" in str(caught.value)
    assert not (folder / "install.sh").exists()


def test_too_little_room_is_told_before_the_first_byte(site: Site) -> None:
    """How much is needed and how much there is."""
    with pytest.raises(DownloadError, match=r"390\.6 KiB are to be fetched, 390\.6 KiB are free"):
        download(site.artifacts, site.sources, free=399_999)
    assert (site.server.times(site.path(BINARY)), site.server.times(site.path(IMAGES))) == (0, 0)


def test_room_that_is_just_enough_is_enough(site: Site) -> None:
    """To the byte."""
    told, _ = download(site.artifacts, site.sources, free=400_000)
    assert told.sizes == {BINARY: 200_000, IMAGES: 200_000}


def test_room_that_a_part_takes_already_is_not_asked_for_again(site: Site) -> None:
    """After a full disk: what arrived counts."""
    site.server.fault(site.path(BINARY), Cut(150_000), Status(404))
    with pytest.raises(DownloadError):
        download(site.artifacts, site.sources)
    told, _ = download(site.artifacts, site.sources, free=50_000)
    assert told.verdicts[BINARY] == "fetched"
    assert site.here() == site.files


def test_a_list_of_hashes_can_have_a_hash_of_its_own(site: Site) -> None:
    """The manifest's word for it: another list is not used, and its files are not taken."""
    sources = [replace(s, promised="ab" * 32 if s.item.file == SUMS else "") for s in site.sources]
    with pytest.raises(DownloadError, match=r"its sha256 is .* and should be abababababab"):
        download(site.artifacts, sources)
    assert site.here() == {}
    right = digest(site.files[SUMS])
    sources = [replace(s, promised=right if s.item.file == SUMS else "") for s in site.sources]
    download(site.artifacts, sources)
    assert site.here() == site.files


def test_a_file_that_nobody_publishes_is_asked_of_the_user(tmp_path: Path) -> None:
    """By its id, so that the manifest can say where it comes from."""
    item = ArtifactItem("images-own", "own.tar", "images the manifest adds", True, EVERYONE, True)
    with pytest.raises(DownloadError, match=r"own\.tar is not here") as caught:
        download(tmp_path / "artifacts", [Source(item, "", "", "", "")])
    assert "artifacts.images-own.url" in str(caught.value)


def test_images_are_put_together_after_the_files(tmp_path: Path, server: Server) -> None:
    """And their archive's hash is written down with the others."""
    maker, folder = Maker(), tmp_path / "artifacts"
    sources = [images("registry.k8s.io/pause:3.10"), source(server, "kubeadm", content(1000)), own_list()]
    told, _ = download(folder, sources, maker=maker)
    assert told.verdicts["images.tar"] == "made"
    assert "images.tar" in (folder / VERIFIED).read_text()


def test_images_that_cannot_be_had_are_one_fault_among_others(tmp_path: Path, server: Server) -> None:
    """The files are here all the same."""
    maker = Maker(problem=FetchError("status", "the registry says no"))
    sources = [images("registry.k8s.io/pause:3.10"), source(server, "kubeadm", content(1000))]
    with pytest.raises(DownloadError, match=r"images\.tar: the registry says no"):
        download(tmp_path / "artifacts", sources, maker=maker)
    assert (tmp_path / "artifacts" / "kubeadm").exists()


def test_a_file_that_is_here_and_cannot_be_verified_is_a_fault(site: Site) -> None:
    """Somebody put files there; without the list nobody knows whether they are whole."""
    site.artifacts.mkdir()
    (site.artifacts / BINARY).write_bytes(site.files[BINARY])
    site.server.fault(site.path(SUMS), Status(404), always=True)
    with pytest.raises(DownloadError, match="3 of 3 files could not be fetched and verified"):
        download(site.artifacts, site.sources)
    assert set(site.here()) == {BINARY}


def test_two_downloads_into_one_folder_are_refused(site: Site) -> None:
    """The second is told who has it; exit code 75."""
    site.artifacts.mkdir()
    with lock_folder(site.artifacts, "taken"), pytest.raises(LockedError) as caught:
        download(site.artifacts, site.sources)
    assert caught.value.exit_code == 75


def test_a_cut_in_the_middle_of_a_release_costs_nothing_twice(site: Site) -> None:
    """Each file is resumed for itself."""
    site.server.fault(site.path(BINARY), Cut(20_000), Cut(80_000))
    site.server.fault(site.path(IMAGES), Cut(180_000))
    download(site.artifacts, site.sources)
    assert site.here() == site.files
    assert site.server.sent[site.path(BINARY)] == site.server.sent[site.path(IMAGES)] == 200_000


def test_the_name_that_the_manifest_gives_is_the_files(tmp_path: Path, server: Server) -> None:
    """Its hash is still looked up under upstream's name."""
    file = source(server, "runc.amd64", content(1000))
    renamed = replace(file, item=replace(file.item, file="runc"))
    server.content["/runc.amd64.sha256"] = f"{digest(content(1000))}  runc.amd64\n".encode()  # type: ignore[index]
    download(tmp_path / "artifacts", [renamed])
    assert [path.name for path in (tmp_path / "artifacts").glob("[!.]*")] == ["runc"]
