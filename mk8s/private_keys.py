"""Private keys in any text: recognised by their form, so that nobody has to remember each. Pure.

Known forms: a PEM block, with line breaks, escaped ones, indented, or cut off at either end; its base64,
as in a kubeconfig or a Secret; whatever stands as ``client-key-data``. Rather too much is taken out
than too little: of a block that is cut off, all that may belong to it.
"""

from __future__ import annotations

import base64
import re

__all__ = ["HIDDEN", "without_keys"]

HIDDEN = "***"

BEGIN = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----"
BLOCK = rf"{BEGIN}(?:(?!-----).)*+(?:{END})?"

LABELS = ("", "EC ", "RSA ", "DSA ", "OPENSSH ", "ENCRYPTED ", "ANY ")
BASE64 = r"A-Za-z0-9+/_-"


def _beginnings() -> str:
    """The base64 of each first line, whatever stands before it in the same encoded text."""
    found: set[str] = set()
    for label in LABELS:
        line = f"-----BEGIN {label}PRIVATE KEY".encode()
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + line).decode()
            # the first and the last characters also depend on the neighbours
            found.add(encoded[(before * 8 + 5) // 6 : (before + len(line)) * 8 // 6])
    return "|".join(sorted(found))


ENCODED = rf"(?:{_beginnings()})[{BASE64}]*+(?:(?:\s|\\[nr])++[{BASE64}]{{32,}}+)*+=*"
"""Also in lines, as base64(1) writes it: a last line of less than 32 holds only the end mark."""

KEY_DATA = rf"(client-key-data\\*[\"']?[ \t]*:[ \t]*\\*[\"']?)[{BASE64}]++=*"

KEYS = re.compile(rf"{KEY_DATA}|{BLOCK}|{ENCODED}", re.DOTALL)
LAST_LINE = re.compile(END)
OF_A_KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n\\"


def without_keys(text: str) -> str:
    """The text with ``***`` in place of every private key."""
    text = KEYS.sub(lambda found: f"{found[1] or ''}{HIDDEN}", text)
    pieces = LAST_LINE.split(text)
    if len(pieces) == 1:
        return text
    # end marks whose beginning was cut off: what stands before them may be the rest of a key
    return HIDDEN.join([*(piece.rstrip(OF_A_KEY) for piece in pieces[:-1]), pieces[-1]])
