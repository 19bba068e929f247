"""Who may come in: sudo's password, the hosts' keys and our own. Refusals name what, where and what to do."""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
from pathlib import Path

import pytest

from mk8s.lab.recipe import PASSWORD
from tests.e2e.driving import MK8S, Driver, drive
from tests.e2e.labs import LabMaker

pytestmark = pytest.mark.e2e

SUDO = "MK8S_TEST_SUDO"
HOST_KEY = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
ON_TERMINAL = ': <"$0"; exec "$@"'  # what a new session opens first is the terminal that controls it
LOGINS = "journalctl --sync; journalctl -u ssh -o cat --no-pager | grep -c 'Accepted publickey for' || true"


@pytest.fixture
def one(lab: LabMaker, release: Path, tmp_path: Path) -> Driver:
    """One fresh host and its manifest."""
    return drive(lab.fresh(1), tmp_path, release)


@pytest.fixture
def with_password(one: Driver) -> Driver:
    """The same, with a user whose sudo asks for a password."""
    one.edit("user: dev", "user: pw")
    one.add_ssh(f"sudo_password_env: {SUDO}")
    return one


def test_a_wrong_sudo_password_is_told_and_the_right_one_goes_on(with_password: Driver) -> None:
    """Not repeated: sudo may lock people out who guess."""
    first = with_password.run(env={SUDO: "not-the-word"})
    name = with_password.name(1)
    assert (first.code, list(with_password.records())) == (1, [])  # told before the run begins
    assert "sudo did not accept the password of pw" in first.err
    assert f"hint: check it with `sudo -k; sudo -v` as pw on {name}" in first.err
    assert "not-the-word" not in first.err

    second = with_password.run(env={SUDO: PASSWORD})
    assert (second.code, with_password.node_states()) == (0, ["healthy"])
    assert PASSWORD not in second.err


def test_a_sudo_password_is_typed_once_on_the_terminal(one: Driver) -> None:
    """Hidden, and in nobody's environment. Without a terminal it is refused at once."""
    one.edit("user: dev", "user: pw")
    words = ("preflight", str(one.manifest), "--ask-sudo-password")
    without = subprocess.run(
        [*MK8S, *words], capture_output=True, text=True, start_new_session=True, check=False
    )
    assert without.returncode == 2
    assert "there is no terminal to ask on" in without.stderr

    wrong = typed(one, "not-the-word", *words)
    assert re.search(
        rf"^{one.name(1)} +sudo +error +sudo did not accept the password of pw", wrong, re.MULTILINE
    )
    right = typed(one, PASSWORD, *words)
    assert "Next: mk8s run" in right
    for screen in (wrong, right):
        assert screen.count("sudo password for all nodes: ") == 1
        assert "not-the-word" not in screen
        assert PASSWORD not in screen


def test_a_sudo_password_that_is_not_set_is_missed_before_anything_is_touched(with_password: Driver) -> None:
    """The variable is named."""
    done = with_password.run()
    assert (done.code, with_password.records()) == (2, ())
    assert f"the environment variable {SUDO} is not set; it is to hold the sudo password of pw" in done.err


def test_an_unknown_host_key_is_refused_until_new_ones_are_accepted(one: Driver, tmp_path: Path) -> None:
    """The message has the fingerprint; what is accepted is kept in the state folder."""
    shown = fingerprint_of(one, 1)
    one.edit("known_hosts: .*", f"known_hosts: {tmp_path / 'empty'}")
    (tmp_path / "empty").touch()
    first = one.run()
    assert (first.code, one.node_states()) == (1, ["failed"])
    assert f"shows a host key that is not known here: ssh-ed25519 {shown}" in first.err
    assert f"hint: compare the fingerprint with the one there (`{HOST_KEY}`)" in first.err
    assert "host_keys: accept-new" in first.err

    one.add_ssh("host_keys: accept-new")
    second = one.run()
    assert (second.code, one.node_states()) == (0, ["healthy"])
    assert one.lab.hosts[0].address in (one.state / "known_hosts").read_text()
    assert (tmp_path / "empty").read_text() == ""


def test_a_changed_host_key_is_never_accepted(lab: LabMaker, release: Path, tmp_path: Path) -> None:
    """Also not where new ones are: someone may stand in between."""
    driver = drive(lab.fresh(2), tmp_path, release, servers=1)
    swapped = tmp_path / "swapped"
    lines = [line.split(" ", 1) for line in driver.lab.known_hosts.read_text().splitlines()]
    addresses = [address for address, _ in reversed(lines)]
    swapped.write_text(
        "".join(f"{address} {key}\n" for address, (_, key) in zip(addresses, lines, strict=True))
    )
    driver.edit("known_hosts: .*", f"known_hosts: {swapped}")
    driver.add_ssh("host_keys: accept-new")
    done = driver.run()
    assert (done.code, driver.node_states()) == (1, ["failed", "failed"])
    for i in (1, 2):
        address = driver.lab.hosts[i - 1].address
        assert f"the host key of {address} has changed: it shows ssh-ed25519 {fingerprint_of(driver, i)}" in (
            done.err
        )
        assert "hint: either the machine was installed anew, or someone stands in between" in done.err
        assert f"`ssh-keygen -R '{address}' -f {swapped}`" in done.err


def test_a_key_that_the_host_does_not_know_is_named(one: Driver, tmp_path: Path) -> None:
    """Which key was offered for which user, and how to let it in; then the right key goes on."""
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    one.edit("ssh_key_path: .*", f"ssh_key_path: {stranger}")
    first = one.run(env={"SSH_AUTH_SOCK": ""})
    assert (first.code, one.node_states()) == (1, ["failed"])
    shown = fingerprint(stranger.with_suffix(".pub"))
    assert "the login of dev was refused" in first.err
    assert f"Offered: ssh-ed25519 {shown} {stranger}" in first.err
    assert "hint: put one of these keys into ~dev/.ssh/authorized_keys there" in first.err

    one.edit("ssh_key_path: .*", f"ssh_key_path: {one.lab.key}")
    second = one.run()
    assert (second.code, one.node_states()) == (0, ["healthy"])


def test_a_key_file_that_is_not_there_is_missed_before_anything_is_touched(
    one: Driver, tmp_path: Path
) -> None:
    """Exit code 2, and no host has heard of us."""
    one.edit("ssh_key_path: .*", f"ssh_key_path: {tmp_path / 'gone'}")
    before = one.on_host(1, LOGINS)
    done = one.run()
    assert (done.code, one.records()) == (2, ())
    assert str(tmp_path / "gone") in done.err
    assert int(one.on_host(1, LOGINS)) == int(before) + 1  # the question itself


def test_a_fleet_behind_a_bastion_is_trusted_and_made_a_cluster(
    lab: LabMaker, release: Path, tmp_path: Path
) -> None:
    """Hosts 2 and 3 answer nobody but their neighbours. One way is the manifest's, one is ssh_config's."""
    driver = drive(lab.fresh(3), tmp_path, release, servers=1)
    first, second, third = (host.address for host in driver.lab.hosts)
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/config").write_text(f"Host {third}\n  ProxyJump dev@{first}\n")
    driver.extra_env = {"HOME": str(home), "SSH_AUTH_SOCK": ""}
    driver.edit(rf"^( *)(- )?address: ['\"]?{re.escape(second)}['\"]?$", rf"\g<0>\n    jump: [dev@{first}]")
    driver.edit("known_hosts: .*", f"known_hosts: {tmp_path / 'empty'}")
    driver.edit("^  config: none.*", "  config: auto")
    (tmp_path / "empty").touch()
    for i in (2, 3):
        shut_out_the_operator(driver, i)

    trusted = driver.mk8s("trust", str(driver.manifest), "--yes")
    assert trusted.code == 0, trusted.err
    assert "3 of 3 hosts trusted, 3 of them now" in trusted.err
    done = driver.run()
    assert (done.code, driver.node_states()) == (0, ["healthy"] * 3)
    for address in (second, third):
        assert not answers(address)


def typed(driver: Driver, line: str, *words: str) -> str:
    """Run a verb on a terminal of its own, and type one line when it asks; what the terminal showed."""
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        ["sh", "-c", ON_TERMINAL, os.ttyname(inner), *MK8S, *words],
        stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
        cwd=driver.manifest.parent, env={**os.environ, "TERM": "dumb"},
    ):  # fmt: skip
        os.close(inner)
        shown = b""
        try:
            while True:
                shown += os.read(terminal, 1 << 16)
                if shown.endswith(b"nodes: "):
                    os.write(terminal, line.encode() + b"\n")
                    shown += b"\n"
        except OSError:  # the terminal's end
            os.close(terminal)
    print(shown.decode("utf-8", "replace"))  # for a test that fails
    return shown.decode("utf-8", "replace")


def shut_out_the_operator(driver: Driver, i: int) -> None:
    """Take a host's way back to the operator's machine. From outside: a session would not hear of its end."""
    process = driver.lab.status()[i - 1].pid
    inside = ["nsenter", "-t", str(process), "-n"]
    cut = ["ip", "route", "add", "unreachable", f"{driver.lab.layout.gateway}/32"]
    subprocess.run([*inside, *cut], check=True)
    assert not answers(driver.lab.hosts[i - 1].address)


def answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=3):
            return True
    except OSError:
        return False


def fingerprint_of(driver: Driver, i: int) -> str:
    """The fingerprint of a host's key, as the host says it."""
    return driver.on_host(i, HOST_KEY).split()[1]


def fingerprint(public: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", public], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]
