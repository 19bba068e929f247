"""After a run: a journal that was damaged, and a manifest that was changed. One healthy cluster for all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mk8s.lab import Lab
from mk8s.lab.manifest_writer import ManifestChoices
from tests.e2e.driving import Driver, states_of
from tests.e2e.labs import LabMaker

pytestmark = pytest.mark.e2e

UNITS = "systemctl show -p MainPID -p ActiveEnterTimestampMonotonic -p NRestarts 'rke2-*'"
LOGINS = "journalctl --sync; journalctl -u ssh -o cat --no-pager | grep -c 'Accepted publickey for dev'"
JOURNAL = "journal/journal.jsonl"


@pytest.fixture(scope="module")
def built(lab: LabMaker, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """Three hosts, of which the manifest names two; both are healthy."""
    hosts = lab.fresh(3)
    manifest = tmp_path_factory.mktemp("changes") / "cluster.yaml"
    write_manifest(hosts, manifest, release, agents=1)
    driver = Driver(hosts, manifest)
    done = driver.run()
    assert done.code == 0, done.err
    return driver


@pytest.fixture
def pair(built: Driver, tmp_path: Path) -> Iterator[Driver]:
    """The healthy pair; its manifest and its state are put back afterwards."""
    folder = built.manifest.parent
    shutil.copytree(folder, tmp_path / "kept")
    yield built
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "kept", folder)


def write_manifest(lab: Lab, manifest: Path, release: Path, agents: int) -> None:
    """One server, and so many agents."""
    lab.write_manifest(manifest, ManifestChoices(servers=1, artifacts=release, standin=True), agents=agents)


def units(driver: Driver) -> list[str]:
    """The services of the pair: their processes, and since when they run."""
    return [driver.on_host(i, UNITS) for i in (1, 2)]


def logins(driver: Driver) -> list[str]:
    """How often mk8s has logged in to the pair."""
    return [driver.on_host(i, LOGINS) for i in (1, 2)]


def test_a_journal_damaged_in_the_middle_is_refused(pair: Driver) -> None:
    """With the offset of the bad line, and nothing touched: an intent might be lost there."""
    path = pair.state / JOURNAL
    data = bytearray(path.read_bytes())
    line = data.index(b"\n", len(data) // 2) + 1
    data[line + 20] ^= 1
    path.write_bytes(data)
    before = logins(pair)
    done = pair.run()
    assert done.code == 1
    assert f"error: {path}: damaged at byte {line}: the line does not fit its checksum" in done.err
    assert "hint: put back a copy of the file" in done.err
    assert (logins(pair), path.read_bytes()) == (before, bytes(data))


def test_a_torn_last_line_of_the_journal_is_cut_off(pair: Driver) -> None:
    """A crash explains it; the run goes on from the record before."""
    path = pair.state / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole + b'0badc0de {"seq":99')
    done = pair.run()
    assert (done.code, path.read_bytes()) == (0, whole)
    assert "nothing to do: all 2 nodes are healthy" in done.err


def test_a_journal_that_was_torn_in_the_middle_of_the_run_is_resumed(pair: Driver) -> None:
    """What it no longer tells, the nodes are asked: no service is started again."""
    path = pair.state / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]) + lines[len(lines) // 2][:-9])
    before = units(pair)
    done = pair.run()
    assert done.code == 0, done.err
    assert set(states_of(pair.records()).values()) == {"healthy"}
    assert units(pair) == before


@pytest.mark.parametrize(
    ("pattern", "replacement", "words"),
    [
        (
            r"^version: .*",
            "version: v1.33.5+rke2r1",
            "version was 'v1.33.4+rke2r1' and is now 'v1.33.5+rke2r1'",
        ),
        (r"(?s)(.*)\n  - address.*\Z", r"\1\n", "stands in the journal but not in the manifest any more"),
        (r"node-name: (\S+)", r"node-name: \1-x", "its config changed after it was installed"),
    ],
    ids=["another version", "a removed node", "another config"],
)
def test_changes_that_a_run_cannot_follow_are_refused(
    pair: Driver, pattern: str, replacement: str, words: str
) -> None:
    """Exit code 2, and nothing is touched."""
    before = (logins(pair), pair.records())
    pair.edit(pattern, replacement)
    done = pair.run()
    assert done.code == 2
    assert words in done.err
    assert (
        f"hint: put it back as it was; the manifest of the last run is {pair.state}/manifest.yaml" in done.err
    )
    assert (logins(pair), pair.records()) == before


def test_an_agent_that_is_added_is_the_only_one_worked_on(pair: Driver, release: Path) -> None:
    """The healthy nodes' services are the same processes as before."""
    before = units(pair)
    seen = len(pair.records())
    write_manifest(pair.lab, pair.manifest, release, agents=2)
    done = pair.run()
    assert done.code == 0, done.err
    assert set(states_of(pair.records()).values()) == {"healthy"}
    worked = {record.node for record in pair.records()[seen:] if record.kind in ("intent", "done", "state")}
    assert worked == {pair.name(3)}
    assert units(pair) == before
