"""Modelled hosts: strictness, power, disks and time."""

from __future__ import annotations

from pathlib import PurePosixPath

import anyio
import pytest

from transports.base import Command, Outcome, argv
from transports.simulated import Profile, SimulatedHost, SimulatedNetwork, UnknownCommand

pytestmark = pytest.mark.anyio

TRUE = argv("true", "do nothing", "true")


def make_host(**changes: int) -> SimulatedHost:
    return SimulatedHost("a", "10.0.0.1", **changes)  # type: ignore[arg-type]


async def done(_host: SimulatedHost, _command: Command) -> Outcome:
    return Outcome(status=0)


async def refuse(_host: SimulatedHost, _command: Command) -> Outcome:
    return Outcome(status=1)


async def test_an_unknown_command_is_a_bug_and_names_what_is_known() -> None:
    """A model never pretends; the message helps its author at a glance."""
    host = make_host()
    host.handles("false")(refuse)

    with pytest.raises(UnknownCommand, match=r"no model for operation 'true' \(do nothing\)[^$]*false"):
        await host.perform(TRUE)


async def test_a_later_model_of_a_command_wins() -> None:
    """A distro may refine what the operating system's model says, and a test may refine both."""
    host = make_host()
    answers = []

    host.use({"true": refuse})
    answers.append((await host.perform(TRUE)).status)
    host.use({"true": done})
    answers.append((await host.perform(TRUE)).status)
    host.handles("true")(refuse)
    answers.append((await host.perform(TRUE)).status)

    assert answers == [1, 0, 1]


async def test_a_reboot_changes_the_boot_id_and_nothing_else_of_its_identity() -> None:
    """The machine id stays; memory is forgotten; the disk is kept."""
    host = make_host()
    boot, machine = host.boot_id, host.machine_id
    host.disk.write(PurePosixPath("/run/a"), b"gone")
    host.disk.write(PurePosixPath("/etc/a"), b"kept")

    host.reboot()
    booting = (host.up, host.booting)
    await anyio.sleep(host.profile.boot_seconds)

    assert booting == (False, True)
    assert host.up
    assert host.boot_id != boot
    assert host.machine_id == machine
    assert list(host.files) == [PurePosixPath("/etc/a")]


async def test_a_restarted_container_keeps_the_boot_id_of_its_machines_kernel() -> None:
    """When its process 1 began tells its boots apart; a machine's begins in the same tick each time."""
    machine, container = make_host(), SimulatedHost("b", "10.0.0.2", profile=Profile(container=True))
    before = [(host.boot_id, host.init_started) for host in (machine, container)]
    for host in (machine, container):
        host.reboot()
    after = [(host.boot_id, host.init_started) for host in (machine, container)]

    assert [one[0] == other[0] for one, other in zip(before, after, strict=True)] == [False, True]
    assert [one[1] == other[1] for one, other in zip(before, after, strict=True)] == [True, False]


async def test_a_power_loss_during_a_boot_is_a_power_loss() -> None:
    """The boot that was under way does not bring it up."""
    host = make_host()
    host.reboot()
    host.power_off()
    await anyio.sleep(1000.0)

    assert (host.up, host.powered) == (False, False)


async def test_power_on_boots() -> None:
    """After the profile's boot time, not at once."""
    host = make_host()
    host.power_off()
    host.power_on()
    seen = [host.up]
    await anyio.sleep(host.profile.boot_seconds)

    assert [*seen, host.up] == [False, True]


async def test_the_same_seed_gives_the_same_ids() -> None:
    """No randomness but the keyed one."""
    assert (make_host(seed=1).machine_id, make_host(seed=1).boot_id) == (
        make_host(seed=1).machine_id,
        make_host(seed=1).boot_id,
    )
    assert make_host(seed=1).machine_id != make_host(seed=2).machine_id


async def test_a_file_takes_room_until_it_is_removed() -> None:
    """Free space is what the files leave."""
    host = make_host(disk_free=100)
    host.disk.write(PurePosixPath("/etc/a"), b"x" * 60)
    free = host.free
    with pytest.raises(OSError, match="No space left on device"):
        host.disk.write(PurePosixPath("/etc/b"), b"x" * 41)
    host.disk.remove(PurePosixPath("/etc/a"))

    assert (free, host.free) == (40, 100)


async def test_a_file_needs_its_folder() -> None:
    """As in a real file system."""
    with pytest.raises(FileNotFoundError):
        make_host().disk.write(PurePosixPath("/srv/none/a"), b"")


async def test_happenings_are_played_in_order_of_time_and_planning() -> None:
    """Two at one moment come as they were planned; each sees its own moment as now."""
    timeline = SimulatedNetwork().timeline
    seen: list[tuple[str, float]] = []
    began = timeline.now
    for name, seconds in (("b", 2.0), ("a", 1.0), ("c", 2.0)):
        timeline.after(seconds, lambda name=name: seen.append((name, timeline.now - began)))  # type: ignore[misc]
    timeline.after(1.5, lambda: seen.append(("cancelled", 0.0))).cancel()

    await anyio.sleep(100.0)
    timeline.catch_up()

    assert seen == [("a", 1.0), ("b", 2.0), ("c", 2.0)]


async def test_two_hosts_cannot_share_an_address() -> None:
    """A duplicate address is refused where the network is made."""
    network = SimulatedNetwork()
    network.add(make_host())
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 is already a's"):
        network.add(SimulatedHost("b", "10.0.0.1"))


async def test_hosts_reach_each_other_while_both_are_up_and_connected() -> None:
    """Models find their peers through the network; a cut host still reaches itself."""
    network = SimulatedNetwork()
    a = network.add(make_host())
    b = network.add(SimulatedHost("b", "10.0.0.2"))

    together = network.reach(a, "10.0.0.2")
    b.cut = True
    cut = network.reach(a, "10.0.0.2"), network.reach(b, "10.0.0.2")
    b.cut = False
    b.power_off()
    off = network.reach(a, "10.0.0.2")

    assert (together, cut, off) == (b, (None, b), None)
    assert network.reach(a, "10.0.0.9") is None
