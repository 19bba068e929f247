"""Files of sha256 hashes as upstream projects publish them, read by one rule for all of them. Pure.

The forms that are met: lines of `sha256sum` (two spaces), of ``sha256sum -b`` (a space and ``*``), with
``./`` or a folder before the name, with CRLF; one hash and nothing else, with or without a newline; the
same inside a text that PGP signed in the clear. The rule: a line counts when its first word is 64
hexadecimal digits and at most one word follows, whose last path part is the file's name. Every other line
is passed over: comments, sha512, signatures, the page of a proxy.

Laws:

1. A file that names no hash of what was asked for is an error, never *nothing was published*.
2. A signature of PGP is not verified here: nobody's key is known. What vouches for the file is where it
   came from.

Begin reading at `find_digest`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

__all__ = ["ChecksumError", "find_digest", "read_checksums"]

DIGEST = re.compile(r"[0-9a-fA-F]{64}")
SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
ESCAPED = "- "  # a signed text marks so its lines that begin with a dash, and may mark others


class ChecksumError(ValueError):
    """A file of hashes does not say what a file should hash to. The words are for people."""


def read_checksums(text: str) -> dict[str, str]:
    """File name -> sha256 in 64 small hexadecimal digits, of every line that names both."""
    return {name: digest for digest, name in _lines(text) if name}


def find_digest(text: str, name: str) -> str:
    """The sha256 of the file called `name` (no folders): its own line, or the one hash that stands alone.

    Raises ChecksumError where the text has neither, or more than one.
    """
    lines = list(_lines(text))
    named = {digest for digest, of in lines if of == name}
    found = named or {digest for digest, of in lines if not of}
    if len(found) == 1:
        return found.pop()
    if found:
        raise ChecksumError(f"names {len(found)} different hashes of {name}")
    if lines:
        raise ChecksumError(f"names hashes of other files, and none of {name}")
    raise ChecksumError(f"has no sha256 in it; it begins with {_beginning(text)}")


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Digest and name of each line that counts; no name where the hash stands alone."""
    for line in text.partition(SIGNATURE)[0].splitlines():
        digest, *rest = line.removeprefix(ESCAPED).lstrip("\ufeff").split() or [""]
        if DIGEST.fullmatch(digest) and len(rest) <= 1:
            yield digest.lower(), _file_name(rest[0]) if rest else ""


def _file_name(word: str) -> str:
    return PurePosixPath(word.removeprefix("*")).name


def _beginning(text: str) -> str:
    first = text.strip().partition("\n")[0]
    return ascii(first[:40]) if first else "nothing: it is empty"
