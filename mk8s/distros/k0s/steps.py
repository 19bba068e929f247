"""The steps of each edge for a k0s node. Pure: a situation goes in, values come out.

Nothing that k0s' unit says of itself counts: it is active as soon as the process runs. The order of a join
is: how far is the host (`lookups`), a token made for it where it has not joined, nobody else on the way
(controllers that run an etcd), start without waiting, k0s answers in its role, its API server is ready, etcd
has it as a member, the cluster has its Node (where it runs pods). Only then may the next controller begin.

Begin reading at `stage`, then down the file.
"""

from __future__ import annotations

from mk8s.commands import has_folder, make_folder, unit_disable, unit_enable, unit_is_enabled, unit_stop
from mk8s.distros.base import Lookup, Situation
from mk8s.distros.common import packages
from mk8s.distros.k0s import commands, questions
from mk8s.distros.k0s.artifacts import image_archives, manifest_files, staged_program, staging_dir
from mk8s.distros.k0s.installing import config_steps, install_steps, service_files
from mk8s.distros.k0s.questions import has_joined, is_healthy
from mk8s.distros.k0s.readiness import no_other_is_joining, read_progress
from mk8s.distros.k0s.roles import TOKEN_FILE, is_ip, runs_own_etcd, unit_of
from mk8s.distros.k0s.tokens import spent, token_id, token_of
from mk8s.steps import Run, Step, Upload, WaitFor, WriteFile
from mk8s.units import run_unit, unit_runs

__all__ = [
    "bootstrap",
    "has_joined",
    "is_healthy",
    "join",
    "lookups",
    "stage",
    "start",
    "stop_unit",
    "verify",
]

ROOT_ONLY = 0o700
NEW, JOINING = "new", "joining"
PROGRESS, TOKEN = "progress", "token"


def stage(s: Situation) -> list[Step]:
    """Everything this node installs from, under a folder that only root may read."""
    program, placed = staged_program(s), [*image_archives(s), *manifest_files(s)]
    files = [*([program] if program else []), *((one.file, one.staged) for one in placed)]
    folders = dict.fromkeys([staging_dir(s.cluster), *(one.staged.parent for one in placed)])
    return [
        *(
            Run(f"make the folder {path}", make_folder(path, ROOT_ONLY), has_folder(path, ROOT_ONLY))
            for path in folders
        ),
        *(Upload(f"put {target.name} on the node", file, target) for file, target in files),
        *packages.stage(s),
    ]


def bootstrap(s: Situation) -> list[Step]:
    """Install, place images and manifests, write the config, let k0s write the unit. Starts nothing."""
    return [*packages.install(s), *install_steps(s), _enable(s)]


def _enable(s: Situation) -> Run:
    unit = unit_of(s.node)
    return Run(f"enable {unit}", unit_enable(unit), unit_is_enabled(unit))


# Start and join


def lookups(s: Situation) -> list[Lookup]:
    """How far this host is, and a token where it has not joined: made now, of use for minutes."""
    if s.node.role == "primary":
        return []
    etcd = s.node.is_server and runs_own_etcd(s.cluster)
    ask = commands.ask_progress(s.node, etcd=etcd, ours=s.cluster.joins is None)
    progress = Lookup(PROGRESS, "whether it has joined", ask, read_progress, s.node.name)
    if s.cluster.joins:
        return [progress]
    server = s.cluster.primary
    token = Lookup(
        TOKEN,
        "a join token",
        commands.create_token(server, s.node),
        token_of,
        server.name,
        secret=True,
        wanted=lambda learned: learned[PROGRESS] == NEW,
    )
    return [progress, token]


def start(s: Situation) -> list[Step]:
    """The first controller: up, its API ready, so that tokens can be made."""
    return [*config_steps(s), _enable(s), _run(s), *map(questions.as_wait, questions.of_start(s))]


def join(s: Situation) -> list[Step]:
    """Any other node. A controller is a full member, and its API ready, before the next one may begin."""
    progress = s.learned.get(PROGRESS, NEW)
    before = _before_join(s) if progress == NEW else []
    steps: list[Step] = [*config_steps(s), *before, _enable(s)]
    if progress != JOINING:
        steps.append(_run(s))
    waits = map(questions.as_wait, questions.of_join(s))
    return [*steps, *waits, *_forget_token(s)]


def _run(s: Situation) -> Run:
    unit, files = unit_of(s.node), service_files(s)
    return Run(f"start {unit}", run_unit(unit, files), unit_runs(unit, files))


def _before_join(s: Situation) -> list[Step]:
    """With a new token: a service that tries with an old one is stopped first, and so leaves etcd alone."""
    stop, is_stopped = commands.stop_unless_stopped(s.node)
    return [*_alone(s), Run(f"stop {unit_of(s.node)}", stop, is_stopped), *_stale_member(s), _token(s)]


def _token(s: Situation) -> WriteFile:
    token = s.learned.get(TOKEN) or s.token
    return WriteFile(
        f"write {TOKEN_FILE}", TOKEN_FILE, f"{token}\n".encode() if token else b"", mode=0o600, secret=True
    )


def _alone(s: Situation) -> list[Step]:
    """Two who join etcd at once, and do not start, cost its majority. A database minds nobody."""
    if not s.node.is_server or not runs_own_etcd(s.cluster):
        return []
    primary = s.cluster.primary
    judge = no_other_is_joining(questions.peer_of(s))
    return [WaitFor("no other controller is joining", commands.ask_members(primary), judge, on=primary.name)]


def _stale_member(s: Situation) -> list[Step]:
    """A member at this address is of an attempt that is over: this host has no data of etcd's.

    k0s asks etcd for the same member again, which refuses, for ever.
    """
    if not s.node.is_server or not runs_own_etcd(s.cluster) or not is_ip(s.node.ip):
        return []
    primary = s.cluster.primary
    remove = commands.remove_member(primary, s.node.ip)
    check = commands.has_no_member(primary, questions.peer_of(s))
    return [Run("remove the etcd member that an earlier attempt left", remove, check, on=primary.name)]


def _forget_token(s: Situation) -> list[Step]:
    """It has done its work: take it back, and leave nothing of it on the host."""
    write = _spent(s)
    known = token_id(s.learned.get(TOKEN, ""))
    if not known:
        return [write]
    server = s.cluster.primary
    invalidate = Run("take the join token back", commands.invalidate_token(server, known), on=server.name)
    return [write, invalidate]


def _spent(s: Situation) -> WriteFile:
    return WriteFile(f"empty {TOKEN_FILE}", TOKEN_FILE, spent(s.node), mode=0o600)


# Readiness


def verify(s: Situation) -> list[Step]:
    """The role's own readiness, seen where it counts. A run that was cut off may have left a token."""
    left = [] if s.node.role == "primary" else [_spent(s)]
    return [*map(questions.as_wait, questions.is_healthy(s)), *left]


def stop_unit(s: Situation) -> list[Step]:
    """Take back a start. Containers go on without it; the next start enables the unit again."""
    unit = unit_of(s.node)
    return [Run(f"disable {unit}", unit_disable(unit)), Run(f"stop {unit}", unit_stop(unit))]
