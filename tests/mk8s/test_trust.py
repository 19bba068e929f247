"""`mk8s trust` against real servers: seen at once, asked once, pinned; changed keys by name alone."""

from __future__ import annotations

import gc
import io
import itertools
import json
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mk8s.cli import main
from mk8s.trusting import Look, is_listed, listed_fingerprints
from mk8s.ways import Hop
from tests.transports import sshd
from tests.transports.sshd import Server

Make = Callable[..., Server]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Servers; skip, saying why, where none can be started."""
    if reason := sshd.missing():
        pytest.skip(reason)
    numbers = itertools.count()
    with ExitStack() as closing:

        def one(**options: Any) -> Server:
            number = next(numbers)
            host = f"127.0.0.{number + 1}"  # a manifest names no address twice
            server = Server(tmp_path / f"sshd{number}", host=host, **options)
            closing.callback(server.close)
            server.start()
            return server

        yield one


class Fleet:
    """A manifest for servers, and what `mk8s trust` says of it."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[str], *servers: Server, jump: str = ""
    ) -> None:
        self.folder = folder
        self.manifest = folder / "cluster.yaml"
        self._capsys = capsys
        nodes = "".join(
            f"- {{name: node-{number}, address: {server.host}, role: server, port: {server.port}}}\n"
            for number, server in enumerate(servers, start=1)
        )
        (folder / "theirs").touch()
        key = servers[0].key
        self.manifest.write_text(
            "distro: rke2\nversion: v1.33.4+rke2r1\nname: fleet\n"
            f"ssh: {{user: {servers[0].user}, key_path: {key}, known_hosts: {folder / 'theirs'}, config: none"
            f"{jump}}}\nnodes:\n{nodes}"
        )

    @property
    def pinned(self) -> Path:
        return self.folder / ".mk8s/fleet/known_hosts"

    def trust(self, *words: str) -> tuple[int, str, str]:
        code = main(["trust", str(self.manifest), *words])
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What a person at a terminal types."""

    def type_in(text: str) -> None:
        stdin = io.StringIO(text)
        stdin.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr("sys.stdin", stdin)

    return type_in


def fingerprint(server: Server, kind: str = "ed25519") -> str:
    shown = subprocess.run(
        ["ssh-keygen", "-lf", server.folder / f"host_{kind}.pub"], capture_output=True, text=True, check=True
    )
    return shown.stdout.split()[1]


@pytest.fixture
def one(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Fleet, Server]:
    server = make()
    return Fleet(tmp_path, capsys, server), server


def test_all_keys_are_shown_and_pinned_after_one_question(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Callable[[str], None]
) -> None:
    """As ssh-keygen prints them. Nobody logs in; the file is private; the next time all is known."""
    servers = [make() for _ in range(3)]
    fleet = Fleet(tmp_path, capsys, *servers)
    answer("y\n")
    code, out, err = fleet.trust()

    assert code == 0
    assert err.count("Trust these 3 keys?") == 1
    for number, server in enumerate(servers, start=1):
        assert f"node-{number}  [{server.host}]:{server.port}  ssh-ed25519  {fingerprint(server)}  new" in out
        assert "Accepted" not in server.said()
    assert stat.S_IMODE(fleet.pinned.stat().st_mode) == 0o600
    assert (tmp_path / "theirs").read_text() == ""

    code, out, err = fleet.trust()
    assert (code, out.count("known")) == (0, 3)
    assert "Trust" not in err


def test_what_is_declined_is_not_pinned(one: tuple[Fleet, Server], answer: Callable[[str], None]) -> None:
    """Exit status 1: not every host is trusted."""
    answer("\n")
    code, _, err = one[0].trust()

    assert (code, one[0].pinned.exists()) == (1, False)
    assert "0 of 1 hosts trusted" in err


def test_without_a_terminal_nothing_is_pinned_unless_told(
    one: tuple[Fleet, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys are shown all the same; --yes is the way of scripts."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, out, err = one[0].trust()
    assert (code, one[0].pinned.exists()) == (2, False)
    assert fingerprint(one[1]) in out
    assert "--yes" in err

    assert one[0].trust("--yes")[0] == 0
    assert f"[{one[1].host}]:{one[1].port} ssh-ed25519 " in one[0].pinned.read_text()


def test_a_changed_key_is_refused_until_its_node_is_named(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--yes is not enough. The old line goes, the others stay."""
    first, second = make(), make()
    fleet = Fleet(tmp_path, capsys, first, second)
    fleet.trust("--yes")
    before = fleet.pinned.read_text()
    first.stop()
    (first.folder / "host_ed25519").unlink()
    sshd.make_key(first.folder / "host_ed25519")
    first.start()

    code, out, err = fleet.trust("--yes")
    assert (code, fleet.pinned.read_text()) == (1, before)
    assert "changed" in out
    assert "--replace node-1" in err

    assert fleet.trust("--yes", "--replace", "node-1")[0] == 0
    assert len(fleet.pinned.read_text().splitlines()) == 2
    assert fleet.trust()[0] == 0


def test_an_old_key_that_stays_in_another_file_is_named(one: tuple[Fleet, Server], tmp_path: Path) -> None:
    """It is the user's file, so the line stays, and counts: who has the old key is still believed."""
    fleet, server = one
    name, old = f"[{server.host}]:{server.port}", sshd.public(sshd.make_key(tmp_path / "old"))
    (tmp_path / "theirs").write_text(f"# mine\n{name} {old}\n")

    code, _, err = fleet.trust("--yes", "--replace", "node-1")
    assert code == 0
    assert f"node-1: {tmp_path / 'theirs'}:2 has another key, which is still trusted" in err


def test_a_certificate_that_does_not_count_is_told_before_anybody_agrees(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The host is new, and where its authority is known, that is odd."""
    server = make(certified=("ed25519",))
    server.stop()
    ours, theirs = sshd.make_key(tmp_path / "ours"), sshd.make_key(tmp_path / "theirs_too")
    words = ["-q", "-s", str(theirs), "-h", "-I", "x", str(server.folder / "host_ed25519.pub")]
    subprocess.run(["ssh-keygen", *words], check=True)
    server.start()
    fleet = Fleet(tmp_path, capsys, server)
    (tmp_path / "theirs").write_text(f"@cert-authority * {sshd.public(ours)}\n")

    (tmp_path / "list").write_text(f"SHA256:{'a' * 43}\n")
    code, out, _ = fleet.trust("--check", str(tmp_path / "list"))
    assert code == 1
    assert "new" in out
    assert "no authority for 127.0.0.1 here" in out


def test_a_misspelt_node_is_no_replacement(one: tuple[Fleet, Server]) -> None:
    """It would look as if it had been done."""
    code, _, err = one[0].trust("--replace", "nod-1")
    assert (code, "no such node" in err) == (2, True)


def test_a_hosters_list_is_compared_without_asking(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is on it is trusted, what is not is named; a fingerprint of another node does not count."""
    servers = [make() for _ in range(3)]
    fleet = Fleet(tmp_path, capsys, *servers)
    given = tmp_path / "list.txt"
    given.write_text(f"node-1: {fingerprint(servers[0])}\nnode-3 {fingerprint(servers[1])}\n")
    code, _, err = fleet.trust("--check", str(given))

    assert code == 1
    assert "1 of 3 hosts trusted" in err
    assert f"node-3: {fingerprint(servers[2])} is not on the list" in err
    assert f"node-2: {fingerprint(servers[1])} is not on the list" in err

    shown = [f"256 {fingerprint(server)} root@host (ED25519)" for server in servers]
    given.write_text("\n".join(shown))
    assert fleet.trust("--check", str(given))[0] == 0


@pytest.mark.parametrize(
    "line",
    [
        "256 {} root@node-2 (ED25519)",
        "node-2: {}",
        "node-2.example.org {}",
        "[10.0.0.2]:2222 {}",
        "10.0.0.2:22 {}",
        "(fd00::2) {}",
        'host="node-2" {}',
        "node-1 SHA256:" + "a" * 43 + " node-2 {}",
    ],
)
def test_a_key_that_is_listed_as_another_hosts_is_not_believed(line: str, tmp_path: Path) -> None:
    """However the list names that host: else each listed machine could pass for any other."""
    key = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32
    look = Look(("node-1",), Hop("10.0.0.1", 22, "me", ()), (), "new", key)
    names = ["node-1", "10.0.0.1", "node-2", "10.0.0.2", "node-2", "fd00::2"]
    given = tmp_path / "list.txt"

    given.write_text(line.format(look.fingerprint))
    assert not is_listed(look, listed_fingerprints(given), names)

    given.write_text(f"{line.format(look.fingerprint)}\nroot@node-1:22 {look.fingerprint}\n")
    assert is_listed(look, listed_fingerprints(given), names)


def test_an_empty_list_is_no_list(one: tuple[Fleet, Server], tmp_path: Path) -> None:
    """And one that is not there."""
    (tmp_path / "empty").touch()
    for name in ("empty", "absent"):
        assert one[0].trust("--check", str(tmp_path / name))[0] == 2


def test_programs_get_all_of_it(one: tuple[Fleet, Server]) -> None:
    """One JSON list, after the pinning."""
    code, out, _ = one[0].trust("--yes", "--output", "json")
    (found,) = json.loads(out)

    assert code == 0
    assert (found["names"], found["state"], found["fingerprint"]) == (
        ["node-1"],
        "pinned",
        fingerprint(one[1]),
    )


def test_a_host_that_does_not_answer_is_told_and_the_others_are_trusted(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1."""
    up, down = make(), make()
    fleet = Fleet(tmp_path, capsys, up, down)
    down.stop()
    code, out, err = fleet.trust("--yes")

    assert code == 1
    assert "node-2" in out
    assert "cannot connect" in out
    assert "1 of 2 hosts trusted" in err


def test_what_stands_behind_a_bastion_comes_after_it(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Callable[[str], None]
) -> None:
    """Nobody logs in to a bastion that is not trusted: two questions, where it is new."""
    gate, node = make(), make()
    fleet = Fleet(tmp_path, capsys, node, jump=f", jump: ['{gate.user}@{gate.host}:{gate.port}']")
    gate.authorize(node.key)

    answer("n\n")
    code, out, _ = fleet.trust()
    assert (code, "bastion" in out, "node-1" in out) == (1, True, False)
    assert "Accepted" not in gate.said()

    answer("y\ny\n")
    code, out, err = fleet.trust()
    assert (code, err.count("Trust this key?")) == (0, 2)
    assert fingerprint(node) in out
    assert "Accepted" not in node.said()


def test_machines_with_one_key_are_pointed_out(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made from one image: whoever is root on one can pass for the other."""
    first, second = make(), make()
    second.stop()
    for suffix in ("", ".pub"):
        (second.folder / f"host_ed25519{suffix}").write_bytes(
            (first.folder / f"host_ed25519{suffix}").read_bytes()
        )
    second.start()
    fleet = Fleet(tmp_path, capsys, first, second)

    assert "have the same host key" in fleet.trust("--yes")[2]


def test_no_file_stays_open(one: tuple[Fleet, Server]) -> None:
    """After the rounds."""
    one[0].trust("--yes")
    gc.collect()  # what earlier tests left to it would go in between
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only their number
    one[0].trust("--yes")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
