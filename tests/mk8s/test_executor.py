"""Steps on simulated hosts, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError, Failure
from mk8s.commands import read_mode
from mk8s.delivery import part_of
from mk8s.executor import Executor, StepsReport
from mk8s.modelled import model_os
from mk8s.parts_model import modelled_delivery
from mk8s.steps import Run, Step, Upload, Verdict, WaitFor, WriteFile
from mk8s.transcript import STEP, transcript_of
from mk8s.working import as_root
from transports.base import Command, File, Outcome, Transport, argv
from transports.simulated import FAULT_KINDS, Links, Pace, SimulatedHost, SimulatedNetwork, SimulatedTransport

pytestmark = pytest.mark.anyio

MIB = 1 << 20
CONFIG = PurePosixPath("/etc/app.yaml")
IMAGES = PurePosixPath("/var/lib/images.tar")
ARCHIVE = File(Path("/nowhere/images.tar"), 50 * MIB, "ab" * 32)
WRITE = WriteFile("write the config", CONFIG, b"token: S3cret\n", mode=0o600, secret=True)
SMALL = Upload("send the binary", File(Path("/nowhere/app"), 5 * MIB, "cd" * 32), PurePosixPath("/opt/bin"))
UPLOAD = Upload("send the images", ARCHIVE, IMAGES, mode=0o640)
INSTALL = argv("install", "install the app", "install-app")
INSTALLED = argv("installed", "look for the app", "test", "-e", "/opt/app")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass(frozen=True)
class Fault:
    kind: str
    fraction: float = 0.5


class Plan:
    """Faults by operation: the first so many attempts meet one."""

    def __init__(self, faults: Mapping[str, tuple[str, int]]) -> None:
        self.faults = faults

    def decide(self, node: str, operation: str, attempt: int) -> Fault | None:
        kind, attempts = self.faults.get(operation, ("", 0))
        return Fault(kind) if attempt <= attempts else None


@dataclass
class Scene:
    """Two hosts, an executor, and all that it said."""

    hosts: dict[str, SimulatedHost]
    executor: Executor
    roads: Mapping[str, SimulatedTransport]
    transcript: list[dict[str, Any]] = field(default_factory=list)  # the commands
    steps: list[dict[str, Any]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    @property
    def host(self) -> SimulatedHost:
        return self.hosts["a"]

    async def run(self, *steps: Step, **options: Any) -> StepsReport:
        return await self.executor.run_steps("a", steps, **options)

    async def fail(self, *steps: Step, **options: Any) -> Failure:
        with pytest.raises(ActionError) as caught:
            await self.run(*steps, **options)
        return caught.value.failure

    def write(self, entry: dict[str, Any]) -> None:
        (self.steps if entry["operation"] == STEP else self.transcript).append(entry)

    def operations(self) -> list[tuple[str, bool]]:
        return [(entry["operation"], entry["changed"]) for entry in self.transcript]

    def answers(self, operation: str, answer: Callable[[SimulatedHost], Outcome], node: str = "a") -> None:
        """Model one more operation, and remember what was asked."""

        @self.hosts[node].handles(operation)
        async def handler(host: SimulatedHost, command: Command) -> Outcome:
            self.commands.append(command)
            return answer(host)


def scene(
    faults: Mapping[str, tuple[str, int]] | None = None,
    disk_free: int = 1 << 30,
    redact: Callable[[str], str] | None = None,
    uplink: float = 125e6,
) -> Scene:
    network = SimulatedNetwork(Pace(links=Links(uplink=uplink)))
    hosts = {
        name: network.add(SimulatedHost(name, f"10.0.0.{number}", disk_free=disk_free))
        for number, name in enumerate(("a", "b"), 1)
    }
    for host in hosts.values():
        model_os(host)
    roads = {
        name: SimulatedTransport(name, host, network, faults=Plan(faults or {}))
        for name, host in hosts.items()
    }
    made = Scene(hosts, Executor({}), roads)
    made.executor = Executor(
        roads,
        transcript=made.write,
        note=lambda node, text: made.notes.append((node, text)),
        redact=redact,
        delivery=modelled_delivery,
    )
    made.answers("install", install)
    made.answers("installed", lambda host: says(0 if host.disk.exists(PurePosixPath("/opt/app")) else 1))
    return made


def says(status: int = 0, stdout: str = "", stderr: str = "") -> Outcome:
    return Outcome(status=status, stdout=stdout.encode(), stderr=stderr.encode())


def something_else() -> Callable[[SimulatedHost], Outcome]:
    """Another answer each time."""
    asked = count()
    return lambda _host: says(stdout=str(next(asked)))


def install(host: SimulatedHost) -> Outcome:
    host.disk.write(PurePosixPath("/opt/app"), b"app")
    return says()


MET = Verdict(met=True, reason="it is up")


def after(looks: int, then: Verdict = MET) -> Callable[[Outcome], Verdict]:
    """A judge that is content after so many looks."""
    seen: list[Outcome] = []

    def judge(outcome: Outcome) -> Verdict:
        seen.append(outcome)
        return then if len(seen) > looks else Verdict(met=False, reason=f"looked {min(len(seen), 2)} times")

    return judge


def wait(judge: Callable[[Outcome], Verdict], **options: Any) -> WaitFor:
    return WaitFor("the app is there", argv("ask", "ask the app", "ask"), judge, **options)


# Repeating


async def test_what_is_true_already_is_left_alone() -> None:
    """A second pass over the same steps changes nothing and sends nothing."""
    on = scene()
    steps: Sequence[Step] = (UPLOAD, WRITE, Run("install", INSTALL, check=INSTALLED))

    first = await on.run(*steps)
    on.transcript.clear()
    second = await on.run(*steps)

    assert (first.changed, first.skipped, first.uploaded) == (3, 0, 50 * MIB + len(WRITE.content))
    assert first.titles == ("send the images", "write the config", "install")
    assert second == StepsReport(changed=0, skipped=3)
    assert on.operations() == [("file.state", False), ("file.state", False), ("installed", False)]


async def test_evidence_is_what_the_journal_can_hold() -> None:
    """Plain values, and no content."""
    report = await scene().run(WRITE)
    assert report.evidence() == {
        "changed": 1, "skipped": 0, "uploaded": 14, "did": ["write the config"], "seen": [],
    }  # fmt: skip


OPERATIONS = (
    "file.state", "part.room", "part.state", "file.append", "part.finish", "file.put", "installed", "install",
    "ask",
)  # fmt: skip
KINDS = sorted(FAULT_KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_whatever_strikes_once_running_again_ends_the_same(operation: str, kind: str) -> None:
    """Every step is checked and may be repeated, so an interrupted list is simply run again."""
    steps = (UPLOAD, WRITE, Run("install", INSTALL, check=INSTALLED), wait(lambda _: MET))
    whole, struck = scene(), scene({operation: (kind, 1)})
    for on in (whole, struck):
        on.answers("ask", lambda _host: says(stdout="yes"))
        for _ in range(2):
            with suppress(ActionError):
                await on.run(*steps)
            await anyio.sleep(on.host.profile.boot_seconds)

    assert struck.host.files == whole.host.files
    assert (await struck.run(*steps)).changed == 0


# Uploads


async def test_a_large_upload_asks_for_room_and_for_what_is_there_and_is_moved_whole() -> None:
    """In this order; the file is verified from the node's disk before it gets its name."""
    on = scene()
    await on.run(UPLOAD)

    assert on.operations() == [
        ("file.state", False),
        ("part.room", False),
        ("part.state", False),
        ("file.append", True),
        ("part.finish", True),
    ]
    assert (on.host.files[IMAGES].mode, on.host.files[IMAGES].owner) == (0o640, "root")
    assert list(on.host.files) == [IMAGES]


async def test_a_small_upload_goes_in_one_move() -> None:
    """A piece or less gains nothing by being cut."""
    on = scene()
    await on.run(SMALL)

    assert on.operations() == [("file.state", False), ("part.room", False), ("file.put", True)]


async def test_room_is_asked_for_once_for_all_that_is_still_to_be_sent() -> None:
    """Before the first byte: the second file would fill the disk, so the first is not sent either."""
    on = scene(disk_free=80 * MIB)
    failure = await on.fail(UPLOAD, replace(UPLOAD, target=PurePosixPath("/opt/more.tar")))

    assert failure.lineage == ("disk.full", "disk")
    assert failure.message == "/var/lib and /opt need 100.0 MiB, and 80.0 MiB are free there"
    assert on.host.files == {}


async def test_a_folder_below_another_is_not_named_beside_it() -> None:
    """One disk, one place to make room at."""
    on = scene(disk_free=80 * MIB)
    failure = await on.fail(UPLOAD, replace(UPLOAD, target=PurePosixPath("/var/lib/deep/more.tar")))

    assert failure.message == "/var/lib needs 100.0 MiB, and 80.0 MiB are free there"


async def test_what_is_there_needs_no_room() -> None:
    """Neither a file that stands at its target, nor the beginning of one."""
    on = scene(disk_free=110 * MIB)
    await on.run(UPLOAD)
    rest = replace(UPLOAD, target=PurePosixPath("/opt/more.tar"))
    on.host.disk.grow(part_of(rest), ARCHIVE.sha256, 0, 25 * MIB)

    report = await on.run(UPLOAD, rest)

    assert (report.changed, report.skipped, report.uploaded) == (1, 1, 25 * MIB)


async def test_an_upload_without_room_sends_nothing() -> None:
    """The folder, what it needs and what is free; the table sets the node aside."""
    on = scene(disk_free=30 * MIB)
    failure = await on.fail(UPLOAD)

    assert failure.lineage == ("disk.full", "disk")
    assert failure.message == "/var/lib needs 50.0 MiB, and 30.0 MiB are free there"
    assert "on a" in failure.remedy
    assert on.host.files == {}


async def test_a_wrong_mode_costs_no_second_upload() -> None:
    """Fifty megabytes are there; three digits are not."""
    on = scene()
    await on.run(UPLOAD)
    on.host.files[IMAGES].mode = 0o600
    report = await on.run(UPLOAD)

    assert (report.changed, report.uploaded, on.host.files[IMAGES].mode) == (1, 0, 0o640)


async def test_progress_is_told_now_and_then_with_its_rate_and_the_time_left() -> None:
    """Not in packets; and the last word is that all is there."""
    on = scene(uplink=5 * MIB)
    await on.run(UPLOAD)

    texts = [text for _, text in on.notes]
    assert texts[0] == "send the images"
    assert texts[1].startswith("12.5 MiB of 50.0 MiB, 5.0 MiB/s, 8 s left: send the images")
    assert texts[-1] == "50.0 MiB of 50.0 MiB: send the images"
    assert len(texts) <= 6


async def test_a_part_that_is_there_counts_as_done_but_not_as_rate() -> None:
    """Nobody sent it just now."""
    on = scene(uplink=5 * MIB)
    on.host.disk.grow(part_of(UPLOAD), ARCHIVE.sha256, 0, 30 * MIB)
    await on.run(UPLOAD)

    texts = [text for _, text in on.notes]
    assert texts[1] == "send the images: goes on behind the 30.0 MiB that are there"
    assert any("40.0 MiB of 50.0 MiB, 5.0 MiB/s" in text for text in texts)


# Files


async def test_a_file_with_other_content_is_written_again() -> None:
    """The whole file, in one move."""
    on = scene()
    on.host.disk.write(CONFIG, b"old", mode=0o600)
    report = await on.run(WRITE)

    assert (report.changed, on.host.disk.read(CONFIG)) == (1, WRITE.content)


@pytest.mark.parametrize(("mode", "owner"), [(0o644, "root"), (0o600, "dev")])
async def test_a_file_that_others_may_read_is_written_again(mode: int, owner: str) -> None:
    """Mode and owner are part of what a secret file is."""
    on = scene()
    on.host.disk.write(CONFIG, WRITE.content, mode=mode, owner=owner)
    await on.run(WRITE)

    assert (on.host.files[CONFIG].mode, on.host.files[CONFIG].owner) == (0o600, "root")


async def test_a_missing_folder_fails_with_the_nodes_words() -> None:
    """The driver makes folders; the executor guesses nothing."""
    failure = await scene().fail(WriteFile("write", PurePosixPath("/srv/none/a"), b""))

    assert failure.lineage[-1] == "exit"
    assert "/srv/none/a: No such file or directory" in failure.message


# Commands


async def test_commands_run_as_root_in_one_language() -> None:
    """So that words on stderr are the ones that the catalogue knows."""
    on = scene()
    await on.run(Run("install", Command(operation="install", description="install", env={"A": "1"})))

    assert [(command.sudo, command.env) for command in on.commands] == [(True, {"LC_ALL": "C", "A": "1"})]


async def test_a_failed_command_says_what_it_was_and_why() -> None:
    """Its description and its last words, with a class for its status."""
    on = scene()
    on.answers("install", lambda _host: says(17, stderr="reading\nno such release\n"))

    assert await on.fail(Run("install", INSTALL)) == Failure(
        ("exit.17", "exit"), "install the app: no such release"
    )


async def test_a_known_problem_is_the_drivers_to_name() -> None:
    """The classifier sees the outcome and the command, and its word is taken."""
    on = scene()
    on.answers("install", lambda _host: says(1, stderr="too many learner members\n"))

    def classify(outcome: Outcome, command: Command) -> ActionError | None:
        assert (command.operation, outcome.status) == ("install", 1)
        return ActionError("etcd.learner", "etcd", message="another server is joining")

    assert (await on.fail(Run("install", INSTALL), classify=classify)).lineage == ("etcd.learner", "etcd")


async def test_a_full_disk_is_known_everywhere() -> None:
    """The kernel's own words, whatever the program."""
    on = scene()
    on.answers("install", lambda _host: says(1, stderr="cp: /opt/app: No space left on device\n"))

    assert (await on.fail(Run("install", INSTALL))).lineage == ("disk.full", "disk")


async def test_the_first_failure_ends_the_steps() -> None:
    """What comes after it may stand on it."""
    on = scene()
    on.answers("install", lambda _host: says(1))
    await on.fail(Run("install", INSTALL), WRITE)

    assert CONFIG not in on.host.files


# Transport errors


@pytest.mark.parametrize(
    ("faults", "failure"),
    [
        (
            {"install": ("drop", 1)},
            Failure(
                ("connection.lost", "connection"),
                "a: install the app: the connection was lost before an answer came",
                "it is asked again once the host answers",
                ambiguous=True,
            ),
        ),
        (
            {"install": ("hang", 1)},
            Failure(
                ("timeout.command", "timeout"),
                "a: install the app: no answer within 60 s",
                "look at the load of the host",
                ambiguous=True,
            ),
        ),
    ],
)
async def test_a_transport_error_is_translated_whole(
    faults: dict[str, tuple[str, int]], failure: Failure
) -> None:
    """Lineage, words, remedy, and whether the effect may have come."""
    assert await scene(faults).fail(Run("install", INSTALL)) == failure


async def test_an_answer_that_comes_cut_is_asked_for_again() -> None:
    """A question changes nothing, so asking twice is free; guessing is not."""
    on = scene({"file.state": ("truncated", 2)})
    on.host.disk.write(CONFIG, WRITE.content, mode=0o600)

    assert (await on.run(WRITE)).skipped == 1


async def test_an_answer_that_always_comes_cut_is_a_failure() -> None:
    """Three times is enough to know."""
    on = scene({"file.mode": ("truncated", 9)})
    with pytest.raises(ActionError, match="came cut 3 times") as caught:
        await on.executor.ask("a", read_mode(CONFIG))

    assert caught.value.failure.lineage == ("integrity",)


async def test_an_answer_that_cannot_be_read_is_a_failure_and_no_bug() -> None:
    """A chatty shell is a problem of the host."""
    on = scene()
    on.answers("file.state", lambda _host: says(stdout="Welcome to a!\n"))
    failure = await on.fail(WRITE)

    assert failure.lineage == ("integrity",)
    assert "the answer cannot be read" in failure.message


# Waits


async def test_a_wait_looks_until_it_is_met() -> None:
    """Each reason is told once; it counts neither as changed nor as skipped."""
    on = scene()
    on.answers("ask", something_else())
    report = await on.run(wait(after(3)))

    assert report == StepsReport(seen=("the app is there: it is up",))
    assert on.notes == [
        ("a", "waiting until the app is there: looked 1 times"),
        ("a", "waiting until the app is there: looked 2 times"),
    ]


async def test_a_wait_looks_often_at_first_and_then_every_interval() -> None:
    """A short wait costs little, a long one asks the node seldom."""
    on = scene()
    at: list[float] = []

    def judge(_outcome: Outcome) -> Verdict:
        at.append(anyio.current_time())
        return Verdict(met=len(at) == 30)

    on.answers("ask", something_else())
    await on.run(wait(judge, interval=3.0))
    pauses = [later - earlier for earlier, later in pairwise(at)]

    assert pauses[0] < 0.4
    assert pauses[-1] == pytest.approx(3.0, abs=0.1)
    assert all(later >= earlier - 0.01 for earlier, later in pairwise(pauses))


async def test_a_node_that_others_ask_too_is_asked_less_often() -> None:
    """Fifty agents that join at once all look at the same server."""
    own, others = (next(wait(after(1), on=on).pauses()) for on in (None, "b"))

    assert others >= 4 * own


async def test_a_hopeless_wait_gives_up_with_the_judges_words() -> None:
    """Lineage and remedy are the judge's."""
    on = scene()
    on.answers("ask", something_else())
    never = Verdict(
        met=False, reason="token rejected", lineage=("join.rejected", "join"), remedy="use the token"
    )

    assert await on.fail(wait(after(1, never))) == Failure(
        ("join.rejected", "join"), "waiting until the app is there: token rejected", "use the token"
    )


async def test_a_wait_may_ask_another_node() -> None:
    """A server that knows the answer."""
    on = scene()
    on.answers("ask", lambda host: says(stdout=host.name), node="b")
    await on.run(wait(lambda outcome: Verdict(met=outcome.text == "b"), on="b"))

    assert [entry["node"] for entry in on.transcript] == ["b"]


async def test_an_answer_that_is_still_the_same_is_not_judged_again() -> None:
    """A judge is pure: of ten looks, it sees the two that say something new."""
    on = scene()
    looks: list[str] = []
    judged: list[str] = []

    def answer(_host: SimulatedHost) -> Outcome:
        looks.append("starting" if len(looks) < 9 else "running")
        return says(stdout=looks[-1])

    def judge(outcome: Outcome) -> Verdict:
        judged.append(outcome.text)
        return Verdict(met=outcome.text == "running", reason=outcome.text)

    on.answers("ask", answer)
    await on.run(wait(judge))

    assert (len(looks), judged) == (10, ["starting", "running"])


async def test_a_wait_that_is_not_answered_ends() -> None:
    """Whether to go on is the table's to say."""
    on = scene({"ask": ("drop", 1)})
    on.answers("ask", something_else())

    assert (await on.fail(wait(after(0)))).kind == "connection.lost"


async def test_a_cut_answer_is_not_judged() -> None:
    """Half a list of members looks like another list."""
    on = scene({"ask": ("truncated", 1)})
    on.answers("ask", lambda _host: says(stdout="whole"))
    judged: list[str] = []

    def judge(outcome: Outcome) -> Verdict:
        judged.append(outcome.text)
        return Verdict(met=True)

    await on.run(wait(judge))

    assert judged == ["whole"]


# What is said


async def test_the_transcript_tells_each_command_and_nothing_of_its_content() -> None:
    """Node, operation, words, status, time, size and whether it changes the host; no stdin, no output."""
    on = scene()
    on.answers("install", lambda _host: says(stdout="S3cret\n"))
    secret = Command(operation="install", description="install the app", stdin=b"S3cret")
    await on.run(Run("install", secret), WRITE)

    assert on.transcript[0] == {
        "node": "a", "operation": "install", "description": "install the app", "status": 0,
        "seconds": pytest.approx(0.06, abs=0.03), "bytes": 7, "changed": True, "at": pytest.approx(0, abs=1),
    }  # fmt: skip
    assert "S3cret" not in repr((on.transcript, on.steps))
    assert [entry["status"] for entry in on.transcript] == [0, 0, 0]


async def test_the_transcript_tells_each_step_too() -> None:
    """Kind, title, time, what it brought to the node, and whether anything had to be changed for it."""
    on = scene()
    await on.run(UPLOAD, WRITE)
    await on.run(WRITE)

    told = transcript_of(on.steps).steps
    assert [(step.kind, step.title, step.changed) for step in told] == [
        ("upload", UPLOAD.title, True), ("write-file", WRITE.title, True), ("write-file", WRITE.title, False)
    ]  # fmt: skip
    assert [step.size for step in told] == [50 * MIB, len(WRITE.content), 0]
    assert all(before.ended <= after.at + 1e-5 for before, after in pairwise(told))


async def test_a_step_that_fails_says_so_in_the_transcript() -> None:
    """By its class."""
    on = scene({"install": ("drop", 1)})
    await on.fail(Run("install", INSTALL))

    assert [(entry["status"], entry["changed"]) for entry in on.steps] == [("connection.lost", False)]


async def test_the_transcript_names_a_failure_by_its_class() -> None:
    """A lost answer has no status."""
    on = scene({"install": ("drop", 1)})
    await on.fail(Run("install", INSTALL))

    assert [entry["status"] for entry in on.transcript] == ["connection.lost"]


async def test_a_command_that_is_cut_off_stands_in_the_transcript() -> None:
    """An edge's timeout must be explainable."""
    on = scene({"install": ("hang", 1)})
    with anyio.move_on_after(7.0):
        await on.run(Run("install", INSTALL))

    assert [(entry["status"], entry["seconds"]) for entry in on.transcript] == [("cancelled", 7.0)]


async def test_secrets_are_hidden_in_all_that_is_said() -> None:
    """Notes, transcript, failures and reports pass through `redact`."""
    on = scene(redact=lambda text: text.replace("S3cret", "***"))
    on.answers("install", lambda _host: says(1, stderr="bad token S3cret\n"))
    ok = Run("S3cret step", argv("installed", "look for S3cret", "x"))
    on.host.disk.write(PurePosixPath("/opt/app"), b"")

    report = await on.run(ok)
    failure = await on.fail(Run("install", INSTALL))

    assert report.titles == ("*** step",)
    assert failure.message == "install the app: bad token ***"
    assert "S3cret" not in repr((on.transcript, on.steps, on.notes))


async def test_secrets_are_hidden_in_a_known_problem_too() -> None:
    """The driver's finding quotes the node's line."""
    on = scene(redact=lambda text: text.replace("S3cret", "***"))
    on.answers("install", lambda _host: says(1))
    known = ActionError("token.wrong", "token", message="said: S3cret", remedy="look", final=True)

    failure = await on.fail(Run("install", INSTALL), classify=lambda _outcome, _command: known)

    assert failure == Failure(("token.wrong", "token"), "said: ***", "look", final=True)


async def test_a_note_of_ones_own_takes_the_place_of_the_common_one() -> None:
    """The engine hears of its own edge alone."""
    on = scene()
    own: list[str] = []
    await on.run(WRITE, note=own.append)

    assert (own, on.notes) == (["write the config"], [])


async def test_a_wait_lets_time_pass_with_the_sleep_that_it_is_given() -> None:
    """A simulation's own clock is quicker than the event loop's."""
    on = scene()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    on.answers("ask", something_else())
    road = cast(Transport, SimpleNamespace(run=on.roads["a"].run))  # one that cannot wait by itself
    executor = Executor({"a": road}, sleep=sleep)
    await executor.run_steps("a", [wait(after(3))])

    assert slept == pytest.approx([0.25, 0.3, 0.36])


def test_a_command_that_is_roots_already_is_sent_as_it_is() -> None:
    """A wait makes it so once, and not for each look."""
    once = as_root(INSTALL)

    assert (once.sudo, once.env) == (True, {"LC_ALL": "C"})
    assert as_root(once) is once
