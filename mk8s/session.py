"""A real run's surroundings: state folder, secrets, journal, transports; opened together, closed together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from machines import FileJournal, HistoryError, JournalDamaged, JournalError, JournalLocked
from mk8s.connect import make_transports, passwords_of
from mk8s.errors import ExitCode, Mk8sError
from mk8s.past import as_mk8s_error
from mk8s.project import Project
from mk8s.rollout import Rollout, Surroundings
from mk8s.secrets import Secrets
from mk8s.state import StateFolder
from mk8s.version import VERSION
from transports.base import File

__all__ = ["LockedError", "open_journal", "real_rollout"]


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
        raise as_mk8s_error(error) from error
    finally:
        journal.close()


def real_rollout(
    project: Project,
    state: StateFolder,
    journal: FileJournal,
    release: Mapping[str, File],
    grace: float = 30.0,
) -> Rollout:
    """The rollout of a manifest on its real nodes. Connects to nothing yet."""
    secrets = Secrets(state.folder)
    cluster = project.cluster
    for node in cluster.nodes:
        for value in (*project.distro.secrets_in(node.config), *passwords_of(node.login, os.environ)):
            secrets.remember(value)
    token = project.distro.user_token(cluster) or secrets.token(given=_token_was_given(journal))
    secrets.remember(token)
    around = Surroundings(
        transports=make_transports(cluster, state.known_hosts),
        journal=journal,
        release=release,
        token=token,
        keep_kubeconfig=lambda text: state.write_private(state.kubeconfig, text.encode()),
        transcript=state.transcript_writer(secrets.redact),
        redact=secrets.redact,
        program=VERSION,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        grace=grace,
    )
    return Rollout(cluster, project.distro, around)


def _token_was_given(journal: FileJournal) -> bool:
    """Whether a node may have a config with the token in it: that is written when it is bootstrapped."""
    return any(record.kind == "intent" and record.edge == "bootstrap" for record in journal.records())
