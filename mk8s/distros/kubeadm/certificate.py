"""The public key of a certificate, cut out of it as it stands. Pure.

A library for certificates does the same, but refuses those of kubeadm's: their serial number is 0, which
RFC 5280 forbids, and which does not matter here. Only the outer structure is read.
"""

from __future__ import annotations

import base64
import binascii
import re

__all__ = ["public_key_info"]

PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+(?P<body>[A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
SEQUENCE, VERSION = 0x30, 0xA0
BEFORE_KEY = 5  # serial number, signature algorithm, issuer, validity, subject


def public_key_info(text: str) -> bytes:
    """The DER SubjectPublicKeyInfo of the first certificate in a PEM text. Raises ValueError."""
    found = PEM.search(text)
    if not found:
        raise ValueError("it is no certificate")
    try:
        content = base64.b64decode("".join(found["body"].split()), validate=True)
    except binascii.Error as error:
        raise ValueError("it is no certificate") from error
    certificate = _inside(content, 0)
    at = _inside(content, certificate)
    if content[at : at + 1] == bytes([VERSION]):
        at = _end(content, at)
    for _ in range(BEFORE_KEY):
        at = _end(content, at)
    if content[at : at + 1] != bytes([SEQUENCE]):
        raise ValueError("it is a certificate without a public key")
    return content[at : _end(content, at)]


def _inside(content: bytes, at: int) -> int:
    """Where the content of the sequence at this place begins."""
    if content[at : at + 1] != bytes([SEQUENCE]):
        raise ValueError("it is not built as a certificate is")
    return _span(content, at)[0]


def _end(content: bytes, at: int) -> int:
    """Where the element at this place ends."""
    return _span(content, at)[1]


def _span(content: bytes, at: int) -> tuple[int, int]:
    """Begin and end of an element's content: a byte of kind, then its length, short or long."""
    head = content[at : at + 2]
    if len(head) < 2:
        raise ValueError("it ends too early")
    begin, length = at + 2, head[1]
    if length >= 0x80:
        more = length - 0x80
        length = int.from_bytes(content[begin : begin + more], "big")
        begin += more
    if begin + length > len(content):
        raise ValueError("it ends too early")
    return begin, begin + length
