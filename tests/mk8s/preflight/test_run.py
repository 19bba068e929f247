"""Preflight as a whole over modelled hosts: who is asked, how long, and what the release turns out to be."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import anyio
import pytest

from machines.errors import ActionError
from machines.simulation import run_simulated
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Requirements, load_distro
from mk8s.distros.rke2.driver import Rke2
from mk8s.errors import ExitCode
from mk8s.executor import Executor
from mk8s.modelled import model_os
from mk8s.preflight.base import RELEASE as ABOUT_THE_RELEASE
from mk8s.preflight.base import Finding
from mk8s.preflight.modelled import GATHER_HANDLERS
from mk8s.preflight.report import PreflightError, Report
from mk8s.preflight.run import ask_all, preflight, view_release
from mk8s.preflight.versions import version_faults
from mk8s.preflight.waiting import Waiting
from mk8s.release import Inspection, inspect_release
from tests.mk8s.examples import cluster, node
from transports.base import Command, File, Outcome, TransportError
from transports.simulated import SimulatedHost, SimulatedNetwork, SimulatedTransport

CLUSTER = cluster(node("n1", "primary", "10.0.0.1"), node("n2", "agent", "10.0.0.2"))
Spoil = Callable[[SimulatedHost], None]


def executor_of(*spoiled: Spoil, about: Cluster = CLUSTER) -> Executor:
    """Modelled hosts for a cluster's nodes; each of `spoiled` does something to all of them."""
    network = SimulatedNetwork()
    hosts = [network.add(SimulatedHost(each.name, each.address)) for each in about.nodes]
    for host in hosts:
        model_os(host)
        host.use(GATHER_HANDLERS)
        for spoil in spoiled:
            spoil(host)
    roads = {host.name: SimulatedTransport(host.name, host, network) for host in hosts}
    return Executor(roads, redact=lambda text: text.replace("hush", "***"))


def look(
    executor: Executor,
    about: Cluster = CLUSTER,
    states: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    distro = load_distro("rke2")
    release = view_release(about, distro, Inspection({}, 0))

    async def main() -> Report:
        return await preflight(
            executor, about, distro, states or {}, release, now=anyio.current_time, say=say
        )

    return run_simulated(main, seed=0)


def says(host: SimulatedHost, outcome: Outcome, pause: float = 0.0) -> None:
    async def answer(_host: SimulatedHost, _command: Command) -> Outcome:
        await anyio.sleep(pause)
        return outcome

    host.handles("preflight.gather")(answer)


def only(name: str, spoil: Spoil) -> Spoil:
    return lambda host: spoil(host) if host.name == name else None


def test_all_hosts_are_asked_and_judged() -> None:
    """One report over both, with nothing wrong but clocks that the model does not have."""
    report = look(executor_of())
    assert report.unasked == []
    assert {f.check for f in report.findings if f.level != "ok"} <= {"clock"}
    assert {f.node for f in report.findings} == {"n1", "n2", ABOUT_THE_RELEASE}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda host: says(host, Outcome(status=0), pause=500.0), "no answer within 20 s"),
        (lambda host: says(host, Outcome(status=0, stdout=b"hostname=x\n")), "the answer lacks its end"),
        (
            lambda host: says(host, Outcome(status=2, stderr=b"sh: hush!\n")),
            "it could not look at itself: sh: ***!",
        ),
    ],
)
def test_a_node_without_an_answer_is_told_and_the_others_are_judged(spoil: Spoil, reason: str) -> None:
    """It has failed no check, and refuses no run; its words are shown without secrets."""
    report = look(executor_of(only("n2", spoil)))
    (told,) = [f for f in report.findings if f.check == "reachable" and f.level != "ok"]
    assert (told.node, told.level, told.message) == ("n2", "warn", f"not asked: {reason}")
    assert report.unasked == ["n2"]
    assert {f.node for f in report.findings if f.check == "ports"} == {"n1"}


def test_a_login_that_failed_is_told_with_its_own_remedy() -> None:
    """The transport knows what helps; its words are shown without secrets."""

    def refused(host: SimulatedHost) -> None:
        async def answer(_host: SimulatedHost, _command: Command) -> Outcome:
            raise ActionError("hostkey.unknown", message="a strange key", remedy="hush: trust it")

        host.handles("preflight.gather")(answer)

    report = look(executor_of(only("n2", refused)))
    (told,) = [f for f in report.findings if f.check == "reachable" and f.level != "ok"]
    assert (told.message, told.remedy) == ("not asked: a strange key", "***: trust it")


def test_a_dead_node_costs_its_patience_and_no_more() -> None:
    """All are asked at once: three silent nodes take as long as one."""
    about = cluster(
        node("n1", "primary", "10.0.0.1"), *(node(f"n{i}", "agent", f"10.0.0.{i}") for i in (2, 3))
    )
    executor = executor_of(lambda host: says(host, Outcome(status=0), pause=500.0), about=about)
    wants = {each.name: Requirements() for each in about.nodes}

    async def main() -> float:
        waiting = Waiting(lambda _: None, 20.0)
        await ask_all(executor, wants, patience=20.0, now=anyio.current_time, waiting=waiting)
        return anyio.current_time()

    assert run_simulated(main, seed=0) == pytest.approx(20.0, abs=1.0)


def test_who_is_waited_for_is_said_every_few_seconds() -> None:
    """A frozen host is no silence: it is named until it is given up, and never those that answered."""
    told: list[tuple[float, str]] = []
    frozen = only("n2", lambda host: says(host, Outcome(status=0), pause=500.0))
    look(executor_of(frozen), say=lambda words: told.append((round(anyio.current_time()), words)))
    line = "preflight: still: n2 has not answered (given up after 20 s at the latest)"
    assert told[:3] == [(5, line), (10, line), (15, line)]


def test_of_nodes_that_answer_nothing_is_said_while_they_are_asked() -> None:
    """A healthy cluster's preflight stays as short as it was."""
    told: list[str] = []
    look(executor_of(lambda host: says(host, Outcome(status=0, stdout=b"x=y\n"), pause=1.0)), say=told.append)
    assert told == []


def test_a_slow_answer_is_asked_for_once_more() -> None:
    """The first one had to connect; what it says of the clock is worth little."""
    asked: list[float] = []

    def slow_at_first(host: SimulatedHost) -> None:
        async def answer(_host: SimulatedHost, _command: Command) -> Outcome:
            began = anyio.current_time()
            await anyio.sleep(3.0 if not asked else 0.0)
            asked.append(began)
            return Outcome(status=0, stdout=f"hostname=n1\nclock={began + 2.9:.3f}\n".encode())

        host.handles("preflight.gather")(answer)

    report = look(executor_of(only("n1", slow_at_first)))
    (clock,) = [f for f in report.findings if (f.check, f.node) == ("clock", "n1")]
    assert len(asked) == 2
    assert clock.message.startswith("its clock is 2.9 s ahead of")


@pytest.mark.parametrize(
    ("kind", "said", "message", "remedy"),
    [
        (
            "sudo.refused", "ops may not become root with sudo: sorry, you must have a tty to run sudo",
            "sudo wants a terminal (requiretty): ops may not become root with sudo: sorry, you must have a "
            "tty to run sudo",
            "write `Defaults:ops !requiretty` into a file of /etc/sudoers.d",
        ),
        (
            "sudo.refused", "ops may not become root with sudo: ops is not in the sudoers file.",
            "ops is in no rule of sudo: ops may not become root with sudo: ops is not in the sudoers file.",
            "write `ops ALL=(ALL) NOPASSWD: ALL` into a file of /etc/sudoers.d, or log in as root",
        ),
        (
            "sudo.refused", "ops may not become root with sudo: sh: sudo: not found",
            "there is no sudo on the host: ops may not become root with sudo: sh: sudo: not found",
            "install it, or log in as root",
        ),
        ("sudo.password", "sudo did not accept hush", "sudo did not accept ***", "check it"),
        ("sudo.refused", "something new", "something new", "check it"),
    ],
)  # fmt: skip
def test_a_node_on_which_nobody_becomes_root_refuses_the_run(
    kind: str, said: str, message: str, remedy: str
) -> None:
    """It was reached, and its no is definite: it is no node that is away. Each way has its own remedy."""

    def refuse(host: SimulatedHost) -> None:
        async def answer(_host: SimulatedHost, _command: Command) -> Outcome:
            raise TransportError(kind, "sudo", message=f"{host.name}: {said}", remedy="check it", final=True)

        host.handles("preflight.gather")(answer)

    report = look(executor_of(only("n2", refuse)))
    (told,) = [f for f in report.findings if f.check == "sudo" and f.level != "ok"]
    assert (told.node, told.level, told.message, told.remedy) == ("n2", "error", message, remedy)
    assert [f.level for f in report.findings if f.check == "reachable"] == ["ok", "ok"]
    assert (report.unasked, report.refusal) == ([], ExitCode.NODES_NEED_YOU)


def test_every_node_is_asked_one_second_question_with_all_its_ways() -> None:
    """However many nodes there are: one command for all ports of all peers."""
    asked: list[tuple[str, ...]] = []

    def listen(host: SimulatedHost) -> None:
        async def answer(_host: SimulatedHost, command: Command) -> Outcome:
            asked.append(command.args)
            return Outcome(status=0, stdout=b"tool=bash\nend=yes\n")

        host.handles("preflight.reach")(answer)

    look(executor_of(listen))
    assert len(asked) == 2
    assert sum("tcp/10.0.0.1/9345" in words for words in asked) == 1


@pytest.mark.parametrize(
    "outcome", [Outcome(status=1), Outcome(status=0, stdout=b"tool=bash\n"), Outcome(status=0, stdout=b"")]
)
def test_a_node_without_an_answer_to_the_second_question_has_tried_nothing(outcome: Outcome) -> None:
    """A warning: what it is was told, and it is judged by that."""

    def fail(host: SimulatedHost) -> None:
        async def answer(_host: SimulatedHost, _command: Command) -> Outcome:
            return outcome

        host.handles("preflight.reach")(answer)

    report = look(executor_of(only("n2", fail)))
    (told,) = [f for f in report.findings if f.check == "ports-between" and f.level != "ok"]
    assert (told.node, told.level) == ("n2", "warn")
    assert told.message.endswith("were not tried: it gave no answer in time")


def test_where_the_journal_says_a_node_has_begun_its_files_are_its_own() -> None:
    """The journal's word comes with the states."""
    report = look(executor_of(), states={"n1": "running"})
    assert {f.node for f in report.findings if f.check == "leftovers"} == {"n2"}


# The release


def archive(*tags: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        content = json.dumps([{"RepoTags": list(tags)}]).encode()
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class Demanding(Rke2):
    """A distro that names an image."""

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return Requirements(images=("*/pause:*",))


def inspected(folder: Path, **files: bytes) -> Inspection:
    """A release of these items, as it is found in a folder."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return Inspection({name.replace("_", "-"): File(folder / name, 0, "") for name in files}, len(files))


@pytest.mark.parametrize(
    ("files", "tags"),
    [
        ({"images": archive("a:1"), "images_own": gzip.compress(archive("b:2"))}, ("a:1", "b:2")),
        ({"images": archive("a:1"), "images_own": b"\x28\xb5\x2f\xfd"}, None),
        ({}, None),
    ],
)
def test_tags_are_known_only_where_every_archive_is(
    files: dict[str, bytes], tags: tuple[str, ...] | None, tmp_path: Path
) -> None:
    """What one archive lacks may be in the other."""
    view = view_release(CLUSTER, Demanding(), inspected(tmp_path, **files))
    assert view.tags == tags


def test_archives_are_left_alone_where_a_distro_names_no_images(tmp_path: Path) -> None:
    """RKE2's take seconds to unpack, and it has its own list."""
    view = view_release(CLUSTER, load_distro("rke2"), inspected(tmp_path, images=archive("a:1")))
    assert view.tags is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"...\x00v1.20.2\x00...", ""),
        (b"prefix v1.20.2-debian suffix", ""),
        (b"\x00v1.20.3\x00 and v1.55.1 of a library", "x is not v1.20.2: it seems to be v1.20.3"),
        (b"a kubelet, v1.21.0.", "x is not v1.20.2: nothing in it says so"),
        (b"a kubelet v1.21.0 ", "x is not v1.20.2: it seems to be v1.21.0"),
        (b"\x00v1.20.21\x00", "x is not v1.20.2: it seems to be v1.20.21"),
        (b"v1.33.0 or v1.44.0 ?", "x is not v1.20.2: nothing in it says so"),
        (b"", "x is not v1.20.2: nothing in it says so"),
    ],
)
def test_a_programs_version_is_told_by_its_text(content: bytes, words: str, tmp_path: Path) -> None:
    """The linker puts it between zero bytes; a longer number is another version."""
    (tmp_path / "x").write_bytes(content)
    release = {"kubelet": File(tmp_path / "x", len(content), "")}
    assert version_faults(release, "v1.20.2", ["amd64"]) == ((words,) if words else ())


def test_only_kubernetes_own_programs_have_its_version(tmp_path: Path) -> None:
    """Of every architecture; containerd and etcd have versions of their own."""
    items = ("kube-proxy-arm64", "runc", "etcd", "images", "crictl", "binary")
    (tmp_path / "x").write_bytes(b"nothing")
    release = {name: File(tmp_path / "x", 7, "") for name in items}
    assert len(version_faults(release, "v1.20.2", ["amd64", "arm64"])) == 1


def test_faults_of_all_kinds_are_found_in_one_look(tmp_path: Path) -> None:
    """A missing file does not hide a damaged one, as it does where the first fault is raised."""
    about = replace(CLUSTER, artifacts_dir=tmp_path)
    distro = load_distro("rke2")
    checksums, binary = (item for item in distro.artifacts(about) if item.id in ("checksums", "binary"))
    (tmp_path / binary.file).write_bytes(b"damaged")
    (tmp_path / checksums.file).write_text(f"{'0' * 64}  {binary.file}\n")
    found = inspect_release(about, distro)
    assert (len(found.missing), len(found.wrong), found.whole) == (1, 1, False)
    assert found.wrong[0].startswith(f"{tmp_path / binary.file}: its sha256 is ")


def test_files_without_a_promised_hash_are_no_verified_ones(tmp_path: Path) -> None:
    """An empty list of hashes, or one of another release, promises nothing; the list is not in itself."""
    about = replace(CLUSTER, artifacts_dir=tmp_path)
    distro = load_distro("rke2")
    items = {item.id: item.file for item in distro.artifacts(about)}
    for name in items.values():
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / items["checksums"]).write_text(f"{sha256(b'content').hexdigest()}  {items['binary']}\n")
    found = inspect_release(about, distro)
    assert found.whole
    assert found.unchecked == tuple(file for id, file in items.items() if id not in ("checksums", "binary"))


# The report


def report_of(*findings: Finding) -> Report:
    return Report(findings, ("n1", "n2"))


BAD = Finding("swap", "n1", "error", "swap is on", "swapoff")
WARNED = Finding("cpu", "n2", "warn", "slow", "faster")
RELEASE = Finding("release-files", ABOUT_THE_RELEASE, "error", "not here", "put them there")
GOOD = Finding("arch", "n1", "ok")


def test_the_table_shows_the_release_then_the_nodes_errors_first() -> None:
    """With a remedy under each; what passed only on demand."""
    report = report_of(GOOD, replace(WARNED, node="n1", check="clock"), BAD, WARNED, RELEASE)
    assert report.table().splitlines() == [
        "NODE     CHECK          RESULT  WHAT",
        "release  release-files  error   not here",
        "                                hint: put them there",
        "n1       swap           error   swap is on",
        "                                hint: swapoff",
        "n1       clock          warn    slow",
        "                                hint: faster",
        "n2       cpu            warn    slow",
        "                                hint: faster",
    ]
    assert "arch" in report.table(everything=True)
    assert report.counted() == "2 errors, 2 warnings, 1 passed"


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((GOOD, WARNED), ExitCode.DONE),
        ((replace(BAD, waived=True), WARNED), ExitCode.DONE),
        ((BAD, RELEASE), ExitCode.NODES_NEED_YOU),
        ((RELEASE, WARNED), ExitCode.MANIFEST_NEEDS_YOU),
    ],
)
def test_the_exit_code_says_whose_turn_it_is(findings: tuple[Finding, ...], code: ExitCode) -> None:
    assert report_of(*findings).refusal == code


def test_a_waived_error_is_shown_as_such() -> None:
    report = report_of(replace(BAD, waived=True), GOOD)
    assert "error, waived  swap is on" in report.table()
    assert report.counted() == "1 waived, 1 passed"


def test_what_a_node_said_is_one_line_and_obeyed_by_no_terminal() -> None:
    """A hostname or a program's name is the node's own word."""
    table = report_of(replace(BAD, message="a\nb\x1b[2J", evidence="c\nd")).table()
    assert len(table.splitlines()) == 4
    assert "\x1b" not in table


def test_a_refused_run_says_all_of_it_and_what_next() -> None:
    error = PreflightError(report_of(BAD, GOOD), "cluster.yaml")
    assert error.exit_code == ExitCode.NODES_NEED_YOU
    assert str(error).startswith("preflight: 1 error, 1 passed; nothing was changed on any node\n\nNODE")
    assert "`mk8s preflight cluster.yaml`" in str(error)


def test_data_for_programs_holds_every_finding() -> None:
    data = report_of(BAD, GOOD).as_data()
    assert (data["ok"], data["errors"], data["passed"], len(data["findings"])) == (False, 1, 1, 2)
    assert data["findings"][0] == {
        "check": "swap", "node": "n1", "level": "error", "waived": False,
        "message": "swap is on", "remedy": "swapoff", "evidence": "",
    }  # fmt: skip
