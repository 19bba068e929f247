"""A real run's surroundings: state folder, secrets, journal, transports; opened together, closed together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from machines import (
    FileJournal,
    History,
    HistoryError,
    JournalDamaged,
    JournalError,
    JournalLocked,
    Table,
    fold,
)
from mk8s.cluster import Cluster
from mk8s.connect import make_transports, passwords_of
from mk8s.contradictions import fold_and_look, refuse_faults
from mk8s.errors import ExitCode, Mk8sError
from mk8s.fanout.places import FilePlaces
from mk8s.identity import refuse_other_cluster, refuse_simulated, simulation_in
from mk8s.images import images_in
from mk8s.keeper import Keeper, expiry_notice
from mk8s.named_secrets import configs_of, join_token, named_secrets, with_named
from mk8s.needs import Kept, Need, Random
from mk8s.past import as_mk8s_error
from mk8s.preflight.remains import OWN_WAIVED
from mk8s.project import Project
from mk8s.rollout import Rollout, Surroundings
from mk8s.secrets import Secrets, random_word
from mk8s.state import StateFolder
from mk8s.tables import node_machine, table_to_read
from mk8s.version import VERSION
from transports.base import File

__all__ = ["LockedError", "expiring_soon", "open_journal", "real_rollout", "states_in", "trusted_states"]

EXPIRY_DAYS = 30.0


class LockedError(Mk8sError):
    """Another mk8s on this machine works on the cluster."""

    exit_code = ExitCode.LOCKED


@contextmanager
def open_journal(state: StateFolder, again: str = "") -> Iterator[FileJournal]:
    """The run's journal, locked. Raises Mk8sError when it is held by another run, damaged or unwritable.

    `again`: the words after `mk8s run` that resume a run which stops because its journal cannot be written.
    """
    try:
        journal = FileJournal(state.journal)
    except JournalLocked as error:
        raise LockedError(str(error)) from error  # the hint is in its words
    except (JournalDamaged, JournalError) as error:
        raise as_mk8s_error(error) from error
    try:
        yield journal
    except JournalError as error:
        raise Mk8sError(f"{error}\nNext: mk8s run {again}   (resumes)" if again else str(error)) from error
    except HistoryError as error:
        raise as_mk8s_error(error, journal.path) from error
    finally:
        journal.close()


def real_rollout(
    project: Project,
    state: StateFolder,
    journal: FileJournal,
    release: Mapping[str, File],
    grace: float = 30.0,
    *,
    make: bool = True,
) -> Rollout:
    """The rollout of a manifest on its real nodes. Connects to nothing yet.

    `make`: the token and keys that the cluster needs and that are not there yet are made; else they are
    pretended, which is enough for questions.
    """
    secrets = Secrets(state.folder)
    cluster = project.cluster
    for node in cluster.nodes:
        written = [value for config in configs_of(node) for value in project.distro.secrets_in(config)]
        for value in (*written, *passwords_of(node.login, os.environ)):
            secrets.remember(value)
    for value in named_secrets(cluster, os.environ):
        secrets.remember(value)
    given = _secrets_were_given(journal)
    needs = project.distro.needs(cluster)
    token = _token(project, secrets, given, make=make)
    around = Surroundings(
        transports=make_transports(cluster, state.known_hosts),
        journal=journal,
        release=release,
        token=token,
        kept=with_named(
            _kept(needs, Keeper(state.folder, given=given), secrets, make=make), cluster, os.environ
        ),
        images=images_in(release) if needs else (),  # a distro that needs nothing of ours brings its own
        key_places=FilePlaces(state),
        keep_kubeconfig=lambda text: state.write_private(state.kubeconfig, text.encode()),
        transcript=state.transcript_writer(secrets.redact),
        redact=secrets.redact,
        remember=secrets.remember,
        program=VERSION,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        signed=True,
        grace=grace,
    )
    return Rollout(cluster, project.distro, around)


def states_in(journal: FileJournal, cluster: Cluster) -> dict[str, str]:
    """Where each node of the manifest is, as a journal says. For who only looks.

    Raises HistoryError when it does not fit, UsageError when it is of another cluster.
    """
    return _places(cluster, fold(journal.records(), _table(cluster)), journal)


def trusted_states(journal: FileJournal, cluster: Cluster, again: str) -> dict[str, str]:
    """The same for who goes on from there. `again`: the words after `mk8s run`.

    Refuses a past that no run can have left on the nodes, too: a simulated one, one that contradicts itself.
    Raises Mk8sError, HistoryError.
    """
    records, faults = journal.records(), list[str]()
    places = _places(cluster, fold_and_look(records, _table(cluster), faults), journal)
    refuse_simulated(records, journal.path)
    refuse_faults(
        faults,
        journal.path,
        "run",
        f"no node was touched; see all of it: mk8s replay {again}; then put back a copy of the file from "
        "before, or move it away: preflight then takes this cluster for an earlier one, so uninstall "
        f"nothing, waive those checks ({OWN_WAIVED}), and the run goes through every "
        "step and recognises what is done",
    )
    return places


def _table(cluster: Cluster) -> Table:
    return table_to_read(node_machine(cluster))


def _places(cluster: Cluster, history: History | None, journal: FileJournal) -> dict[str, str]:
    if history is not None:
        refuse_other_cluster(cluster, history, journal.path)
    lives = history.lives if history else {}
    initial = node_machine(cluster).initial
    return {node.name: lives[node.name].state if node.name in lives else initial for node in cluster.nodes}


def expiring_soon(project: Project, state: StateFolder) -> str:
    """What to tell people of certificates that expire within a month; empty when there are none."""
    now = datetime.now(UTC)
    keeper = Keeper(state.folder, now=lambda: now)
    return expiry_notice(keeper.expiring(project.distro.needs(project.cluster), EXPIRY_DAYS), now)


def _token(project: Project, secrets: Secrets, given: bool, *, make: bool) -> str:
    """The join token; empty where the distro needs none of ours. Without `make`, a new one is not kept."""
    token = join_token(project.cluster, os.environ) or project.distro.user_token(project.cluster) or ""
    if not token and not project.cluster.joins and project.distro.needs_token(project.cluster):
        token = secrets.token(given=given) if make or given else secrets.look() or random_word("hex-32")
    secrets.remember(token)
    return token


def _kept(needs: Sequence[Need], keeper: Keeper, secrets: Secrets, *, make: bool) -> Kept:
    """What the distro needs kept. Its secret words are hidden from now on; keys are recognised anyway."""
    kept = keeper.keep(needs) if make else keeper.look(needs)
    for need in needs:
        if isinstance(need, Random):
            word = kept.words[need.name]
            secrets.remember(word)
            secrets.remember(word.partition(".")[2])  # a Secret has a bootstrap token's two halves apart
    return kept


def _secrets_were_given(journal: FileJournal) -> bool:
    """Whether a node may have the token and its keys: a real run writes them when it bootstraps one."""
    records = journal.records()
    simulated = simulation_in(records, journal.path)
    real = records[: simulated.first - 1] if simulated else records
    return any(record.kind == "intent" and record.edge == "bootstrap" for record in real)
