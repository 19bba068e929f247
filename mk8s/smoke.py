"""Prove that a cluster works: the six probes of Kubernetes the hard way, through kubectl on a server.

Laws:

1. Everything is made in one namespace of its own; what an interrupted smoke left there is removed first,
   and it is removed at the end, also after Ctrl-C.
2. A probe that fails does not keep the others from being made.
3. Each probe ends within its patience and says what it waited for; a failure has the cluster's own words.

It knows no distro and prints nothing. Begin reading at `Smoke.run`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import anyio

from machines import ActionError
from mk8s.binding import Binding
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Tools
from mk8s.errors import Mk8sError
from mk8s.kube import commands, smoking
from mk8s.kube.smoking import Pod, Service
from mk8s.kube.views import read_nodes
from transports.base import Command, Outcome

__all__ = ["PROBES", "Probed", "Smoke"]

PATIENCE = 120.0  # seconds for the pods to run
KNOCKING = 20.0  # seconds for a node to answer at all
CLEANING = 120.0  # seconds
PAUSE = 1.0
FEWEST, MOST_PODS = 2, 5  # a service that leads to one pod proves little
CONTROL_PLANE = {"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}
ENCRYPTED = b"k8s:enc:"
PROBES = ("secrets", "deployment", "port-forward", "logs", "exec", "service")
TITLES = {
    "secrets": "secrets are encrypted at rest",
    "deployment": "a deployment's pods run",
    "port-forward": "a port is forwarded to a pod",
    "logs": "a pod's logs are read",
    "exec": "a command runs in a pod",
    "service": "a service answers on every node",
}
Result: TypeAlias = Literal["passed", "failed", "not configured"]


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe came to."""

    probe: str
    result: Result
    evidence: str
    seconds: float

    @property
    def title(self) -> str:
        return TITLES[self.probe]


class _Failed(Exception):  # noqa: N818 - reads as what happened
    """A probe's own finding that it failed, with its evidence."""


class _NotConfigured(Exception):  # noqa: N818
    """What the probe looks for is not meant to be there."""


@dataclass
class Smoke:
    """One smoke of one cluster. `tell` gets what people want to know meanwhile."""

    binding: Binding
    image: str
    tell: Callable[[str], None]
    patience: float = PATIENCE
    _server: str = ""
    _alive: list[Node] = field(default_factory=list)
    _pods: list[Pod] = field(default_factory=list)

    @property
    def cluster(self) -> Cluster:
        return self.binding.cluster

    @property
    def namespace(self) -> str:
        return smoking.namespace_of(self.cluster)

    @property
    def tools(self) -> Tools:
        """Those of the server that is asked."""
        return self.binding.distro.tools(self.binding.nodes[self._server], self.cluster)

    async def run(self) -> list[Probed]:
        """All probes, in order. Raises Mk8sError where no server answers or nothing can be made there."""
        await self._find_nodes()
        async with self._own_namespace():
            return [await self._probe(name) for name in PROBES]

    # Before and after

    async def _find_nodes(self) -> None:
        """Which nodes answer, and the first server whose API does."""
        self.tell(f"asking {len(self.cluster.nodes)} nodes")
        answers: dict[str, bool] = {}

        async def knock(node: Node) -> None:
            answers[node.name] = await self._serves(node)

        async with anyio.create_task_group() as tasks:
            for node in self.cluster.nodes:
                tasks.start_soon(knock, node)
        self._alive = [node for node in self.cluster.nodes if node.name in answers]
        serving = [node.name for node in self.cluster.servers if answers.get(node.name)]
        self._alive = [node for node in self._alive if node.name not in self._silent]
        if not serving:
            raise Mk8sError(
                "no server of this cluster answers through its API server",
                remedy="`mk8s health` says what is wrong with it",
            )
        self._server = serving[0]

    def __post_init__(self) -> None:
        self._silent: set[str] = set()

    async def _serves(self, node: Node) -> bool:
        """Whether its API server answers; a node that does not answer at all is left out from now on."""
        tools = self.binding.distro.tools(node, self.cluster)
        ask = (
            commands.readyz(tools)
            if node.is_server
            else Command(operation="kube.hello", description="see whether it answers", script="exit 0")
        )
        with anyio.move_on_after(KNOCKING):
            try:
                return (await self.binding.executor.ask(node.name, ask)).ok
            except ActionError as error:
                self.tell(f"{node.name} is left out: {error}")
                self._silent.add(node.name)
                return False
        self.tell(f"{node.name} is left out: no answer within {KNOCKING:g} s")
        self._silent.add(node.name)
        return False

    @asynccontextmanager
    async def _own_namespace(self) -> AsyncIterator[None]:
        """The namespace, new; removed however this ends."""
        self.tell(f"asking through {self._server}; everything is made in namespace {self.namespace}")
        empty = False
        try:
            await self._must(smoking.delete_namespace(self.tools, self.namespace), changed=True)
            empty = True
            await self._must(smoking.create_namespace(self.tools, self.namespace), changed=True)
            await self._until("the namespace has an account for pods", self._has_account, 30.0)
            yield
        except (_Failed, ActionError) as error:
            raise Mk8sError(f"a namespace cannot be made: {error}", remedy="see `mk8s health`") from error
        finally:
            if empty:
                with anyio.move_on_after(CLEANING, shield=True):
                    await self._clean()

    async def _clean(self) -> None:
        self.tell(f"removing namespace {self.namespace}")
        try:
            await self._must(smoking.delete_namespace(self.tools, self.namespace), changed=True)
        except (_Failed, ActionError) as error:
            self.tell(f"namespace {self.namespace} is left behind: {error}; the next smoke removes it")

    async def _has_account(self) -> str:
        outcome = await self._ask(smoking.has_account(self.tools, self.namespace))
        return "" if outcome.ok else outcome.complaint

    # One probe

    async def _probe(self, name: str) -> Probed:
        began = anyio.current_time()
        self.tell(f"{PROBES.index(name) + 1} of {len(PROBES)}: {TITLES[name]}")
        result: Result = "failed"
        try:
            evidence = await self._probes[name]()
            result = "passed"
        except _NotConfigured as reason:
            result, evidence = "not configured", str(reason)
        except (_Failed, ActionError, ValueError) as error:
            evidence = str(error)
        told = self.binding.executor.redact(evidence)
        return Probed(name, result, told, anyio.current_time() - began)

    @property
    def _probes(self) -> dict[str, Callable[[], Awaitable[str]]]:
        return {
            "secrets": self._secrets,
            "deployment": self._deployment,
            "port-forward": self._port_forward,
            "logs": self._logs,
            "exec": self._exec,
            "service": self._service,
        }

    async def _secrets(self) -> str:
        """As etcd has it, a secret begins with the words of a provider that encrypts."""
        tools = self.tools
        if tools.etcdctl is None:
            raise _NotConfigured("this cluster has no etcd that mk8s may ask")
        await self._must(smoking.create_secret(tools, self.namespace), changed=True)
        stored = (await self._must(smoking.stored_secret(tools, self.namespace))).stdout
        if stored.startswith(ENCRYPTED):
            provider = ":".join(stored[:80].decode("ascii", "replace").split(":")[:5])
            return f"in etcd it begins with {provider}:"
        if not stored:
            raise _Failed("etcd has no such key: are secrets stored under another prefix?")
        if not tools.secrets_encrypted:
            raise _NotConfigured(
                "secrets lie in etcd as they are; this cluster is not set up to encrypt them"
            )
        raise _Failed(f"in etcd it does not begin with {ENCRYPTED.decode()}, so it lies there as it is")

    async def _deployment(self) -> str:
        nodes, left_out = await self._targets()
        await self._must(smoking.deploy(self.tools, self.namespace, self.image, nodes), changed=True)
        await self._until(f"{len(nodes)} pods run", lambda: self._pods_lack(len(nodes)), self.patience)
        where = ", ".join(sorted({pod.node for pod in self._pods}))
        return f"{len(self._pods)} ready on {where}" + (f"; left out: {left_out}" if left_out else "")

    async def _targets(self) -> tuple[list[str], str]:
        """Workers first, and servers where there are not two; only those that are Ready. And who is not."""
        views = read_nodes(await self._must(commands.get_nodes(self.tools)))
        fit = [view for view in views if view.is_ready and not view.unschedulable]
        workers = [view.name for view in fit if not CONTROL_PLANE & set(view.labels)]
        servers = [view.name for view in fit if view.name not in workers]
        targets = workers[:MOST_PODS] if len(workers) >= FEWEST else [*workers, *servers][:FEWEST]
        if not targets:
            raise _Failed("no node is Ready and takes pods")
        left_out = [f"{view.name} is not Ready" for view in views if not view.is_ready]
        return targets, ", ".join(left_out)

    async def _pods_lack(self, wanted: int) -> str:
        """What is missing until all pods are ready, in their own words. Empty: nothing."""
        found = smoking.read_pods(await self._must(smoking.get_pods(self.tools, self.namespace)))
        self._pods = [pod for pod in found if pod.ready]
        if len(self._pods) >= wanted:
            return ""
        troubles = sorted({f"{pod.node or 'no node'}: {pod.trouble}" for pod in found if not pod.ready})
        return f"{len(self._pods)} of {wanted} ready; {'; '.join(troubles) or 'no pods yet'}"

    async def _port_forward(self) -> str:
        pod = self._a_pod()
        outcome = await self._ask(smoking.port_forward(self.tools, self.namespace, pod.name))
        if outcome.ok and outcome.text == pod.name:
            return f"a port of {self._server} leads to {pod.name} on {pod.node}"
        why = outcome.complaint
        proxied = await self._ask(smoking.fetch_through_api(self.tools, self.namespace, pod.name))
        if proxied.ok and proxied.text == pod.name:
            return f"through the API server's proxy; port-forward itself did not: {why}"
        raise _Failed(f"{why}; through the API server's proxy: {proxied.complaint}")

    async def _logs(self) -> str:
        said = []
        for pod in self._some_pods():
            outcome = await self._must(smoking.logs(self.tools, self.namespace, pod.name))
            if smoking.GREETING not in outcome.text:
                raise _Failed(f"{pod.name} on {pod.node} said {outcome.text[:80]!r}")
            said.append(pod.node)
        return f"{smoking.GREETING!r}, from {', '.join(said)}"

    async def _exec(self) -> str:
        ran = []
        for pod in self._some_pods():
            outcome = await self._must(smoking.execute(self.tools, self.namespace, pod.name))
            if outcome.text != pod.name:
                raise _Failed(f"hostname in {pod.name} on {pod.node} is {outcome.text[:80]!r}")
            ran.append(pod.node)
        return f"hostname answers in pods on {', '.join(ran)}"

    async def _service(self) -> str:
        """The ClusterIP from every node, and every node's port from the server."""
        self._some_pods()
        service = smoking.read_service(await self._must(smoking.get_service(self.tools, self.namespace)))
        asked = [(node.name, f"http://{service.ip}:{smoking.PORT}") for node in self._alive]
        asked += [(self._server, f"http://{node.ip}:{service.node_port}") for node in self._alive]
        troubles: list[str] = []

        async def fetch(node: str, url: str) -> None:
            outcome = await self._ask(smoking.fetch(self._tools_on(node), url), node)
            if not (outcome.ok and outcome.text in {pod.name for pod in self._pods}):
                troubles.append(f"from {node}, {url}: {outcome.complaint}")

        async with anyio.create_task_group() as tasks:
            for node, url in asked:
                tasks.start_soon(fetch, node, url)
        if troubles:
            raise _Failed(f"{len(troubles)} of {len(asked)} do not answer: {'; '.join(sorted(troubles))}")
        return self._service_evidence(service)

    def _service_evidence(self, service: Service) -> str:
        names = ", ".join(node.name for node in self._alive)
        return f"ClusterIP {service.ip} from {names}; NodePort {service.node_port} of each"

    def _tools_on(self, node: str) -> Tools:
        return self.binding.distro.tools(self.binding.nodes[node], self.cluster)

    def _a_pod(self) -> Pod:
        """One that runs elsewhere than the server that is asked, if there is one."""
        pods = self._some_pods()
        return next((pod for pod in pods if pod.node != self._server), pods[0])

    def _some_pods(self) -> Sequence[Pod]:
        if not self._pods:
            raise _Failed("no pod runs to be asked")
        return self._pods

    # Asking

    async def _ask(self, command: Command, node: str = "") -> Outcome:
        return await self.binding.executor.ask(node or self._server, command)

    async def _must(self, command: Command, *, changed: bool = False) -> Outcome:
        """A command that has to exit 0."""
        outcome = await self.binding.executor.command(self._server, command, changed=changed)
        if not outcome.ok:
            raise _Failed(f"{command.description}: {outcome.complaint}")
        return outcome

    async def _until(self, what: str, lacks: Callable[[], Awaitable[str]], seconds: float) -> None:
        """Ask what is lacking until nothing is. Raises _Failed with it, and the last event, in the end."""
        said = "no answer yet"
        with anyio.move_on_after(seconds):
            while True:
                found = await lacks()
                if not found:
                    return
                if found != said:
                    self.tell(f"waiting until {what}: {found}")
                    said = found
                await anyio.sleep(PAUSE)
        raise _Failed(f"not within {seconds:g} s: {said}{await self._last_warning()}")

    async def _last_warning(self) -> str:
        with anyio.move_on_after(KNOCKING):
            outcome = await self._ask(smoking.get_events(self.tools, self.namespace))
            warnings = smoking.read_events(outcome) if outcome.ok else []
            return f" (last event: {warnings[-1]})" if warnings else ""
        return ""
