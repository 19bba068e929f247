"""What hosts and networks do on bad days: each ends as the node table declares, and mended, goes on.

Power, cables, sshd and disks. Who may come in is in test_access; what may change afterwards in test_changes.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from mk8s.lab.manifest_writer import DEFAULT_VERSION, machine_arch
from mk8s.standin import build_release
from tests.e2e.driving import Driver, drive, of_kind, wait_until
from tests.e2e.labs import LabMaker, slow_link

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

IMAGES = 100 << 20  # bytes
UPLINK = "32mbit"  # until the cable is pulled: the upload has 25 s, of which two are waited for
BEGUN = 8 << 20  # bytes of it that have to be there by then
RESTART_SSHD = (  # and end all sessions; then let the service go on that was frozen meanwhile
    """systemd-run --quiet sh -c "pkill -f '[s]shd:'; systemctl restart ssh; systemctl kill -s CONT {}\""""
)
LOGINS = "journalctl --sync; journalctl -u ssh -o cat --no-pager | grep -c 'Accepted publickey for dev'"
SMALL_DISK = "mkdir -p /var/lib/mk8s && mount -t tmpfs -o size=1m tmpfs /var/lib/mk8s"


def test_an_agent_without_power_costs_only_itself(lab: LabMaker, release: Path, tmp_path: Path) -> None:
    """The others become healthy; it ends failed and says who did not answer; healed, a run completes it."""
    driver = drive(lab.fresh(3), tmp_path, release, servers=1)
    driver.add("policy: {edges: {stage: {deadline: 20s}}}")
    driver.lab.kill(3)
    first = driver.run()
    assert (first.code, driver.node_states()) == (1, ["healthy", "healthy", "failed"])
    reason, hint = failure_of(driver, 3, "stage", first.err)
    assert driver.lab.hosts[2].address in reason
    assert "does not answer" in reason or "No route to host" in reason
    assert "the deadline of 20 s leaves no time to try again" in reason
    assert hint.startswith("check ")
    assert first.err.splitlines()[-1].startswith("Next: mend what is named above, then mk8s run")

    driver.lab.heal(3)
    second = driver.run()
    assert (second.code, driver.node_states()) == (0, ["healthy"] * 3)


def test_a_server_that_loses_power_in_its_join_is_completed_later(
    lab: LabMaker, release: Path, tmp_path: Path
) -> None:
    """It ends failed, the agent blocked; healed, it goes on as the same member of the same cluster."""
    driver = drive(lab.fresh(3), tmp_path, release, servers=2)
    driver.add("policy: {edges: {join-server: {deadline: 25s}}}")
    driver.on_host(1, "echo STANDIN_PROMOTE_SECONDS=6 > /etc/default/rke2-server")  # time to freeze it
    driver.freeze_at(2, "join-begin", "rke2-server")
    with driver.running() as process:
        wait_until(lambda: driver.is_frozen(2), "the second server is in the middle of its join")
        assert driver.node_states()[1] == "waiting~join-server"
        driver.lab.kill(2)
        _, err = process.communicate(timeout=400)
    assert (process.returncode, driver.node_states()) == (1, ["healthy", "failed", "waiting"]), err
    assert "Traceback" not in err
    reason, hint = failure_of(driver, 2, "join-server", err)
    assert driver.lab.hosts[1].address in reason
    assert "the deadline of 25 s leaves no time to try again" in reason
    assert hint.startswith("check ")
    assert (
        f"{driver.name(3)}: blocked in state waiting: signal 'servers-healthy' can no longer come: it needs "
        f"2 with the role primary or server in state 'healthy', and {driver.name(2)} can no longer come"
    ) in err

    driver.lab.heal(2)
    driver.edit(r"^policy: .*\n", "")  # it was for the host without power: one that is busy has time
    second = driver.run()
    assert (second.code, driver.node_states()) == (0, ["healthy"] * 3), second.err
    assert driver.events(1, 2, 3).count("cluster-init") == 1
    assert driver.events(2).count("join-promoted") == 1
    clusters = {e["cluster"] for i in (1, 2, 3) for e in driver.evidence(i) if e["event"] == "ready"}
    assert len(clusters) == 1


def test_a_cable_pulled_during_an_upload_costs_a_retry(lab: LabMaker, tmp_path: Path) -> None:
    """The attempt is lost, and the same run sends what is missing of the file when the cable is back."""
    large = build_release(tmp_path / "release", DEFAULT_VERSION, machine_arch(), images_size=IMAGES)
    driver = drive(lab.fresh(1), tmp_path, large)
    with driver.running() as process:
        with slow_link(driver.lab, UPLINK):
            wait_until(lambda: part_on(driver, 1) > BEGUN, "the images are on their way")
            driver.lab.cut(1)
        wait_until(lambda: bool(of_kind(driver.records(), "error", "stage")), "the loss is noticed", 300)
        driver.lab.heal(1)
        _, err = process.communicate(timeout=400)
    assert (process.returncode, driver.node_states()) == (0, ["healthy"]), err
    errors = of_kind(driver.records(), "error", "stage")
    assert errors[0].lineage == ("connection.lost", "connection")
    assert re.search(r"the connection was lost: send \d+ bytes of rke2-images", errors[0].message)
    (done,) = of_kind(driver.records(), "done", "stage")
    assert done.attempt == len(errors) + 1
    assert 0 < done.evidence["uploaded"] < IMAGES


def test_an_sshd_that_restarts_with_all_its_sessions_is_only_logged_in_to_again(
    lab: LabMaker, release: Path, tmp_path: Path
) -> None:
    """In the middle of a start, and in the middle of a join."""
    driver = drive(lab.fresh(2), tmp_path, release, servers=1)
    services = {1: "rke2-server", 2: "rke2-agent"}
    for i, unit in services.items():
        driver.on_host(i, f"echo STANDIN_START_SECONDS=4 > /etc/default/{unit}")  # time to freeze it
        driver.freeze_at(i, "event.:.start", unit)
    with driver.running() as process:
        for i, state in ((1, "waiting~start-primary"), (2, "waiting~join-agent")):
            wait_until(partial(driver.is_frozen, i), f"host {i} is in the middle of its start")
            wait_until(partial(is_in, driver, i, state), f"host {i} is {state}")
            driver.lab.run(i, RESTART_SSHD.format(services[i]), check=False)
        _, err = process.communicate(timeout=400)
    assert (process.returncode, driver.node_states()) == (0, ["healthy"] * 2), err
    assert all(int(driver.on_host(i, LOGINS)) > 1 for i in (1, 2))
    assert driver.events(1, 2).count("cluster-init") == 1


def test_a_full_disk_sets_the_node_aside(lab: LabMaker, release: Path, tmp_path: Path) -> None:
    """Quarantined before a byte is sent: which path, how much it needs, how much is free, what to do."""
    driver = drive(lab.fresh(1), tmp_path, release)
    driver.on_host(1, SMALL_DISK)
    first = driver.run()
    assert (first.code, driver.node_states()) == (1, ["quarantined"])
    complaint = rf"{driver.name(1)}: quarantined at stage: /var/lib/mk8s/artifacts\S* needs 8\.\d MiB, and "
    assert re.search(complaint, first.err), first.err
    assert f"hint: free some space on {driver.name(1)}, or mount a larger disk at" in first.err

    asked = driver.mk8s("health", str(driver.manifest))
    assert f"hint: nothing was installed on {driver.name(1)}, which is quarantined: " in asked.out
    assert "uninstall" not in asked.out

    driver.on_host(1, "umount /var/lib/mk8s")
    second = driver.run()
    assert (second.code, driver.node_states()) == (0, ["healthy"])


@pytest.mark.parametrize("size", ["20k", "28k"])
def test_a_full_disk_under_the_state_folder_is_told_as_our_own(
    size: str, lab: LabMaker, release: Path, tmp_path: Path
) -> None:
    """Whatever file it fills up at: not the node's fault, and no bug; with room, a run goes on."""
    driver = drive(lab.fresh(1), tmp_path, release)
    with small_disk(tmp_path / "small", size) as disk:
        first = driver.run("--state", str(disk / "state"))
        assert first.code == 1
        assert re.search(rf"{disk}/state/\S+ cannot be written: No space left on device", first.err), (
            first.err
        )
        assert "then run again" in first.err
        assert f"mk8s run {driver.manifest} --state {disk}/state " in first.err.splitlines()[-1]

        subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
        second = driver.run("--state", str(disk / "state"))
        assert (second.code, driver.events(1).count("cluster-init")) == (0, 1)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own on this machine."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def failure_of(driver: Driver, i: int, edge: str, err: str) -> tuple[str, str]:
    """The reason and the hint that the summary gives for a host that failed at an edge."""
    found = re.search(rf"^{driver.name(i)}: failed at {edge}: (.*)\n    hint: (.*)$", err, re.MULTILINE)
    assert found, err
    return found[1], found[2]


def is_in(driver: Driver, i: int, state: str) -> bool:
    return driver.node_states()[i - 1] == state


def part_on(driver: Driver, i: int) -> int:
    """The bytes of the largest file that a host was sent, seen from outside while its connection is busy."""
    folder = driver.lab.folder / "hosts" / str(i)
    found = subprocess.run(
        ["find", folder, "-path", "*/lib/mk8s/artifacts/*", "-type", "f", "-printf", "%s\n"],
        capture_output=True,
        text=True,
        check=False,
    )
    return max(map(int, found.stdout.split()), default=0)
