"""A driver's rollout on modelled hosts, and questions to what came of it, in virtual time.

Begin reading at `live`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from machines import ActionError, MemoryJournal, Result
from machines.simulation import run_simulated
from mk8s.cluster import Cluster, Node
from mk8s.conformance.subjects import TOKEN, Subject
from mk8s.distros.base import Question, Situation
from mk8s.needs import pretend
from mk8s.parts_model import modelled_cuts
from mk8s.rehearsal import modelled_roads, nominal_release
from mk8s.rollout import Rollout, Surroundings
from mk8s.steps import Step, Verdict
from transports.simulated import SimulatedHost, SimulatedNetwork

__all__ = ["Life", "live", "shortcomings"]

Files = dict[str, tuple[str, int]]


@dataclass
class Life:
    """Modelled hosts, and a rollout bound to them."""

    cluster: Cluster
    network: SimulatedNetwork
    rollout: Rollout
    kubeconfigs: list[str] = field(default_factory=list)

    async def run(self) -> Result:
        """Bring everybody up, as far as the driver gets."""
        return await self.rollout.supervisor().run()

    def host(self, node: Node) -> SimulatedHost:
        return self.network.hosts[node.address]

    async def situation(self, node: Node) -> Situation:
        return await self.rollout.binding.informed(await self.rollout.binding.situation_of(node.name))

    async def do(self, node: Node, steps: list[Step]) -> None:
        """Run steps on a node. Raises ActionError."""
        binding = self.rollout.binding
        await binding.executor.run_steps(node.name, steps, binding.distro.classify)

    async def begin(self, node: Node) -> None:
        """Start the primary, or let another node join. Raises ActionError."""
        distro, s = self.rollout.binding.distro, await self.situation(node)
        await self.do(node, distro.start(s) if node.role == "primary" else distro.join(s))

    async def verify(self, node: Node) -> None:
        """Wait for its own readiness, as a run does before the next ones begin. Raises ActionError."""
        await self.do(node, self.rollout.binding.distro.verify(await self.situation(node)))

    async def reboot(self, node: Node) -> None:
        """Reboot a host, and wait until it is up again."""
        host = self.host(node)
        host.reboot()
        await host.time.sleep(host.profile.boot_seconds + 1)

    async def ask(self, node: Node, questions: list[Question]) -> Verdict:
        """The first that is not met, or all; an answer that did not come is 'not met'."""
        try:
            return await self.rollout.binding.ask(node.name, questions)
        except ActionError as error:
            return Verdict(met=False, reason=str(error))

    def running(self, node: Node) -> set[str]:
        """The services of a host that run, or are about to."""
        self.network.timeline.catch_up()  # hosts go on when somebody looks
        services = self.host(node).services.values()
        return {service.name for service in services if service.state in ("active", "activating")}

    def files(self, node: Node) -> Files:
        """What lies on a host: path -> hash and mode."""
        return {str(path): (file.sha256, file.mode) for path, file in self.host(node).files.items()}


def live(subject: Subject, cluster: Cluster, then: Callable[[Life], Awaitable[list[str]]]) -> list[str]:
    """Make the hosts, and do with them what `then` says; its complaints. A crash of ours is one, too."""

    async def main() -> list[str]:
        return await then(_begin(subject, cluster))

    try:
        return run_simulated(main, seed=0)
    except Exception as error:
        return [f"raises {type(error).__name__}: {error}"]


def _begin(subject: Subject, cluster: Cluster) -> Life:
    network = SimulatedNetwork()
    kubeconfigs: list[str] = []
    roads = modelled_roads(cluster, subject.distro, network, seed=0)
    around = Surroundings(
        transports=roads,
        journal=MemoryJournal(),
        release=nominal_release(cluster, subject.distro),
        token=TOKEN,
        kept=pretend(subject.distro.needs(cluster)),
        cut=modelled_cuts,
        keep_kubeconfig=kubeconfigs.append,
    )
    return Life(cluster, network, Rollout(cluster, subject.distro, around), kubeconfigs)


def shortcomings(result: Result) -> list[str]:
    """Every node that is not healthy at the end, and why."""
    found = []
    for node, state in sorted(result.states.items()):
        if state != "healthy":
            failure = result.failures.get(node)
            why = str(failure.failure) if failure else result.blocked.get(node, "")
            found.append(f"{node} ends {state}: {why}")
    return found
