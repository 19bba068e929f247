"""What must never be shown: the cluster's join token, kept; and every other secret, known to be hidden.

Laws:

1. A token that mk8s makes is on the disk, durably, before anyone is given it, and is never made anew
   while its file is there, or once nodes were given it: those that have joined know the old one.
2. Of secrets that users bring (tokens in a config, passwords) nothing is stored; they are remembered
   while the process lives, to be taken out of everything that is shown or written. Private keys need
   not be remembered: they are recognised.
3. A secrets file that others can read is refused: the secret in it is not one any more.

Begin reading at `Secrets`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from secrets import choice, token_bytes, token_hex
from urllib.parse import quote, quote_plus

from mk8s.errors import Mk8sError
from mk8s.needs import RandomKind
from mk8s.private_keys import HIDDEN, without_keys
from mk8s.state import read_private, write_private

__all__ = ["HIDDEN", "Secrets", "random_word"]

FILE = "secrets.json"
TOKEN_BYTES = 32
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"  # of kubeadm's bootstrap tokens
TOKEN = re.compile(r"[0-9a-f]{64}")
READ_AT_MOST = 1 << 16
HOLDS = "the cluster's join token, with which any machine can become a member"
OTHERWISE = "give the cluster another token"
SHORTEST = 4
"""Shorter secrets are not hidden: taking every "a" out of a log hides nothing and ruins the log."""


class Secrets:
    """The secrets of one cluster. `folder` is its state folder, which exists."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def token(self, *, given: bool = False) -> str:
        """The cluster's join token: 64 hex digits, made at the first call ever and kept.

        `given`: nodes have it already, so no other will do. Raises Mk8sError when its file is damaged,
        readable by others, or cannot be written, and when it is gone although nodes were given it.
        """
        token = self._stored()
        if token is None and given:
            raise Mk8sError(
                f"{self._path} is gone",
                cause="the nodes were given the join token in it; with another one no node could join them",
                remedy="restore it from a backup; or take the token from a server's config there and write "
                '{"version": 1, "token": "..."} to this file, mode 0600',
            )
        if token is None:
            token = token_hex(TOKEN_BYTES)
            write_private(self._path, json.dumps({"version": 1, "token": token}).encode() + b"\n")
        self.remember(token)
        return token

    def look(self) -> str | None:
        """The same for one who only asks: None where none was made yet. Raises Mk8sError as `token` does."""
        token = self._stored()
        if token is not None:
            self.remember(token)
        return token

    def remember(self, value: str) -> None:
        """Take this value out of everything from now on, in each form in which it may be written."""
        if len(value.strip()) >= SHORTEST:
            self._known.update(_forms(value))
            self._pattern = None

    def redact(self, text: str) -> str:
        """The text with ``***`` in place of every secret that is known, and of every private key."""
        text = without_keys(text)
        if self._pattern is None:
            if not self._known:
                return text
            longest_first = sorted(self._known, key=lambda form: (-len(form), form))
            self._pattern = re.compile("|".join(re.escape(form) for form in longest_first))
        return self._pattern.sub(HIDDEN, text)

    def _stored(self) -> str | None:
        content = read_private(self._path, READ_AT_MOST, holds=HOLDS, otherwise=OTHERWISE)
        return None if content is None else self._token_in(content)

    def _token_in(self, content: bytes) -> str:
        """Raises Mk8sError rather than making another token: the nodes may have joined with this one."""
        try:
            token = json.loads(content)["token"]
            if TOKEN.fullmatch(token):
                return str(token)
        except (ValueError, TypeError, KeyError):
            pass
        raise Mk8sError(
            f"{self._path} is damaged",
            cause="the cluster's join token cannot be read from it",
            remedy="restore it from a backup; only if no node has joined yet, remove it and run again",
        )


def random_word(kind: RandomKind) -> str:
    """A new secret word of that kind, from the system's randomness."""
    if kind == "hex-32":
        return token_hex(32)
    if kind == "base64-32":
        return base64.b64encode(token_bytes(32)).decode()
    if kind == "word-8":
        return _letters(8)
    return f"{_letters(6)}.{_letters(16)}"


def _letters(count: int) -> str:
    return "".join(choice(ALPHABET) for _ in range(count))


def _forms(value: str) -> Iterator[str]:
    """A secret as it may stand in a text: plain, escaped for JSON, URL or shell, or in base64."""
    for text in {value, value.strip()}:
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield quote(text, safe="")
        yield quote_plus(text)
        yield text.replace("'", "'\\''")
        yield from _in_base64(text)


def _in_base64(text: str) -> Iterator[str]:
    """Its base64, whatever stands before it in the same encoded text (a ``user:password`` header)."""
    data = text.encode("utf-8", "surrogatepass")
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        # the first and the last characters also depend on the neighbours: only the sure middle is kept
        start = (before * 8 + 5) // 6
        end = (before + len(data)) * 8 // 6
        middle = encoded[start:end]
        if len(middle) >= SHORTEST * 2:
            yield middle
            yield middle.translate(str.maketrans("+/", "-_"))
