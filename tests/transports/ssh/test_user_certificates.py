"""Getting in with certificates of an authority that the server trusts: from files, and by the agent."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.transports.conftest import MakeServer
from tests.transports.ssh.test_login import enters, refused
from tests.transports.sshd import Server, agent, make_key
from transports.ssh import Proven
from transports.ssh.keyfiles import read_public

pytestmark = pytest.mark.anyio

KINDS = {"ed25519": (), "rsa": ("-b", "2048"), "ecdsa": ("-b", "256")}


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return make_key(tmp_path / "authority")


@pytest.fixture
def server(make_server: MakeServer, authority: Path) -> Server:
    """It knows no key, only the authority."""
    made = make_server(extra=f"TrustedUserCAKeys {authority}.pub")
    (made.folder / "authorized_keys").write_text("")
    return made


def certified(authority: Path, path: Path, user: str, kind: str = "ed25519", **rest: str) -> Path:
    """A key with its certificate beside it."""
    key = make_key(path, "-t", kind, *KINDS[kind], passphrase=rest.get("passphrase", ""))
    sign(authority, key, user, rest.get("validity", "+1h"))
    return key


def sign(authority: Path, key: Path, user: str, validity: str = "+1h") -> None:
    words = ["-s", str(authority), "-I", "me", "-n", user, "-V", validity, f"{key}.pub"]
    subprocess.run(["ssh-keygen", "-q", *words], check=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_beside_its_key_gets_in(
    server: Server, authority: Path, tmp_path: Path, kind: str
) -> None:
    """KEY-cert.pub is taken along, as ssh does."""
    assert await enters(server, key_files=(certified(authority, tmp_path / "id", server.user, kind),))


async def test_a_certificate_elsewhere_gets_in_where_it_is_named(
    server: Server, authority: Path, tmp_path: Path
) -> None:
    """`certificate_path`, or ssh_config's CertificateFile."""
    key = certified(authority, tmp_path / "id", server.user)
    away = (tmp_path / "id-cert.pub").rename(tmp_path / "short-lived")

    assert await enters(server, key_files=(key,), certificates=(away,))


async def test_a_certificate_of_a_locked_key_gets_in(server: Server, authority: Path, tmp_path: Path) -> None:
    """The passphrase opens the key."""
    key = certified(authority, tmp_path / "id", server.user, passphrase="sesame")

    assert await enters(server, key_files=(key,), passphrase=lambda _: "sesame")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
async def test_the_agent_signs_for_a_certificate(
    server: Server, authority: Path, tmp_path: Path, kind: str
) -> None:
    """ssh-add takes it along. The agent at a path of its own, as ssh_config's IdentityAgent."""
    key = certified(authority, tmp_path / "id", server.user, kind)
    with agent(key) as sock:
        assert await enters(server, key_files=(), use_agent=True, agent_socket=str(sock))


async def test_a_public_key_file_names_a_key_of_the_agent(
    server: Server, authority: Path, tmp_path: Path
) -> None:
    """The private half need not be on this machine: `IdentityFile id.pub` with IdentitiesOnly."""
    key = make_key(tmp_path / "id")
    server.authorize(key)
    others = [make_key(tmp_path / f"other{number}") for number in range(3)]
    with agent(*others, key) as sock:
        key.unlink()
        for named in (key, Path(f"{key}.pub")):
            assert await enters(
                server,
                key_files=(named,),
                use_agent=True,
                agent_socket=str(sock),
                identities_only=True,
            )


async def test_an_expired_certificate_is_refused_by_the_server(
    server: Server, authority: Path, tmp_path: Path
) -> None:
    """The offered certificate is in the message."""
    key = certified(authority, tmp_path / "id", server.user, validity="20200101:20200102")

    assert f"{key}-cert.pub" in (await refused(server, key_files=(key,))).message


async def test_a_certificate_without_its_key_is_told_before_the_login(
    server: Server, authority: Path, tmp_path: Path
) -> None:
    """What must be named or loaded."""
    certified(authority, tmp_path / "id", server.user)
    named = (tmp_path / "id-cert.pub",)
    error = await refused(server, key_files=(make_key(tmp_path / "other"),), certificates=named)

    assert error.lineage[0] == "auth.key-file"
    assert "has no key here" in error.message
    assert "openssh" in error.remedy


async def test_a_file_that_is_no_certificate_is_named(server: Server, tmp_path: Path) -> None:
    """A plain public key, and something else."""
    key = make_key(tmp_path / "id")
    (tmp_path / "junk").write_text("junk")
    for path in (Path(f"{key}.pub"), tmp_path / "junk", tmp_path / "absent"):
        error = await refused(server, key_files=(key,), certificates=(path,))
        assert str(path) in error.message


# ---- many keys


async def test_too_many_keys_are_recognised_with_the_remedy(make_server: MakeServer, tmp_path: Path) -> None:
    """sshd's own limit is 6; the right key is the ninth of the agent's."""
    server = make_server(extra="MaxAuthTries 6")
    strangers = [make_key(tmp_path / f"key{number}") for number in range(8)]
    with agent(*strangers, server.key) as sock:
        error = await refused(server, key_files=(), use_agent=True, agent_socket=str(sock))
        assert "too many authentication failures" in error.remedy
        assert "identities_only: true" in error.remedy
        named = {"key_files": (server.key,), "use_agent": True, "agent_socket": str(sock)}
        assert await enters(server, **named)


async def test_the_key_that_got_in_is_offered_first_the_next_time(
    make_server: MakeServer, tmp_path: Path
) -> None:
    """On every node of the run: one refusal less for each wrong key."""
    server = make_server(extra="MaxAuthTries 6\nLogLevel DEBUG1")
    strangers = [make_key(tmp_path / f"key{number}") for number in range(3)]
    proven = Proven()
    with agent(*strangers, server.key) as sock:
        named = {"key_files": (), "use_agent": True, "agent_socket": str(sock), "proven": proven}
        assert await enters(server, **named)
        before = server.said().count("Failed publickey")
        assert await enters(server, **named)

    assert proven.of(server.user) == {read_public(server.key)}
    assert server.said().count("Failed publickey") == before


async def test_a_locked_key_does_not_keep_others_from_being_tried(server: Server, tmp_path: Path) -> None:
    """~/.ssh has one with a passphrase, and another one gets in."""
    locked, right = make_key(tmp_path / "locked", passphrase="sesame"), make_key(tmp_path / "right")
    server.authorize(right)

    assert await enters(server, key_files=(locked, right))
