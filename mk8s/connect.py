"""Roads to the nodes: the manifest's logins turned into transports.

Nothing connects here; a transport does at its first use. Passwords and passphrases are read from the
environment variables that the manifest names, or were typed, and are kept nowhere. ssh_config is read by
the ssh program, at once for all nodes. See `ways` for what counts.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mk8s.cluster import Cluster, Login, Node
from mk8s.errors import ManifestError
from mk8s.keyboard import KEYBOARD, Keyboard
from mk8s.named_secrets import missing_secrets
from mk8s.ways import Hop, Way, find_ways
from transports.base import Transport
from transports.local import LocalTransport
from transports.openssh import OpenSSHOptions, OpenSSHTransport
from transports.pace import Pace
from transports.ssh import (
    Bastion,
    ConnectionStarts,
    HostKeys,
    Proven,
    SSHOptions,
    SSHTransport,
    UploadThreads,
)
from transports.ssh.client_config import Asking, ConfigError

__all__ = ["Roads", "make_transports", "passwords_of", "refuse_missing_secrets"]

CONNECTION_STARTS = 10  # sshd drops unauthenticated connections at random past its MaxStartups of 10
Ask = Callable[[], str | None]


def make_transports(
    cluster: Cluster, known_hosts: Path, keyboard: Keyboard = KEYBOARD
) -> dict[str, Transport]:
    """One transport for each node, by its name. `known_hosts` is the file that accepted keys go to.

    Raises ManifestError where ssh_config is wrong or asks for what only ssh itself can do.
    """
    roads = Roads(cluster, known_hosts, keyboard)
    return {node.name: roads.to(node) for node in cluster.nodes}


def refuse_missing_secrets(
    cluster: Cluster, environment: Mapping[str, str], keyboard: Keyboard = KEYBOARD
) -> None:
    """Raise ManifestError where a password or token is named and not there.

    So it is told while no node is touched yet.
    Login passwords and passphrases are not looked at: where a key or an agent serves, nobody asks for them.
    """
    missing = [
        f"{node.name}: the environment variable {login.sudo_password_env} is not set; "
        f"it is to hold the sudo password of {login.user}"
        for node in cluster.nodes
        if (login := node.login).sudo_password_env
        and login.user != "root"
        and login.sudo_password_env not in environment
        and keyboard.sudo_password is None
    ]
    missing += missing_secrets(cluster, environment)
    if missing:
        raise ManifestError(
            "\n".join(missing),
            remedy="set it in the shell that runs mk8s, for example `read -rs NAME; export NAME`, "
            "or leave the key that names it out where no password is asked for; "
            "a sudo password can be typed with --ask-sudo-password",
        )


def passwords_of(login: Login, environment: Mapping[str, str], keyboard: Keyboard = KEYBOARD) -> list[str]:
    """The passwords and passphrases of a login that are there, to be hidden in all that is shown."""
    variables = (login.password_env, login.passphrase_env, login.sudo_password_env)
    named = [environment[name] for name in variables if name and name in environment]
    return [*named, *(word for word in keyboard.secrets if word not in named)]


@dataclass
class Roads:
    """Makes transports that share what nodes have in common: bastions, limits, host keys, proven keys."""

    cluster: Cluster
    known_hosts: Path
    keyboard: Keyboard = KEYBOARD
    accept_new: bool | None = None  # None: as the manifest says
    everywhere: bool = False  # see `find_ways`
    starts: ConnectionStarts = field(init=False)
    uploads: UploadThreads = field(init=False)
    proven: Proven = field(init=False, default_factory=Proven)

    def __post_init__(self) -> None:
        self.limit = self.cluster.limits.get("connections", CONNECTION_STARTS)
        self.starts = ConnectionStarts(self.limit)
        self.uploads = UploadThreads(max(2, min(8, (os.cpu_count() or 2) * 2)))
        self.pace = Pace(self.cluster.bandwidth) if self.cluster.bandwidth else None
        self.ways: dict[str, Way] = find_ways(
            self.cluster, self.known_hosts, operator=getpass.getuser(), everywhere=self.everywhere
        )
        self._keys: dict[tuple[Path, ...], HostKeys] = {}
        self._bastions: dict[tuple[Hop, ...], Bastion] = {}

    def to(self, node: Node) -> Transport:
        """The road to one node."""
        login = node.login
        if login.local:
            return LocalTransport(
                node.name,
                sudo_password=self._sudo_password(login),
                pace=self.pace,
                escalate=login.escalate,
                environment=login.environment,
            )
        if login.transport == "openssh":
            return self._by_openssh(node)
        way = self.ways[node.name]
        return SSHTransport(
            node.name,
            self.options(way),
            via=self.bastion(way.bastions),
            starts=self.starts,
            uploads=self.uploads,
            pace=self.pace,
        )

    def options(self, way: Way) -> SSHOptions:
        """How the node at the end of a way is entered."""
        login = way.node.login
        return self._entering(
            way.target,
            password=_from_environment(login.password_env) or self._typed_password(),
            passphrase=_passphrase(login.passphrase_env),
            sudo_password=self._sudo_password(login),
            escalate=login.escalate,
            environment=login.environment,
        )

    def bastion(self, hops: tuple[Hop, ...]) -> Bastion | None:
        """The last bastion of a chain; the same object for all who go the same way."""
        if not hops:
            return None
        if hops not in self._bastions:
            self._bastions[hops] = Bastion(
                self.bastion_options(hops[-1]),
                via=self.bastion(hops[:-1]),
                starts=self.starts,
                limit=self.limit,
            )
        return self._bastions[hops]

    def bastion_options(self, hop: Hop) -> SSHOptions:
        """How a bastion is entered: never with a node's password, which it could keep."""
        typed: Ask | None = None
        if self.keyboard.asks:

            def typed() -> str | None:
                return self.keyboard.hidden(f"Password of {hop.name} (bastion): ") or None

        return self._entering(hop, password=typed)

    def keys_for(self, hop: Hop) -> HostKeys:
        """The host keys that count for a host."""
        if hop.known_hosts not in self._keys:
            accept = self.cluster.host_keys == "accept-new" if self.accept_new is None else self.accept_new
            self._keys[hop.known_hosts] = HostKeys(
                hop.known_hosts, accept_new=accept, write_to=self.known_hosts
            )
        return self._keys[hop.known_hosts]

    def _entering(
        self,
        hop: Hop,
        *,
        password: Ask | None,
        passphrase: Callable[[Path], str | None] | None = None,
        sudo_password: Ask | None = None,
        escalate: str = "sudo",
        environment: Mapping[str, str] | None = None,
    ) -> SSHOptions:
        return SSHOptions(
            host=hop.host,
            port=hop.port,
            user=hop.user,
            key_files=hop.key_files,
            certificates=hop.certificates,
            use_agent=hop.agent != "none",
            agent_socket="" if hop.agent == "none" else hop.agent,
            identities_only=hop.identities_only,
            password=password,
            answers=self.keyboard.answer if self.keyboard.asks else None,
            passphrase=passphrase,
            sudo_password=sudo_password,
            escalate="doas" if escalate == "doas" else "sudo",
            environment=environment or {},
            host_keys=self.keys_for(hop),
            known_as=hop.known_as,
            proven=self.proven,
            connect_timeout=hop.connect_timeout,
        )

    def _by_openssh(self, node: Node) -> Transport:
        """The user's own ssh reads its own configuration: only what the manifest says is told to it."""
        login = node.login
        return OpenSSHTransport(
            node.name,
            OpenSSHOptions(
                host=node.address,
                port=login.port if "port" in login.given else None,
                user=login.user if "user" in login.given else None,
                key_files=(login.key_path,) if login.key_path else (),
                certificate=login.certificate_path,
                identities_only=login.identities_only,
                jumps=_jump_words(login),
                config=login.ssh_config,
                known_hosts=(self.known_hosts, *self._users_known_hosts(node)),
                accept_new=self.cluster.host_keys == "accept-new",
                password=_from_environment(login.password_env) or self._typed_password(),
                answers=self.keyboard.answer if self.keyboard.asks else None,
                passphrase=_passphrase(login.passphrase_env),
                sudo_password=self._sudo_password(login),
                escalate=login.escalate,
                environment=login.environment,
                withheld=_variables_with_secrets(self.cluster),
            ),
            starts=self.starts,
            uploads=self.uploads,
            pace=self.pace,
        )

    def _users_known_hosts(self, node: Node) -> tuple[Path, ...]:
        """The manifest's, or what ssh_config says: it is handed on together with the cluster's own."""
        if self.cluster.known_hosts:
            return (self.cluster.known_hosts,)
        try:
            configured = Asking(node.login.ssh_config).about(node.address).user_known_hosts
        except ConfigError as problem:
            raise ManifestError(f"{node.name}: {problem.message}", remedy=problem.remedy) from None
        return configured or (Path("~/.ssh/known_hosts").expanduser(),)

    def _typed_password(self) -> Ask | None:
        return (lambda: self.keyboard.password) if self.keyboard.password is not None else None

    def _sudo_password(self, login: Login) -> Ask | None:
        """What was typed just now counts before what the environment holds."""
        if self.keyboard.sudo_password is not None:
            return lambda: self.keyboard.sudo_password
        return _from_environment(login.sudo_password_env)


def _variables_with_secrets(cluster: Cluster) -> frozenset[str]:
    """All that the manifest names: what one node's ssh and its helpers inherit is no business of another."""
    logins = (node.login for node in cluster.nodes)
    names = {
        name
        for login in logins
        for name in (login.password_env, login.passphrase_env, login.sudo_password_env)
    }
    names |= (
        {access.password_env for access in cluster.registries.access.values()}
        if cluster.registries
        else set()
    )
    names |= {cluster.datastore.password_env} if cluster.datastore else set()
    names |= {cluster.joins.token_env} if cluster.joins else set()
    return frozenset(name for name in names if name)


def _jump_words(login: Login) -> tuple[str, ...] | None:
    """Bastions as ssh's -J takes them; None where ssh_config is to say."""
    if login.jumps is None:
        return None
    words = []
    for jump in login.jumps:
        host = f"[{jump.host}]" if ":" in jump.host else jump.host
        user = jump.user or (login.user if "user" in login.given else "")
        words.append(f"{user}@{host}:{jump.port}" if user else f"{host}:{jump.port}")
    return tuple(words)


def _from_environment(variable: str | None) -> Ask | None:
    return (lambda: os.environ.get(variable)) if variable else None


def _passphrase(variable: str | None) -> Callable[[Path], str | None] | None:
    return (lambda _path: os.environ.get(variable)) if variable else None
