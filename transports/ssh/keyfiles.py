"""Private key files: is it one, which public key has it, does it need a passphrase.

Only the outside of a key is read here; libssh2 decrypts and signs. Pure but for `read`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from transports.base import TransportError
from transports.ssh.hostkeys import kind_of

__all__ = ["KeyFile", "key_problem", "read", "read_public"]

MAGIC = b"openssh-key-v1\0"
SIZE_LIMIT = 1 << 16  # bytes; a 16384 bit RSA key has 13 KB
CHACHA = "chacha20-poly1305@openssh.com"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One private key, as it is in its file."""

    path: Path
    content: bytes
    encrypted: bool
    public: bytes = b""  # the raw public key, where it can be known without a passphrase


def key_problem(path: Path, problem: str, remedy: str) -> TransportError:
    return TransportError(
        "auth.key-file", "auth", message=f"the SSH key {path} {problem}", remedy=remedy, final=True
    )


def read(path: Path) -> KeyFile:
    """Read a private key file. Raises TransportError ``auth.key-file``: missing, unreadable, or no key."""
    path = path.expanduser()
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise key_problem(
            path,
            f"cannot be read: {error.strerror}",
            "check `ssh_key_path` in the manifest and its permissions",
        ) from error
    if content.lstrip().startswith((b"ssh-", b"ecdsa-")):
        raise key_problem(path, "is a public key", "name the private key: the same path without .pub")
    if len(content) > SIZE_LIMIT or b"PRIVATE KEY-----" not in content:
        raise key_problem(path, "is not a private key", "make one with `ssh-keygen -t ed25519`")
    return of_openssh(path, content) if b"BEGIN OPENSSH" in content else of_pem(path, content)


def read_public(path: Path) -> bytes:
    """The raw public key in a file, or in the .pub file beside it; empty where there is none."""
    path = path.expanduser()
    return public_in(path) or public_in(path.with_name(path.name + ".pub"))


def public_in(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            words = stream.read(SIZE_LIMIT).split()
        kind, blob = words[0].decode(), base64.b64decode(words[1], validate=True)
    except (OSError, ValueError, IndexError):
        return b""
    return blob if kind_of(blob) == kind else b""


def of_pem(path: Path, content: bytes) -> KeyFile:
    """PEM and PKCS#8: the public key is in a .pub file beside it, if at all."""
    return KeyFile(path, content, b"ENCRYPTED" in content, public_in(path.with_name(path.name + ".pub")))


def of_openssh(path: Path, content: bytes) -> KeyFile:
    """OpenSSH's own format names its cipher and its public key in the clear."""
    try:
        body = b"".join(line for line in content.splitlines() if line and not line.startswith(b"-----"))
        raw = base64.b64decode(body, validate=True)
        cipher, rest = string(raw.removeprefix(MAGIC))
        _, rest = string(rest)  # key derivation
        _, rest = string(rest)  # its options
        public, _ = string(rest[4:])  # after the number of keys
    except (ValueError, binascii.Error) as error:
        raise key_problem(path, "is damaged", "copy it again, or make a new one") from error
    refuse_unsupported(path, cipher.decode("ascii", "replace"), kind_of(public))
    return KeyFile(path, content, cipher != b"none", public)


def refuse_unsupported(path: Path, cipher: str, kind: str) -> None:
    """Say plainly what libssh2 cannot do, instead of its 'unable to extract public key'."""
    if cipher == CHACHA:
        raise key_problem(
            path,
            f"is encrypted with {CHACHA}, which is not supported here",
            f"`ssh-keygen -p -Z aes256-ctr -f {path}`",
        )
    if kind.startswith("sk-") or kind == "ssh-dss":
        raise key_problem(path, f"is of kind {kind}, which is not supported here", "use an ed25519 key")


def string(data: bytes) -> tuple[bytes, bytes]:
    """The SSH string at the beginning, and what follows it."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length:
        raise ValueError("cut off")
    return data[4 : 4 + length], data[4 + length :]
