"""mk8s.binding over modelled hosts: who is refused before anything is sent, and what is hidden."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from machines import ActionError, Context
from machines.simulation import run_simulated
from mk8s.binding import Binding
from mk8s.distros.base import Question, load_distro
from mk8s.executor import Executor
from mk8s.modelled import model_os
from mk8s.parts_model import modelled_delivery
from mk8s.rehearsal import nominal_release
from mk8s.steps import Verdict
from tests.mk8s.examples import cluster, node
from transports.base import Command, Outcome, argv
from transports.simulated import Profile, SimulatedHost, SimulatedNetwork, SimulatedTransport

CLUSTER = cluster(node("srv-1", "primary", "10.0.0.1"), node("agent-1", "agent", "10.0.1.1"))


def bound(*hosts: SimulatedHost) -> Binding:
    """A binding over modelled hosts that hides the word ``hush``."""
    network = SimulatedNetwork()
    distro = load_distro("rke2")
    for host in hosts:
        model_os(network.add(host))
        distro.model(host, network, CLUSTER)
    roads = {host.name: SimulatedTransport(host.name, host, network) for host in hosts}
    executor = Executor(roads, redact=lambda text: text.replace("hush", "***"), delivery=modelled_delivery)
    return Binding(CLUSTER, distro, executor, nominal_release(CLUSTER, distro), "token", print)


def stage(*hosts: SimulatedHost) -> list[ActionError]:
    """Stage the cluster's nodes on these hosts, one after the other; what refused."""
    binding = bound(*hosts)
    refused: list[ActionError] = []

    async def main() -> None:
        for member in CLUSTER.nodes[: len(hosts)]:
            try:
                await binding.stage(Context(member, "stage", 1, {}))
            except ActionError as error:
                refused.append(error)

    run_simulated(main, seed=0)
    return refused


def named(hostname: str, *hosts: SimulatedHost) -> tuple[SimulatedHost, ...]:
    for host in hosts:
        host.hostname = hostname
    return hosts


def test_a_fit_host_is_staged() -> None:
    """Nothing is refused, and the release is on it."""
    host = SimulatedHost("srv-1", "10.0.0.1")
    assert stage(host) == []
    assert any("rke2.linux-amd64.tar.gz" in str(path) for path in host.files)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: SimulatedHost("srv-1", "10.0.0.1", arch="arm64"), "check.arch", "the host is arm64"),
        (
            lambda: SimulatedHost("srv-1", "10.0.0.1", profile=Profile(systemd=False)),
            "check.systemd",
            "systemd does not run",
        ),
    ],
)
def test_an_unfit_host_gets_nothing(make: Callable[[], SimulatedHost], kind: str, words: str) -> None:
    """It is refused for good, with a remedy, before the first byte."""
    host = make()
    (refused,) = stage(host)
    assert (refused.failure.kind, refused.failure.final) == (kind, True)
    assert words in refused.failure.message
    assert refused.failure.remedy
    assert not any("artifacts" in str(path) for path in host.files)


def test_two_hosts_of_one_name_do_not_both_come_in() -> None:
    """A cluster knows its members by their host names: the second is refused, and named with the first."""
    hosts = named("twin", SimulatedHost("srv-1", "10.0.0.1"), SimulatedHost("agent-1", "10.0.1.1"))
    (refused,) = stage(*hosts)
    assert refused.failure.kind == "check.hostname"
    assert refused.failure.message == "its hostname 'twin' is also that of srv-1"


def test_the_first_of_a_name_keeps_it_while_it_cannot_be_asked() -> None:
    """It is staged already and nobody would refuse it any more, so the second may not come in meanwhile."""
    first, second = named("twin", SimulatedHost("srv-1", "10.0.0.1"), SimulatedHost("agent-1", "10.0.1.1"))
    binding = bound(first, second)
    server, agent = CLUSTER.nodes

    @first.handles("unit.enable")
    async def dies(host: SimulatedHost, _command: Command) -> Outcome:
        host.power_off()
        return Outcome(status=0)

    async def main() -> str:
        await binding.stage(Context(server, "stage", 1, {}))
        for attempt in (1, 2):  # the connection is lost in the first, and the host is away in the second
            with pytest.raises(ActionError, match=r"10\.0\.0\.1|srv-1"):
                await binding.bootstrap(Context(server, "bootstrap", attempt, {}))
        with pytest.raises(ActionError) as refused:
            await binding.stage(Context(agent, "stage", 1, {}))
        return refused.value.failure.kind

    assert run_simulated(main, seed=0) == "check.hostname"


def test_what_a_node_answers_is_shown_without_secrets() -> None:
    """An answer may quote a config; `status --ask` prints it."""
    question = Question(
        "the unit runs", argv("test.say", "say", "hush"), lambda _: Verdict(met=False, reason="it says hush")
    )
    host = SimulatedHost("srv-1", "10.0.0.1")
    binding = bound(host)

    async def say(_host: SimulatedHost, _command: Command) -> Outcome:
        return Outcome(status=0)

    host.handles("test.say")(say)

    async def main() -> Verdict:
        return await binding.ask("srv-1", [question])

    assert run_simulated(main, seed=0).reason == "it says ***"


def test_a_kubeconfig_that_is_no_text_is_the_nodes_trouble() -> None:
    """Named, with a remedy: not a bug of mk8s."""
    host = SimulatedHost("srv-1", "10.0.0.1")
    binding = bound(host)
    path = binding.distro.kubeconfig(CLUSTER)
    host.disk.make_folder(path.parent)
    host.disk.write(path, b"\xff\xfe", mode=0o600, owner="root")

    async def main() -> None:
        await binding.fetch_kubeconfig("srv-1")

    with pytest.raises(ActionError, match="no text in UTF-8"):
        run_simulated(main, seed=0)
