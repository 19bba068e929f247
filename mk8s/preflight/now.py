"""Preflight on the real nodes of a project, over connections of its own that are closed again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import trio

from mk8s.connect import make_transports, passwords_of
from mk8s.executor import Executor
from mk8s.named_secrets import configs_of, named_secrets
from mk8s.preflight.report import Report
from mk8s.preflight.run import preflight, view_release
from mk8s.project import Project
from mk8s.release import Inspection
from mk8s.secrets import Secrets
from mk8s.state import StateFolder
from transports.base import Transport

__all__ = ["close_all", "preflight_now", "users_secrets"]

CLOSE_GRACE = 5.0  # seconds for saying goodbye to all nodes
Transcript = Callable[[dict[str, Any]], None]


def preflight_now(
    project: Project,
    state: StateFolder,
    states: Mapping[str, str],
    inspection: Inspection,
    *,
    say: Callable[[str], None],
    keep_transcript: bool = False,
) -> Report:
    """Look at all nodes and at the release; change nothing. `states`: where nodes are by the journal.

    `say` is told of nodes that keep the rest waiting.
    """
    cluster = project.cluster
    release = view_release(cluster, project.distro, inspection)
    secrets = users_secrets(project, state)
    roads = make_transports(cluster, state.known_hosts)
    transcript = state.transcript_writer(secrets.redact) if keep_transcript else None
    executor = Executor(roads, transcript=transcript, redact=secrets.redact)

    async def main() -> Report:
        try:
            return await preflight(executor, cluster, project.distro, states, release, say=say)
        finally:
            await close_all(roads)

    return trio.run(main)


async def close_all(roads: Mapping[str, Transport]) -> None:
    """Let go of every node, within a few seconds."""
    with anyio.move_on_after(CLOSE_GRACE, shield=True):
        async with anyio.create_task_group() as tasks:
            for transport in roads.values():
                tasks.start_soon(transport.close)


def users_secrets(project: Project, state: StateFolder) -> Secrets:
    """What no word of a node may show: those that the user brings. None is made or read here."""
    secrets = Secrets(state.folder)
    for node in project.cluster.nodes:
        written = [value for config in configs_of(node) for value in project.distro.secrets_in(config)]
        for value in (*written, *passwords_of(node.login, os.environ)):
            secrets.remember(value)
    for value in named_secrets(project.cluster, os.environ):
        secrets.remember(value)
    return secrets
