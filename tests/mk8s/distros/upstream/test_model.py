"""Upstream's shared steps on simulated hosts: run, run again, after a change, taken back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from mk8s.cluster import Cluster
from mk8s.distros.base import Situation
from mk8s.distros.upstream import host, network, parts, runtime
from mk8s.distros.upstream.model import HANDLED, routes_of, teach
from mk8s.executor import Executor, StepsReport
from mk8s.modelled import OS_HANDLERS, model_os
from mk8s.parts_model import modelled_delivery
from mk8s.steps import Run, Step, WaitFor, WriteFile
from tests.mk8s.distros.situations import make_node
from tests.mk8s.distros.upstream.made import EVERY_ID, cluster, situation
from transports.base import Command, Outcome
from transports.simulated import (
    ServiceFailed,
    ServiceModel,
    SimulatedHost,
    SimulatedNetwork,
    SimulatedService,
    SimulatedTransport,
)

pytestmark = pytest.mark.anyio

Edge = Callable[[Situation], list[Step]]
HOSTS, FSTAB, SWAPS = PurePosixPath("/etc/hosts"), PurePosixPath("/etc/fstab"), PurePosixPath("/proc/swaps")
LOCAL = b"127.0.0.1 localhost\n127.0.1.1 srv-1"
TABLE = b"/dev/sda1 / ext4 defaults 0 1\nUUID=7 none swap sw 0 0\n"
PREPARED = cluster(hosts_entries=True, swap="disable")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


class OneHost:
    """A simulated host, and steps that are run on it."""

    def __init__(self) -> None:
        net = SimulatedNetwork()
        self.host = net.add(SimulatedHost("srv-1", "10.0.0.11"))
        model_os(self.host)
        teach(self.host, net, PREPARED)
        for path, content in (
            (HOSTS, LOCAL),
            (FSTAB, TABLE),
            (SWAPS, b"Filename Type\n/dev/sda2 partition\n"),
        ):
            self.host.disk.make_folder(path.parent)
            self.host.disk.write(path, content)
        self.executor = Executor(
            {"srv-1": SimulatedTransport("srv-1", self.host, net)}, delivery=modelled_delivery
        )

    async def do(self, of: Cluster, *edges: Edge, **more: Any) -> StepsReport:
        s = situation(of, **more)
        with anyio.fail_after(3600):
            return await self.executor.run_steps("srv-1", [step for edge in edges for step in edge(s)])

    def contents(self) -> dict[str, bytes | None]:
        """Files outside our own folder, and the kernel's values."""
        files = self.host.files.items()
        return {str(path): file.content for path, file in files if not path.is_relative_to("/var/lib/mk8s")}


def stage(s: Situation) -> list[Step]:
    return parts.stage(s, EVERY_ID)


def kubelet(s: Situation) -> list[Step]:
    return [parts.install_binary(s, "kubelet", "kubelet")]


ALL: tuple[Edge, ...] = (stage, host.prepare, runtime.install, kubelet, network.install)


def commands_of(s: Situation) -> Iterator[Command]:
    for edge in (*ALL, host.unprepare, network.refresh):
        for step in edge(s):
            if isinstance(step, Run):
                yield from filter(None, (step.command, step.check))
            elif isinstance(step, WaitFor):
                yield step.command
    yield from (question.command for question in network.questions(s))


def test_every_command_has_a_model() -> None:
    """And no model is left over from a command that is gone."""
    sent = {command.operation for command in commands_of(situation(PREPARED))}

    assert sent - OS_HANDLERS.keys() == set(HANDLED)


def test_scripts_take_what_varies_as_arguments() -> None:
    """No path, name or address of a cluster becomes code."""
    others = cluster(
        make_node("srv-1", "primary", "10.9.9.9"), version="v1.32.1", hosts_entries=True, swap="disable"
    )
    scripts = [
        {command.operation: command.script for command in commands_of(situation(of))}
        for of in (PREPARED, others)
    ]

    assert scripts[0] == scripts[1]


async def test_a_bare_host_is_prepared_once() -> None:
    """The second time nothing changes and nothing restarts."""
    one = OneHost()
    first = await one.do(PREPARED, *ALL)
    again = await one.do(PREPARED, *ALL)

    assert (first.changed > 30, again.changed, again.uploaded) == (True, 0, 0)
    containerd = one.host.service("containerd")
    assert containerd is not None
    assert (containerd.state, containerd.enabled, containerd.starts) == ("active", True, 1)


async def test_containerd_starts_anew_only_for_a_changed_file() -> None:
    one = OneHost()
    await one.do(PREPARED, *ALL)
    report = await one.do(PREPARED, *ALL, lowers_oom=False)

    containerd = one.host.service("containerd")
    assert containerd is not None
    assert containerd.starts == 2
    assert "start containerd" in report.titles
    assert b"restrict_oom_score_adj = true" in one.host.disk.read(
        PurePosixPath("/etc/containerd/config.toml")
    )


async def test_the_host_is_as_before_when_all_is_taken_back() -> None:
    """Names, swap, values and files; and taking back again finds nothing to do."""
    one = OneHost()
    before = one.contents()
    await one.do(PREPARED, host.prepare)
    assert (await one.do(PREPARED, host.prepare)).changed == 0
    prepared = one.contents()
    back = await one.do(PREPARED, host.unprepare)
    again = await one.do(PREPARED, host.unprepare)

    values = {path: content for path, content in one.contents().items() if path.startswith("/proc/sys/")}
    rest = {
        path: content for path, content in one.contents().items() if path not in values and path != str(SWAPS)
    }
    assert prepared[str(HOSTS)] == (
        b"# begin mk8s\n10.0.0.11 srv-1\n10.0.0.12 srv-2\n10.0.0.21 agent-1\n# end mk8s\n" + LOCAL
    )
    assert rest == {path: content for path, content in before.items() if path != str(SWAPS)}
    assert set(values.values()) == {b"0\n"}
    assert b"/dev/sda2" in one.host.disk.read(SWAPS)
    assert (back.changed, again.changed) == (5, 0)


async def test_taking_a_host_back_leaves_what_others_have_kept() -> None:
    """The administrator's own containerd config waits in the same folder; it is the only copy."""
    one = OneHost()
    await one.do(PREPARED, host.prepare)
    kept = parts.BEFORE / "containerd.toml"
    one.host.disk.write(kept, b"theirs")

    await one.do(PREPARED, host.unprepare)
    assert (await one.do(PREPARED, host.unprepare)).changed == 0
    assert one.host.disk.read(kept) == b"theirs"


async def test_what_was_not_asked_for_is_not_done() -> None:
    """Swap and names are the administrator's unless the manifest says otherwise."""
    one = OneHost()
    await one.do(cluster(), host.prepare)

    assert (one.host.disk.read(HOSTS), one.host.disk.read(FSTAB)) == (LOCAL, TABLE)


async def test_marks_that_do_not_match_are_left_to_a_person() -> None:
    """Nobody can say what is ours, so nothing is removed."""
    one = OneHost()
    one.host.disk.write(HOSTS, b"# begin mk8s\n10.0.0.1 x\n" + LOCAL)

    with pytest.raises(ActionError, match="do not match"):
        await one.do(PREPARED, host.prepare)


async def test_routes_grow_with_the_cluster_and_survive_a_reboot() -> None:
    one = OneHost()
    small = cluster(make_node("srv-1", "primary", "10.0.0.11"))
    await one.do(small, *ALL)
    assert routes_of(one.host) == set()

    report = await one.do(cluster(), network.refresh)
    assert report.changed == 2
    one.host.reboot()
    await anyio.sleep(120)

    assert one.host.up
    assert routes_of(one.host) == {"10.244.1.0/24 via 10.0.0.12", "10.244.2.0/24 via 10.0.0.21"}
    assert (await one.do(cluster(), network.refresh)).changed == 0


async def test_a_route_that_is_gone_is_seen_and_set_again() -> None:
    one = OneHost()
    await one.do(cluster(), *ALL)
    one.host.disk.write(PurePosixPath("/run/mk8s/kernel-routes"), b"10.244.9.0/24 via 10.0.0.99\n")
    (question,) = network.questions(situation(cluster()))
    seen = question.judge(await one.executor.ask("srv-1", question.command))
    await one.do(cluster(), network.refresh)
    then = question.judge(await one.executor.ask("srv-1", question.command))

    assert (seen.met, seen.reason) == (False, "no route 10.244.1.0/24 via 10.0.0.12")
    assert then.met


async def test_a_file_that_changed_after_the_upload_is_not_installed() -> None:
    """The last verification stands right before the installation."""
    for name in ("runc.amd64", "containerd-linux-amd64.tar.gz", "images-linux-amd64.tar"):
        one = OneHost()
        await one.do(PREPARED, stage)
        one.host.disk.write(PurePosixPath("/var/lib/mk8s/artifacts/v1.20.2") / name, b"something else")
        with pytest.raises(ActionError, match="is not what was sent"):
            await one.do(PREPARED, runtime.install)


async def test_a_containerd_that_does_not_start_ends_the_step_with_its_own_words() -> None:
    one = OneHost()

    def broken(_host: SimulatedHost, _service: SimulatedService) -> Iterator[float]:
        yield 1.0
        raise ServiceFailed("invalid plugin config")

    one.host.service_models["containerd.service"] = ServiceModel(broken, 5.0)
    with pytest.raises(ActionError, match="invalid plugin config"):
        await one.do(PREPARED, stage, runtime.install)


@pytest.mark.parametrize(
    ("outcome", "reason", "lineage"),
    [
        (Outcome(status=0), "", ()),
        (
            Outcome(status=1, stdout=b"ActiveState=activating\nSubState=start\nNRestarts=1\n"),
            "containerd.service is activating",
            (),
        ),
        (
            Outcome(status=1, stdout=b"ActiveState=failed\nSubState=failed\nNRestarts=0\nboom\n"),
            "containerd.service is failed: boom",
            ("runtime.failed", "runtime", "exit"),
        ),
        (
            Outcome(status=1, stdout=b"ActiveState=activating\nSubState=auto-restart\nNRestarts=4\nboom\n"),
            "containerd.service is activating: boom",
            ("runtime.failed", "runtime", "exit"),
        ),
    ],
)
def test_waiting_for_containerd_ends_when_it_cannot_come(
    outcome: Outcome, reason: str, lineage: tuple[str, ...]
) -> None:
    verdict = runtime.containerd_answers(outcome)

    assert (verdict.met, verdict.reason, verdict.lineage) == (outcome.ok, reason, lineage)


def written(s: Situation) -> dict[PurePosixPath, str]:
    return {step.target: step.content.decode() for step in runtime.install(s) if isinstance(step, WriteFile)}


def test_where_usr_local_cannot_be_written_programs_and_unit_go_to_opt_together() -> None:
    unit = written(situation(cluster(), usr_local="read-only"))[runtime.UNIT]

    assert "ExecStart=/opt/bin/containerd\n" in unit
    assert "PATH=/opt/sbin:/opt/bin:" in unit


def test_both_configurations_say_the_same_in_their_own_words() -> None:
    """Which of the two a host gets is known by its containerd."""
    texts = written(replace(situation(cluster()), facts=None))
    one, two = tomllib.loads(texts[runtime.FOR_1]), tomllib.loads(texts[runtime.FOR_2])
    cri = one["plugins"]["io.containerd.grpc.v1.cri"]
    running, images = (two["plugins"][f"io.containerd.cri.v1.{part}"] for part in ("runtime", "images"))

    assert (one["version"], two["version"]) == (2, 3)
    assert cri["sandbox_image"] == images["pinned_images"]["sandbox"] == "k8s.example/pause:9.9"
    assert cri["containerd"] == running["containerd"]
    assert cri["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"]
    assert (cri["restrict_oom_score_adj"], running["restrict_oom_score_adj"]) == (False, False)
    assert cri["registry"] == images["registry"]
