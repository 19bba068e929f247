"""What is read of a host that is asked for its certificate, and when enough is enough."""

from __future__ import annotations

import socket

import pytest

from transports.ssh.showing import KEXINIT, PACKETS, Dull, Stream, packet
from transports.ssh.sockets import Wire

pytestmark = pytest.mark.anyio
IGNORE = b"\x02"


async def after(count: int) -> bytes:
    """The packet that comes behind so many of another kind."""
    ours, theirs = socket.socketpair()
    with Wire(fileno=ours.detach()) as wire, theirs:
        wire.setblocking(False)
        theirs.sendall(packet(IGNORE) * count + packet(bytes([KEXINIT])))
        return await Stream(wire).packet(KEXINIT)


async def test_packets_of_other_kinds_are_skipped() -> None:
    assert await after(PACKETS - 1) == bytes([KEXINIT])


async def test_a_host_that_sends_nothing_else_is_given_up() -> None:
    """It may do so for ever."""
    with pytest.raises(Dull):
        await after(PACKETS)
