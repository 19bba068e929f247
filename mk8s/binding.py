"""Where the two sides meet: the names in the node table, bound to a distro's steps over transports.

Each action asks the driver for the steps of its edge and hands them to the executor. It decides
nothing: retries, time and order belong to the table.

This module knows no SSH, no clock and no terminal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from machines import ActionError, Context, Registry
from machines.registry import Evidence
from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Distro, Lookup, Question, Situation
from mk8s.errors import Mk8sError
from mk8s.executor import Executor, StepsReport
from mk8s.facts import Facts, gather
from mk8s.headway import Headway
from mk8s.needs import Kept
from mk8s.steps import Step, Verdict
from transports.base import File

__all__ = ["Binding"]

T = TypeVar("T")
StepsOf = Callable[[Situation], list[Step]]
OnKubeconfig = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt whose connection was lost: in which boot of its host (`Facts.boot`), and how far it was.

    Boots are compared within one run and stand in no journal: a run that is resumed, by a journal of
    whatever age, has lost no attempt, and checks every step.
    """

    boot: str
    way: Headway

    def is_since(self, boot: str) -> bool:
        """Whether its host still runs as it did then. One that does not tell its boot may have booted."""
        return boot == self.boot != ""


@dataclass
class Binding:
    """One cluster's hands: actions, guards, probes and undos for the node table."""

    cluster: Cluster
    distro: Distro
    executor: Executor
    release: Mapping[str, File]
    token: str
    keep_kubeconfig: OnKubeconfig
    kept: Kept = field(default_factory=Kept)
    images: tuple[str, ...] = ()
    facts: dict[str, Facts] = field(default_factory=dict)
    remember: Callable[[str], None] | None = None  # hides a secret that a node has just told

    def __post_init__(self) -> None:
        self.nodes: dict[str, Node] = {node.name: node for node in self.cluster.nodes}
        self._hostnames: dict[str, str] = {}  # hostname -> the node that has it
        self._lost: dict[tuple[str, str], Lost] = {}  # (node, edge) -> the attempt whose connection was lost

    def registry(self) -> Registry:
        """Every name that specs/machines/node.yaml uses."""
        registry = Registry()
        registry.action("stage")(own_troubles(self.stage))
        registry.action("bootstrap")(own_troubles(self.bootstrap))
        registry.action("start")(own_troubles(self._informed_edge(self.distro.start)))
        registry.action("join")(own_troubles(self._informed_edge(self.distro.join)))
        registry.action("verify")(own_troubles(self.verify))
        registry.probe("has_joined")(own_troubles(self.has_joined))
        registry.undo("stop_unit")(own_troubles(self.stop_unit))
        registry.guard("is_primary")(lambda node: node.role == "primary")
        registry.guard("is_server")(lambda node: node.role == "server")
        registry.guard("is_agent")(lambda node: node.role == "agent")
        return registry

    async def stage(self, ctx: Context) -> Evidence:
        """Look at the host first: nothing is sent to one that cannot become a member."""
        self.facts.pop(ctx.member.name, None)
        facts = await self._facts_for(ctx)
        refuse_unfit(self.nodes[ctx.member.name], facts)
        self._refuse_twin(ctx.member.name, facts.hostname)
        return await self._go_on(self.distro.stage, ctx)

    async def bootstrap(self, ctx: Context) -> Evidence:
        """Look at the host again where an attempt was lost: it may have booted since.

        What is known of it stays until it answers: by that a twin is refused, which may come meanwhile.
        """
        if (ctx.member.name, ctx.edge) in self._lost:
            self._note_asking(ctx)
            self.facts[ctx.member.name] = await self._gather(ctx.member.name)
        return await self._go_on(self.distro.bootstrap, ctx)

    async def verify(self, ctx: Context) -> Evidence:
        evidence = await self._run(self.distro.verify, ctx)
        if ctx.member.role == "primary":
            await self.fetch_kubeconfig(ctx.member.name)
        return evidence

    async def has_joined(self, ctx: Context) -> Evidence | None:
        """The probe of the start and join edges: is the effect there already?"""
        situation = await self._situation_for(ctx)
        verdict = await self.ask(ctx.member.name, self.distro.has_joined(situation))
        return {"seen": verdict.reason} if verdict.met else None

    async def stop_unit(self, ctx: Context) -> None:
        await self._run(self.distro.stop_unit, ctx)

    async def is_healthy(self, node: str) -> Verdict:
        """Read-only: the role's readiness now. Raises ActionError when the node does not answer."""
        return await self.ask(node, self.distro.is_healthy(await self.situation_of(node)))

    async def ask(self, node: str, questions: Sequence[Question]) -> Verdict:
        """All questions in order; the first that is not met is the answer."""
        verdict = Verdict(met=True)
        for question in questions:
            verdict = question.judge(await self.executor.ask(question.on or node, question.command))
            if not verdict.met:
                break
        return replace(verdict, reason=self.executor.redact(verdict.reason))

    async def facts_of(self, node: str) -> Facts:
        """What the host is. Asked once a run; a stage asks again."""
        if node not in self.facts:
            self.facts[node] = await self._gather(node)
        return self.facts[node]

    async def _gather(self, node: str) -> Facts:
        return await gather(lambda command: self.executor.ask(node, command), node)

    def _refuse_twin(self, node: str, hostname: str) -> None:
        """The first node with a hostname keeps it: a cluster knows its members by it."""
        owner = self._hostnames.setdefault(hostname, node)
        known = self.facts.get(owner)  # None: it is being looked at again
        if owner != node and known and known.hostname == hostname:
            raise ActionError(
                "check.hostname",
                "check",
                final=True,
                message=f"its hostname {hostname!r} is also that of {owner}",
                remedy="give each host its own name with `hostnamectl set-hostname`",
            )
        self._hostnames[hostname] = node

    async def _go_on(self, steps_of: StepsOf, ctx: Context) -> Evidence:
        """An edge that needs no other node: an attempt after a lost connection goes on where that one was.

        What makes members is never continued so: a service may have died since, and its peers gone on.
        """
        key = (ctx.member.name, ctx.edge)
        lost = self._lost.pop(key, None)
        try:
            facts = await self._facts_for(ctx)
            steps = steps_of(self._situation(ctx.member.name, facts))
            before = lost.way if lost and lost.is_since(facts.boot) else None
            way = Headway.after(before, steps, ctx.reached)
            lost = Lost(facts.boot, way)
            report = await self.executor.run_steps(
                ctx.member.name, steps, self.distro.classify, note=ctx.note, headway=way
            )
        except ActionError as error:
            if lost is not None and "connection" in error.failure.lineage:
                self._lost[key] = lost
            raise
        return report.evidence()

    def _informed_edge(self, steps_of: StepsOf) -> Callable[[Context], Awaitable[Evidence]]:
        """An edge whose steps need answers of other nodes first."""

        async def act(ctx: Context) -> Evidence:
            return await self._run_in(await self.informed(await self._situation_for(ctx)), steps_of, ctx)

        return act

    async def informed(self, situation: Situation) -> Situation:
        """The same with what the distro has to ask just before a start or join. Raises ActionError."""
        learned: dict[str, str] = {}
        for lookup in self.distro.lookups(situation):
            learned[lookup.name] = await self._look_up(lookup) if lookup.wanted(learned) else ""
        return replace(situation, learned=learned)

    async def _look_up(self, lookup: Lookup) -> str:
        outcome = await self.executor.ask(lookup.on, lookup.command)
        if not outcome.ok:
            raise self.executor.failure(outcome, lookup.command, self.distro.classify)
        try:
            return self._hidden(lookup, lookup.read(outcome))
        except ValueError as error:
            message = self.executor.redact(
                f"{lookup.title}: {lookup.on} gave no answer that can be used: {error}"
            )
            raise ActionError("integrity", message=message) from error

    def _hidden(self, lookup: Lookup, answer: str) -> str:
        if lookup.secret and self.remember:
            self.remember(answer)
        return answer

    async def _run(self, steps_of: StepsOf, ctx: Context) -> dict[str, Any]:
        return await self._run_in(await self._situation_for(ctx), steps_of, ctx)

    async def _run_in(self, situation: Situation, steps_of: StepsOf, ctx: Context) -> dict[str, Any]:
        steps = steps_of(situation)
        report = await self.executor.run_steps(
            ctx.member.name,
            steps,
            self.distro.classify,
            note=ctx.note,
            headway=Headway(steps, ctx.reached),
        )
        return report.evidence()

    async def refresh(self, node: str) -> StepsReport:
        """Let a healthy node know of those that were added. Raises ActionError when it does not answer."""
        steps = self.distro.refresh(await self.situation_of(node))
        return await self.executor.run_steps(node, steps, self.distro.classify)

    async def _facts_for(self, ctx: Context) -> Facts:
        """The same, telling people what is being waited for: a host that is away takes its time."""
        if ctx.member.name not in self.facts:
            self._note_asking(ctx)
        return await self.facts_of(ctx.member.name)

    def _note_asking(self, ctx: Context) -> None:
        name = ctx.member.name
        ctx.note(f"connecting to {name} ({self.nodes[name].address}) and asking what it is")

    async def situation_of(self, node: str) -> Situation:
        """All that the driver may know of a node now. Raises ActionError when the node does not answer."""
        return self._situation(node, await self.facts_of(node))

    async def _situation_for(self, ctx: Context) -> Situation:
        return self._situation(ctx.member.name, await self._facts_for(ctx))

    def _situation(self, node: str, facts: Facts) -> Situation:
        return Situation(
            self.cluster, self.nodes[node], facts, self.release, self.token, self.kept, self.images
        )

    async def fetch_kubeconfig(self, node: str) -> None:
        """Read it on the primary and keep it here. Raises ActionError when the node does not answer."""
        content = await self.executor.get(node, self.distro.kubeconfig(self.cluster))
        self.keep_kubeconfig(self.distro.rewrite_kubeconfig(_text_of(content, node), self.cluster))


def _text_of(content: bytes, node: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ActionError(
            "kubeconfig",
            final=True,
            message=f"{node}: its kubeconfig is no text in UTF-8",
            remedy="look at the file on the node: something else has written it",
        ) from None


def own_troubles(act: Callable[[Context], Awaitable[T]]) -> Callable[[Context], Awaitable[T]]:
    """What goes wrong here and not on the node, such as a full disk below the state folder, is no bug.

    It becomes an ActionError of class ``operator``: final, and ambiguous: the node may have acted.
    """

    async def acting(ctx: Context) -> T:
        try:
            return await act(ctx)
        except Mk8sError as error:
            problem = f"on the machine that mk8s runs on: {error.problem}"
            raise ActionError(
                "operator", message=problem, remedy=error.remedy, ambiguous=True, final=True
            ) from error

    return acting


def refuse_unfit(node: Node, facts: Facts) -> None:
    """Raise ActionError (class check) for a host that cannot become what the manifest says."""
    if facts.arch != node.arch:
        raise ActionError(
            "check.arch",
            "check",
            final=True,
            message=f"the manifest says {node.arch}, the host is {facts.arch}",
            remedy=f"set `arch: {facts.arch}` for {node.name}, or correct its address",
        )
    if not facts.systemd:
        raise ActionError(
            "check.systemd",
            "check",
            final=True,
            message="systemd does not run on the host, and it starts the cluster's services",
            remedy="install on a host that boots with systemd",
        )
