"""OpenSSH certificates: what they certify, and whether a host's is to be trusted.

Rules of OpenSSH for hosts (its PROTOCOL.certkeys and `sshkey_cert_check_host`): the certificate is one of a
host, signed by an authority that known_hosts names for this host, valid now, without critical options, and
its principals, where it has any, match the name of the host as it was given, wild cards included.

Reading and the authority's signature are `cryptography`'s, loaded when the first certificate is seen.
Pure but for `read_user`. This module knows no sockets and no sessions.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from transports.base import TransportError

__all__ = ["CERTIFICATE", "Certificate", "UserCertificate", "certificate_of", "judge_host", "read_user"]

CERTIFICATE = "-cert-v01@openssh.com"
SIZE_LIMIT = 1 << 16  # bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. Nothing of it was judged yet."""

    key: bytes  # the public key that it certifies, raw
    authority: bytes  # the public key of who signed it, raw
    is_host: bool
    identity: str  # its key id, for messages
    principals: tuple[str, ...]
    valid_after: int  # seconds since 1970
    valid_before: int
    critical: tuple[str, ...]  # names of critical options
    is_signed: bool  # whether the authority's signature is right


@dataclass(frozen=True, slots=True)
class UserCertificate:
    """A certificate of ours, as it is in its file."""

    path: Path
    content: bytes
    blob: bytes
    says: Certificate


def certificate_of(blob: bytes) -> Certificate:
    """Read a raw certificate. Raises ValueError for what is none, or one of a kind that is not supported."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization.ssh import (
        SSHCertificate,
        SSHCertificateType,
        load_ssh_public_identity,
    )

    kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
    is_signed = True
    try:
        found = load_ssh_public_identity(kind + b" " + base64.b64encode(blob))
        if not isinstance(found, SSHCertificate):
            raise ValueError("it is a plain key")  # noqa: TRY004 - it is the content that is wrong
        key, authority = raw(found.public_key()), raw(found.signature_key())
    except (UnsupportedAlgorithm, NotImplementedError) as error:  # the latter for a compressed point
        raise ValueError(f"of a kind that is not supported: {error}") from None
    try:
        found.verify_cert_signature()
    except (InvalidSignature, UnsupportedAlgorithm, NotImplementedError):
        is_signed = False
    return Certificate(
        key=key,
        authority=authority,
        is_host=found.type == SSHCertificateType.HOST,
        identity=found.key_id.decode("utf-8", "replace"),
        principals=tuple(name.decode("utf-8", "replace") for name in found.valid_principals),
        valid_after=found.valid_after,
        valid_before=found.valid_before,
        critical=tuple(name.decode("utf-8", "replace") for name in found.critical_options),
        is_signed=is_signed and not by_sha1(blob),
    )


def by_sha1(blob: bytes) -> bool:
    """Whether the signature, which is a certificate's last field, is RSA's with SHA-1: nobody takes those."""
    end = blob[-2100:]  # longer than a signature of RSA with 16384 bits and its name
    at = end.rfind(b"\0\0\0\x07ssh-rsa")
    after = end[at + 11 :]
    return at >= 0 and int.from_bytes(after[:4], "big") == len(after) - 4


def raw(key: object) -> bytes:
    """A public key of `cryptography` in SSH's own form."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    text: bytes = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)  # type: ignore[attr-defined]
    return base64.b64decode(text.split()[1])


def judge_host(said: Certificate, name: str, key: bytes, authorities: Collection[bytes], now: float) -> str:
    """Why a host's certificate is not to be trusted; empty where it is.

    `name`: the host as it was given, or its alias; `key`: the raw key that the host proved to have.
    """
    return next(reasons(said, name.lower(), key, authorities, now), "")


def reasons(
    said: Certificate, name: str, key: bytes, authorities: Collection[bytes], now: float
) -> Iterator[str]:
    from transports.ssh.hostkeys import fingerprint

    if said.authority not in authorities:
        yield f"it is signed by {fingerprint(said.authority)}, which is no authority for {name} here"
    if not said.is_signed:
        yield "the signature of its authority is wrong"
    if said.key != key:
        yield "it certifies another key than the host has"
    if not said.is_host:
        yield "it is a certificate of a user, not of a host"
    if late := untimely(said, now):
        yield late
    if said.principals and not any(fnmatchcase(name, plain(text)) for text in said.principals):
        yield f"it is valid for {', '.join(said.principals)} and not for {name}"
    if said.critical:
        yield f"it has critical options that nobody knows: {', '.join(said.critical)}"


def plain(pattern: str) -> str:
    """A principal for fnmatch: `*` and `?` are wild in both, brackets only in fnmatch."""
    return pattern.lower().replace("[", "[[]")


def untimely(said: Certificate, now: float) -> str:
    """Why a certificate is not valid now; empty where it is."""
    if now < said.valid_after:
        return f"it is valid from {moment(said.valid_after)} on: look at the clocks"
    if now >= said.valid_before:
        return f"it was valid until {moment(said.valid_before)}"
    return ""


def moment(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return "the end of time"


def read_user(path: Path) -> UserCertificate:
    """Read a certificate of ours. Raises TransportError ``auth.key-file``."""
    path = path.expanduser()
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_LIMIT)
    except OSError as error:
        raise bad_file(path, f"cannot be read: {error.strerror}") from error
    try:
        blob = base64.b64decode(content.split()[1], validate=True)
        said = certificate_of(blob)
    except (IndexError, binascii.Error, ValueError) as error:
        raise bad_file(path, f"is no certificate: {error}") from None
    if said.is_host:
        raise bad_file(path, "is a certificate of a host, not of a user")
    return UserCertificate(path, content, blob, said)


def bad_file(path: Path, problem: str) -> TransportError:
    return TransportError(
        "auth.key-file",
        "auth",
        message=f"the SSH certificate {path} {problem}",
        remedy=f"look at it with `ssh-keygen -Lf {path}`; a certificate is made with "
        "`ssh-keygen -s CA -I ME -n USER KEY.pub`",
        final=True,
    )
