"""The plan of a project: files, journal and, where asked for, the nodes; then the rehearsals.

The only module here that reads files or waits for nodes. The journal is read without its lock and nothing is
changed anywhere, so a plan can be made while a run goes on. Begin reading at `plan_now`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from mk8s.cluster import Cluster
from mk8s.connect import make_transports, refuse_missing_secrets
from mk8s.distros.base import Distro
from mk8s.errors import Mk8sError
from mk8s.executor import Executor
from mk8s.forecast.predicting import Forecast, forecast, seeds_for
from mk8s.forecast.profile import DEFAULTS, Profile
from mk8s.identity import refuse_simulated
from mk8s.images import images_in
from mk8s.keeper import Keeper
from mk8s.named_secrets import join_token, with_named
from mk8s.needs import Kept, Random
from mk8s.past import Past, find_past
from mk8s.planning.looking import look_at_all
from mk8s.planning.making import Ground, is_done, make_plan, places_in
from mk8s.planning.modelled import as_found
from mk8s.planning.values import Look, Plan, Stock
from mk8s.preflight.now import close_all, users_secrets
from mk8s.project import Project
from mk8s.rehearsal import Conditions, nominal_release
from mk8s.release import inspect_release
from mk8s.secrets import HIDDEN, Secrets
from mk8s.simulating.beginning import journal_of
from mk8s.tables import node_machine
from transports.base import File

__all__ = ["Wishes", "plan_now"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for."""

    state: Path | None = None  # the state folder; None: the usual one
    facts: bool = False  # ask the nodes
    seeds: int | None = None  # None: by the cluster's size
    profile: Profile = DEFAULTS
    uplink: float | None = None  # bytes per second


def plan_now(project: Project, wishes: Wishes) -> Plan:
    """Raises Mk8sError for damaged release files, a journal that cannot be trusted, a missing secret.

    Nodes that do not answer raise nothing: their `Look` says so.
    """
    cluster, distro = project.cluster, project.distro
    release, stock = _release(cluster, distro)
    past = find_past(project, wishes.state)
    ground = Ground(
        cluster,
        distro,
        node_machine(cluster, pacing=distro.pacing(cluster)),
        release,
        images_in(release),
        places_in(past.history) if past else {},
    )
    looks = _asked(project, wishes.state, ground) if wishes.facts else {}
    nodes = make_plan(ground, looks)
    seen, notes = _foreseen(project, wishes, ground, past, looks)
    return Plan(cluster, nodes, seen, stock, notes)


def _release(cluster: Cluster, distro: Distro) -> tuple[Mapping[str, File], Stock]:
    """The files that are here, and nominal ones for those that are needed and are not."""
    found = inspect_release(cluster, distro)
    replace(found, missing=()).refuse_faults(cluster)
    needed = {item.id for item in distro.artifacts(cluster) if item.required}
    nominal = nominal_release(cluster, distro)
    assumed = {name: file for name, file in nominal.items() if name in needed and name not in found.files}
    sizes = {file.path.name: file.size for file in assumed.values()}
    known = {**assumed, **found.files}
    return {name: known[name] for name in nominal if name in known}, Stock(sizes)


def _asked(project: Project, folder: Path | None, ground: Ground) -> Mapping[str, Look]:
    """What the nodes say. Secrets are looked up to compare with, never made, and stay in here."""
    cluster = project.cluster
    refuse_missing_secrets(cluster, os.environ)
    state = project.past_state(folder)
    secrets = users_secrets(project, state)
    known = replace(ground, token=_token(project, secrets), kept=_kept(project, state.folder, secrets))
    roads = make_transports(cluster, state.known_hosts)
    executor = Executor(roads, redact=secrets.redact)

    async def main() -> Mapping[str, Look]:
        try:
            return await look_at_all(executor, known)
        finally:
            await close_all(roads)

    return trio.run(main)


def _token(project: Project, secrets: Secrets) -> str:
    """The join token, if there is one yet."""
    cluster, distro = project.cluster, project.distro
    token = join_token(cluster, os.environ) or distro.user_token(cluster)
    if not token and not cluster.joins and distro.needs_token(cluster):
        token = secrets.look()
    if not token:
        return HIDDEN
    secrets.remember(token)
    return token


def _kept(project: Project, folder: Path, secrets: Secrets) -> Kept:
    """What is kept; what is not made yet is pretended."""
    needs = project.distro.needs(project.cluster)
    kept = Keeper(folder).look(needs)
    for need in needs:
        if isinstance(need, Random):
            word = kept.words[need.name]
            secrets.remember(word)
            secrets.remember(word.partition(".")[2])
    return with_named(kept, project.cluster, os.environ)


def _foreseen(
    project: Project, wishes: Wishes, ground: Ground, past: Past | None, looks: Mapping[str, Look]
) -> tuple[Forecast | None, tuple[str, ...]]:
    """The forecast, and what it leaves out. None where nothing is left to be run, or nothing can be said."""
    cluster = project.cluster
    notes = [*_few_seeds(cluster, wishes.seeds), *_not_asked(looks)]
    try:
        if past is not None:
            refuse_simulated(past.records, past.journal)
        journal = journal_of(project, wishes.state) if past else b""
        if all(is_done(ground, node) for node in cluster.nodes):
            return None, ()
        seen = forecast(
            Conditions(
                cluster,
                project.distro,
                profile=wishes.profile,
                uplink=wishes.uplink,
                release=ground.release,
                images=ground.images,
                prepare=as_found(ground, looks) if looks else None,
                looked_at=frozenset(name for name, look in looks.items() if look.facts),
                past=journal,
            ),
            seeds=wishes.seeds,
        )
    except Mk8sError as error:
        why = "; ".join(part for part in (error.problem, error.cause, error.remedy) if part)
        return None, (*notes, f"how long it takes cannot be said: {why}")
    return seen, tuple(notes)


def _few_seeds(cluster: Cluster, wanted: int | None) -> list[str]:
    count, most = seeds_for(len(cluster.nodes)), seeds_for(0)
    if wanted is not None or count == most:
        return []
    return [f"{count} seeds instead of {most}, as the cluster is large; --seeds N asks for more"]


def _not_asked(looks: Mapping[str, Look]) -> list[str]:
    silent = [name for name, look in looks.items() if look.error]
    if not silent:
        return []
    return [f"{', '.join(silent)}: did not answer; taken for hosts that do, and have what the journal says"]
