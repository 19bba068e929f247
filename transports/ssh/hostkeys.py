"""Which host keys are trusted: known_hosts files, read and compared here, in Python.

The raw key is compared, before any login. libssh2's own fingerprints are not used: its hash of a key
has been seen with 33 bytes, because a zero byte does not end it.

Rules: any key known for a host makes every other key of that host a changed one, unless a certificate of
an authority that a `@cert-authority` line names vouches for it. `@revoked` lines win over both: a key, a
certificate's authority. A host is known by the name it was given, not by its address, or by its alias.

This module knows files; it knows no socket and no session.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from transports.base import TransportError
from transports.ssh.certificates import certificate_of, judge_host

__all__ = ["KINDS", "HostKeys", "fingerprint", "host_name", "kind_of", "method_preference", "pin"]

REVOKED, AUTHORITY = "@revoked", "@cert-authority"
MARKERS = ("", REVOKED, AUTHORITY)

# Kinds of host key and what they are called when algorithms are negotiated, best first.
KINDS = {
    "ssh-ed25519": "ssh-ed25519",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
    "ssh-rsa": "rsa-sha2-512,rsa-sha2-256",
}


def fingerprint(blob: bytes) -> str:
    """A key's SHA256 fingerprint as `ssh-keygen -l` writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def kind_of(blob: bytes) -> str:
    """The kind of a raw public key, such as ``ssh-ed25519``; empty for what is none."""
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length].decode("ascii", "replace") if 0 < length <= len(blob) - 4 else ""


def method_preference(known: Sequence[str]) -> str:
    """The host key algorithms to offer: those of known kinds first, so that the server shows a known key."""
    ordered = [kind for kind in KINDS if kind in known] + [kind for kind in KINDS if kind not in known]
    return ",".join(KINDS[kind] for kind in ordered)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a known_hosts file."""

    file: Path
    line: int
    revoked: bool
    hosts: str  # patterns with commas, or a hashed name
    blob: bytes
    authority: bool = False  # not a host's key but one that signs hosts' certificates

    def matches(self, name: str) -> bool:
        """Whether the line speaks of a host, which is `host` or `[host]:port`."""
        if self.hosts.startswith("|1|"):
            return matches_hashed(self.hosts, name)
        patterns = self.hosts.lower().split(",")
        if any(p.startswith("!") and fnmatchcase(name, literal(p[1:])) for p in patterns):
            return False
        return any(fnmatchcase(name, literal(p)) for p in patterns if not p.startswith("!"))


def literal(pattern: str) -> str:
    """A known_hosts pattern for fnmatch: `*` and `?` are wild in both, brackets only in fnmatch."""
    return pattern.replace("[", "[[]")


def matches_hashed(hosts: str, name: str) -> bool:
    """Whether ``|1|salt|hash`` is this name."""
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in hosts.split("|")[2:4])
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def parse(file: Path, text: str) -> Iterator[Entry]:
    """The lines that can be understood; others are skipped, as ssh does."""
    for number, line in enumerate(text.split("\n"), start=1):  # as ssh does: nothing else ends a line
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or line.lstrip().startswith("#") or marker not in MARKERS:
            continue
        try:
            blob = base64.b64decode(words[2], validate=True)
        except (ValueError, binascii.Error):
            continue
        yield Entry(file, number, marker == REVOKED, words[0], blob, marker == AUTHORITY)


def host_name(host: str, port: int, alias: str = "") -> str:
    """How known_hosts writes a host: the port only where it is not 22, and an alias as it is."""
    if alias:
        return alias.lower()
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


class HostKeys:
    """The known_hosts files of a user. One object may serve all nodes; changed files are read again.

    With `accept_new`, the key of a host of which none is known is trusted and appended to `write_to`
    (the first file, where it is None). A changed or revoked key is never accepted. `alias` is ssh_config's
    HostKeyAlias: what a host is known as, instead of its name and port.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        accept_new: bool = False,
        write_to: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.files = tuple(files)
        self.accept_new = accept_new
        self.write_to = write_to or (self.files[0] if self.files else None)
        self._clock = clock
        # What hosts showed, by the bastions' names, host and port; empty: they have none. The way belongs
        # to it: behind two bastions a private address is two hosts.
        self.certificates: dict[tuple[str, str, int], bytes] = {}
        self._cache: dict[Path, tuple[tuple[int, int], tuple[Entry, ...]]] = {}

    def kinds_for(self, host: str, port: int, alias: str = "") -> tuple[str, ...]:
        """The kinds of key that are known for a host, such as ``ssh-ed25519``."""
        known = self._about(host_name(host, port, alias))
        return tuple(
            dict.fromkeys(kind_of(entry.blob) for entry in known if not entry.revoked and not entry.authority)
        )

    def has_authority(self, host: str, port: int, alias: str = "") -> bool:
        """Whether a certificate could vouch for a host."""
        return any(entry.authority for entry in self._of_authorities(host, port, alias))

    def known(self, host: str, port: int, alias: str = "") -> tuple[bytes, ...]:
        """The raw keys that are known for a host."""
        about = self._about(host_name(host, port, alias))
        return tuple(entry.blob for entry in about if not entry.revoked and not entry.authority)

    def lines(self, host: str, port: int, alias: str = "", *, but: bytes) -> list[tuple[Path, int]]:
        """Where other keys than one stand for a host: files and lines."""
        about = self._about(host_name(host, port, alias))
        return [
            (entry.file, entry.line)
            for entry in about
            if not (entry.revoked or entry.authority) and entry.blob != but
        ]

    def verify(self, host: str, port: int, blob: bytes, *, alias: str = "", certificate: bytes = b"") -> None:
        """Return if this raw public key is to be trusted. Raises TransportError ``hostkey.*``, final.

        `certificate`: what the host showed besides; empty where it showed none.
        """
        name = host_name(host, port, alias)
        about = self._about(name)
        refuse_revoked(name, blob, about)
        problem = ""
        if certificate and self.has_authority(host, port, alias):
            problem = self._problem_with(host, port, alias, blob, certificate)
            if not problem:
                return
        if is_known(name, blob, [entry for entry in about if not entry.authority]):
            return
        if problem:
            raise bad_certificate(name, blob, problem)
        if not self.accept_new or self.write_to is None:
            raise unknown_key(name, host, port, blob, self.files)
        append_once(self.write_to, name, blob)

    def _problem_with(self, host: str, port: int, alias: str, blob: bytes, certificate: bytes) -> str:
        """Why a certificate does not vouch for a host; empty where it does."""
        about = self._of_authorities(host, port, alias)
        try:
            said = certificate_of(certificate)
        except ValueError as error:
            return f"it cannot be read: {error}"
        refuse_revoked(host_name(host, port, alias), said.authority, about)
        authorities = {entry.blob for entry in about if entry.authority}
        return judge_host(said, alias or host, blob, authorities, self._clock())

    def _of_authorities(self, host: str, port: int, alias: str) -> list[Entry]:
        """What is said of a host or, as patterns of domains have no port, of its name alone."""
        names = dict.fromkeys((host_name(host, port, alias), host_name(host, 22, alias)))
        return [entry for name in names for entry in self._about(name)]

    def _about(self, name: str) -> list[Entry]:
        files = dict.fromkeys((*self.files, *([self.write_to] if self.write_to else [])))
        return [entry for file in files for entry in self._entries(file) if entry.matches(name)]

    def _entries(self, file: Path) -> tuple[Entry, ...]:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if file not in self._cache or self._cache[file][0] != stamp:
                self._cache[file] = (stamp, tuple(parse(file, file.read_bytes().decode("utf-8", "replace"))))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TransportError(
                "hostkey.unknown",
                "hostkey",
                message=f"cannot read the known host keys in {file}: {error.strerror}",
                remedy=f"make {file} readable, or name another file",
                final=True,
            ) from error
        return self._cache[file][1]


def is_known(name: str, blob: bytes, about: Sequence[Entry]) -> bool:
    """Whether the key is among what is known of the host; False where nothing is.

    Raises TransportError ``hostkey.revoked`` or ``hostkey.changed``.
    """
    refuse_revoked(name, blob, about)
    known = [entry for entry in about if not entry.revoked]
    if known and all(entry.blob != blob for entry in known):
        raise changed_key(name, blob, known)
    return bool(known)


def refuse_revoked(name: str, blob: bytes, about: Sequence[Entry]) -> None:
    for entry in about:
        if entry.revoked and entry.blob == blob:
            raise revoked_key(name, blob, entry)


def pin(file: Path, name: str, blob: bytes) -> None:
    """Make this the one key that a file knows of a host, as `host_name` writes it.

    Lines that name only this host go; a line that names others too stays, for them. Raises OSError.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        kept = [line for line in stream.read().split(b"\n") if line and not speaks_of(file, line, name)]
        kept.append(f"{name} {kind_of(blob)} {base64.b64encode(blob).decode()}".encode())
        stream.seek(0)
        stream.write(b"\n".join(kept) + b"\n")
        stream.truncate()
        os.fsync(stream.fileno())


def speaks_of(file: Path, line: bytes, name: str) -> bool:
    entries = list(parse(file, line.decode("utf-8", "replace")))
    return any(
        not (entry.revoked or entry.authority or "," in entry.hosts) and entry.matches(name)
        for entry in entries
    )


def append_once(file: Path, name: str, blob: bytes) -> None:
    """Append a host's key unless it is there. One write under a lock, so that nobody reads half a line.

    Under the lock the file is judged again: of two who meet a host for the first time at once, the second
    trusts what the first has written and nothing else.
    """
    line = f"{name} {kind_of(blob)} {base64.b64encode(blob).decode()}\n"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        there = stream.read()
        known = [
            entry
            for entry in parse(file, there.decode("utf-8", "replace"))
            if entry.matches(name) and not entry.authority
        ]
        if not is_known(name, blob, known):
            gap = b"" if not there or there.endswith(b"\n") else b"\n"
            stream.write(gap + line.encode())
            os.fsync(stream.fileno())


def unknown_key(name: str, host: str, port: int, blob: bytes, files: Sequence[Path]) -> TransportError:
    target = files[0] if files else Path("~/.ssh/known_hosts")
    return TransportError(
        "hostkey.unknown",
        "hostkey",
        message=f"{name} shows a host key that is not known here: {kind_of(blob)} {fingerprint(blob)}",
        remedy=f"compare the fingerprint with the one there (`ssh-keygen -lf {usual_file(blob)}`), "
        f"then `mk8s trust MANIFEST`, or `ssh-keyscan -p {port} {host} >> {target}`; "
        "or trust every new host once with `ssh: {host_keys: accept-new}` in the manifest",
        final=True,
    )


def usual_file(blob: bytes) -> str:
    """Where a machine keeps the public half of a host key: ssh-keygen shows one file at a time."""
    family = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(kind_of(blob), "ecdsa")
    return f"/etc/ssh/ssh_host_{family}_key.pub"


def changed_key(name: str, blob: bytes, known: Sequence[Entry]) -> TransportError:
    same_kind = [entry for entry in known if kind_of(entry.blob) == kind_of(blob)]
    old = (same_kind or list(known))[0]
    return TransportError(
        "hostkey.changed",
        "hostkey",
        message=f"the host key of {name} has changed: it shows {kind_of(blob)} {fingerprint(blob)}, "
        f"but {old.file} line {old.line} says {kind_of(old.blob)} {fingerprint(old.blob)}",
        remedy="either the machine was installed anew, or someone stands in between. "
        f"If you know that it was reinstalled: `ssh-keygen -R '{name}' -f {old.file}`, then `mk8s trust`",
        final=True,
    )


def bad_certificate(name: str, blob: bytes, problem: str) -> TransportError:
    return TransportError(
        "hostkey.unknown",
        "hostkey",
        message=f"the certificate of {name} does not vouch for its host key {kind_of(blob)} "
        f"{fingerprint(blob)}: {problem}",
        remedy="have the host key signed anew (`ssh-keygen -s CA -h -I NAME -n NAMES "
        f"{usual_file(blob)}`), or correct the `@cert-authority` line in known_hosts",
        final=True,
    )


def revoked_key(name: str, blob: bytes, entry: Entry) -> TransportError:
    return TransportError(
        "hostkey.revoked",
        "hostkey",
        message=f"the host key of {name}, {kind_of(blob)} {fingerprint(blob)}, "
        f"is revoked by {entry.file} line {entry.line}",
        remedy="give the machine a new host key; do not log in to it with this one",
        final=True,
    )
