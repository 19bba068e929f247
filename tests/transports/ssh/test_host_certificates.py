"""Hosts that an authority vouches for: certificates made by ssh-keygen, shown by real servers, and judged."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.conftest import connected, sh
from tests.transports.ssh.relay import relay
from tests.transports.sshd import HOST, Server, make_key, public
from transports.base import TransportError
from transports.ssh import Bastion, HostKeys, SSHTransport
from transports.ssh.hostkeys import fingerprint

pytestmark = pytest.mark.anyio

KINDS = ("ed25519", "rsa", "ecdsa")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return make_key(tmp_path / "authority")


def sign(
    server: Server, authority: Path, *, kind: str = "ed25519", names: str = HOST, options: str = ""
) -> None:
    """Certify a server's host key: the certificate lies beside it, where its configuration expects it."""
    words = ["-h", "-I", "the-host", "-V", "-1h:+1h", *(("-n", names) if names else ()), *options.split()]
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), *words, str(server.folder / f"host_{kind}.pub")],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def certified(
    make_server: MakeServer, authority: Path, *, kind: str = "ed25519", extra: str = "", **rest: str
) -> Server:
    server = make_server(host_keys=(kind,), certified=(kind,), start=False, extra=extra)
    sign(server, authority, kind=kind, **rest)
    server.start()
    return server


def trusting(path: Path, authority: Path, hosts: str = "*", *more: str) -> HostKeys:
    path.write_text("\n".join((f"@cert-authority {hosts} {public(authority)}", *more, "")))
    return HostKeys([path])


async def enters(server: Server, keys: HostKeys, **changes: object) -> None:
    async with connected(server, host_keys=keys, **changes) as transport:
        assert (await transport.run(sh("echo in"))).text == "in"


async def refused(server: Server, keys: HostKeys, **changes: object) -> TransportError:
    async with connected(server, host_keys=keys, **changes) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))
    assert caught.value.final
    assert caught.value.lineage[-1] == "hostkey"
    return caught.value


@pytest.mark.parametrize("signer", KINDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_host_with_a_certificate_of_a_known_authority_is_trusted(
    make_server: MakeServer, tmp_path: Path, kind: str, signer: str
) -> None:
    """No key of it is known: the authority's signature counts, of every kind over every kind."""
    authority = make_key(tmp_path / "authority", "-t", signer)
    server = certified(make_server, authority, kind=kind)

    await enters(server, trusting(tmp_path / "known", authority))


async def test_a_certificate_is_asked_for_whatever_the_host_encrypts_with(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """Else it would hang up at the question, and never be reached."""
    server = certified(make_server, authority, extra="Ciphers aes192-ctr\nMACs hmac-sha2-512")

    await enters(server, trusting(tmp_path / "known", authority), ciphers="aes192-ctr")


async def test_a_certificate_counts_behind_a_bastion_too(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """And the bastion's own."""
    gate, node = (certified(make_server, authority) for _ in range(2))
    keys = trusting(tmp_path / "known", authority)
    way = Bastion(gate.options(host_keys=keys))
    transport = SSHTransport("node-1", node.options(host_keys=keys), via=way)
    assert (await transport.run(sh("echo in"))).text == "in"
    await transport.close()


async def test_behind_another_bastion_the_same_address_is_another_host(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """Private addresses are alike in many networks: what one host showed is not held against the other."""
    node = certified(make_server, authority)
    keys = trusting(tmp_path / "known", authority)
    for gate in (certified(make_server, authority) for _ in range(2)):
        options = gate.options(host_keys=keys)
        transport = SSHTransport("node-1", node.options(host_keys=keys), via=Bastion(options))
        await transport.run(sh("true"))
        await transport.close()

    ways = {way for way, host, port in keys.certificates if port == node.options().port and way}
    assert len(ways) == 2


async def test_a_host_whose_certificate_is_asked_for_once(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """Two connections to it, one question."""
    server = certified(make_server, authority)
    keys = trusting(tmp_path / "known", authority)
    await enters(server, keys)
    await enters(server, keys)

    assert server.said().count("Connection from") == 3


@pytest.mark.parametrize("heard", [0, 1], ids=["at once", "after its algorithms"])
async def test_a_host_that_goes_before_it_shows_its_certificate_is_asked_again(
    make_server: MakeServer, authority: Path, tmp_path: Path, heard: int
) -> None:
    """A busy sshd drops connections (MaxStartups), one that starts anew all of them. Its bare key would be a
    strange one, for good."""
    server = certified(make_server, authority)
    words = iter([*[False] * heard, True])
    async with relay(server, lambda: next(words, False)) as port:
        keys = trusting(tmp_path / "known", authority)
        async with connected(server, port=port, host_keys=keys) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.run(sh("true"))
            assert (caught.value.lineage[0], caught.value.final) == ("connection.closed", False)
            assert (await transport.run(sh("echo in"))).text == "in"


@pytest.mark.parametrize(
    "names", [HOST, f"other,{HOST}", "127.0.*", ""], ids=["name", "list", "wild", "none"]
)
async def test_the_principals_name_the_host(
    make_server: MakeServer, authority: Path, tmp_path: Path, names: str
) -> None:
    """As OpenSSH has it for hosts: wild cards count, and none at all means every host."""
    await enters(certified(make_server, authority, names=names), trusting(tmp_path / "known", authority))


async def test_a_certificate_for_another_name_is_refused(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """The names it is for, and the one that was asked for."""
    server = certified(make_server, authority, names="db.example.org")
    keys = trusting(tmp_path / "known", authority)
    error = await refused(server, keys)

    assert f"it is valid for db.example.org and not for {HOST}" in error.message
    await enters(server, keys, known_as="db.example.org")


async def test_a_certificate_of_a_strange_authority_is_refused(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """With the stranger's fingerprint."""
    stranger = make_key(tmp_path / "stranger")
    error = await refused(certified(make_server, stranger), trusting(tmp_path / "known", authority))

    shown = subprocess.run(
        ["ssh-keygen", "-lf", f"{stranger}.pub"], capture_output=True, text=True, check=True
    )
    assert f"signed by {shown.stdout.split()[1]}" in error.message


async def test_a_certificate_that_is_over_is_refused(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """And one whose time has not come."""
    server = certified(make_server, authority)
    keys = trusting(tmp_path / "known", authority)
    for clock, words in (
        (time.time() + 7200, "it was valid until"),
        (time.time() - 7200, "it is valid from"),
    ):
        late = HostKeys(keys.files, clock=lambda at=clock: at)  # type: ignore[misc]
        assert words in (await refused(server, late)).message


async def test_a_certificate_with_critical_options_is_refused(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """What it demands cannot be known."""
    server = certified(make_server, authority, options="-O critical:only-on=sundays")
    error = await refused(server, trusting(tmp_path / "known", authority))

    assert "only-on" in error.message


async def test_a_users_certificate_is_none_of_a_host(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """The same authority may sign both."""
    from transports.ssh.certificates import certificate_of, judge_host

    key = make_key(tmp_path / "me")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", HOST, f"{key}.pub"], check=True
    )
    said = certificate_of(blob_of(tmp_path / "me-cert.pub"))

    assert "of a user" in judge_host(said, HOST, said.key, {said.authority}, time.time())


async def test_a_revoked_key_or_authority_wins_over_a_certificate(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """Whatever vouches for it."""
    server = certified(make_server, authority)
    for bad in (server.folder / "host_ed25519", authority):
        keys = trusting(tmp_path / "known", authority, "*", f"@revoked * {public(bad)}")
        error = await refused(server, keys)
        assert error.lineage[0] == "hostkey.revoked"
        assert fingerprint(blob_of(bad.with_name(bad.name + ".pub"))) in error.message


async def test_a_certificate_vouches_for_a_key_that_has_changed(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """That is what authorities are for: the old key's line does not lock anybody out."""
    server = certified(make_server, authority)
    old = f"[{HOST}]:{server.port} {public(make_key(tmp_path / 'old'))}"

    await enters(server, trusting(tmp_path / "known", authority, "*", old))


async def test_without_a_certificate_known_keys_count(
    server: Server, authority: Path, tmp_path: Path
) -> None:
    """An authority for all hosts must not lock out those it did not sign."""
    await enters(server, trusting(tmp_path / "known", authority, "*", server.known_line("ed25519")))
    error = await refused(server, trusting(tmp_path / "known", authority))
    assert error.lineage[0] == "hostkey.unknown"


async def test_an_authority_of_a_domain_counts_at_every_port(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """`@cert-authority *.example.org` has no port, and the host's is not 22."""
    await enters(certified(make_server, authority), trusting(tmp_path / "known", authority, "127.0.0.*"))


async def test_the_key_that_was_certified_is_the_one_that_is_asked_for(
    make_server: MakeServer, authority: Path, tmp_path: Path
) -> None:
    """A host with several keys, of which one was signed."""
    server = make_server(host_keys=("ed25519", "rsa", "ecdsa"), certified=("rsa",), start=False)
    sign(server, authority, kind="rsa")
    server.start()

    await enters(server, trusting(tmp_path / "known", authority))


def test_a_signature_with_sha1_counts_for_nothing(tmp_path: Path) -> None:
    """An authority of RSA could be forged by it; ssh takes none either."""
    from transports.ssh.certificates import certificate_of

    authority, key = make_key(tmp_path / "authority", "-t", "rsa"), make_key(tmp_path / "host")
    for algorithm, counts in (("ssh-rsa", False), ("rsa-sha2-256", True)):
        words = ["-t", algorithm, "-h", "-I", "x", f"{key}.pub"]
        subprocess.run(["ssh-keygen", "-q", "-s", str(authority), *words], check=True)
        assert certificate_of(blob_of(tmp_path / "host-cert.pub")).is_signed is counts


def test_what_is_no_certificate_is_said_to_be_none() -> None:
    """Whatever a host sends there."""
    from transports.ssh.certificates import certificate_of

    for blob in (b"", b"\0\0\0\x04junk", bytes(300)):
        with pytest.raises(ValueError, match=r"."):
            certificate_of(blob)


def test_a_certificate_with_a_key_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Anybody in between can send one, before any key is believed: a compressed point of a curve, say."""
    from transports.ssh.certificates import certificate_of

    authority, key = make_key(tmp_path / "authority"), make_key(tmp_path / "host", "-t", "ecdsa")
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), "-h", "-I", "x", f"{key}.pub"], check=True)
    whole, point = blob_of(tmp_path / "host-cert.pub"), b"nistp256\0\0\0\x41"
    with pytest.raises(ValueError, match="not supported"):
        certificate_of(whole.replace(point + b"\x04", point + b"\x02"))


def blob_of(path: Path) -> bytes:
    import base64

    return base64.b64decode(path.read_text().split()[1])
