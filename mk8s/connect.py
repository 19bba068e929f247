"""Roads to the nodes: the manifest's logins turned into transports.

Nothing connects here; a transport does at its first use. Passwords and passphrases are read from the
environment variables that the manifest names, at the moment they are needed, and kept nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mk8s.cluster import Cluster, Login, Node
from mk8s.errors import ManifestError
from mk8s.named_secrets import missing_secrets
from transports.base import Transport
from transports.local import LocalTransport
from transports.pace import Pace
from transports.ssh import ConnectionStarts, HostKeys, SSHOptions, SSHTransport, UploadThreads

__all__ = ["make_transports", "passwords_of", "refuse_missing_secrets"]

CONNECTION_STARTS = 10  # sshd drops unauthenticated connections at random past its MaxStartups of 10
SYSTEMS_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
USUAL_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
Ask = Callable[[], str | None]


def make_transports(cluster: Cluster, known_hosts: Path) -> dict[str, Transport]:
    """One transport for each node, by its name. `known_hosts` is the file that accepted keys go to."""
    starts = ConnectionStarts(cluster.limits.get("connections", CONNECTION_STARTS))
    uploads = UploadThreads(max(2, min(8, (os.cpu_count() or 2) * 2)))
    pace = Pace(cluster.bandwidth) if cluster.bandwidth else None
    keys = HostKeys(
        _known_hosts_files(cluster, known_hosts),
        accept_new=cluster.host_keys == "accept-new",
        write_to=known_hosts,
    )
    return {node.name: _transport(node, keys, starts, uploads, pace) for node in cluster.nodes}


def refuse_missing_secrets(cluster: Cluster, environment: Mapping[str, str]) -> None:
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
    ]
    missing += missing_secrets(cluster, environment)
    if missing:
        raise ManifestError(
            "\n".join(missing),
            remedy="set it in the shell that runs mk8s, for example `read -rs NAME; export NAME`, "
            "or leave the key that names it out where no password is asked for",
        )


def passwords_of(login: Login, environment: Mapping[str, str]) -> list[str]:
    """The passwords and passphrases of a login that are there, to be hidden in all that is shown."""
    variables = (login.password_env, login.passphrase_env, login.sudo_password_env)
    return [environment[name] for name in variables if name and name in environment]


def _known_hosts_files(cluster: Cluster, own: Path) -> list[Path]:
    """The system's too, as ssh does: a key that is revoked or known there is not new."""
    users = cluster.known_hosts or Path("~/.ssh/known_hosts").expanduser()
    return [users, own, SYSTEMS_KNOWN_HOSTS]


def _transport(
    node: Node, keys: HostKeys, starts: ConnectionStarts, uploads: UploadThreads, pace: Pace | None
) -> Transport:
    login = node.login
    if login.local:
        return LocalTransport(node.name, sudo_password=_from_environment(login.sudo_password_env), pace=pace)
    options = SSHOptions(
        host=node.address,
        port=login.port,
        user=login.user,
        key_files=_key_files(login),
        password=_from_environment(login.password_env),
        passphrase=_passphrase(login.passphrase_env),
        sudo_password=_from_environment(login.sudo_password_env),
        host_keys=keys,
    )
    return SSHTransport(node.name, options, starts=starts, uploads=uploads, pace=pace)


def _key_files(login: Login) -> tuple[Path, ...]:
    if login.key_path:
        return (login.key_path,)
    folder = Path("~/.ssh").expanduser()
    return tuple(path for name in USUAL_KEYS if (path := folder / name).is_file())


def _from_environment(variable: str | None) -> Ask | None:
    return (lambda: os.environ.get(variable)) if variable else None


def _passphrase(variable: str | None) -> Callable[[Path], str | None] | None:
    return (lambda _path: os.environ.get(variable)) if variable else None
