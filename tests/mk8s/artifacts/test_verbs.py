"""`mk8s download`, `mk8s tools check-artifacts` and the beginning of `mk8s run`, as a user has them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.artifacts.missing import missing_sources
from mk8s.artifacts.obtaining import fetch_missing
from mk8s.cli import main
from tests.httpd import Server, Stall, Status
from tests.mk8s.artifacts.sites import BINARY, IMAGES, SUMS, Site, make_site

LOST = 64 << 10  # bytes; what may be on its way between the server and a client that is killed


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({}) as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_site(tmp_path, server)


def parts(site: Site) -> int:
    """Bytes of files on their way."""
    found = 0
    for path in (site.folder / "cache").rglob("*.part"):
        with suppress(FileNotFoundError):  # it has arrived meanwhile
            found += path.stat().st_size
    return found


def test_a_release_is_downloaded(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """What came and what comes next is said."""
    assert main(["download", str(site.manifest)]) == 0
    said = capsys.readouterr()
    assert site.here() == site.files
    assert f"3 files, 390.8 KiB, in {site.artifacts}: 3 fetched" in said.err
    assert f"Next: mk8s bundle create {site.manifest}" in said.err
    assert said.out == ""


def test_what_was_fetched_elsewhere_is_not_called_ready(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next verbs look into artifacts_dir: that it is another folder is said."""
    elsewhere = site.folder / "x"
    assert main(["download", str(site.manifest), "--to", str(elsewhere)]) == 0
    said = capsys.readouterr().err
    assert f"Next: name {elsewhere} as artifacts_dir in {site.manifest}" in said
    assert "mk8s run" not in said


def test_programs_get_events(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object a line: what is expected, each file's end, the exit code."""
    assert main(["download", str(site.manifest), "--output", "json", "--to", str(site.folder / "x")]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1] == {"event": "result", "code": 0}
    assert {e["file"]: e["verdict"] for e in events if e["event"] == "file"} == dict.fromkeys(
        site.files, "fetched"
    )
    (expected,) = [e for e in events if e["event"] == "expect"]
    assert expected["total"] == 400_000
    assert (site.folder / "x" / BINARY).exists()


def test_a_download_that_fails_has_its_code_in_both(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """For the shell and for programs."""
    site.server.fault(site.path(BINARY), Status(403), always=True)
    assert main(["download", str(site.manifest), "--output", "json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1]) == {"event": "result", "code": 2}
    assert "does not let us have it (403)" in said.err


def test_without_the_shared_cache_nothing_else_is_left(site: Site) -> None:
    """Not in the cache, and not in the folder."""
    assert main(["download", str(site.manifest), "--no-cache"]) == 0
    assert site.here() == site.files
    assert not (site.folder / "cache").exists()


@pytest.mark.parametrize("number", ["0", "-1", "33", "two"])
def test_a_senseless_number_of_jobs_is_a_usage_error(site: Site, number: str) -> None:
    """Exit code 2, before anything."""
    with pytest.raises(SystemExit) as end:
        main(["download", str(site.manifest), "--jobs", number])
    assert end.value.code == 2


def stopped_at(site: Site, size: int) -> subprocess.Popen[str]:
    """A `mk8s download` of its own process, once so many bytes are on the disk."""
    process = site.start("download", "cluster.yaml")
    while parts(site) < size and process.poll() is None:
        try:
            process.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
    return process


@pytest.mark.slow
def test_ctrl_c_ends_a_download_at_once(site: Site) -> None:
    """Exit code 130, no traceback; what has arrived stays for the next time."""
    site.server.fault(site.path(BINARY), Stall(20_000))
    site.server.fault(site.path(IMAGES), Stall(20_000))
    process = stopped_at(site, 40_000)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert (process.returncode, said.splitlines()[-1]) == (130, "interrupted")
    assert "what was fetched is kept; the same command goes on with the rest" in said
    assert "Traceback" not in said
    assert parts(site) == 40_000


@pytest.mark.slow
def test_a_download_that_is_killed_goes_on_where_it_was(site: Site) -> None:
    """kill -9 three times: what is transferred twice is what was on its way in that moment."""
    stops = [20_000, 80_000, 80_000]
    site.server.fault(site.path(BINARY), *map(Stall, stops))
    site.server.fault(site.path(IMAGES), *map(Stall, stops))
    for stop in (20_000, 100_000, 180_000):
        process = stopped_at(site, 2 * stop)
        process.kill()
        process.communicate()
        assert process.returncode == -9
        assert BINARY not in site.here()
    process = site.start("download", "cluster.yaml")
    assert "3 fetched" in process.communicate()[1]
    assert site.here() == site.files
    for file in (BINARY, IMAGES):
        assert site.server.sent[site.path(file)] <= 200_000 + LOST


def test_every_file_is_told_whether_it_is_whole(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """A table; exit code 0 when all are."""
    main(["download", str(site.manifest)])
    capsys.readouterr()
    assert main(["tools", "check-artifacts", str(site.manifest)]) == 0
    said = capsys.readouterr()
    assert [line.split()[-1] for line in said.out.splitlines()] == ["verdict", "ok", "ok", "ok"]
    assert f"3 of 3 files in {site.artifacts} are whole" in said.err


def test_damage_of_each_kind_has_its_word(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Another content, an empty file, none; exit code 2."""
    main(["download", str(site.manifest)])
    for name, data in ((BINARY, b"another"), (IMAGES, b"")):
        (site.artifacts / name).unlink()
        (site.artifacts / name).write_bytes(data)
    capsys.readouterr()
    assert main(["tools", "check-artifacts", str(site.manifest), "--output", "json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert {f["file"]: f["verdict"] for f in found["files"]} == {BINARY: "damaged", IMAGES: "cut", SUMS: "ok"}
    assert not found["whole"]


def test_what_is_missing_is_told_with_the_verb_that_fetches_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first download."""
    assert main(["tools", "check-artifacts", str(site.manifest)]) == 2
    said = capsys.readouterr()
    assert said.out.count("missing") == 3
    assert f"Next: mk8s download {site.manifest}" in said.err


def test_without_any_hash_a_file_is_not_called_verified(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """no-hash: said, and no reason to stop."""
    main(["download", str(site.manifest)])
    (site.artifacts / SUMS).unlink()
    capsys.readouterr()
    main(["tools", "check-artifacts", str(site.manifest), "--output", "json"])
    found = {f["file"]: f["verdict"] for f in json.loads(capsys.readouterr().out)["files"]}
    assert found == {BINARY: "no-hash", IMAGES: "no-hash", SUMS: "missing"}


def test_another_version_of_a_release_is_not_sent(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Its files have the same names and a list of hashes: only where they came from tells."""
    main(["download", str(site.manifest)])
    text = site.manifest.read_text()
    site.manifest.write_text(text.replace("v1.33.4+rke2r1", "v1.33.5+rke2r1"))
    capsys.readouterr()
    assert main(["validate", str(site.manifest)]) == 2
    assert f"{site.artifacts / BINARY}: was fetched from https://github.com/" in capsys.readouterr().err
    assert main(["tools", "check-artifacts", str(site.manifest), "--output", "json"]) == 2
    found = {f["file"]: f["verdict"] for f in json.loads(capsys.readouterr().out)["files"]}
    assert found == {BINARY: "other", IMAGES: "other", SUMS: "ok"}
    make_site(site.folder, site.server)
    listing = site.listing
    assert missing_sources(listing.cluster, listing.catalogue) == []
    site.manifest.write_text(text.replace("v1.33.4+rke2r1", "v1.33.5+rke2r1"))
    wanted = missing_sources(site.listing.cluster, site.listing.catalogue)
    assert {source.item.file for source in wanted} == {BINARY, IMAGES, SUMS}


def run(site: Site, capsys: pytest.CaptureFixture[str]) -> str:
    """`mk8s run`; what it said. It ends at its state folder, which is a file, before any node is asked."""
    (site.folder / "state").write_text("")
    assert main(["run", str(site.manifest), "--state", str(site.folder / "state")]) == 1
    return capsys.readouterr().err


def test_a_run_fetches_what_is_missing_from_the_manifests_mirror(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also behind an air gap, for the mirror is inside; and before anything else."""
    said = run(site, capsys)
    assert site.here() == site.files
    assert f"3 of the release's files not in {site.artifacts}: fetching" in said


def test_a_run_with_all_files_here_asks_nobody(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even for the list."""
    main(["download", str(site.manifest)])
    asked = len(site.server.asked)
    run(site, capsys)
    assert len(site.server.asked) == asked


@pytest.mark.parametrize("more", ["airgap: true", 'mirrors: {"https://dl.k8s.io": "http://127.0.0.1:9"}'])
def test_a_run_behind_an_air_gap_asks_nobody_else(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str], more: str
) -> None:
    """Without a mirror, or with one of something else, nothing is fetched; the error names what helps."""
    site = make_site(tmp_path, server, more)
    assert "fetching them" not in run(site, capsys)
    assert main(["validate", str(site.manifest)]) == 2
    said = capsys.readouterr().err
    assert "of 3 release files are not here" in said
    assert "mk8s download" in said
    assert "mk8s bundle" in said
    assert not site.artifacts.exists()


def test_a_connected_run_may_ask_anybody(tmp_path: Path, server: Server) -> None:
    """airgap: false and a file's own url; what else is missing is asked of upstream, so not in this test."""
    site = make_site(tmp_path, server, "airgap: false")
    listing = site.listing
    missing = missing_sources(listing.cluster, listing.catalogue)
    there = [replace(s, url=server.url(site.path(s.item.file)), checksums_url="") for s in missing]
    assert fetch_missing(listing.cluster, there)
    assert site.here() == {**site.files, "mk8s-hashes.txt": site.here()["mk8s-hashes.txt"]}
    assert not fetch_missing(replace(listing.cluster, airgap=True), there)
