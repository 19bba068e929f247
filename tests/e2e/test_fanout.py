"""Nodes that hand files on to each other: real sshds, a real slow link, and what goes wrong between nodes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
import trio

from mk8s.fanout.commands import SERVED, WORKING
from mk8s.fanout.keys import MARK
from mk8s.lab import Lab
from mk8s.lab.manifest_writer import DEFAULT_VERSION
from mk8s.project import load_project
from mk8s.release import inspect_release
from mk8s.rollout import Rollout
from mk8s.session import open_journal, real_rollout
from mk8s.standin.release import build_release
from tests.e2e.driving import Driver, drive, states_of, wait_until
from tests.e2e.labs import LabMaker, set_rate, slow_link

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

MIB = 1 << 20
SIZE = 64 * MIB
LINK = "80mbit"  # of this machine to all hosts; hosts reach each other at full speed
SLOWEST = "32mbit"  # the same until a fault has struck: all is over after 17 s and no earlier
AFTERWARDS = "240mbit"  # for what is left then
IMAGES = "rke2-images.linux-amd64.tar.zst"
FIND = f"find /var/lib/mk8s/artifacts /var/lib/rancher -name {IMAGES} 2>/dev/null | head -n 1"
LEFT_OVER = f"""
grep -l {MARK} /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys
ls -d {SERVED} {WORKING} 2>/dev/null
true
"""


@pytest.fixture(scope="module")
def big_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in release whose images are eight pieces."""
    folder = tmp_path_factory.mktemp("big")
    build_release(folder, DEFAULT_VERSION, images_size=SIZE)
    return folder


@pytest.fixture
def site(lab: LabMaker, big_release: Path, tmp_path: Path) -> Iterator[Driver]:
    """Four new hosts behind a slow link, whose manifest wants fan-out."""
    hosts = lab.fresh(4)
    driver = drive(hosts, tmp_path, big_release, servers=1)
    driver.add('fan_out: {mode: "on"}')
    with slow_link(hosts, LINK):
        yield driver


def sent_by_us(lab: Lab) -> int:
    """Bytes that this machine has sent to hosts."""
    return int(Path(f"/sys/class/net/{lab.layout.bridge}/statistics/tx_bytes").read_text())


def digests(site: Driver) -> set[str]:
    """Of the images on all hosts."""
    return {digest_on(site, i) for i in range(1, 5)}


def digest_on(site: Driver, i: int) -> str:
    """Of the images on one host, staged or installed."""
    return site.on_host(i, f'sha256sum <"$({FIND})"').split()[0]


def left_over(site: Driver) -> str:
    """What a fan-out has left on any of the hosts."""
    return "".join(site.on_host(i, LEFT_OVER) for i in range(1, 5))


def hosts_with_parts(site: Driver, least: int) -> list[int]:
    """The hosts that hold at least so many bytes of the images, and not yet all.

    Seen from outside: the hosts' link is slow and busy, and all may be over before each was asked.
    """
    disks = site.lab.folder / "hosts"
    return [i for i in range(1, 5) if _largest_part(disks / str(i) / "var/lib/mk8s/artifacts") >= least]


def first_with_parts(site: Driver, least: int) -> int:
    """Wait for a host that holds so many bytes."""
    found: list[int] = []

    def look() -> bool:
        found[:] = hosts_with_parts(site, least)
        return bool(found)

    wait_until(look, "pieces on a host")
    return found[0]


def _largest_part(folder: Path) -> int:
    sizes = [0]
    for path in folder.rglob(".*.part"):
        with suppress(FileNotFoundError):  # it has got its name meanwhile
            sizes.append(path.stat().st_size)
    return max(sizes)


# Whole runs


def test_each_byte_leaves_this_machine_about_once_and_no_key_stays(site: Driver) -> None:
    """Four hosts get what one costs; afterwards neither keys nor what was served is there."""
    before = sent_by_us(site.lab)
    assert site.run().code == 0
    assert sent_by_us(site.lab) - before < 1.4 * SIZE
    assert len(digests(site)) == 1
    assert left_over(site) == ""
    assert not (site.state / "fan-out.json").exists()


def test_a_source_that_loses_power_costs_time_and_not_the_file(site: Driver) -> None:
    """The others go on without it; it goes on with what it had once it is back."""
    set_rate(site.lab, SLOWEST)
    with site.running() as process:
        victim = first_with_parts(site, 2 * 8 * MIB)
        site.lab.kill(victim)
        set_rate(site.lab, AFTERWARDS)
        others = [site.name(i) for i in range(1, 5) if i != victim]
        wait_until(
            lambda: (
                all(states_of(site.records()).get(name, "pending") != "pending" for name in others)
                and not any("~stage" in states_of(site.records()).get(name, "~stage") for name in others)
            ),
            "the others are staged",
            patience=400,
        )
        site.lab.heal(victim)
        assert process.wait(timeout=500) == 0
    assert len(digests(site)) == 1
    assert left_over(site) == ""


def test_a_run_that_was_killed_goes_on_and_the_old_keys_are_removed(site: Driver) -> None:
    """The next run knows where they may be, removes them, and sends only what is missing."""
    set_rate(site.lab, SLOWEST)
    with site.running() as process:
        wait_until(lambda: len(hosts_with_parts(site, 2 * 8 * MIB)) > 1, "pieces on two hosts")
        process.send_signal(signal.SIGKILL)
        process.wait()
    set_rate(site.lab, AFTERWARDS)
    old = site.on_host(1, f"cat /home/dev/.ssh/authorized_keys {WORKING}/key 2>/dev/null || true")
    assert (site.state / "fan-out.json").exists()
    before = sent_by_us(site.lab)
    assert site.run().code == 0
    assert sent_by_us(site.lab) - before < SIZE
    assert len(digests(site)) == 1
    assert left_over(site) == "", old


# Trouble between two nodes


class Stage:
    """The rollout of a site, used piece by piece: files are brought to the hosts that a test names."""

    def __init__(self, site: Driver, rollout: Rollout) -> None:
        self.site = site
        self.rollout = rollout
        self.notes: list[str] = []

    async def bring(self, *hosts: int) -> None:
        """Stage these hosts at the same time."""
        async with anyio.create_task_group() as tasks:
            for i in hosts:
                tasks.start_soon(self._bring, self.site.name(i))

    async def _bring(self, node: str) -> None:
        binding = self.rollout.binding
        steps = binding.distro.stage(await binding.situation_of(node))
        await binding.executor.run_steps(node, steps, note=self.notes.append)


def play(site: Driver, story: Callable[[Stage], Awaitable[None]]) -> Stage:
    """Play a story with a rollout of the site, and take the keys away afterwards."""
    project = load_project(site.manifest)
    state = project.state(None)
    with open_journal(state) as journal:
        files = inspect_release(project.cluster, project.distro).files
        stage = Stage(site, real_rollout(project, state, journal, files))

        async def main() -> None:
            try:
                await story(stage)
            finally:
                assert await stage.rollout.remove_keys() == []
                await stage.rollout.close()

        trio.run(main)
    return stage


def test_wrong_bytes_are_noticed_on_arrival_and_their_source_is_left_out(site: Driver) -> None:
    """What was tampered with on one host reaches no other."""

    async def story(stage: Stage) -> None:
        await stage.bring(1)
        site.on_host(1, f'printf wrong | dd of="$({FIND})" bs=1 seek=20000000 conv=notrunc status=none')
        await stage.bring(2, 3, 4)

    stage = play(site, story)
    right = stage.rollout.around.release["images"].sha256
    assert [digest_on(site, i) == right for i in (1, 2, 3, 4)] == [
        False, True, True, True,
    ]  # fmt: skip
    assert any(f"{site.name(1)} handed on wrong bytes" in note for note in stage.notes)
    assert left_over(site) == ""


def test_where_no_node_can_reach_another_this_machine_sends(site: Driver) -> None:
    """One host has no ssh, two may not reach the source: all of them get the file."""

    async def story(stage: Stage) -> None:
        await stage.bring(1)
        site.on_host(2, "mv /usr/bin/ssh /usr/bin/ssh.away")
        gateway = site.lab.layout.gateway
        for i in (1, 3, 4):
            site.on_host(i, f"iptables -I INPUT -p tcp --dport 22 ! -s {gateway} -j REJECT")
        await stage.bring(2, 3, 4)

    stage = play(site, story)
    assert len(digests(site)) == 1
    assert any("there is no ssh on this host" in note for note in stage.notes)
    assert any(f"{site.name(1)} does not hand on" in note for note in stage.notes)
    assert left_over(site) == ""


REFUSED = (
    "id",
    "sh -c id",
    "../../../../etc/shadow 0 100",
    "/etc/shadow 0 100",
    "serve 0 100",
    "HASH 0 100; id",
    "HASH 0 $(id)",
    "HASH 00 100",
    "HASH -1 100",
    "HASH 0 100 100",
    "* 0 100",
    "",
)


def test_the_key_fetches_pieces_and_can_do_nothing_else(site: Driver) -> None:
    """No other command, no other file, no forwarding, no terminal, no sftp; nor from another machine."""
    answers: dict[str, tuple[int, str]] = {}
    source = site.lab.hosts[0].address
    ssh = (
        f"ssh -F /dev/null -i {WORKING}/key -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none "
        f"-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -l dev"
    )

    def ask(options: str, words: str) -> tuple[int, str]:
        quoted = "'" + words + "'" if words else ""
        line = f"{ssh} {options} {source} {quoted} </dev/null | tr -cd '[:print:]'"
        done = site.lab.run(2, f"set -o pipefail; {line}", check=False)
        return done.returncode, done.stdout + done.stderr

    async def story(stage: Stage) -> None:
        await stage.bring(1)
        await stage.bring(2)
        digest = stage.rollout.around.release["images"].sha256
        for words in REFUSED:
            answers[words] = ask("", words.replace("HASH", digest))
        for options in ("-tt", "-s", "-W 127.0.0.1:22"):
            answers[options] = ask(options, "" if options.startswith("-W") else "sftp")
        answers["-R"] = ask("-o ExitOnForwardFailure=yes -R 5555:127.0.0.1:22", f"{digest} 0 4")
        answers["served"] = ask("", f"{digest} 512 100000")
        key = site.lab.run(2, f"cat {WORKING}/key").stdout
        stolen = site.manifest.parent / "stolen"
        stolen.write_text(key)
        stolen.chmod(0o600)
        command = [*ssh.replace(f"{WORKING}/key", str(stolen)).split(), source, f"{digest} 0 4"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        answers["stolen"] = done.returncode, done.stdout + done.stderr

    play(site, story)
    stolen = answers.pop("stolen")
    served = answers.pop("served")
    assert (stolen[0], "Permission denied" in stolen[1]) == (255, True)
    assert (served[0], len(served[1]) > 1000) == (0, True)
    assert [words for words, (status, _) in answers.items() if status == 0] == []
    assert not any("uid=" in said or "root:" in said for _, said in answers.values())
