"""What ssh's last words mean. Recorded from OpenSSH 9.2 unless an entry says otherwise."""

from __future__ import annotations

import pytest

from transports.openssh.failures import judge

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:abcDEF+/0123.
Please contact your system administrator.
Add correct host key in /home/ops/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /home/ops/.ssh/known_hosts:7
Host key for [10.0.0.1]:22 has changed and you have requested strict checking.
Host key verification failed.
"""

RECORDED = {
    "hostkey.changed": [CHANGED],
    "hostkey.unknown": [
        "No ED25519 host key is known for [127.0.0.1]:40001 and you have requested strict checking.\r\n"
        "Host key verification failed.\r\n",
        "Host key verification failed.\r\nConnection closed by UNKNOWN port 65535\r\n",
    ],
    "hostkey.revoked": [
        "@       WARNING: REVOKED HOST KEY DETECTED!               @\n"
        "The ED25519 host key for 10.0.0.1 is marked as revoked.\nHost key verification failed.\n"
    ],
    "auth.rejected": [
        "ops@10.0.0.1: Permission denied (publickey,password).\r\n",
        "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\r\n"
        "Disconnected from 10.0.0.1 port 22\r\n",
        "ops@bastion: Permission denied (publickey).\r\nConnection closed by UNKNOWN port 65535\r\n",
    ],
    "auth.config": [
        "/tmp/x/config: line 3: Bad configuration option: frobnicate\r\n"
        "/tmp/x/config: terminating, 1 bad configuration options\r\n",
        "jumphost loop via 10.0.0.1\r\n",
    ],
    "auth.key-file": [
        "Permissions 0644 for '/home/ops/.ssh/id_ed25519' are too open.\n"
        "ops@10.0.0.1: Permission denied (publickey).\r\n",
        'Load key "/home/ops/key": invalid format\r\nops@10.0.0.1: Permission denied (publickey).\r\n',
    ],
    "connection.refused": [
        "ssh: connect to host 10.0.0.1 port 22: Connection refused\r\n",
        "channel 0: open failed: administratively prohibited: open failed\r\n"
        "stdio forwarding failed\r\nConnection closed by UNKNOWN port 65535\r\n",
    ],
    "connection.unreachable": [
        "ssh: Could not resolve hostname nowhere.invalid: Name or service not known\r\n",
        "ssh: connect to host 10.0.0.1 port 22: No route to host\r\n",
        "ssh: connect to host 10.0.0.1 port 22: Network is unreachable\r\n",
    ],
    "connection.timeout": [
        "ssh: connect to host 10.0.0.1 port 22: Connection timed out\r\n",
        "Connection timed out during banner exchange\r\nConnection to 127.0.0.1 port 4000 timed out\r\n",
        "Timeout, server 10.0.0.1 not responding.\r\n",
    ],
    "connection.closed": [
        "Unable to negotiate with 10.0.0.1 port 22: no matching cipher found. Their offer: aes128-ctr\r\n",
        "kex_exchange_identification: Connection closed by remote host\r\n"
        "Connection closed by 127.0.0.1 port 40001\r\n",
        "/bin/sh: 1: nc: not found\nConnection closed by UNKNOWN port 65535\r\n",
        'Load key "/home/ops/key": invalid format\r\nConnection closed by 10.0.0.1 port 22\r\n',
        "",
    ],
}
CASES = [(lineage, said) for lineage, texts in RECORDED.items() for said in texts]


@pytest.mark.parametrize(("lineage", "said"), CASES)
def test_each_complaint_has_its_class(lineage: str, said: str) -> None:
    """And a remedy; nothing was begun, so none is ambiguous."""
    error = judge("node-1 (10.0.0.1)", said)

    assert error.lineage == (lineage, lineage.partition(".")[0])
    assert error.message.startswith("node-1 (10.0.0.1): ")
    assert error.remedy
    assert not error.ambiguous


@pytest.mark.parametrize(("lineage", "said"), CASES)
def test_what_comes_back_the_same_is_final(lineage: str, said: str) -> None:
    """Only roads may be better a minute later; keys, passwords and configurations are not."""
    hopeless = lineage.startswith(("hostkey", "auth")) or any(
        words in said for words in ("negotiate", "prohibited")
    )

    assert judge("node-1", said).final == hopeless


def test_a_changed_key_is_shown_beside_the_known_one() -> None:
    """What it shows, and the file and line that say otherwise; the remedy names the verb that pins it."""
    error = judge("node-1", CHANGED)

    assert "it shows ED25519 SHA256:abcDEF+/0123" in error.message
    assert "/home/ops/.ssh/known_hosts line 7" in error.message
    assert "mk8s trust" in error.remedy


def test_an_unknown_key_names_the_verb_that_pins_it() -> None:
    """`mk8s trust` shows all fingerprints once."""
    assert "mk8s trust" in judge("node-1", RECORDED["hostkey.unknown"][0]).remedy


def test_who_refused_the_login_is_told() -> None:
    """A bastion's name is in ssh's words, and they are in ours."""
    assert "ops@bastion" in judge("node-1", RECORDED["auth.rejected"][2]).message


def test_too_many_keys_have_a_remedy_of_their_own() -> None:
    """One key more does not help."""
    assert "identities_only" in judge("node-1", RECORDED["auth.rejected"][1]).remedy


def test_the_words_of_a_helper_are_told() -> None:
    """What a ProxyCommand complains of comes before ssh's own last word."""
    assert "nc: not found" in judge("node-1", RECORDED["connection.closed"][2]).message
