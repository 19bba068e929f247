"""What ssh_config says of a host: pure reading, and the real ssh program asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from transports.ssh.client_config import Asking, ConfigError, HostConfig, parse, parse_jumps

DEFAULTS = """\
user me
hostname mk8s-defaults.invalid
port 22
identitiesonly no
identityfile ~/.ssh/id_rsa
identityfile ~/.ssh/id_ed25519
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile /home/me/.ssh/known_hosts /home/me/.ssh/known_hosts2
connecttimeout none
"""
HOME = Path("/home/me")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of our own; skip where there is no ssh."""
    if not shutil.which("ssh"):
        pytest.skip("ssh is not installed")
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def configured(home: Path, text: str) -> Asking:
    (home / ".ssh/config").write_text(text)
    return Asking(home=home, systems=home / "absent")


def test_defaults_are_nothing() -> None:
    """What ssh says without any configuration is not the user's wish."""
    assert parse(DEFAULTS, DEFAULTS, HOME) == HostConfig(hostname="mk8s-defaults.invalid")


def test_every_directive_that_counts_is_read() -> None:
    """Names are ssh's, in small letters."""
    found = parse(
        """\
user ops
hostname 10.0.0.9
port 2222
identitiesonly yes
identityfile ~/.ssh/fleet
identityfile /keys/other key
certificatefile ~/.ssh/fleet-cert.pub
identityagent /run/agent.sock
proxyjump ops@gw:2200,inner
globalknownhostsfile /etc/a
userknownhostsfile /a /b
hostkeyalias web
connecttimeout 7
""",
        DEFAULTS,
        HOME,
    )

    assert found == HostConfig(
        hostname="10.0.0.9",
        user="ops",
        port=2222,
        identity_files=(HOME / ".ssh/fleet", Path("/keys/other key")),
        certificate_files=(HOME / ".ssh/fleet-cert.pub",),
        identities_only=True,
        identity_agent="/run/agent.sock",
        jumps=(("ops", "gw", 2200), ("", "inner", None)),
        user_known_hosts=(Path("/a"), Path("/b")),
        global_known_hosts=(Path("/etc/a"),),
        host_key_alias="web",
        connect_timeout=7.0,
    )


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        ("none", ()),
        ("gw", (("", "gw", None),)),
        ("ops@gw:22,[fd00::1]:2200", (("ops", "gw", 22), ("", "fd00::1", 2200))),
        ("fd00::1", (("", "fd00::1", None),)),
        ("a@b@gw", (("a@b", "gw", None),)),
        ("ssh://ops@gw:2200/", (("ops", "gw", 2200),)),
    ],
)
def test_proxyjump_is_read_as_ssh_reads_it(text: str, hops: object) -> None:
    """With users, ports, IPv6 and URIs."""
    assert parse_jumps(text) == hops


@pytest.mark.parametrize("text", ["ops@", "gw:", "gw:x", "gw:99999", "-oProxyCommand=x", "a,,b"])
def test_a_proxyjump_that_names_no_host_is_refused(text: str) -> None:
    """Nothing of it becomes an option."""
    with pytest.raises(ConfigError):
        parse_jumps(text)


@pytest.mark.parametrize(
    "line",
    [
        "proxycommand nc %h %p",
        "pkcs11provider /usr/lib/p11.so",
        "revokedhostkeys /etc/ssh/revoked",
        "preferredauthentications gssapi-with-mic",
    ],
)
def test_what_only_ssh_can_do_is_named(line: str) -> None:
    """As the user wrote it, but for its letters' case."""
    assert parse(line, DEFAULTS, HOME).unsupported.lower() == line
    assert parse("proxycommand none\nhostname x", DEFAULTS, HOME).unsupported == ""


def test_a_list_of_revoked_keys_counts_where_the_way_is_another() -> None:
    """Bastions of the manifest take the place of a ProxyCommand; they make no revoked key good."""
    both = "proxycommand nc %h %p\nrevokedhostkeys /etc/ssh/revoked"
    assert parse(both, DEFAULTS, HOME).unsupported.startswith("RevokedHostKeys")


@pytest.mark.parametrize(
    ("line", "agent"),
    [("none", "none"), ("SSH_AUTH_SOCK", ""), ("~/a.sock", "/home/me/a.sock"), ("$ABSENT_SOCK", "none")],
)
def test_the_agent_is_found(line: str, agent: str) -> None:
    """A path, a variable, none, or the environment's."""
    assert parse(f"identityagent {line}", DEFAULTS, HOME).identity_agent == agent


# ---- the real ssh


def test_ssh_is_asked_for_the_host_as_it_is_named(home: Path) -> None:
    """Patterns, order and tokens are its own business. HOME counts."""
    asking = configured(
        home,
        "Host node-*\n  HostName %h.example.org\n  Port 2222\nHost *\n  Port 22\n  User ops\n"
        "  IdentityFile ~/.ssh/fleet\n",
    )
    found = asking.about("node-1")

    assert (found.hostname, found.port, found.user) == ("node-1.example.org", 2222, "ops")
    assert found.identity_files == (home / ".ssh/fleet",)
    assert (asking.about("other").hostname, asking.about("other").port) == ("other", None)


def test_nothing_configured_is_nothing_said(home: Path) -> None:
    """No file at all, too."""
    assert configured(home, "").about("node-1") == HostConfig(hostname="node-1")
    (home / ".ssh/config").unlink()
    assert Asking(home=home, systems=home / "absent").about("x") == HostConfig(hostname="x")


def test_the_manifests_user_and_port_choose_what_matches(home: Path) -> None:
    """`Match user` sees the user that will log in."""
    asking = configured(home, "Match user root\n  IdentityFile /keys/root\nHost *\n  Port 2222\n")

    assert asking.about("x", user="root").identity_files == (Path("/keys/root"),)
    assert asking.about("x", user="dev", port=22).identity_files == ()


def test_the_systems_file_comes_after_the_users(home: Path) -> None:
    """The first value counts."""
    (home / "system").write_text("Host *\n  Port 2200\n  User sys\n")
    (home / ".ssh/config").write_text("Host x\n  Port 2222\n")
    found = Asking(home=home, systems=home / "system").about("x")

    assert (found.port, found.user) == (2222, "sys")


def test_a_named_file_is_the_only_one(home: Path) -> None:
    """As with `ssh -F`."""
    (home / ".ssh/config").write_text("Host *\n  Port 2222\n")
    (home / "other config").write_text("Host *\n  User ops\n")
    found = Asking(home / "other config", home=home).about("x")

    assert (found.user, found.port) == ("ops", None)


def test_none_asks_nobody(home: Path) -> None:
    """Whatever stands in the files."""
    (home / ".ssh/config").write_text("Host *\n  Port 2222\n")
    assert Asking("none", home=home).about("x") == HostConfig()


def test_a_file_with_a_mistake_is_named_with_its_line(home: Path) -> None:
    """In ssh's words."""
    with pytest.raises(ConfigError, match="line 1"):
        configured(home, "Nonsense yes\n").about("x")
    with pytest.raises(ConfigError, match="absent"):
        Asking(Path("/no-such-folder/absent"), home=home).about("x")  # ssh shows a hundred bytes of a path


def test_ssh_that_does_not_answer_is_given_up(home: Path) -> None:
    """A `Match exec` may wait for ever."""
    (home / ".ssh/config").write_text('Match exec "sleep 20"\n  Port 1\n')
    with pytest.raises(ConfigError, match="no answer within"):
        Asking(home=home, systems=home / "absent", patience=0.3).about("x")


def test_without_the_program_nothing_is_asked_unless_a_file_was_named(tmp_path: Path) -> None:
    """`auto` is a convenience; a named file is a wish."""
    assert Asking("auto", program="no-such-ssh").about("x") == HostConfig()
    with pytest.raises(ConfigError, match="there is no ssh program"):
        Asking(tmp_path / "config", program="no-such-ssh").about("x")


def test_a_host_cannot_become_an_option(home: Path) -> None:
    """It comes after `--`."""
    with pytest.raises(ConfigError):
        configured(home, "").about("-oProxyCommand=touch x")
