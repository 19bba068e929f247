"""What `registries` only names, looked up: passwords in the environment, certificates on this machine's disk.

It is done before any node is touched. Nothing of it is kept; who runs a cluster has every password
hidden (`mk8s.secrets`) before it reaches a driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mk8s.cluster import Cluster, RegistryAccess
from mk8s.errors import ManifestError
from mk8s.needs import Kept

__all__ = ["missing_passwords", "registry_passwords", "with_registries"]

LARGEST = 1 << 20  # bytes; a bundle of all public authorities has a quarter of that
BEGINS, PRIVATE = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----"
NAME_ONE = "name a file in PEM form with the certificate of the authority that signed the registry's own"


def missing_passwords(cluster: Cluster, environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that `registries` names and that holds no password."""
    found = []
    for host, access in _access(cluster).items():
        password = environment.get(access.password_env, "") if access.password_env else "none"
        if not password.isprintable() or not password:
            how = "holds a control character" if password else "is not set"
            found.append(
                f"registries.access.{host}: the environment variable {access.password_env} {how}; "
                f"it is to hold the password of {access.username or host}"
            )
    return found


def registry_passwords(cluster: Cluster, environment: Mapping[str, str]) -> dict[str, str]:
    """Host -> password, of those that are there. Secrets: hide them."""
    return {
        host: environment[access.password_env]
        for host, access in _access(cluster).items()
        if access.password_env and environment.get(access.password_env)
    }


def with_registries(kept: Kept, cluster: Cluster, environment: Mapping[str, str]) -> Kept:
    """The same with what the nodes are told of registries. Raises ManifestError for an unusable file."""
    if cluster.registries is None:
        return kept
    authorities = {
        host: _certificates(access.ca_file, host)
        for host, access in _access(cluster).items()
        if access.ca_file
    }
    passwords = registry_passwords(cluster, environment)
    return replace(kept, registry_passwords=passwords, registry_authorities=authorities)


def _access(cluster: Cluster) -> Mapping[str, RegistryAccess]:
    return cluster.registries.access if cluster.registries else {}


def _certificates(file: Path, host: str) -> bytes:
    where = f"registries.access.{host}.ca_file: {file}"
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise ManifestError(f"{where} cannot be read: {error.strerror}", remedy=NAME_ONE) from error
    if PRIVATE in content:
        raise ManifestError(f"{where} holds a private key, and every node would get it", remedy=NAME_ONE)
    if BEGINS not in content or len(content) > LARGEST:
        raise ManifestError(f"{where} holds no certificate", remedy=NAME_ONE)
    return content
