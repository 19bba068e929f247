"""Signatures over a bundle's index, made and checked by ssh-keygen: a tool that every machine has.

The index holds the hash of every member, so its signature covers all. Who may sign is said in a file of
OpenSSH's *allowed signers* (``man ssh-keygen``): a line each, ``name@place ssh-ed25519 AAAA…``.

Law: a signature that is wrong is never passed over, whatever was asked for. mk8s holds no key itself.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from machines.words import printable
from mk8s.bundle.index import FETCH_AGAIN, INDEX, SIGNATURE, BundleError
from mk8s.bundle.splitting import is_chunk, whole_of

__all__ = ["NAMESPACE", "Signed", "check_signature", "refuse_signature", "sign", "words_for_hand_check"]

NAMESPACE = "mk8s-bundle"
PROGRAM = "ssh-keygen"
LONGEST_SIGNATURE = 1 << 16
KEY = re.compile(r"with (\S+) key (SHA256:[A-Za-z0-9+/=]+)")
NO_PROGRAM = "install OpenSSH's client programs, 8.2 or newer, which ssh-keygen is part of"
TOO_OLD = (b"usage:", b"illegal option", b"unknown option", b"Unsupported operation")
"""What an ssh-keygen says that does not know the question: no answer, and surely not a no."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What is known of a signature.

    none: there is none. good: by `who`, whom the signers file names. unknown: it is right, and nobody
    vouches for its key. wrong: it is not of this index. unchecked: there is no ssh-keygen here.
    """

    state: Literal["none", "good", "unknown", "wrong", "unchecked"]
    who: str = ""
    key: str = ""  # kind and fingerprint

    @property
    def words(self) -> str:
        """For people."""
        return {
            "none": "not signed",
            "good": f"signed by {self.who} ({self.key})",
            "unknown": f"signed with a key that nobody here vouches for ({self.key})",
            "wrong": "the signature is wrong",
            "unchecked": "signed; not checked: there is no ssh-keygen here that can (OpenSSH 8.2 or newer)",
        }[self.state]


def sign(content: bytes, key: Path) -> bytes:
    """The armoured signature by a private key file, or by a public one whose private half an agent has.

    A passphrase is asked for by ssh-keygen itself. Raises BundleError.
    """
    if not key.is_file():
        raise BundleError(
            f"the signing key {key} is not there",
            remedy="name a private key file, or the .pub of a key that your agent has; "
            "`ssh-keygen -t ed25519 -f FILE` makes one",
        )
    try:
        done = subprocess.run(
            [PROGRAM, "-Y", "sign", "-f", str(key), "-n", NAMESPACE],
            input=content,
            stdout=subprocess.PIPE,
            check=False,
        )
    except FileNotFoundError as error:
        raise BundleError("there is no ssh-keygen to sign with", remedy=NO_PROGRAM) from error
    if done.returncode or not 0 < len(done.stdout) <= LONGEST_SIGNATURE:
        raise BundleError(
            f"ssh-keygen did not sign with {key}",
            remedy="what it said stands above; mk8s holds no key itself",
        )
    return done.stdout


def check_signature(content: bytes, signature: bytes, signers: Path, *, program: str = PROGRAM) -> Signed:
    """What the signature is worth. A signers file that is not there names nobody."""
    if not signature:
        return Signed("none")
    with TemporaryDirectory(prefix="mk8s-") as folder:
        file = Path(folder) / SIGNATURE
        file.write_bytes(signature)
        try:
            return _checked(_Asking(program), content, file, signers)
        except (FileNotFoundError, _NoAnswerError):
            return Signed("unchecked")


def refuse_signature(signed: Signed, name: str, signers: Path, *, required: bool) -> None:
    """Raise BundleError for a wrong signature, and where one is required for anything but a good one."""
    if signed.state == "wrong":
        raise BundleError(
            f"{name}: the signature is wrong",
            cause=f"{INDEX} was changed after it was signed, or the signature is of another bundle",
            remedy=FETCH_AGAIN,
        )
    if required and signed.state != "good":
        remedies = {
            "none": "get the signed one, or have it signed: `mk8s bundle create --sign KEY`",
            "unchecked": NO_PROGRAM,
        }
        remedy = f"if you trust that key, put a line into {signers}: NAME@PLACE and the public key"
        raise BundleError(
            f"{name}: {signed.words}",
            cause="a good signature is required",
            remedy=remedies.get(signed.state, remedy),
        )


def words_for_hand_check(bundle: Path, who: str, signers: Path) -> str:
    """The commands that check a signature without mk8s: of a bundle, of chunks, or of an unpacked folder."""
    place = shlex.quote(str(bundle))
    check = (
        f"ssh-keygen -Y verify -f {shlex.quote(str(signers))} -I {shlex.quote(who or 'NAME@PLACE')} "
        f"-n {NAMESPACE} -s"
    )
    if bundle.is_dir():
        return f"{check} {place}/{SIGNATURE} < {place}/{INDEX}"
    if is_chunk(bundle):
        place = f"{shlex.quote(str(whole_of(bundle)[0]))}.[0-9]*"
        return _from_tar(f"cat {place} | tar -xOf -", check)
    return _from_tar(f"tar -xOf {place}", check)


def _from_tar(member: str, check: str) -> str:
    return f"{member} {SIGNATURE} > {SIGNATURE}\n{member} {INDEX} | {check} {SIGNATURE}"


class _NoAnswerError(Exception):
    """The program does not know the question."""


class _Asking:
    """ssh-keygen, asked about signatures."""

    def __init__(self, program: str) -> None:
        self._program = program

    def __call__(self, content: bytes, verb: str, *words: str) -> str | None:
        """What it says; None: it says no."""
        done = subprocess.run(
            [self._program, "-Y", verb, *words], input=content, capture_output=True, check=False
        )
        if done.returncode == 0:
            return done.stdout.decode("utf-8", "replace")
        if not self._knows_the_question():
            raise _NoAnswerError
        return None

    def _knows_the_question(self) -> bool:
        """Asked of nothing: what it says of a signature may have words of whoever made that in it."""
        words = [self._program, "-Y", "check-novalidate", "-n", NAMESPACE, "-s", os.devnull]
        said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False).stderr
        return not any(old in said for old in TOO_OLD)


def _checked(ask: _Asking, content: bytes, file: Path, signers: Path) -> Signed:
    common = ("-n", NAMESPACE, "-s", str(file))
    right = ask(content, "check-novalidate", *common)
    if right is None:
        return Signed("wrong")
    key = _key(right)
    for who in (ask(b"", "find-principals", "-s", str(file), "-f", str(signers)) or "").splitlines():
        if ask(content, "verify", "-f", str(signers), "-I", who, *common) is not None:
            return Signed("good", printable(who), key)
    return Signed("unknown", key=key)


def _key(said: str) -> str:
    found = KEY.search(said)
    return " ".join(found.groups()) if found else ""
