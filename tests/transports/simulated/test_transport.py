"""The road to a modelled host: answers, time, faults and hosts that are not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import anyio
import pytest

from transports.base import ArgumentError, Bytes, Command, File, Outcome, Piece, TransportError, argv
from transports.simulated import (
    FAULT_KINDS,
    Links,
    Pace,
    Profile,
    SimulatedHost,
    SimulatedNetwork,
    SimulatedTransport,
    Span,
    UnknownCommand,
    modelled_digest,
)

pytestmark = pytest.mark.anyio

TARGET = PurePosixPath("/etc/a")
TOUCH = argv("touch", "touch /etc/touched", "touch", "/etc/touched", timeout=30.0)
TOUCHED = PurePosixPath("/etc/touched")
MEBIBYTE = 1 << 20
AT_ONCE = Span(0.0, 0.0)  # beside the second that its model takes


@dataclass(frozen=True)
class Fault:
    kind: str
    fraction: float = 0.5


class Plan:
    """Faults by (operation, attempt), and a record of what was asked."""

    def __init__(self, faults: Mapping[tuple[str, int], Fault]) -> None:
        self.faults = faults
        self.asked: list[tuple[str, str, int]] = []

    def decide(self, node: str, operation: str, attempt: int) -> Fault | None:
        self.asked.append((node, operation, attempt))
        return self.faults.get((operation, attempt))


async def touch(host: SimulatedHost, _command: Command) -> Outcome:
    await anyio.sleep(1.0)
    host.disk.write(TOUCHED, b"")
    return Outcome(status=0, stdout=b"touched\n")


def plainly(host: SimulatedHost, _command: Command) -> Outcome:
    """A model that lets no time pass beside its operation's own."""
    host.disk.write(TOUCHED, b"")
    return Outcome(status=0)


def road(
    *faults: tuple[str, Fault], disk_free: int = 1 << 30, rate: float = 1e8
) -> tuple[SimulatedHost, SimulatedTransport]:
    network = SimulatedNetwork(Pace(given={"touch": AT_ONCE}, links=Links(uplink=rate, link=rate)))
    host = network.add(SimulatedHost("a", "10.0.0.1", disk_free=disk_free))
    host.handles("touch")(touch)
    plan = Plan({(operation, 1): fault for operation, fault in faults})
    return host, SimulatedTransport("a", host, network, faults=plan)


async def at(second: float, act: Callable[[], None]) -> None:
    await anyio.sleep(second)
    act()


def pull_the_cable(host: SimulatedHost) -> None:
    host.cut = True


async def failure(transport: SimulatedTransport, command: Command = TOUCH) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.run(command)
    return caught.value


async def put_failure(transport: SimulatedTransport, content: bytes = b"new") -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.put(Bytes(content), TARGET)
    return caught.value


async def test_an_answer_takes_the_handshake_the_latency_and_the_commands_own_time() -> None:
    """8 round trips to connect, one to ask, one second of work; the second command needs no handshake."""
    _, transport = road()
    times = []
    for _ in range(2):
        began = anyio.current_time()
        await transport.run(TOUCH)
        times.append(round(anyio.current_time() - began, 6))

    assert times == [1.045, 1.005]


async def test_an_unknown_command_is_not_turned_into_an_answer() -> None:
    """Strictness reaches through the transport."""
    _, transport = road()
    with pytest.raises(UnknownCommand):
        await transport.run(argv("format", "format the disk", "mkfs"))


async def test_nul_is_refused_before_anything_is_sent() -> None:
    """No transport can carry it."""
    _, transport = road()
    with pytest.raises(ArgumentError):
        await transport.run(argv("touch", "touch", "a\0b"))


async def test_output_is_handed_on_instead_of_gathered() -> None:
    """As the contract says for `on_output`."""
    _, transport = road()
    heard: list[tuple[str, bytes]] = []
    outcome = await transport.run(TOUCH, on_output=lambda stream, data: heard.append((stream, data)))

    assert (heard, outcome.stdout) == ([("stdout", b"touched\n")], b"")


async def test_a_command_is_killed_at_its_timeout() -> None:
    """Its effect does not come later; whether it came before nobody knows."""
    host, transport = road()
    error = await failure(transport, argv("touch", "touch /etc/touched", timeout=0.5))

    await anyio.sleep(100.0)

    assert (error.lineage, error.ambiguous) == (("timeout.command", "timeout"), True)
    assert TOUCHED not in host.files


async def test_a_cancelled_command_has_no_effect() -> None:
    """Cancelling kills what runs on the node."""
    host, transport = road()
    with anyio.move_on_after(0.5):
        await transport.run(TOUCH)
    await anyio.sleep(100.0)

    assert TOUCHED not in host.files
    assert not host.running


async def test_a_host_without_power_is_given_up_after_the_connect_timeout() -> None:
    """Not heard, and nothing was sent: not ambiguous."""
    host, transport = road()
    host.power_off()
    began = anyio.current_time()
    error = await failure(transport)

    assert error.lineage == ("connection.timeout", "connection")
    assert (error.ambiguous, anyio.current_time() - began) == (False, 10.0)


async def test_a_cut_host_is_reached_again_after_it_is_healed() -> None:
    """A cable that is plugged in again is all it needs."""
    host, transport = road()
    host.cut = True
    error = await failure(transport)
    host.cut = False

    assert error.lineage[0] == "connection.timeout"
    assert (await transport.run(TOUCH)).ok


async def test_a_booting_host_refuses_until_it_is_up() -> None:
    """And then the transport connects again by itself."""
    host, transport = road()
    await transport.run(TOUCH)
    host.reboot()
    error = await failure(transport)
    await anyio.sleep(host.profile.boot_seconds)

    assert error.lineage == ("connection.refused", "connection")
    assert (await transport.run(TOUCH)).ok


@pytest.mark.parametrize(("down", "seconds"), [("reboot", 0.5), ("power_off", 15.5)])
async def test_a_host_that_goes_down_takes_its_commands_with_it(down: str, seconds: float) -> None:
    """The answer is lost and so is the effect; a silent host takes longer to notice."""
    host, transport = road()
    await transport.run(argv("touch", "connect"))
    host.disk.remove(TOUCHED)
    began = anyio.current_time()

    async with anyio.create_task_group() as tasks:

        async def strike() -> None:
            await anyio.sleep(0.5)
            getattr(host, down)()

        tasks.start_soon(strike)
        error = await failure(transport)

    assert (error.lineage[0], error.ambiguous) == ("connection.lost", True)
    assert anyio.current_time() - began == pytest.approx(seconds)
    assert TOUCHED not in host.files


async def test_a_cut_cable_loses_the_answer_but_not_the_effect() -> None:
    """The host itself goes on."""
    host, transport = road()

    async with anyio.create_task_group() as tasks:

        async def strike() -> None:
            await anyio.sleep(0.5)
            host.cut = True

        tasks.start_soon(strike)
        error = await failure(transport)

    assert (error.lineage[0], error.ambiguous) == ("connection.lost", True)
    assert TOUCHED in host.files


@pytest.mark.parametrize("strike", [SimulatedHost.power_off, SimulatedHost.reboot, pull_the_cable])
async def test_an_upload_that_is_struck_on_the_way_never_arrives(
    strike: Callable[[SimulatedHost], None],
) -> None:
    """Bytes stop where the cable, the power or the system does; the old file stays."""
    host, transport = road(rate=1e7)
    host.disk.write(TARGET, b"old")

    async with anyio.create_task_group() as tasks:

        async def later() -> None:
            await anyio.sleep(5.0)
            strike(host)

        tasks.start_soon(later)
        with pytest.raises(TransportError) as caught:
            await transport.put(File(Path("/nowhere"), 100_000_000, "ab" * 32), TARGET)

    assert (caught.value.lineage[0], caught.value.ambiguous) == ("connection.lost", True)
    assert host.disk.read(TARGET) == b"old"


async def test_after_close_nothing_is_sent() -> None:
    """Closing twice is fine."""
    _, transport = road()
    await transport.close()
    await transport.close()

    assert (await failure(transport)).lineage == ("connection.closed", "connection")


@pytest.mark.parametrize(
    ("strike", "noticed"),
    [(SimulatedHost.reboot, 3.0), (SimulatedHost.power_off, 18.0), (pull_the_cable, 25.005)],
)
async def test_what_strikes_a_host_at_some_second_meets_what_is_in_flight_at_that_second(
    strike: Callable[[SimulatedHost], None], noticed: float
) -> None:
    """Whether or not anybody else looks then: a power loss at 3 s, a cable that misses the answer at 10 s."""
    network = SimulatedNetwork(Pace(given={"rest": Span(10.0, 10.0)}, links=Links(latency=0.005)))
    host = network.add(SimulatedHost("a", "10.0.0.1"))
    host.handles("rest")(plainly)
    transport = SimulatedTransport("a", host, network)
    began = anyio.current_time()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(at, 3.0, lambda: strike(host))
        error = await failure(transport, argv("rest", "rest", "rest"))

    assert error.lineage[0] == "connection.lost"
    assert anyio.current_time() - began == pytest.approx(noticed, abs=0.05)


async def test_a_brief_command_on_a_host_that_goes_down_has_no_effect() -> None:
    """It has no guard: the loss is noticed when its time is over."""
    network = SimulatedNetwork(Pace(given={"note": Span(0.05, 0.05)}))
    host = network.add(SimulatedHost("a", "10.0.0.1"))
    host.handles("note")(plainly)
    transport = SimulatedTransport("a", host, network)
    note = argv("note", "note", "note")
    await transport.run(note)
    host.disk.remove(TOUCHED)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(at, 0.02, host.reboot)
        error = await failure(transport, note)

    assert (error.lineage[0], error.ambiguous) == ("connection.lost", True)
    assert TOUCHED not in host.files


async def test_a_host_that_came_back_meanwhile_has_lost_a_brief_command_all_the_same() -> None:
    """It is another life: what was asked of the one before is not done."""
    network = SimulatedNetwork(Pace(given={"note": Span(0.05, 0.05)}))
    host = network.add(SimulatedHost("a", "10.0.0.1", profile=Profile(boot_seconds=0.01)))
    host.handles("note")(plainly)
    transport = SimulatedTransport("a", host, network)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(at, 0.06, host.reboot)
        error = await failure(transport, argv("note", "note", "note"))

    assert (host.up, error.lineage[0]) == (True, "connection.lost")
    assert TOUCHED not in host.files


async def test_the_operators_own_work_is_done_one_command_at_a_time() -> None:
    """Three at once, half a second of work each: the last one has waited for the two before it."""
    network = SimulatedNetwork(Pace(given={"note": AT_ONCE}, links=Links(latency=0.0, operator=0.5)))
    ended: list[float] = []
    began = anyio.current_time()

    async def one(number: int) -> None:
        host = network.add(SimulatedHost(f"node-{number}", f"10.0.0.{number}"))
        host.handles("note")(plainly)
        await SimulatedTransport(host.name, host, network).run(argv("note", "note", "note"))
        ended.append(round(anyio.current_time() - began, 6))

    async with anyio.create_task_group() as tasks:
        for number in range(1, 4):
            tasks.start_soon(one, number)

    assert ended == [0.5, 1.0, 1.5]


async def test_the_operators_work_takes_no_time_unless_somebody_says_so() -> None:
    """Nothing is added to a command by a cost of 0."""
    network = SimulatedNetwork(Pace(given={"note": AT_ONCE}, links=Links(latency=0.0)))

    assert [network.attend() for _ in range(3)] == [0.0, 0.0, 0.0]


# Faults in commands


async def test_each_operation_counts_its_own_attempts() -> None:
    """A plan decides by node, operation and attempt."""
    network = SimulatedNetwork()
    host = network.add(SimulatedHost("a", "10.0.0.1"))
    host.handles("touch")(touch)
    plan = Plan({})
    transport = SimulatedTransport("a", host, network, faults=plan)

    await transport.run(TOUCH)
    await transport.put(Bytes(b""), TARGET)
    await transport.run(TOUCH)
    await transport.get(TARGET)

    assert plan.asked == [("a", "touch", 1), ("a", "file.put", 1), ("a", "touch", 2), ("a", "file.get", 1)]


@pytest.mark.parametrize(
    ("fault", "lineage", "effect"),
    [
        (Fault("drop"), "connection.lost", False),
        (Fault("apply-then-drop"), "connection.lost", True),
        (Fault("reboot", 0.2), "connection.lost", False),
        (Fault("reboot", 0.8), "connection.lost", True),
        (Fault("hang"), "timeout.command", False),
    ],
)
async def test_a_lost_answer_is_ambiguous_whether_or_not_the_effect_came(
    fault: Fault, lineage: str, effect: bool
) -> None:
    """From here the two cannot be told apart; that is the point of the fault."""
    host, transport = road(("touch", fault))
    error = await failure(transport)

    assert (error.lineage[0], error.ambiguous) == (lineage, True)
    assert (TOUCHED in host.files) is effect
    assert host.booting is (fault.kind == "reboot")


async def test_only_the_struck_attempt_fails() -> None:
    """The next one is an attempt of its own."""
    _, transport = road(("touch", Fault("drop")))
    await failure(transport)

    assert (await transport.run(TOUCH)).ok


@pytest.mark.parametrize(("kind", "words"), [("exit", "fault"), ("disk-full", "No space left on device")])
async def test_a_failing_command_is_an_answer(kind: str, words: str) -> None:
    """Exit 1 with words, and no effect."""
    host, transport = road(("touch", Fault(kind)))
    outcome = await transport.run(TOUCH)

    assert (outcome.status, words in outcome.complaint) == (1, True)
    assert TOUCHED not in host.files


async def test_a_slow_command_takes_twenty_times_as_long() -> None:
    """And may run into its timeout by that."""
    _, transport = road(("touch", Fault("slow")))
    began = anyio.current_time()
    await transport.run(TOUCH)

    assert anyio.current_time() - began == pytest.approx(20 * 1.005 + 0.04)


async def test_cut_output_says_so() -> None:
    """Half of it came, and the outcome is marked."""
    _, transport = road(("touch", Fault("truncated", 0.5)))
    outcome = await transport.run(TOUCH)

    assert (outcome.stdout, outcome.truncated) == (b"touc", True)


async def test_an_unknown_kind_of_fault_is_a_bug_of_the_plan() -> None:
    """A misspelt kind must not mean "no fault"."""
    _, transport = road(("touch", Fault("flood")))
    with pytest.raises(ValueError, match="unknown kind of fault 'flood'"):
        await transport.run(TOUCH)


# Files


async def test_a_file_arrives_with_its_mode_and_owner() -> None:
    """And can be read back."""
    host, transport = road()
    await transport.put(Bytes(b"new"), TARGET, mode=0o600, owner="etcd")

    file = host.files[TARGET]
    assert (file.mode, file.owner, file.size) == (0o600, "etcd", 3)
    assert await transport.get(TARGET) == b"new"


async def test_an_upload_from_disk_reads_no_file_here() -> None:
    """Its hash and size are all that a model needs."""
    host, transport = road()
    await transport.put(File(Path("/nowhere/images.tar"), MEBIBYTE, "ab" * 32), TARGET)

    assert (host.files[TARGET].sha256, host.files[TARGET].content) == ("ab" * 32, None)


async def test_an_upload_takes_the_time_of_the_slowest_link() -> None:
    """100 MB over 10 MB/s are ten seconds, and progress is told on the way."""
    _, transport = road(rate=1e7)
    told: list[tuple[int, int]] = []
    began = anyio.current_time()
    source = File(Path("/nowhere"), 100_000_000, "ab" * 32)
    await transport.put(source, TARGET, on_progress=lambda done, total: told.append((done, total)))

    assert anyio.current_time() - began == pytest.approx(10.0, abs=0.1)
    assert told == [(part * 25_000_000, 100_000_000) for part in (1, 2, 3, 4)]


async def test_uploads_share_the_operators_link() -> None:
    """Two hosts at once take twice as long as one, and neither waits for the other to end."""
    network = SimulatedNetwork(Pace(links=Links(uplink=1e7, link=1e9)))
    roads = []
    for name, address in (("a", "10.0.0.1"), ("b", "10.0.0.2")):
        roads.append(SimulatedTransport(name, network.add(SimulatedHost(name, address)), network))
    ends: list[float] = []
    began = anyio.current_time()

    async def send(transport: SimulatedTransport) -> None:
        await transport.put(File(Path("/nowhere"), 100_000_000, "ab" * 32), TARGET)
        ends.append(anyio.current_time() - began)

    async with anyio.create_task_group() as tasks:
        for transport in roads:
            tasks.start_soon(send, transport)

    assert ends == pytest.approx([17.5, 20.0], abs=0.2)


async def test_an_upload_without_room_is_refused() -> None:
    """The old file stays; the error is the node's own."""
    host, transport = road(disk_free=10)
    await transport.put(Bytes(b"old"), TARGET)
    error = await put_failure(transport, b"x" * 8)

    assert error.lineage == ("disk.full", "disk")
    assert host.disk.read(TARGET) == b"old"


async def test_an_upload_into_no_folder_says_so() -> None:
    """The parent folder must exist."""
    _, transport = road()
    with pytest.raises(TransportError, match="No such file or directory") as caught:
        await transport.put(Bytes(b""), PurePosixPath("/srv/none/a"))

    assert caught.value.lineage[-1] == "exit"


@pytest.mark.parametrize(
    ("kind", "lineage", "ambiguous", "arrived"),
    [
        ("drop", "connection.lost", True, False),
        ("apply-then-drop", "connection.lost", True, True),
        ("reboot", "connection.lost", True, False),
        ("hang", "timeout.command", True, False),
        ("exit", "exit.1", False, False),
        ("disk-full", "disk.full", False, False),
        ("truncated", "integrity", False, False),
        ("slow", "", False, True),
    ],
)
async def test_a_broken_upload_leaves_the_old_file_whole(
    kind: str, lineage: str, ambiguous: bool, arrived: bool
) -> None:
    """Readers see the old file or the new one, never a part, whatever strikes."""
    host, transport = road(("file.put", Fault(kind)))
    host.disk.write(TARGET, b"old")
    if lineage:
        error = await put_failure(transport)
        assert (error.lineage[0], error.ambiguous) == (lineage, ambiguous)
    else:
        await transport.put(Bytes(b"new"), TARGET)

    assert host.disk.read(TARGET) == (b"new" if arrived else b"old")


def test_every_kind_of_fault_is_tried_on_an_upload() -> None:
    """The table above is whole."""
    assert {*FAULT_KINDS} == {
        "drop", "apply-then-drop", "reboot", "hang", "exit", "disk-full", "truncated", "slow",
    }  # fmt: skip


async def test_a_missing_file_is_an_error_of_its_own() -> None:
    """`get` never means "no" by silence."""
    _, transport = road()
    with pytest.raises(TransportError, match="No such file or directory") as caught:
        await transport.get(TARGET)

    assert caught.value.lineage[-1] == "exit"


async def test_a_file_that_arrives_cut_is_not_handed_on() -> None:
    """A short read would look like a whole file."""
    host, transport = road(("file.get", Fault("truncated")))
    host.disk.write(TARGET, b"content")
    with pytest.raises(TransportError) as caught:
        await transport.get(TARGET)

    assert caught.value.lineage == ("integrity",)


async def test_a_file_above_the_limit_is_refused() -> None:
    """Nobody reads a disk image into memory by mistake."""
    host, transport = road()
    host.disk.write(TARGET, b"content")
    with pytest.raises(TransportError, match="larger than 3 bytes"):
        await transport.get(TARGET, limit=3)


PART = PurePosixPath("/root/part")
WHOLE = "e" * 64
PIECE = Piece(Path("/nowhere"), 100, 1000, "f" * 64, WHOLE)


@pytest.mark.parametrize(
    ("kind", "lineage", "size"),
    [
        ("drop", "connection.lost", 600),
        ("apply-then-drop", "connection.lost", 1100),
        ("reboot", "connection.lost", 600),
        ("hang", "timeout.command", 100),
        ("exit", "exit.1", 100),
        ("disk-full", "disk.full", 100),
        ("truncated", "integrity", 600),
    ],
)
async def test_what_arrived_of_a_piece_before_a_fault_stays(kind: str, lineage: str, size: int) -> None:
    """And it is the beginning of the file, as its hash says."""
    host, transport = road(("file.append", Fault(kind)))
    host.disk.grow(PART, WHOLE, 0, 100)
    with pytest.raises(TransportError) as caught:
        await transport.append(PIECE, PART)

    assert caught.value.lineage[0] == lineage
    assert (host.files[PART].size, host.files[PART].sha256) == (size, modelled_digest(WHOLE, 0, size))


async def test_a_part_that_fills_the_disk_keeps_what_fits() -> None:
    """To the last byte."""
    host, transport = road(disk_free=500)
    host.disk.grow(PART, WHOLE, 0, 100)
    with pytest.raises(TransportError) as caught:
        await transport.append(PIECE, PART)

    assert caught.value.lineage == ("disk.full", "disk")
    assert host.files[PART].size == 500


async def test_a_piece_of_another_file_makes_a_part_of_neither() -> None:
    """A mixture has a hash that no file has."""
    host, transport = road()
    host.disk.grow(PART, "d" * 64, 0, 100)
    await transport.append(PIECE, PART)

    assert host.files[PART].sha256 not in (
        modelled_digest("d" * 64, 0, 1100),
        modelled_digest(WHOLE, 0, 1100),
    )


async def test_a_piece_takes_its_time_on_the_link() -> None:
    """As an upload of that size."""
    _, transport = road(rate=100.0)
    began = anyio.current_time()
    await transport.append(Piece(Path("/nowhere"), 0, 1000, WHOLE, WHOLE), PART)

    assert anyio.current_time() - began == pytest.approx(10, abs=0.2)
