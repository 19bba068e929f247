"""Which host keys are trusted, read from files and seen on real servers."""

from __future__ import annotations

import base64
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transports.ssh.conftest import connected, driven, sh
from tests.transports.sshd import HOST, Server, make_key, public, running
from transports.base import TransportError
from transports.ssh import HostKeys
from transports.ssh.hostkeys import append_once, fingerprint, method_preference


def key(number: int = 1, kind: str = "ssh-ed25519") -> bytes:
    """A well-formed public key that nobody owns."""
    return len(kind).to_bytes(4, "big") + kind.encode() + b"\0\0\0\x20" + bytes([number]) * 32


def line(host: str, blob: bytes, marker: str = "") -> str:
    kind = blob[4 : 4 + blob[3]].decode()
    return f"{marker} {host} {kind} {base64.b64encode(blob).decode()} a comment\n".lstrip()


def keys_of(path: Path, *lines: str, accept_new: bool = False) -> HostKeys:
    path.write_text("".join(lines))
    return HostKeys([path], accept_new=accept_new)


def refusal(keys: HostKeys, host: str, port: int, blob: bytes) -> TransportError:
    with pytest.raises(TransportError) as caught:
        keys.verify(host, port, blob)
    assert caught.value.final
    assert caught.value.lineage[-1] == "hostkey"
    return caught.value


# ---- files


@pytest.mark.parametrize("pattern", ["node", "NODE", "other,node", "no*", "n?de", "*", "*,!other"])
def test_a_line_speaks_of_every_host_that_its_patterns_name(tmp_path: Path, pattern: str) -> None:
    """Names with commas, wild cards, capital letters."""
    keys_of(tmp_path / "known", line(pattern, key())).verify("node", 22, key())


@pytest.mark.parametrize("pattern", ["nod", "[node]:22", "*,!node", "node.", "[node]:2222"])
def test_a_line_of_another_host_is_not_ours(tmp_path: Path, pattern: str) -> None:
    """A negated name takes the line away; `[host]:port` is written only for ports other than 22."""
    error = refusal(keys_of(tmp_path / "known", line(pattern, key())), "node", 22, key())

    assert error.lineage == ("hostkey.unknown", "hostkey")


def test_a_port_has_keys_of_its_own(tmp_path: Path) -> None:
    """Two machines behind one address are two hosts."""
    keys = keys_of(tmp_path / "known", line("node", key(1)), line("[node]:2222", key(2)))

    keys.verify("node", 22, key(1))
    keys.verify("node", 2222, key(2))
    assert refusal(keys, "node", 2222, key(1)).lineage[0] == "hostkey.changed"
    assert refusal(keys, "node", 2223, key(1)).lineage[0] == "hostkey.unknown"


def test_hashed_lines_are_understood(tmp_path: Path) -> None:
    """As `ssh-keygen -H` writes them, with and without a port."""
    path = tmp_path / "known"
    path.write_text(line("node", key(1)) + line("[10.0.0.7]:2222", key(2)))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "node" not in path.read_text()

    keys = HostKeys([path])
    keys.verify("node", 22, key(1))
    keys.verify("10.0.0.7", 2222, key(2))
    assert refusal(keys, "other", 22, key(1)).lineage[0] == "hostkey.unknown"


def test_damaged_lines_comments_and_authorities_are_skipped(tmp_path: Path) -> None:
    """One bad line must not lock anybody out of another machine."""
    keys = keys_of(
        tmp_path / "known",
        "# a comment\n",
        "\n",
        "node ssh-ed25519 !!!!\n",
        "node\n",
        "|1|x|y ssh-ed25519 AAAA\n",
        line("*", key(9), "@cert-authority"),
        line("node", key()),
    )

    keys.verify("node", 22, key())
    assert keys.kinds_for("node", 22) == ("ssh-ed25519",)


def test_an_unknown_key_is_shown_with_its_fingerprint_and_the_way_to_accept_it(tmp_path: Path) -> None:
    """A stranger can compare it and knows both commands."""
    error = refusal(keys_of(tmp_path / "known"), "node", 2222, key())

    assert "ssh-ed25519" in error.message
    assert fingerprint(key()) in error.message
    assert f"ssh-keyscan -p 2222 node >> {tmp_path / 'known'}" in error.remedy
    assert "accept-new" in error.remedy


def test_a_changed_key_names_both_keys_and_the_line(tmp_path: Path) -> None:
    """What was expected, where that stands, and what came."""
    error = refusal(keys_of(tmp_path / "known", "#\n", line("node", key(1))), "node", 22, key(2))

    assert error.lineage == ("hostkey.changed", "hostkey")
    for words in (fingerprint(key(1)), fingerprint(key(2)), f"{tmp_path / 'known'} line 2"):
        assert words in error.message


def test_another_kind_of_key_is_a_changed_key(tmp_path: Path) -> None:
    """Someone in between could offer a kind that is not known, and be taken for new."""
    keys = keys_of(tmp_path / "known", line("node", key(1)), accept_new=True)

    error = refusal(keys, "node", 22, key(2, "ssh-rsa"))

    assert error.lineage[0] == "hostkey.changed"


def test_a_revoked_key_is_refused_even_where_it_is_known(tmp_path: Path) -> None:
    """@revoked wins."""
    keys = keys_of(tmp_path / "known", line("node", key()), line("*", key(), "@revoked"))

    assert refusal(keys, "node", 22, key()).lineage[0] == "hostkey.revoked"


def test_a_new_key_is_accepted_once_and_written_down(tmp_path: Path) -> None:
    """One line, private, kept apart from a last line without an end; from then on it must stay."""
    path = tmp_path / "ssh" / "known"
    keys = HostKeys([path], accept_new=True)
    keys.verify("node", 2222, key(1))
    HostKeys([path], accept_new=True).verify("node", 2222, key(1))

    assert path.read_text().count("[node]:2222 ssh-ed25519 ") == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert refusal(keys, "node", 2222, key(2)).lineage[0] == "hostkey.changed"

    path.write_text(line("other", key(3)).rstrip("\n"))
    keys.verify("node", 22, key(4))
    assert len(path.read_text().splitlines()) == 2


def test_of_two_who_meet_a_host_at_once_one_writes_and_the_other_believes(tmp_path: Path) -> None:
    """The file is judged again under its lock: a second key of that moment is a changed key."""
    path = tmp_path / "known"
    append_once(path, "node", key(1))  # somebody else, after we looked
    append_once(path, "node", key(1))
    with pytest.raises(TransportError) as caught:
        append_once(path, "node", key(2))

    assert caught.value.lineage[0] == "hostkey.changed"
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_only_a_line_feed_ends_a_line(tmp_path: Path, separator: str) -> None:
    """A comment that hides another line in itself tells nothing of another host."""
    hidden = line("node", key(1)).strip() + separator + line("victim", key(2))
    keys = keys_of(tmp_path / "known", hidden)

    keys.verify("node", 22, key(1))
    assert refusal(keys, "victim", 22, key(2)).lineage[0] == "hostkey.unknown"


@pytest.mark.parametrize("number", range(4))
def test_any_of_several_keys_of_a_host_will_do(tmp_path: Path, number: int) -> None:
    """A host may be known by keys of several kinds, and by several of one kind."""
    known = [key(1), key(2), key(3, "ssh-rsa"), key(4, "ecdsa-sha2-nistp256")]
    keys = keys_of(tmp_path / "known", *(line("node", blob) for blob in known))

    keys.verify("node", 22, known[number])
    assert refusal(keys, "node", 22, key(9)).lineage[0] == "hostkey.changed"


def test_a_revoked_key_is_not_accepted_as_a_new_one(tmp_path: Path) -> None:
    """Not even at its first sight."""
    keys = keys_of(tmp_path / "known", line("*", key(), "@revoked"), accept_new=True)

    assert refusal(keys, "node", 22, key()).lineage[0] == "hostkey.revoked"


def test_several_files_are_one_list(tmp_path: Path) -> None:
    """The user's and the system's; new keys go where they are told to."""
    (tmp_path / "a").write_text(line("node", key(1)))
    keys = HostKeys([tmp_path / "absent", tmp_path / "a"], accept_new=True, write_to=tmp_path / "new")

    keys.verify("node", 22, key(1))
    keys.verify("other", 22, key(2))
    assert not (tmp_path / "absent").exists()
    assert "other" in (tmp_path / "new").read_text()


def test_known_kinds_are_asked_for_first(tmp_path: Path) -> None:
    """Else a server shows its ecdsa key, and the known ed25519 key has "changed"."""
    keys = keys_of(tmp_path / "known", line("node", key(1, "ssh-rsa")))

    assert method_preference(keys.kinds_for("node", 22)).split(",")[:2] == ["rsa-sha2-512", "rsa-sha2-256"]
    assert method_preference(()).startswith("ssh-ed25519,")


# ---- servers


@pytest.fixture(scope="module")
def three_keys(can_serve: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has a host key of every usual kind."""
    with running(tmp_path_factory.mktemp("three"), host_keys=("ed25519", "ecdsa", "rsa")) as server:
        yield server


@pytest.mark.anyio
async def test_the_raw_key_of_a_server_has_the_fingerprint_that_ssh_keygen_tells(server: Server) -> None:
    """libssh2's own hash of it has been seen with 33 bytes."""
    told = subprocess.run(
        ["ssh-keygen", "-lf", str(server.folder / "host_ed25519.pub")],
        check=True,
        capture_output=True,
        text=True,
    )
    async with driven(server) as driver:
        assert fingerprint(driver.session.hostkey()[0]) == told.stdout.split()[1]


@pytest.mark.anyio
@pytest.mark.parametrize("known", ["ed25519", "ecdsa", "rsa"])
async def test_a_server_is_asked_for_the_kind_of_key_that_is_known(
    three_keys: Server, tmp_path: Path, known: str
) -> None:
    """A server with three host keys is recognised by any of them."""
    only = tmp_path / "only"
    only.write_text(three_keys.known_line(known) + "\n")

    async with connected(three_keys, host_keys=HostKeys([only])) as transport:
        assert (await transport.run(sh("echo in"))).text == "in"


@pytest.mark.anyio
async def test_nothing_is_sent_to_a_server_whose_key_changed(server: Server, tmp_path: Path) -> None:
    """The host's key is judged before any login."""
    wrong = make_key(tmp_path / "wrong")
    known = tmp_path / "known"
    known.write_text(f"[{HOST}]:{server.port} {public(wrong)}\n")
    before = server.said().count("Accepted")

    async with connected(server, host_keys=HostKeys([known])) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.run(sh("true"))

    assert caught.value.lineage == ("hostkey.changed", "hostkey")
    assert not caught.value.ambiguous
    assert server.said().count("Accepted") == before


@pytest.mark.anyio
async def test_accepting_new_hosts_writes_them_down_once(server: Server, tmp_path: Path) -> None:
    """Many connections, one line."""
    known = tmp_path / "known"
    for _ in range(2):
        async with connected(server, host_keys=HostKeys([known], accept_new=True)) as transport:
            await transport.run(sh("true"))

    assert known.read_text() == server.known_line("ed25519") + "\n"
