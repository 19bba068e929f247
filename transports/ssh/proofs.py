"""Which keys and certificates are offered at a login, and in which order.

First what has got this user in already, in this run. Then the key files that were named, each with its
certificates before it, signed by the agent where it holds the same, so that no passphrase is asked; then
the agent's other keys, unless only named ones are wanted. sshd counts every offer (MaxAuthTries, 6 by
default), so order is what gets people with many keys in.

What is read here are files; nothing is sent. This module knows no sessions. Begin reading at `proofs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from transports.base import TransportError
from transports.ssh.agent import Identity
from transports.ssh.certificates import CERTIFICATE, UserCertificate, read_user
from transports.ssh.hostkeys import fingerprint, kind_of
from transports.ssh.keyfiles import KeyFile, read, read_public
from transports.ssh.options import SSHOptions

__all__ = ["Proof", "proofs"]

RSA_CERTIFICATE = "ssh-rsa" + CERTIFICATE


@dataclass(frozen=True, slots=True)
class Proof:
    """One key or certificate to be offered: signed by the agent, or by us with a file."""

    described: str
    blob: bytes  # what the server is shown, raw; empty where it is not known before the key is opened
    file: KeyFile | None = None  # None: the agent signs
    certificate: UserCertificate | None = None


def proofs(options: SSHOptions, held: Sequence[Identity]) -> list[Proof]:
    """Everything that may be offered, in order. Raises TransportError ``auth.key-file``."""
    named = [read_user(path) for path in options.certificates]
    found = [proof for path in options.key_files for proof in of_file(path, named, held)]
    found += of_certificates_alone(named, found, held)
    if not options.identities_only:
        seen = {proof.blob for proof in found}
        found += [by_agent(identity) for identity in held if usable(identity) and identity.blob not in seen]
    proven = options.proven.of(options.user)
    return sorted(found, key=lambda proof: proof.blob not in proven)


def of_file(path: Path, named: Sequence[UserCertificate], held: Sequence[Identity]) -> Iterator[Proof]:
    """One key file's proofs."""
    agents = {identity.blob: identity for identity in held if usable(identity)}
    public = read_public(path)
    if public in agents and not path.expanduser().is_file():  # its private half is the agent's alone
        yield by_agent(agents[public])
        return
    if public in agents and is_public_file(path):
        yield by_agent(agents[public])
        return
    key = read(path)
    for certificate in certificates_of(key, named):
        if certificate.blob in agents:
            yield by_agent(agents[certificate.blob])
        else:
            yield by_file(key, certificate)
    if key.public in agents:
        yield by_agent(agents[key.public])
        if key.encrypted:
            return
    yield by_file(key)


def is_public_file(path: Path) -> bool:
    try:
        with path.expanduser().open("rb") as stream:
            return stream.read(8).startswith((b"ssh-", b"ecdsa-", b"sk-"))
    except OSError:
        return False


def certificates_of(key: KeyFile, named: Sequence[UserCertificate]) -> list[UserCertificate]:
    """The named certificates of a key, and the one that lies beside it."""
    beside = key.path.with_name(key.path.name + "-cert.pub")
    found = [certificate for certificate in named if not key.public or certificate.says.key == key.public]
    if beside.is_file() and beside not in [certificate.path for certificate in named]:
        found.append(read_user(beside))
    return found


def of_certificates_alone(
    named: Iterable[UserCertificate], found: Sequence[Proof], held: Sequence[Identity]
) -> Iterator[Proof]:
    """Named certificates that no key file goes with: the agent must hold them, not their key alone."""
    offered = {proof.blob for proof in found}
    agents = {identity.blob: identity for identity in held}
    for certificate in named:
        if certificate.blob in offered:
            continue
        identity = agents.get(certificate.blob)
        if identity is None or not usable(identity):
            raise without_key(certificate)
        yield by_agent(identity)


def usable(identity: Identity) -> bool:
    """libssh2 signs wrongly for an RSA certificate that an agent holds, and for hardware keys not at all."""
    kind = kind_of(identity.blob)
    return kind != RSA_CERTIFICATE and not kind.startswith("sk-")


def by_agent(identity: Identity) -> Proof:
    return Proof(f"{shown(identity.blob)} {identity.comment} (agent)", identity.blob)


def by_file(key: KeyFile, certificate: UserCertificate | None = None) -> Proof:
    if certificate is not None:
        return Proof(f"{shown(certificate.blob)} {certificate.path}", certificate.blob, key, certificate)
    described = f"{shown(key.public)} " if key.public else ""
    return Proof(f"{described}{key.path}", key.public, key)


def shown(blob: bytes) -> str:
    return f"{kind_of(blob)} {fingerprint(blob)}"


def without_key(certificate: UserCertificate) -> TransportError:
    return TransportError(
        "auth.key-file",
        "auth",
        message=f"the SSH certificate {certificate.path} has no key here: it certifies "
        f"{shown(certificate.says.key)}, which is none of the key files that are named",
        remedy="name its private key (`ssh_key_path`); or load key and certificate into the agent together "
        "(`ssh-add KEY` takes KEY-cert.pub along; not for RSA); or use `transport: openssh`",
        final=True,
    )
