"""What a host says of itself, and how it is read."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from mk8s.facts import Facts, gather, parse_facts
from mk8s.modelled import model_os
from transports.base import Command, Outcome
from transports.simulated import Profile, SimulatedHost, SimulatedNetwork, SimulatedTransport

TEXT = """\
hostname=cp-1
machine=x86_64
kernel=6.1.0-18-amd64
os_id=debian
os_version=12
boot_id=6f1c9a0e-0000-4000-8000-000000000001
init_started=8
machine_id=0123456789abcdef0123456789abcdef
uid=0
free_kib=1024
memory_kib=2048
systemd=yes
selinux=disabled
usr_local=writable
lowers_oom=no
cgroup=v1
resolv_conf=/run/systemd/resolve/resolv.conf
"""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def road(**changes: Any) -> tuple[SimulatedHost, SimulatedTransport]:
    network = SimulatedNetwork()
    host = network.add(SimulatedHost("cp-1", "10.0.0.1", **changes))
    model_os(host)
    return host, SimulatedTransport("cp-1", host, network)


def test_facts_are_read_from_lines() -> None:
    """Sizes become bytes, the machine becomes the architecture's name."""
    assert parse_facts(TEXT) == Facts(
        hostname="cp-1",
        arch="amd64",
        kernel="6.1.0-18-amd64",
        os_id="debian",
        os_version="12",
        boot_id="6f1c9a0e-0000-4000-8000-000000000001",
        machine_id="0123456789abcdef0123456789abcdef",
        uid=0,
        free=1 << 20,
        memory=2 << 20,
        systemd=True,
        selinux="disabled",
        usr_local="writable",
        lowers_oom=False,
        cgroup="v1",
        resolv_conf="/run/systemd/resolve/resolv.conf",
        init_started="8",
    )


def test_words_around_the_facts_and_new_facts_are_ignored() -> None:
    """A newer script may say more; a value may hold an equals sign."""
    facts = parse_facts(f"welcome!\n{TEXT}new=1\nkernel=6.1=odd\n")
    assert (facts.kernel, facts.hostname) == ("6.1=odd", "cp-1")


@pytest.mark.parametrize(
    ("boot_id", "init_started", "boot"),
    [
        ("b", "8", "b/8"),
        ("b", "", "b"),  # as of a host whose /proc/1 is hidden: the boot id alone
        ("b", "x) S 1", "b"),  # no number, so nobody knows
        ("", "8", ""),  # the first ticks of a kernel are those of every boot
        ("", "", ""),
    ],
)
def test_a_boot_is_known_by_the_kernels_and_by_when_process_1_began(
    boot_id: str, init_started: str, boot: str
) -> None:
    """A container keeps its kernel's boot id over a restart, and every kernel starts process 1 at once."""
    lines = TEXT.replace("6f1c9a0e-0000-4000-8000-000000000001", boot_id)
    assert parse_facts(lines.replace("init_started=8", f"init_started={init_started}")).boot == boot


def test_an_unknown_machine_keeps_its_name() -> None:
    """So that the error about it can say what it is."""
    assert parse_facts(TEXT.replace("x86_64", "riscv64")).arch == "riscv64"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks hostname, machine, kernel"),
        (TEXT.replace("uid=0\n", ""), "lacks uid"),
        (TEXT.replace("free_kib=1024", "free_kib="), "free_kib is '', not a number"),
        (TEXT.replace("uid=0", "uid=-1"), "uid is '-1', not a number"),
        (TEXT.replace("=/run/systemd", "=x\x1b/run"), "resolv_conf is .* not a path"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(text: str, words: str) -> None:
    """Nothing is assumed in its place."""
    with pytest.raises(ValueError, match=words):
        parse_facts(text)


@pytest.mark.parametrize(
    ("usr_local", "writable"), [("writable", True), ("read-only", False), ("mount", False)]
)
def test_usr_local_is_used_only_when_it_is_writable_and_part_of_the_root(
    usr_local: str, writable: bool
) -> None:
    """The rule of the distros' own install scripts."""
    assert parse_facts(TEXT.replace("=writable", f"={usr_local}")).usr_local_writable is writable


@pytest.mark.anyio
async def test_a_modelled_host_is_gathered_as_it_is() -> None:
    """The model and the reader agree."""
    host, transport = road(
        arch="arm64", disk_free=5 << 20, profile=Profile(os_id="rhel", os_version="9.4", selinux="enforcing")
    )
    facts = await gather(transport.run, transport.name)

    assert (facts.hostname, facts.arch, facts.free, facts.os_id, facts.selinux, facts.boot_id) == (
        "cp-1", "arm64", 5 << 20, "rhel", "enforcing", host.boot_id,
    )  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("outcome", "lineage", "words"),
    [
        (
            Outcome(status=2, stderr=b"sh: boom\n"),
            ("exit.2", "exit"),
            "cp-1: could not look at the host: sh: boom",
        ),
        (Outcome(status=0, stdout=b"welcome\n"), ("facts", "exit"), "what it says of itself cannot be read"),
    ],
)
async def test_a_host_that_makes_no_sense_is_an_action_error(
    outcome: Outcome, lineage: tuple[str, ...], words: str
) -> None:
    """A failed look is a failure of the edge, with the node's own words."""
    host, transport = road()

    @host.handles("facts.gather")
    async def odd(_host: SimulatedHost, _command: Command) -> Outcome:
        return outcome

    with pytest.raises(ActionError, match=words) as caught:
        await gather(transport.run, transport.name)

    assert caught.value.failure.lineage == lineage


@pytest.mark.anyio
@pytest.mark.parametrize("container", [False, True])
async def test_a_modelled_host_is_in_the_same_boot_until_it_is_restarted(container: bool) -> None:
    """A container too, whose kernel goes on."""
    host, transport = road(profile=Profile(container=container))
    first, again = [await gather(transport.run, transport.name) for _ in range(2)]
    host.reboot()
    await anyio.sleep(host.profile.boot_seconds)
    later = await gather(transport.run, transport.name)

    assert first.boot == again.boot != later.boot
    assert (first.boot_id == later.boot_id) is container


@pytest.mark.anyio
async def test_free_space_is_asked_where_the_data_will_be() -> None:
    """The path is an argument of the one command, which runs as root."""
    host, transport = road()
    asked: list[Command] = []

    @host.handles("facts.gather")
    async def listen(_host: SimulatedHost, command: Command) -> Outcome:
        asked.append(command)
        return Outcome(status=0, stdout=TEXT.encode())

    await gather(transport.run, transport.name, PurePosixPath("/data"))

    assert [(command.args, command.sudo) for command in asked] == [(("/data",), True)]


@pytest.mark.parametrize("name", ["--server=https://elsewhere", "-A", "", "a b", "a\x1b[2J", "a" * 300])
def test_a_hostname_that_is_none_is_refused(name: str) -> None:
    """It becomes an argument of kubectl on the first server, as root: a node must not give options there."""
    with pytest.raises(ValueError, match="the hostname"):
        parse_facts(TEXT.replace("hostname=cp-1", f"hostname={name}"))
