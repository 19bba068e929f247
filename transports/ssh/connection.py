"""Opening a connection: TCP or a tunnel, handshake, the host's key, the login. Yields a Driver for commands.

Law: the host key is judged before anything secret is sent.

This module knows no commands and no files of the node. Begin reading at `open_driver`.
"""

from __future__ import annotations

import errno
import socket
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Protocol

import anyio
import ssh2.session as libssh2
from ssh2.exceptions import SSH2Error

from transports.base import TransportError
from transports.ssh.certificates import CERTIFICATE
from transports.ssh.driver import GRACE, Driver, Lost
from transports.ssh.hostkeys import kind_of, method_preference
from transports.ssh.login import log_in
from transports.ssh.options import MACS, ConnectionStarts, SSHOptions
from transports.ssh.showing import shown_certificate
from transports.ssh.sockets import Wire, connect

__all__ = ["Seen", "Via", "look_at_host", "open_driver"]

LIBSSH2_ERROR_KEX_FAILURE = -5
LIBSSH2_ERROR_KEY_EXCHANGE = -8


class Via(Protocol):
    """What stands between here and a host: see `bastions.Bastion`."""

    starts: ConnectionStarts  # of connections behind it

    @property
    def name(self) -> str: ...

    @property
    def way(self) -> str: ...

    async def ready(self, name: str) -> None: ...

    async def dial(self, name: str, host: str, port: int) -> Wire: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What a host showed of itself."""

    key: bytes  # raw
    certificate: bytes = b""  # raw; empty where it has none, or no authority is known for it


async def look_at_host(
    label: str, options: SSHOptions, starts: ConnectionStarts | None, *, via: Via | None = None
) -> Seen:
    """See a host's key without believing it and without logging in. Raises TransportError."""
    if via is not None:
        await via.ready(label)
        starts = via.starts
    async with starts.limiter if starts is not None else nullcontext():
        certificate = await _certificate(label, options, via)
        driver = await _greet(label, options, via, certificate, believe=False)
        try:
            return Seen(driver.session.hostkey()[0], certificate)
        finally:
            driver.abort()


async def open_driver(
    label: str, options: SSHOptions, starts: ConnectionStarts | None, *, via: Via | None = None
) -> Driver:
    """Connect and log in. `label` names the node in messages. Behind a bastion `starts` is the bastion's.

    Waiting for a turn (`starts`), for the bastion and for a person's secrets is not counted as time.
    Raises TransportError ``connection.*``, ``hostkey.*`` or ``auth.*``; never ambiguous.
    """
    if via is not None:
        await via.ready(label)  # before the turn: whoever waits for a bastion must not keep others waiting
        starts = via.starts
    async with starts.limiter if starts is not None else nullcontext():
        certificate = await _certificate(label, options, via)
        driver = await _greet(label, options, via, certificate)
        try:
            await log_in(driver, options, label)
            driver.grace = GRACE
            return driver
        except Lost as lost:
            reason = str(lost)
        except TimeoutError:
            reason = "no answer in time"
        except BaseException:
            driver.abort()
            raise
        driver.abort()
    raise closed(label, f"the login broke off: {reason}")


async def _certificate(label: str, options: SSHOptions, via: Via | None) -> bytes:
    """What the host shows where an authority could vouch for it; asked for in a connection of its own.

    Raises TransportError where it did not say: its bare key would be judged a strange one.
    """
    keys, alias = options.host_keys, options.known_as
    if not keys.has_authority(options.host, options.port, alias):
        return b""
    name = (via.way if via is not None else "", options.host, options.port)
    if name not in keys.certificates:
        wire: Wire | None = None
        try:
            with anyio.fail_after(options.connect_timeout):
                wire = await dial(label, options, via)
                with closing(wire):
                    keys.certificates[name] = await shown_certificate(wire)
        except TimeoutError:
            raise silent(label, options, via, connected=wire is not None) from None
        except OSError as error:
            if wire is None:
                raise unreachable(label, error) from None
            raise closed(label, f"asked for its certificate: {error.strerror or error}") from None
    return keys.certificates[name]


async def _greet(
    label: str, options: SSHOptions, via: Via | None, certificate: bytes, *, believe: bool = True
) -> Driver:
    """TCP, handshake and host key, within the connect timeout."""
    driver: Driver | None = None
    try:
        with anyio.fail_after(options.connect_timeout):
            driver = Driver(await dial(label, options, via))
            await handshake(driver, options, certificate)
        if believe:
            options.host_keys.verify(
                options.host,
                options.port,
                driver.session.hostkey()[0],
                alias=options.known_as,
                certificate=certificate,
            )
        return driver
    except TimeoutError:
        problem = silent(label, options, via, connected=driver is not None)
    except OSError as error:
        problem = unreachable(label, error)
    except Lost as lost:
        problem = closed(label, str(lost))
    except BaseException:
        if driver is not None:
            driver.abort()
        raise
    if driver is not None:
        driver.abort()
    raise problem


async def dial(label: str, options: SSHOptions, via: Via | None) -> Wire:
    """A fresh connection to the host, in which nothing was said yet. Raises OSError or TransportError."""
    if via is not None:
        return await via.dial(label, options.host, options.port)
    return await connect(options.host, options.port)


async def handshake(driver: Driver, options: SSHOptions, certificate: bytes = b"") -> None:
    session = driver.session
    known: tuple[str, ...] = (kind_of(certificate).removesuffix(CERTIFICATE),)
    if not certificate:
        known = options.host_keys.kinds_for(options.host, options.port, options.known_as)
    for method, names in (
        (libssh2.LIBSSH2_METHOD_CRYPT_CS, options.ciphers),
        (libssh2.LIBSSH2_METHOD_CRYPT_SC, options.ciphers),
        (libssh2.LIBSSH2_METHOD_MAC_CS, MACS),
        (libssh2.LIBSSH2_METHOD_MAC_SC, MACS),
        (libssh2.LIBSSH2_METHOD_HOSTKEY, method_preference(known)),
    ):
        prefer(session, method, names)
    await driver.call_held(session.handshake, driver.sock)


def prefer(session: object, method: object, names: str) -> None:
    try:
        session.method_pref(method, names)  # type: ignore[attr-defined]
    except SSH2Error:
        raise TransportError(
            "connection.refused",
            "connection",
            message=f"none of these SSH algorithms is supported here: {names}",
            remedy="correct `ciphers` in the manifest, or leave it out",
            final=True,
        ) from None


def silent(label: str, options: SSHOptions, via: Via | None, *, connected: bool) -> TransportError:
    what = "took the connection but never spoke SSH" if connected else "does not answer"
    if via is not None:
        what += f" through the bastion {via.name}"
    return TransportError(
        "connection.timeout",
        "connection",
        message=f"{label} {what} within {options.connect_timeout:g} s",
        remedy="check that the machine is up, the address is right and no firewall is in between",
    )


def unreachable(label: str, error: OSError) -> TransportError:
    if isinstance(error, socket.gaierror):
        return TransportError(
            "connection.unreachable",
            "connection",
            message=f"{label}: the name has no address: {error.strerror}",
            remedy="check the spelling, or use the IP address",
        )
    kind = {errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout"}.get(error.errno or 0, "unreachable")
    remedy = {
        "refused": "check that sshd runs there and listens on this port",
        "timeout": "check that the machine is up and no firewall is in between",
        "unreachable": "check the address, the cable and the routes between here and there",
    }[kind]
    return TransportError(
        f"connection.{kind}",
        "connection",
        message=f"cannot connect to {label}: {error.strerror or error}",
        remedy=remedy,
    )


def closed(label: str, why: str) -> TransportError:
    return TransportError(
        "connection.closed",
        "connection",
        message=f"{label} ended the connection before it was of use: {why}",
        remedy="check that it is an SSH server (OpenSSH 7 or newer); "
        "a busy sshd drops logins beyond its MaxStartups, so trying again can help",
    )
