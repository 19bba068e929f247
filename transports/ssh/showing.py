"""The certificate that a host shows. libssh2 cannot take one in its key exchange, so it is asked for apart.

A connection of its own, in which we go as far as the host's first answer: version, algorithms, and our half
of a key exchange whose other half comes with the certificate. Nothing is proved by that, and need not be:
the certificate is public, and that the host has the key in it is proved in the connection proper, where
libssh2 sees the same key without the certificate.

Law: a host that goes before it has answered has not said that it has no certificate.

This module knows bytes of SSH's transport protocol (RFC 4253, RFC 8731); it knows no trust and no files.
"""

from __future__ import annotations

import errno
import os

import anyio

from transports.ssh.sockets import Wire

__all__ = ["shown_certificate"]

VERSION = b"SSH-2.0-mk8s\r\n"
KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
RSA = ("rsa-sha2-512", "rsa-sha2-256")
ALGORITHMS = tuple(f"{kind}-cert-v01@openssh.com" for kind in (*KEYS, *RSA))
CURVE25519 = ("curve25519-sha256", "curve25519-sha256@libssh.org")
NISTP256 = "ecdh-sha2-nistp256"
KEXINIT, KEX_INIT, KEX_REPLY = 20, 30, 31
PACKET_LIMIT = 1 << 17  # bytes
LINES = 50  # that a server may say before its version
PACKETS = 50  # of other kinds that it may send before the one that is waited for


class Dull(Exception):  # noqa: N818 - said of a host
    """The host has no certificate, or speaks no SSH that leads to one."""


async def shown_certificate(wire: Wire) -> bytes:
    """The raw certificate of the host at the other end; empty where it shows none.

    Raises OSError, also where it ended the connection first.
    """
    try:
        return await ask(Stream(wire))
    except Dull:
        return b""


async def ask(stream: Stream) -> bytes:
    await stream.send(VERSION)
    await stream.version()
    exchange, keys, *others = name_lists(await stream.packet(KEXINIT))
    if not set(keys) & set(ALGORITHMS):
        raise Dull
    methods = (*CURVE25519, NISTP256)
    chosen = next((name for name in methods if name in exchange), None)
    if chosen is None:
        raise Dull
    await stream.send(packet(offer(chosen, others)) + packet(bytes([KEX_INIT]) + string(half_of(chosen))))
    answer = await stream.packet(KEX_REPLY)
    return answer[5 : 5 + int.from_bytes(answer[1:5], "big")]


def offer(exchange: str, others: list[list[str]]) -> bytes:
    """Our algorithms. One key exchange only, so that the host takes our half of it for what it is.

    For the rest we name its own, `others`: nothing will be encrypted, and a host without a common one goes.
    """
    lists = (exchange, ",".join(ALGORITHMS), *map(",".join, others))
    return bytes([KEXINIT]) + os.urandom(16) + b"".join(string(text.encode()) for text in lists) + bytes(5)


def half_of(exchange: str) -> bytes:
    """A public key for the exchange. Its private half is forgotten: no secret will come of it."""
    if exchange in CURVE25519:
        return os.urandom(32)
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def packet(payload: bytes) -> bytes:
    """An unencrypted packet: length, padding's length, payload, padding to a multiple of eight."""
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return (len(payload) + padding + 1).to_bytes(4, "big") + bytes([padding]) + payload + bytes(padding)


def name_lists(payload: bytes) -> list[list[str]]:
    """The lists of names in a KEXINIT."""
    found, rest = [], payload[17:]
    for _ in range(10):
        length = int.from_bytes(rest[:4], "big")
        found.append(rest[4 : 4 + length].decode("ascii", "replace").split(","))
        rest = rest[4 + length :]
    return found


class Stream:
    """The bytes from a host, in lines and packets."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._data = b""

    async def send(self, data: bytes) -> None:
        while data:
            await anyio.wait_writable(self._wire)
            data = data[self._wire.send(data) :]

    async def version(self) -> None:
        """Read up to the host's version."""
        for _ in range(LINES):
            while b"\n" not in self._data[:PACKET_LIMIT]:
                await self._more()
            line, _, self._data = self._data.partition(b"\n")
            if line.startswith(b"SSH-"):
                return
        raise Dull

    async def packet(self, wanted: int) -> bytes:
        """The payload of the next packet of a kind; what else may come before it is skipped."""
        for _ in range(PACKETS):
            length = int.from_bytes(await self._take(4), "big")
            if not 1 < length <= PACKET_LIMIT:
                raise Dull
            body = await self._take(length)
            payload = body[1 : length - body[0]]
            if payload[:1] == bytes([wanted]):
                return payload
            if payload[:1] == b"\x01":  # it says goodbye
                raise Dull
        raise Dull

    async def _take(self, count: int) -> bytes:
        while len(self._data) < count:
            await self._more()
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    async def _more(self) -> None:
        if len(self._data) > PACKET_LIMIT:
            raise Dull
        await anyio.wait_readable(self._wire)
        try:
            data = self._wire.recv(PACKET_LIMIT)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "it ended the connection")
        self._data += data
