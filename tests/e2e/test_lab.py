"""`mk8s lab` makes hosts that are real where it matters, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from mk8s.commands import gather_facts
from mk8s.facts import Facts, parse_facts
from mk8s.lab import Lab, LabError, UnfitError
from mk8s.lab.cgroups import LAB_GROUP, find_hierarchies, members
from mk8s.lab.processes import Process, find_process, wait_until
from mk8s.lab.recipe import PASSWORD, USERS
from tests.e2e.labs import LabMaker

pytestmark = pytest.mark.e2e

PATIENCE = 120.0  # seconds
BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"
BOOT_ID = f"cat {BOOT_ID_FILE}"


@pytest.fixture(scope="module")
def new(lab: LabMaker) -> LabMaker:
    """A lab in which no other file's tests have left failed units, firewalls or routes."""
    lab.fresh(2)
    return lab


@pytest.fixture
def two(new: LabMaker) -> Lab:
    """Two running hosts, whatever the test before did to them."""
    return new(2)


@pytest.fixture
def neighbour(two: Lab, tmp_path: Path) -> Iterator[Lab]:
    """A second lab beside the first, in the next subnet."""
    first, second, third, _ = two.hosts[0].address.split(".")
    subnet = f"{first}.{228 + int(second) % 20}.{third}.0/24"
    other = Lab(tmp_path / "other", name=f"u{two.name[1:]}", prefix="other-", subnet=subnet)
    try:
        yield other
    finally:
        other.down()


def boot_id(lab: Lab, number: int) -> str:
    return lab.run(number, BOOT_ID).stdout.strip()


def boot_as_in_a_container(lab: Lab) -> Facts:
    """What host 1 says of itself where the boot id of its own is taken off: below it lies the kernel's."""
    facts = gather_facts(PurePosixPath("/var/lib"))
    script = f"umount {BOOT_ID_FILE} || exit\nset -- {facts.args[0]}\n{facts.script}"
    return parse_facts(lab.run(1, "exec unshare --mount sh -s", stdin=script).stdout)


def both_answer(two: Lab) -> bool:
    """On a busy machine an sshd may take longer than a look waits for its greeting."""
    return wait_until(lambda: [row.ssh for row in two.status()] == ["ok", "ok"], PATIENCE)


def processes(lab: Lab) -> list[Process]:
    """All that run in the lab's cgroups."""
    groups = [hierarchy.point / LAB_GROUP.format(lab.name) for hierarchy in find_hierarchies()]
    return [process for pid in members(groups) if (process := find_process(pid))]


def traces(lab: Lab) -> list[str]:
    """What a lab has on the machine outside its hosts."""
    interfaces = [path.name for path in Path("/sys/class/net").glob(f"{lab.name}-*")]
    groups = [
        str(group)
        for hierarchy in find_hierarchies()
        if (group := hierarchy.point / LAB_GROUP.format(lab.name)).exists()
    ]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(lab.folder) in line]
    folders = [str(path) for path in (lab.folder, Path(f"/run/mk8s-lab/{lab.name}.lab")) if path.exists()]
    return interfaces + groups + mounts + folders


# -- what a host is


@pytest.mark.parametrize("user", list(USERS))
def test_everyone_logs_in_with_the_labs_key(two: Lab, user: str) -> None:
    """Strictly: the host keys are known beforehand."""
    assert [two.run(number, "id -un; hostname", user=user).stdout.split() for number in (1, 2)] == [
        [user, "node-1"],
        [user, "node-2"],
    ]


def test_dev_becomes_root_without_a_password(two: Lab) -> None:
    assert two.run(1, "sudo -n id -un", user="dev").stdout == "root\n"


def test_pw_becomes_root_with_its_password_only(two: Lab) -> None:
    """For tests of sudo passwords: none, the right one, a wrong one."""
    ask = "sudo -S -k -p '' id -un"
    assert two.run(1, "sudo -n id -un", user="pw", check=False).returncode == 1
    assert two.run(1, ask, user="pw", stdin=f"{PASSWORD}\n").stdout == "root\n"
    assert two.run(1, ask, user="pw", stdin="wrong\n", check=False).returncode == 1


def test_systemd_runs_without_a_failed_unit(two: Lab) -> None:
    assert two.run(1, "systemctl is-system-running --wait").stdout == "running\n"


def test_a_host_has_no_python_but_what_an_installer_needs(two: Lab) -> None:
    """mk8s must not come to depend on anything else."""
    found = two.run(
        1, "for p in python3 perl socat openssl curl tar sha256sum; do command -v $p; done", check=False
    )
    assert [Path(line).name for line in found.stdout.split()] == [
        "perl",
        "socat",
        "openssl",
        "curl",
        "tar",
        "sha256sum",
    ]


def test_hosts_reach_each_other_and_not_the_world(two: Lab) -> None:
    """A lab is air-gapped by itself."""
    assert two.run(1, f"ping -c1 -W60 {two.hosts[1].address}").returncode == 0
    assert two.run(1, "ping -c1 -W1 192.0.2.1", check=False).returncode != 0


def test_a_small_disk_is_a_small_mount_that_a_test_makes(two: Lab) -> None:
    """The way to a full disk: a tmpfs where the product writes. It is gone after the next boot."""
    two.run(1, "mkdir -p /var/lib/mk8s && mount -t tmpfs -o size=8m tmpfs /var/lib/mk8s")
    filled = two.run(1, "head -c 9M /dev/zero > /var/lib/mk8s/big", check=False)
    assert (filled.returncode, "No space left" in filled.stderr) == (1, True)
    two.kill(1)
    two.heal(1)
    assert two.run(1, "findmnt /var/lib/mk8s", check=False).returncode == 1


# -- power and cables


def test_a_host_whose_power_was_cut_comes_back_with_its_disk_in_a_new_boot(two: Lab) -> None:
    """The neighbour sees nothing of it; the host keeps its files, its keys and its name."""
    two.run(1, "echo kept > /var/tmp/note; echo kept > /root/note; sync")
    boots = [boot_id(two, 1), boot_id(two, 2)]

    two.kill(1)
    dead = two.status()[0]
    assert (dead.running, dead.link, dead.ssh, dead.processes) == (False, "none", "-", 0)

    two.heal(1)
    assert two.run(1, "cat /var/tmp/note /root/note").stdout == "kept\nkept\n"
    assert boot_id(two, 1) != boots[0]
    assert boot_id(two, 2) == boots[1]


def test_a_host_whose_cable_was_pulled_goes_on(two: Lab) -> None:
    """Nobody reaches it, its processes live, and it is the same boot afterwards."""
    boot = boot_id(two, 1)
    two.cut(1)
    cut = two.status()[0]
    assert (cut.running, cut.link) == (True, "cut")
    assert cut.ssh in ("timeout", "EHOSTUNREACH")  # the latter once the kernel has given up asking for it
    two.heal(1)
    assert boot_id(two, 1) == boot


def test_a_reboot_stops_services_in_good_order(two: Lab) -> None:
    """Unlike kill: a unit's ExecStop runs."""
    two.run(
        1, "systemd-run --unit=last-words -p ExecStop='/bin/sh -c \"echo bye > /var/tmp/bye\"' sleep 1000"
    )
    boot = boot_id(two, 1)
    two.reboot(1)
    assert boot_id(two, 1) != boot
    assert two.run(1, "cat /var/tmp/bye").stdout == "bye\n"


def test_a_boot_of_a_host_that_shares_its_kernels_boot_id_is_told_by_process_1(two: Lab) -> None:
    """As a container of LXC: only when process 1 began is another one after a reboot, and only then."""
    before = boot_as_in_a_container(two)
    two.run(1, "systemctl daemon-reexec")
    assert boot_as_in_a_container(two) == before

    two.reboot(1)
    after = boot_as_in_a_container(two)
    assert after.boot_id == before.boot_id
    assert after.boot != before.boot


def test_a_reboot_from_inside_ends_the_host_until_it_is_healed(two: Lab) -> None:
    """The machine itself is safe."""
    two.run(1, "systemctl reboot", check=False)
    assert wait_until(lambda: not two.status()[0].running, PATIENCE)
    two.heal(1)
    assert both_answer(two)


def test_verbs_may_be_repeated(two: Lab) -> None:
    """The second time finds it done."""
    for verb in (two.kill, two.kill, two.heal, two.heal, two.cut, two.cut, two.heal):
        verb(1)
    assert [host.name for host in two.up(2)] == ["node-1", "node-2"]
    assert both_answer(two)


def test_a_dead_host_has_no_cable_to_pull(two: Lab) -> None:
    two.kill(1)
    with pytest.raises(LabError, match="dead"):
        two.cut(1)


def test_up_makes_it_exactly_so_many(new: LabMaker) -> None:
    """Hosts above the number are removed, the others are not touched."""
    boot = boot_id(new(3), 1)
    assert [row.number for row in new(2).status()] == [1, 2]
    assert boot_id(new(3), 1) == boot


# -- labs beside each other, and what is left


def test_a_second_lab_stands_beside_the_first_and_goes_alone(two: Lab, neighbour: Lab) -> None:
    """They do not reach each other, and the end of one is not the end of the other."""
    neighbour.up(1)
    assert two.run(1, f"ping -c1 -W1 {neighbour.hosts[0].address}", check=False).returncode != 0
    neighbour.down()
    assert traces(neighbour) == []
    assert both_answer(two)


def test_a_name_that_runs_elsewhere_is_refused(two: Lab, tmp_path: Path) -> None:
    """The message says where; nothing of the other lab is touched."""
    twin = Lab(tmp_path / "twin", name=two.name, subnet="10.99.0.0/24")
    for verb in (lambda: twin.up(1), twin.down):
        with pytest.raises(UnfitError, match=str(two.folder)):
            verb()
    assert both_answer(two)


def test_a_subnet_that_is_taken_is_refused(two: Lab, neighbour: Lab) -> None:
    subnet = str(two.layout.subnet)
    with pytest.raises(UnfitError, match=f"overlaps .* of {two.layout.bridge}"):
        Lab(neighbour.folder, name=neighbour.name, subnet=subnet).up(1)


def test_down_leaves_nothing(new: LabMaker) -> None:
    """Interfaces, cgroups, mounts, folders, processes; also of a host that is dead and one that is cut."""
    three = new(3)
    three.kill(1)
    three.cut(2)
    running = processes(three)
    assert running
    assert traces(three)

    assert three.down() == 3

    assert traces(three) == []
    assert [process for process in running if process.runs] == []
    assert three.down() == 0


def test_down_clears_up_after_an_up_that_was_killed(two: Lab, neighbour: Lab) -> None:
    """kill -9 in the middle of making hosts."""
    words = ["--name", neighbour.name, "up", "4", "--no-manifest", "--subnet", str(neighbour.layout.subnet)]
    environment = {**os.environ, "MK8S_LAB_DIR": str(neighbour.folder.parent)}
    folder = neighbour.folder.parent / neighbour.name
    with subprocess.Popen(
        [sys.executable, "-m", "mk8s.lab", *words], env=environment, stderr=subprocess.DEVNULL
    ) as making:
        assert wait_until(lambda: any(folder.glob("hosts/*/boot.log")), PATIENCE)
        making.kill()
    broken = Lab(folder, name=neighbour.name)
    broken.down()
    assert traces(broken) == []
    assert processes(broken) == []


# -- what it writes


def test_hosts_json_is_enough_to_log_in(two: Lab) -> None:
    """A program needs nothing else."""
    found = json.loads((two.folder / "hosts.json").read_text())
    login = ["ssh", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", found["key"]]
    login += ["-o", f"UserKnownHostsFile={found['known_hosts']}", "-o", "StrictHostKeyChecking=yes"]
    for host in found["hosts"]:
        words = [*login, "-p", str(host["port"]), f"dev@{host['address']}", "hostname"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
        assert done.stdout.strip() == host["name"]
