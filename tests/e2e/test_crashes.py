"""kill -9 exactly after a record of the journal, at thirty different ones: the end is the same.

Each kill strikes a run of six real hosts right after it has written a record; the next run goes on, to be
killed a few records later. What proves that nothing was done twice stands on the hosts: the stand-in's own
log, the inodes of what was uploaded, and every file by its hash.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from machines import Record
from mk8s.lab.manifest_writer import DEFAULT_VERSION, machine_arch
from mk8s.standin import build_release
from tests.e2e.driving import Driver, drive, states_of
from tests.e2e.labs import LabMaker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

NODES = 6  # three servers, three agents
ROLLOUTS = 2
KILLS = 15  # in each rollout
STEPS = (3, 9)  # new records between two kills; an undisturbed run writes about a hundred
IMAGES = 24 << 20  # bytes
FOLDERS = "/etc/rancher /var/lib/mk8s /usr/local /etc/systemd/system"
FILES = (
    f"find {FOLDERS} -type f ! -name '*.log' ! -path /etc/rancher/node/password 2>/dev/null | sort | "
    "while read -r path; do "
    'printf \'%s %s %s\\n\' "$path" "$(stat -c %a "$path")" "$(sed -E '
    "-e 's/^token: .*$/token:/' -e '/(certificate|client-key)[a-z-]*-data:/d' \"$path\" | sha256sum)\"; done"
)  # what differs between any two clusters, keys, passwords and tokens, is left out


@pytest.fixture(scope="module")
def release_with_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in release; large enough that uploads take a moment."""
    folder = tmp_path_factory.mktemp("release")
    return build_release(folder, DEFAULT_VERSION, machine_arch(), images_size=IMAGES)


@pytest.fixture(scope="module")
def undisturbed(
    lab: LabMaker, release_with_images: Path, tmp_path_factory: pytest.TempPathFactory
) -> Sequence[Mapping[str, str]]:
    """The files on each host after a run that nobody killed."""
    driver = drive(lab.fresh(NODES), tmp_path_factory.mktemp("whole"), release_with_images)
    assert driver.run().code == 0
    return [files(driver, i) for i in range(1, NODES + 1)]


@pytest.mark.parametrize("rollout", range(ROLLOUTS))
def test_killed_after_many_different_records_a_run_comes_to_the_same_end(
    rollout: int,
    undisturbed: Sequence[Mapping[str, str]],
    lab: LabMaker,
    release_with_images: Path,
    tmp_path: Path,
) -> None:
    """Everyone healthy, one cluster, each member joined once, no finished upload sent again, equal files."""
    chance = random.Random(f"crashes/{rollout}")
    driver = drive(lab.fresh(NODES), tmp_path, release_with_images)
    last: list[Record] = []
    finished: dict[tuple[int, str], str] = {}

    for kill in range(KILLS):
        assert killed_after(driver, chance.randint(*STEPS))
        last.append(driver.records()[-1])
        finished |= driver.uploads() if kill % 4 == 0 else {}
    done = driver.run()

    assert done.code == 0, done.err
    print(", ".join(f"{record.seq} {record.kind} {record.node} {record.edge}" for record in last))
    assert len({record.seq for record in last}) == KILLS
    assert set(states_of(driver.records()).values()) == {"healthy"}
    assert len(driver.node_names()) == NODES
    events = driver.events(*range(1, NODES + 1))
    assert (events.count("cluster-init"), events.count("join-promoted")) == (1, 2)
    after = driver.uploads()
    assert {path: after.get(path) for path in finished} == finished
    assert [files(driver, i) for i in range(1, NODES + 1)] == list(undisturbed)


def killed_after(driver: Driver, records: int) -> bool:
    """Run mk8s until it has written so many records and is killed. False: it came to its end before."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.mortal", str(records), "run", str(driver.manifest)],
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    print(f"after {records} records: {done.returncode}\n{done.stderr}")  # for a test that fails
    return done.returncode == -signal.SIGKILL


def files(driver: Driver, i: int) -> dict[str, str]:
    """The files of a run on a host: mode and hash by path."""
    lines = driver.on_host(i, FILES).splitlines()
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines}
