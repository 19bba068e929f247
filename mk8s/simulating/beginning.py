"""A simulated run that begins in the middle: modelled hosts as the journal of a real run left them.

The journal says which edges of which node are done. On the modelled hosts those edges' own steps are done
again, in the journal's order, before the run's clock begins and without any fault. What the journal cannot
say is drawn by the seed: how far an attempt came that was cut off, or that failed; one in doubt may have
had its whole effect.

Only copies are touched: the real journal is read without its lock, and never written.
Begin reading at `bring_to`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio

from machines import ActionError, Failure, History, Record, Table, fold
from machines.files import JOURNAL
from machines.framing import frame
from machines.simulation import Broken, Rules, watch_over
from mk8s.binding import Binding
from mk8s.cluster import Cluster
from mk8s.contradictions import faults_in, refuse_faults
from mk8s.distros.base import Distro, Situation
from mk8s.errors import Mk8sError
from mk8s.executor import Executor
from mk8s.needs import pretend
from mk8s.parts_model import modelled_delivery
from mk8s.past import Past, find_past, refuse_no_folder
from mk8s.project import Project
from mk8s.steps import Step, WaitFor
from transports.base import File
from transports.simulated import SimulatedHost, SimulatedNetwork, SimulatedTransport

__all__ = ["Brought", "bring_to", "journal_of"]

RIDDANCE = "stop_unit"
EFFECTED = 0.5  # of the attempts in doubt are over on the host: nobody knows a better number
QUICKLY = 1e15  # bytes per second: files were brought before this run began


@dataclass(frozen=True, slots=True)
class Brought:
    """What `bring_to` needs to know beside the journal."""

    cluster: Cluster
    distro: Distro
    network: SimulatedNetwork
    hosts: Mapping[str, SimulatedHost]
    release: Mapping[str, File]
    images: tuple[str, ...]
    token: str
    seed: int
    looked_at: frozenset[str] = frozenset()  # nodes whose hosts are as they are known to be: nothing is drawn


def journal_of(project: Project, state: Path | None = None) -> bytes:
    """A copy of the cluster's journal, which need not be free.

    Raises Mk8sError when there is none, when it cannot be trusted or contradicts itself, or when the manifest
    is another one now.
    """
    past = find_past(project, state)
    if past is None:
        refuse_no_folder(project, state)
        raise Mk8sError(
            f"{project.cluster.name} has not been run from here yet",
            cause=f"{project.past_state(state).journal} holds no journal",
            remedy="leave out --from-state, and the simulation begins with untouched hosts",
        )
    _refuse_contradictions(project, state, past)
    roles = {node.name: node.role for node in project.cluster.nodes}
    others = [name for name, life in past.history.lives.items() if roles.get(name) != life.role]
    if others:
        raise Mk8sError(
            "the journal's run cannot go on with this manifest",
            cause=f"{', '.join(others)} had another role, or is not in the manifest now",
            remedy="put the manifest back as it was; a run would refuse it too",
        )
    return b"".join(frame(record) for record in past.records)


def _refuse_contradictions(project: Project, state: Path | None, past: Past) -> None:
    """No host can be brought to where its node never was, and no law of runs holds for such a past."""
    refuse_faults(
        faults_in(past.records, past.history.table) or _breach_in(project, past),
        project.past_state(state).journal / JOURNAL,
        "simulation",
        f"look at it: mk8s replay {project.words(state)}; put back a copy of the file, "
        "or the manifest as it was",
    )


def _breach_in(project: Project, past: Past) -> list[str]:
    """The first law that the records break: those that every simulated run is held to, its past included."""
    rules = Rules(spec=past.history.table.spec, members=project.cluster.nodes, before=len(past.records))
    watch = watch_over(rules)
    try:
        for record in past.records:
            watch.see(record)
    except Broken as broken:
        where = f"record {broken.record.seq}: " if broken.record else ""
        return [f"{where}{broken.evidence} ({broken.invariant})"]
    return []


async def bring_to(around: Brought, records: Sequence[Record], table: Table) -> None:
    """Bring the modelled hosts into the state that the records say.

    Nodes that the manifest does not name any more are passed over. Raises Mk8sError when an edge that the
    journal says is done cannot be done on the modelled hosts: then nothing that follows would mean anything.
    """
    history = fold(records, table)
    if history is None:
        return
    uplink = around.network.set_uplink(QUICKLY)
    hands = _Hands(around, table)
    for record in records:
        if record.node in around.hosts and _had_effect(record):
            await hands.redo(record)
    for name in history.lives:
        if name in around.hosts and name not in around.looked_at:
            await hands.begin_again(history, name)
    around.network.set_uplink(uplink)


def _had_effect(record: Record) -> bool:
    return record.kind == "done" or (record.kind == "probed" and record.found) or record.kind == "undone"


class _Hands:
    """A driver's own steps on the modelled hosts, without faults, journal or transcript."""

    def __init__(self, around: Brought, table: Table) -> None:
        self._around = around
        self._table = table
        network = around.network
        roads = {name: SimulatedTransport(name, host, network) for name, host in around.hosts.items()}
        self._executor = Executor(roads, delivery=modelled_delivery)
        self._binding = Binding(
            around.cluster,
            around.distro,
            self._executor,
            around.release,
            around.token,
            _forget,
            kept=pretend(around.distro.needs(around.cluster)),
            images=around.images,
        )

    async def redo(self, record: Record) -> None:
        """Bring the effect of what the record says is done. Raises Mk8sError."""
        do = RIDDANCE if record.kind == "undone" else self._table.edges[record.edge].do
        if do is None:
            return
        try:
            await self._run(record.node, do, all_of)
        except ActionError as error:
            raise Mk8sError(
                f"the journal says that {record.edge} of {record.node} is done (record {record.seq}), "
                "and the modelled host cannot be brought there",
                cause=_words(error.failure),
                remedy="was the manifest changed since that run? Simulate without --from-state",
            ) from error

    async def begin_again(self, history: History, name: str) -> None:
        """Bring what an attempt without a known end, or a failed one, may have done.

        In doubt, that may be all of it, waits included: its word was lost, and its effect was not. What it
        waited for may need nodes that are not as far; then it had its time, and nothing came of it.
        """
        life = history.lives[name]
        flight = life.edge or life.failed_at
        if flight is None or life.achieved or not (life.attempt or life.failed_at):
            return
        edge = self._table.edges[flight.edge]
        do = edge.do
        if do is None:
            return
        draw = random.Random(f"{self._around.seed}/{name}/{flight.edge}/cut-off")  # noqa: S311 - chance
        share = draw.random()
        in_doubt = bool(life.doubt) and life.failed_at is None
        is_effected = in_doubt and draw.random() < EFFECTED
        with suppress(ActionError), anyio.move_on_after(edge.timeout):
            await self._run(
                name,
                do,
                all_of if is_effected else lambda steps: _some_of(steps, share, may_be_all=in_doubt),
            )

    async def _run(self, node: str, do: str, choose: Callable[[Sequence[Step]], Sequence[Step]]) -> None:
        situation = await self._binding.situation_of(node)
        if do in ("start", "join"):
            situation = await self._binding.informed(situation)
        steps = choose(self._steps(do)(situation))
        await self._executor.run_steps(node, steps, self._around.distro.classify)

    def _steps(self, do: str) -> Callable[[Situation], Sequence[Step]]:
        distro = self._around.distro
        known: Mapping[str, Callable[[Situation], Sequence[Step]]] = {
            "stage": distro.stage,
            "bootstrap": distro.bootstrap,
            "start": distro.start,
            "join": distro.join,
            "verify": distro.verify,
            RIDDANCE: distro.stop_unit,
        }
        return known[do]


def all_of(steps: Sequence[Step]) -> Sequence[Step]:
    """All of them."""
    return steps


def _some_of(steps: Sequence[Step], share: float, *, may_be_all: bool) -> Sequence[Step]:
    """The beginning of a list, by a share from 0 to 1; of what it did, not of what it waited for."""
    most = len(steps) if may_be_all else max(0, len(steps) - 1)
    return [step for step in steps[: round(share * most)] if not isinstance(step, WaitFor)]


def _words(failure: Failure) -> str:
    return failure.message or failure.kind


def _forget(_text: str) -> None:
    """A modelled kubeconfig opens nothing."""
