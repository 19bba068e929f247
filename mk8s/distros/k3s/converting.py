"""A server that keeps its state in SQLite becomes the first of several: its state moves into etcd. Pure.

The documented way: `cluster-init` in its config, and a new start. It is done at the beginning of a run,
before any other server joins; the API is away meanwhile, workloads go on. On a server whose state is in etcd
already nothing is done.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.distros.base import Situation
from mk8s.distros.k3s import commands, versions
from mk8s.distros.k3s.engine import K3S, begins_etcd
from mk8s.distros.rancher.config import render_config
from mk8s.distros.rancher.roles import servers_of
from mk8s.distros.rancher.steps import wait_until_up
from mk8s.steps import Run, Step, Verdict, WaitFor
from transports.base import Outcome

__all__ = ["convert"]


def convert(s: Situation) -> list[Step]:
    """For the first server of several whose state is to be in etcd."""
    if s.node.role != "primary" or len(servers_of(s.cluster)) == 1 or not begins_etcd(s.cluster):
        return []
    db = PurePosixPath(K3S.data_dir(s.node)) / "server" / "db"
    check = commands.is_converted(db)
    if not K3S.has(s.cluster, versions.SQLITE_CONVERTS):
        return [WaitFor("the state is not in SQLite", check, _is_in_etcd)]
    command = commands.convert(K3S.server_unit, K3S.config, render_config(K3S, s))
    return [Run("move the state from SQLite into etcd", command, check), *wait_until_up(K3S, s)]


def _is_in_etcd(outcome: Outcome) -> Verdict:
    if outcome.ok:
        return Verdict(True, "its state is not in SQLite")
    return Verdict(
        False,
        "this server keeps its state in SQLite, and this release cannot move it into etcd",
        ("check.sqlite", "check"),
        "write `cluster-init: false` and keep one server, or upgrade it to v1.22.2 or later first",
        True,
    )
