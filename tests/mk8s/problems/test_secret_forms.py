"""What looks like a secret never comes through; what only stands near one does."""

from __future__ import annotations

import time

import pytest

from mk8s.secret_forms import without_secrets

HASH = "5f2c" * 16
GZIP = "H4sIAAAAAAAC/2yV" + "x" * 60 + "=="


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token K10{HASH}::server:p4ssw0rd is not known", "p4ssw0rd"),
        (f"token K10{HASH}::abcdef.0123456789abcdef", "0123456789abcdef"),
        ("for token abcdef.0123456789abcdef", "0123456789abcdef"),
        (f"k0s token {GZIP}", "xxxx"),
        ("postgres://k3s:p4ss%40word@db.example.org:5432/k3s?sslmode=disable", "p4ss"),
        ("mysql://k3s:p4ss/w0rd@tcp(10.0.0.5:3306)/k3s", "p4ss"),
        ("k3s:p4ssw0rd@tcp(10.0.0.5:3306)/k3s", "p4ssw0rd"),
        ("proxy http://user:p4ssw0rd@proxy:3128 refused", "p4ssw0rd"),
        ("k3s server --token p4ssw0rd --cluster-init", "p4ssw0rd"),
        ("k3s server --token=p4ssw0rd --cluster-init", "p4ssw0rd"),
        ("K3S_TOKEN=p4ssw0rd k3s server", "p4ssw0rd"),
        ("--agent-token 'p4ssw0rd'", "p4ssw0rd"),
        ("--etcd-s3-secret-key p4ssw0rd", "p4ssw0rd"),
        ('msg="config {\\"password\\":\\"p4ssw0rd\\"}"', "p4ssw0rd"),
        ("host=db user=k3s password=p4ssw0rd dbname=k3s", "p4ssw0rd"),
        ("Authorization: Bearer p4ssw0rdp4ssw0rd", "p4ssw0rd"),
        ("Authorization: Basic bm9kZTpwNHNzdzByZA==", "bm9kZTpwNHNz"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIP4ss\n-----END EC PRIVATE KEY-----", "P4ss"),
        ("-----BEGIN CERTIFICATE-----\nMHcCAQEEIP4ss\n-----END CERTIFICATE-----", "P4ss"),
    ],
)
def test_a_secret_is_taken_out(text: str, secret: str) -> None:
    shown = without_secrets(text)

    assert secret not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    [
        'password authentication failed for user "k3s"',
        "bootstrap data already found and encrypted with different token",
        "failed to decode token: illegal base64 data at input byte 4",
        "K3S_TOKEN is required to join a cluster",
        "--token-file=/etc/k0s/token --data-dir=/var/lib/k0s",
        "Get https://10.0.0.11:6443/cacerts: dial tcp 10.0.0.11:6443: connect: connection refused",
        "Access denied for user 'k3s'@'10.0.0.9' (using password: YES)",
        'Secret "kubeadm-certs" was not found in the "kube-system" Namespace',
    ],
)
def test_words_that_help_stay(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize("piece", ["a-", "a.", "a:", "http://", "token_", "a@tcp("])
def test_it_is_quick_on_whatever_a_program_prints(piece: str) -> None:
    """A line of a journal may have 48 KiB; time grows with its length, not with its square."""
    began = time.process_time()

    without_secrets(piece * (48 * 1024 // len(piece)))

    assert time.process_time() - began < 2
