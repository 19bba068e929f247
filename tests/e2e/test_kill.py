"""kill -9 at random moments, again and again: the next run goes on where the last one was cut off.

What proves it stands on the hosts: the stand-in's own log, and the inodes of what was uploaded.
"""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from mk8s.lab.manifest_writer import DEFAULT_VERSION, machine_arch
from mk8s.standin import build_release
from tests.e2e.driving import drive, states_of, wait_until
from tests.e2e.labs import LabMaker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROLLOUTS = 3  # test_crashes kills at thirty exact records besides
KILLS = 4  # in each rollout: 12 in all
NODES = 5  # three servers, two agents
LONGEST = 9.0  # seconds until a kill; a whole run of this size takes about three times that
IMAGES = 96 << 20  # bytes: large enough that some kills strike during uploads


@pytest.fixture(scope="module")
def large_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in release with images of some size."""
    folder = tmp_path_factory.mktemp("release")
    return build_release(folder, DEFAULT_VERSION, machine_arch(), images_size=IMAGES)


@pytest.mark.parametrize("rollout", range(ROLLOUTS))
def test_killed_runs_are_resumed_to_healthy_and_repeat_nothing(
    rollout: int, lab: LabMaker, large_release: Path, tmp_path: Path
) -> None:
    """No second cluster, no second join of a member, no finished upload sent again; everyone healthy."""
    moments = random.Random(f"kill/{rollout}")
    driver = drive(lab.fresh(NODES), tmp_path, large_release)
    finished: dict[tuple[int, str], str] = {}

    struck = 0
    for _ in range(KILLS):
        struck += driver.kill_after(moments.uniform(0.3, LONGEST))
        finished |= driver.uploads()
    assert struck >= KILLS - 1  # on a very quick machine the last may come too late
    last = driver.run()

    assert last.code == 0, last.err
    assert set(states_of(driver.records()).values()) == {"healthy"}
    events = [(i, str(entry["event"])) for i in range(1, NODES + 1) for entry in driver.evidence(i)]
    assert [event for _, event in events].count("cluster-init") == 1
    assert len({i for i, event in events if event == "join-promoted"}) == 2
    assert [event for _, event in events].count("join-promoted") == 2
    after = driver.uploads()
    assert {path: after.get(path) for path in finished} == finished


def test_the_lock_goes_with_the_process_that_held_it(lab: LabMaker, release: Path, tmp_path: Path) -> None:
    """A second run is refused while the first lives, with a plain word; kill -9 lets go of the lock."""
    driver = drive(lab.fresh(1), tmp_path, release)
    with driver.starting_slowly(1), driver.running() as first:
        wait_until(lambda: any(r.kind == "intent" for r in driver.records()), "the first run has begun")
        first.send_signal(signal.SIGSTOP)  # it lives, and cannot come to its end meanwhile
        refused = driver.run()
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert refused.code == 75
    assert f"process {first.pid}" in refused.err
    assert driver.run().code == 0


def test_ctrl_c_is_graceful_and_resumable(lab: LabMaker, release: Path, tmp_path: Path) -> None:
    """Once: `stopped` is written and the exit code is 130. The next run completes it."""
    driver = drive(lab.fresh(1), tmp_path, release)
    with driver.starting_slowly(1), driver.running("--grace", "1") as process:
        wait_until(lambda: "waiting~start-primary" in states_of(driver.records()).values(), "the start began")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "stopping: what is under way has 1 s to end" in err
    assert "resumes" in err.splitlines()[-1]
    assert "stopped" in {record.kind for record in driver.records()}
    assert driver.run().code == 0
