"""The commands that only k0s needs, as values. Commands of the operating system are in `mk8s.commands`.

Every operation here begins with ``k0s.`` and has its model in `model`; a test compares the two. All of them
run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text, and none carries a
secret. Questions and the changes that they belong to stand together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mk8s import units
from mk8s.cluster import Node
from mk8s.commands import unit_stop
from mk8s.distros.base import Tools
from mk8s.distros.k0s.roles import (
    CONFIG,
    DATA_DIR,
    PROGRAM,
    TOKEN_FILE,
    admin_kubeconfig,
    data_dir,
    kubelet_kubeconfig,
    role_of,
    unit_of,
)
from mk8s.distros.k0s.scripts import (
    FIND,
    HAS_NO_MEMBER,
    IN_CONFIG_FOLDER,
    INSTALL,
    IS_INSTALLED,
    IS_SHARED,
    IS_STOPPED,
    PLACE,
    PROGRESS,
    SHARE,
    VALIDATE,
)
from mk8s.distros.k0s.tokens import EXPIRY, FRESH
from mk8s.kube import commands as kube
from transports.base import Command, File

__all__ = [
    "UNITS",
    "ask_members",
    "ask_own_node",
    "ask_progress",
    "ask_status",
    "ask_version",
    "create_token",
    "find_program",
    "has_no_member",
    "has_placed",
    "has_program",
    "install_unit",
    "invalidate_token",
    "is_installed",
    "kubectl",
    "place",
    "record_of",
    "remove_member",
    "share",
    "stop_unless_stopped",
    "validate_config",
]

UNITS = PurePosixPath("/etc/systemd/system")
RECORDS = PurePosixPath("/var/lib/mk8s/installed")
SECONDS_TO_INSTALL = 300.0
SECONDS_TO_COPY = 1800.0
SECONDS_TO_ASK = 120.0


def kubectl(server: Node, smoke_image: str = "") -> Tools:
    """kubectl as k0s has it inside, with the administrator's kubeconfig."""
    words = (str(PROGRAM), "kubectl", "--kubeconfig", str(admin_kubeconfig(server)))
    return Tools(kubectl=words, smoke_image=smoke_image)


def _k0s(node: Node, *words: str) -> tuple[str, ...]:
    """k0s' own words for a node whose data lie elsewhere come last."""
    elsewhere = [] if str(data_dir(node)) == DATA_DIR else [f"--data-dir={data_dir(node)}"]
    return (str(PROGRAM), *words, *elsewhere)


# Files


def place(file: File, staged: PurePosixPath, target: PurePosixPath) -> Command:
    """Give a staged file its place among k0s' data, verified."""
    return Command(
        operation="k0s.place",
        description=f"verify {target.name} and place it in {target.parent}",
        script=PLACE,
        args=(str(staged), str(target), file.sha256),
        timeout=SECONDS_TO_COPY,
    )


def has_placed(file: File, target: PurePosixPath) -> Command:
    """Whether the file lies in its place, whole."""
    return Command(
        operation="k0s.has-placed",
        description=f"hash {target}",
        script='printf \'%s  %s\\n\' "$2" "$1" | sha256sum -c - >/dev/null 2>&1',
        args=(str(target), file.sha256),
        timeout=SECONDS_TO_COPY,
    )


def find_program() -> Command:
    """Link the program that is on the host already, wherever it lies."""
    usual = ("/usr/local/bin/k0s", "/usr/bin/k0s", "/opt/bin/k0s")
    return Command(
        operation="k0s.find", description="look for k0s on the host", script=FIND, args=(str(PROGRAM), *usual)
    )


def has_program() -> Command:
    return Command(
        operation="k0s.has-program",
        description=f"look for {PROGRAM}",
        script='[ -x "$1" ]',
        args=(str(PROGRAM),),
    )


def ask_version() -> Command:
    """The program's own version, such as ``v1.33.4+k0s.0``."""
    return Command(
        operation="k0s.version", description="ask k0s for its version", args=(str(PROGRAM), "version")
    )


def validate_config() -> Command:
    """What k0s thinks of its config. Exit 1, and why on stderr, for one that it does not take."""
    return Command(
        operation="k0s.validate",
        description=f"let k0s validate {CONFIG}",
        script=VALIDATE,
        args=(str(PROGRAM), str(CONFIG)),
    )


# The unit


def record_of(node: Node) -> PurePosixPath:
    """Where a node keeps a hash of its unit and of the words that made it."""
    return RECORDS / f"{unit_of(node)}.sha256"


def install_unit(node: Node, words: Sequence[str], late: Sequence[str]) -> Command:
    """`k0s install` with these words: users, unit. `late`: words that only the service itself takes."""
    return Command(
        operation="k0s.install",
        description=f"let k0s write {unit_of(node)}",
        script=INSTALL,
        args=_unit_args(node, words, late),
        timeout=SECONDS_TO_INSTALL,
    )


def is_installed(node: Node, words: Sequence[str], late: Sequence[str]) -> Command:
    """Whether the unit is the one that these words made."""
    return Command(
        operation="k0s.is-installed",
        description=f"compare {unit_of(node)} with its record",
        script=IS_INSTALLED,
        args=_unit_args(node, words, late),
    )


def _unit_args(node: Node, words: Sequence[str], late: Sequence[str]) -> tuple[str, ...]:
    return (str(record_of(node)), str(PROGRAM), str(UNITS), unit_of(node), " ".join(late), *words)


def share(user: str, files: Sequence[PurePosixPath]) -> tuple[Command, Command]:
    """Let this user's group have these files; and the question whether it has."""
    args = (user, *map(str, files))
    description = f"let {user} read {files[0].parent}"
    give = Command(operation="k0s.share", description=description, script=SHARE, args=args)
    ask = Command(operation="k0s.is-shared", description=description, script=IS_SHARED, args=args)
    return give, ask


def stop_unless_stopped(node: Node) -> tuple[Command, Command]:
    """Stop a unit that has not joined anything; and the question whether it is stopped."""
    ask = Command(
        operation="k0s.is-stopped",
        description=f"is {unit_of(node)} stopped?",
        script=IS_STOPPED,
        args=(unit_of(node),),
    )
    return unit_stop(unit_of(node)), ask


def ask_status(node: Node) -> Command:
    """The unit's state, and what k0s says of itself: JSON, where its socket answers."""
    return units.ask_unit_and(
        "k0s.status", "ask k0s how it is", unit_of(node), str(PROGRAM), "status", "-o", "json"
    )


# Joining


def ask_progress(node: Node, *, etcd: bool, ours: bool = True) -> Command:
    """How far the node has come: ``joined``, ``joining`` with a token that is good, or ``new``.

    Nobody here knows how long a token that mk8s has not made (`ours` is false) is good: it is given anew.
    """
    role = role_of(node)
    return Command(
        operation="k0s.progress",
        description="look whether the node has joined",
        script=PROGRESS,
        args=(
            role, str(data_dir(node)), "yes" if etcd else "no", unit_of(node), str(TOKEN_FILE),
            str(FRESH[role] if ours else 0),
        ),
    )  # fmt: skip


def create_token(server: Node, node: Node) -> Command:
    """A join token for a node of this role, short-lived. What it prints is a secret."""
    role = role_of(node)
    words = _k0s(server, "token", "create", "--role", role, "--expiry", EXPIRY[role])
    return Command(
        operation="k0s.create-token",
        description=f"make a join token for a {role}",
        script=IN_CONFIG_FOLDER,
        args=(str(CONFIG.parent), *words),
        timeout=SECONDS_TO_ASK,
    )


def invalidate_token(server: Node, token_id: str) -> Command:
    """Take a token back. One that is gone is fine."""
    return Command(
        operation="k0s.invalidate-token",
        description="take the join token back",
        args=_k0s(server, "token", "invalidate", token_id),
        timeout=SECONDS_TO_ASK,
    )


# etcd


def ask_members(server: Node) -> Command:
    """etcd's members as ``{"members": {NAME: PEER-URL}}``; one that has never run has no name."""
    return Command(
        operation="k0s.members",
        description="ask etcd for its members",
        args=_k0s(server, "etcd", "member-list"),
    )


def has_no_member(server: Node, peer: str) -> Command:
    """Exit 0 when etcd has no member with this peer URL."""
    return Command(
        operation="k0s.has-no-member",
        description=f"look for an etcd member at {peer}",
        script=HAS_NO_MEMBER,
        args=(peer, *_k0s(server, "etcd", "member-list")),
    )


def remove_member(server: Node, ip: str) -> Command:
    """Remove the etcd member at this address."""
    return Command(
        operation="k0s.remove-member",
        description=f"remove the etcd member at {ip}",
        args=_k0s(server, "etcd", "leave", "--peer-address", ip),
        timeout=SECONDS_TO_ASK,
    )


# The cluster


def ask_own_node(node: Node, name: str) -> Command:
    """A worker's own Node object, asked with its kubelet's credentials. Read it with `views.read_nodes`."""
    return Command(
        operation="k0s.get-own-node",
        description=f"look for node {name}",
        args=(
            str(PROGRAM), "kubectl", "--kubeconfig", str(kubelet_kubeconfig(node)), "--request-timeout=10s",
            "get", "node", name, "-o", f"go-template={kube.NODE}",
        ),
    )  # fmt: skip
