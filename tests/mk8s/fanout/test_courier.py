"""Files brought to modelled hosts by way of each other, in virtual time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from mk8s.amounts import bytes_in_words
from mk8s.cluster import Cluster, FanOut
from mk8s.delivery import PIECE
from mk8s.executor import Executor, StepsReport
from mk8s.fanout.choice import Expected
from mk8s.fanout.commands import SERVED, WORKING
from mk8s.fanout.model import fan_out_handlers
from mk8s.fanout.places import MemoryPlaces, Places
from mk8s.fanout.wiring import FanOutOffice
from mk8s.modelled import model_os
from mk8s.parts_model import modelled_cuts
from mk8s.steps import Upload
from tests.mk8s.examples import cluster, node
from transports.base import Command, File, Outcome
from transports.simulated import Links, Pace, SimulatedHost, SimulatedNetwork, SimulatedTransport

pytestmark = pytest.mark.anyio

PIECES = 12
ON = FanOut("on")
UPLINK = 10e6  # bytes per second; hosts have ten times that
ARCHIVE = File(Path("/nowhere/images.tar"), PIECES * PIECE - 1000, "ab" * 32)
TARGET = PurePosixPath("/var/lib/images.tar")
STEP = Upload("send the images", ARCHIVE, TARGET)
ONE_COPY = ARCHIVE.size / UPLINK


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass
class Site:
    """Hosts a, b, c ... of one cluster, and a courier for their file."""

    cluster: Cluster
    hosts: dict[str, SimulatedHost]
    office: FanOutOffice
    executor: Executor
    transcript: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: dict[str, ActionError] = field(default_factory=dict)

    async def bring(self, *names: str, step: Upload = STEP) -> dict[str, StepsReport]:
        """To these hosts, or to all, at the same time."""
        reports: dict[str, StepsReport] = {}

        async def bring(name: str) -> None:
            try:
                reports[name] = await self.executor.run_steps(name, [step], note=self.notes.append)
            except ActionError as error:
                self.failed[name] = error

        async with anyio.create_task_group() as tasks:
            for name in names or tuple(self.hosts):
                tasks.start_soon(bring, name)
        return reports

    def have_it(self) -> list[str]:
        return [
            name
            for name, host in self.hosts.items()
            if TARGET in host.files and host.files[TARGET].sha256 == ARCHIVE.sha256
        ]

    def told(self, operation: str) -> list[str]:
        """The nodes that were told something, in order."""
        return [entry["node"] for entry in self.transcript if entry["operation"] == operation]


def site(
    names: str = "abcdef",
    fan_out: FanOut = ON,
    places: Places | None = None,
    change: Callable[[Cluster], Cluster] = lambda made: made,
) -> Site:
    nodes = [node(name, "primary" if name == "a" else "agent", f"10.0.0.{ord(name)}") for name in names]
    made = change(replace(cluster(*nodes), fan_out=fan_out))
    network = SimulatedNetwork(Pace(links=Links(uplink=UPLINK)))
    hosts = {one.name: network.add(SimulatedHost(one.name, one.address)) for one in made.nodes}
    handing_on = fan_out_handlers(network)
    for host in hosts.values():
        model_os(host)
        host.use(handing_on)

    def expected() -> Expected:
        return {ARCHIVE.sha256: (ARCHIVE, len(hosts))}

    office = FanOutOffice(made, modelled_cuts, [ARCHIVE], places or MemoryPlaces(), lambda: 8, expected)
    roads = {name: SimulatedTransport(name, host, network) for name, host in hosts.items()}
    scene = Site(made, hosts, office, Executor({}))
    scene.executor = Executor(roads, transcript=scene.transcript.append, delivery=office.make)
    return scene


async def test_each_byte_leaves_this_machine_once_and_all_hosts_have_the_file() -> None:
    """Six hosts take little longer than one."""
    scene = site()
    reports = await scene.bring()
    assert scene.have_it() == list("abcdef")
    assert sum(report.uploaded for report in reports.values()) == ARCHIVE.size
    assert sum(report.handed_on for report in reports.values()) == 5 * ARCHIVE.size
    assert anyio.current_time() < 1.6 * ONE_COPY


async def test_what_is_on_a_host_is_told_of_the_whole_file_also_where_pieces_are_sent() -> None:
    """Not of as much as the next piece reaches to."""
    scene = site()
    await scene.bring()
    told = [note.partition("B of ")[2] for note in scene.notes if "B of " in note]
    assert {re.split("[,:]", words)[0] for words in told} == {bytes_in_words(ARCHIVE.size)}


async def test_without_fan_out_each_host_is_sent_its_own_copy() -> None:
    """What the test above is measured against."""
    scene = site(fan_out=FanOut("off"))
    reports = await scene.bring()
    assert sum(report.uploaded for report in reports.values()) == 6 * ARCHIVE.size
    assert scene.told("fanout.open") == []


async def test_hosts_that_come_later_fetch_from_those_that_are_done() -> None:
    """One after the other, as with a limit of one upload: nobody waits for ever, nothing is sent twice."""
    scene = site("abc")
    sent = 0
    for name in "abc":
        sent += (await scene.bring(name))[name].uploaded
    assert sent == ARCHIVE.size
    assert scene.have_it() == list("abc")


async def test_a_source_that_loses_power_costs_only_its_own_place() -> None:
    """The others go on with what there is; what they had stays."""
    scene = site()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.bring)
        await anyio.sleep(ONE_COPY / 2)
        (first, *_) = scene.told("file.append")
        scene.hosts[first].power_off()
    assert list(scene.failed) == [first]
    assert scene.have_it() == [name for name in "abcdef" if name != first]


async def test_wrong_bytes_are_refused_and_their_source_is_asked_no_more() -> None:
    """The file arrives from here instead."""
    scene = site("abc")
    await scene.bring("a")
    scene.hosts["a"].files[TARGET].sha256 = "0" * 64
    reports = await scene.bring("b", "c")
    assert scene.have_it() == ["b", "c"]
    assert sum(report.uploaded for report in reports.values()) == ARCHIVE.size
    assert any("a handed on wrong bytes" in note for note in scene.notes)


@pytest.mark.parametrize("operation", ["fanout.open", "fanout.share"])
async def test_a_host_that_cannot_serve_is_left_out(operation: str) -> None:
    """Such as one whose sshd reads keys elsewhere."""
    scene = site("abc")
    _refuse(scene.hosts["a"], operation)
    await scene.bring("a")
    await scene.bring("b", "c")
    assert scene.have_it() == list("abc")
    assert any("a cannot take part in the fan-out: no" in note for note in scene.notes)


async def test_a_host_that_cannot_fetch_is_sent_to() -> None:
    """Such as one without an ssh client."""
    scene = site("abc")
    _refuse(scene.hosts["b"], "fanout.receive")
    await scene.bring("a")
    reports = await scene.bring("b", "c")
    assert (reports["b"].uploaded, reports["c"].handed_on) == (ARCHIVE.size, ARCHIVE.size)


def _refuse(host: SimulatedHost, operation: str) -> None:
    @host.handles(operation)
    async def refuse(_host: SimulatedHost, _command: Command) -> Outcome:
        return Outcome(status=91, stderr=b"no\n")


async def test_a_source_that_hangs_is_given_up() -> None:
    """By the time that a fetch may take at the slowest rate; then this machine sends."""
    scene = site("abc")

    @scene.hosts["b"].handles("fanout.pull")
    async def hang(_host: SimulatedHost, _command: Command) -> Outcome:
        await anyio.sleep_forever()
        raise AssertionError

    await scene.bring("a")
    reports = await scene.bring("b")
    assert reports["b"].uploaded == ARCHIVE.size
    assert any("a is too slow" in note for note in scene.notes)


async def test_a_full_disk_on_the_receiver_is_its_own_failure() -> None:
    """No source is blamed for it."""
    scene = site("abc")
    await scene.bring("a")

    @scene.hosts["b"].handles("fanout.pull")
    async def full(_host: SimulatedHost, _command: Command) -> Outcome:
        return Outcome(status=95, stderr=b"dd: error writing: No space left on device\n")

    await scene.bring("b")
    assert scene.failed["b"].failure.kind == "disk.full"


async def test_a_host_that_was_lost_goes_on_where_it_stopped() -> None:
    """After a reboot its memory, and with it the key, is gone: it is prepared anew."""
    scene = site("abc")
    await scene.bring("a")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scene.bring, "b")
        await anyio.sleep(1.0)
        scene.hosts["b"].reboot()
    await anyio.sleep(60)
    reports = await scene.bring("b")
    assert scene.have_it() == ["a", "b"]
    assert reports["b"].uploaded == 0


async def test_nothing_of_it_stays_on_the_hosts() -> None:
    """Neither the key nor what was served."""
    scene = site("abc")
    await scene.bring()
    assert any(host.disk.is_folder(SERVED) for host in scene.hosts.values())
    assert await scene.office.close() == []
    left = [(name, path) for name, host in scene.hosts.items() for path in host.files if _is_ours(path)]
    assert left == []


def _is_ours(path: PurePosixPath) -> bool:
    return SERVED in path.parents or WORKING in path.parents


async def test_closing_tells_where_a_key_may_still_be() -> None:
    """A host without power is remembered for the next run."""
    places = MemoryPlaces()
    scene = site("abc", places=places)
    await scene.bring()
    scene.hosts["b"].power_off()
    assert await scene.office.close() == ["b"]
    assert dict(places.known()) == {"b": "ops"}


async def test_an_earlier_runs_keys_are_removed_before_anything_else() -> None:
    """A node that the manifest does not know any more is named once, and forgotten."""
    places = MemoryPlaces()
    for name in ("b", "gone"):
        places.add(name, "ops")
    scene = site("abc", places=places)
    assert await scene.office.close() == ["gone"]
    assert scene.told("fanout.close") == ["b"]
    assert await scene.office.close() == []


async def test_a_small_file_and_one_that_not_all_may_read_are_sent() -> None:
    """Serving tells nobody anything that he could not read anyway."""
    scene = site("abc")
    secret = replace(STEP, mode=0o600)
    reports = await scene.bring(step=secret)
    assert sum(report.uploaded for report in reports.values()) == 3 * ARCHIVE.size
    assert scene.told("fanout.open") == []


async def test_auto_measures_the_first_pieces_and_says_what_it_found() -> None:
    """A slow link and six hosts: handing on is chosen, in words."""
    scene = site(fan_out=FanOut("auto"))
    await scene.bring()
    assert [note for note in scene.notes if note.startswith("fan-out: 2 seeds, about ")] != []
    assert scene.told("fanout.open") != []


async def test_auto_sends_where_that_is_as_quick() -> None:
    """A bandwidth that is given is believed, and no key is made."""
    scene = site(fan_out=FanOut("auto"), change=lambda made: replace(made, bandwidth=10**9))
    reports = await scene.bring()
    assert sum(report.uploaded for report in reports.values()) == 6 * ARCHIVE.size
    assert scene.told("fanout.open") == []
