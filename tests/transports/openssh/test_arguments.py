"""How ssh is called: what it is told in words, in its configuration, and what its helpers get to see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from transports.base import ArgumentError
from transports.openssh import OpenSSHOptions
from transports.openssh.arguments import config_text, environment, inquiry, master_words

FOLDER = Path("/tmp/mk8s-x")


def options(**changes: Any) -> OpenSSHOptions:
    return OpenSSHOptions(**{"host": "10.0.0.1", **changes})


def words(**changes: Any) -> list[str]:
    return master_words(options(**changes), "/usr/bin/ssh", FOLDER, FOLDER / "config", FOLDER / "s")


def test_what_is_not_given_is_left_to_the_users_configuration() -> None:
    """No name, port, bastion or key is forced on ssh; the user's and the system's files are read."""
    text = config_text(options())

    assert text.endswith("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n")
    assert not [
        word for word in ("IdentityFile", "Identities", "KnownHosts", "User ", "Port ") if word in text
    ]
    assert not {"-l", "-p", "ProxyJump"} & set(words())


def test_what_must_hold_stands_before_the_users_configuration() -> None:
    """The first value counts: nothing is forwarded, run or kept alive because an ssh_config says so."""
    ours = config_text(options()).partition("Include")[0].splitlines()

    assert {
        "ForwardAgent no",
        "ForwardX11 no",
        "ControlPersist no",
        "PermitLocalCommand no",
        "RequestTTY no",
        "EscapeChar none",
        "LogLevel INFO",
        "StrictHostKeyChecking yes",
        "BatchMode yes",
    } <= set(ours)
    assert ours[0] == "Host *"


def test_another_configuration_is_read_alone() -> None:
    """A file of the manifest, or none at all."""
    assert config_text(options(config=Path("/etc/fleet/ssh config"))).endswith(
        'Include "/etc/fleet/ssh config"\n'
    )
    assert "Include" not in config_text(options(config="none"))
    assert inquiry(options(config="none"), "ssh") == ["ssh", "-G", "-F", "none", "--", "10.0.0.1"]


def test_the_nodes_own_settings_are_words() -> None:
    """A bastion's ssh reads the same file: what is not meant for it must not stand there."""
    said = words(user="ops", port=2222, jumps=("a@one:22", "b@[::1]:24"))

    assert said[said.index("-l") + 1] == "ops"
    assert said[said.index("-p") + 1] == "2222"
    assert "ProxyJump=a@one:22,b@[::1]:24" in said
    assert said[-2:] == ["--", "10.0.0.1"]


def test_no_bastion_is_told_apart_from_none_given() -> None:
    """A manifest may say that the way is straight, whatever the ssh_config says."""
    assert "ProxyJump=none" in words(jumps=())


def test_a_name_that_looks_like_an_option_is_a_name() -> None:
    """It stands behind the end of the options."""
    assert words(host="-oProxyCommand=id")[-2:] == ["--", "-oProxyCommand=id"]


def test_keys_certificates_and_known_hosts_are_named() -> None:
    """With quotes, and percent signs that stay what they are."""
    text = config_text(
        options(
            key_files=(Path("/k/my key"), Path("/k/50%")),
            certificate=Path("/k/cert.pub"),
            identities_only=True,
            use_agent=False,
            known_hosts=(Path("/s/known"), Path("/u/known hosts")),
            accept_new=True,
        )
    )

    assert 'IdentityFile "/k/my key"\nIdentityFile "/k/50%%"\nCertificateFile "/k/cert.pub"\n' in text
    assert "IdentitiesOnly yes\nIdentityAgent none\n" in text
    assert 'UserKnownHostsFile "/s/known" "/u/known hosts"\n' in text
    assert "StrictHostKeyChecking accept-new\n" in text


@pytest.mark.parametrize("sign", ['"', "\n", "\\", "${HOME}"])
def test_a_path_that_ssh_would_read_otherwise_is_refused(sign: str) -> None:
    """There is no way to write it."""
    with pytest.raises(ArgumentError):
        config_text(options(key_files=(Path(f"/k/a{sign}b"),)))


def test_ssh_may_ask_only_for_what_can_be_answered() -> None:
    """A passphrase opens a key here; it is no reason to try passwords there."""
    silent = config_text(options())
    passphrase = config_text(options(passphrase=lambda _: "x"))
    password = config_text(options(password=lambda: "x"))

    assert "BatchMode yes\nPasswordAuthentication no" in silent
    assert "BatchMode no\nPasswordAuthentication no\nKbdInteractiveAuthentication no" in passphrase
    assert "BatchMode no\n" in password
    assert "PasswordAuthentication" not in password


def test_variables_with_secrets_are_withheld() -> None:
    """A ProxyCommand needs our variables, and not those that hold passwords."""
    ours = {"HOME": "/root", "NODE_PASSWORD": "sesame", "SSH_AUTH_SOCK": "/a"}

    theirs = environment(ours, options(withheld=frozenset({"NODE_PASSWORD"})), FOLDER / "askpass")

    assert "sesame" not in theirs.values()
    assert theirs["SSH_AUTH_SOCK"] == "/a"
    assert theirs["SSH_ASKPASS"] == "/tmp/mk8s-x/askpass"
    assert theirs["SSH_ASKPASS_REQUIRE"] == "force"


def test_waiting_is_told_in_whole_seconds() -> None:
    """ssh takes no others; never none, which would be for ever."""
    assert "ConnectTimeout 1\n" in config_text(options(connect_timeout=0.2))
    assert "ConnectTimeout 3\n" in config_text(options(connect_timeout=2.5))
