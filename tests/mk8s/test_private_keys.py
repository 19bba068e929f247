"""mk8s.private_keys: a private key is recognised in any text, and nothing else is taken out."""

from __future__ import annotations

import base64
import json
import textwrap
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from mk8s.private_keys import HIDDEN, without_keys

EC, RSA, ED = (
    ec.generate_private_key(ec.SECP256R1()),
    rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ed25519.Ed25519PrivateKey.generate(),
)
PLAIN, LOCKED = NoEncryption(), BestAvailableEncryption(b"password")


def pem(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
    form: PrivateFormat,
    lock: KeySerializationEncryption = PLAIN,
) -> str:
    return key.private_bytes(Encoding.PEM, form, lock).decode()


KEYS = {
    "pkcs8": pem(EC, PrivateFormat.PKCS8),
    "sec1": pem(EC, PrivateFormat.TraditionalOpenSSL),
    "pkcs8-rsa": pem(RSA, PrivateFormat.PKCS8),
    "pkcs1": pem(RSA, PrivateFormat.TraditionalOpenSSL),
    "openssh": pem(ED, PrivateFormat.OpenSSH),
    "encrypted": pem(RSA, PrivateFormat.PKCS8, LOCKED),
    "encrypted, as openssl once did": pem(RSA, PrivateFormat.TraditionalOpenSSL, LOCKED),
}
each_key = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
RSA_KEY = KEYS["pkcs8-rsa"]
PUBLIC = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def is_hidden(key: str, text: str) -> bool:
    """Whether no sixteen characters in a row of the key's body are left, plain or in base64."""
    body = "".join(line for line in key.splitlines() if not line.startswith("-----") and ":" not in line)
    plain = {body[at : at + 16] for at in range(0, len(body) - 16, 8)}
    packed = {encoded(key)[at : at + 16] for at in range(40, len(encoded(key)) - 56, 8)}
    flat = text.replace("\\n", "").replace("\n", "").replace(" ", "")
    return not any(piece in flat for piece in plain | packed)


@each_key
class TestForms:
    """Every kind of key, in every way in which it may be written."""

    def test_a_block_is_hidden_whole(self, key: str) -> None:
        """What stands around it stays."""
        assert without_keys(f"before\n{key.strip()}\nafter") == f"before\n{HIDDEN}\nafter"

    def test_a_block_in_a_json_text_is_hidden(self, key: str) -> None:
        """Line breaks are escaped there; the text is JSON afterwards too."""
        text = without_keys(json.dumps({"key": key, "other": "x"}))
        assert is_hidden(key, text)
        assert json.loads(text)["other"] == "x"

    def test_an_indented_block_is_hidden(self, key: str) -> None:
        """As in YAML."""
        text = without_keys("key: |\n" + textwrap.indent(key, "    ") + "other: x\n")
        assert is_hidden(key, text)
        assert text.endswith("other: x\n")

    def test_its_base64_is_hidden(self, key: str) -> None:
        """On one line, as in a Secret or a kubeconfig."""
        assert without_keys(f"  tls.key: {encoded(key)}\n  a: b\n") == f"  tls.key: {HIDDEN}\n  a: b\n"

    def test_its_base64_in_lines_is_hidden(self, key: str) -> None:
        """As base64(1) writes it."""
        lines = "\n".join(textwrap.wrap(encoded(key), 76))
        text = without_keys(f"{lines}\nother: x\n")
        assert is_hidden(key, text)
        assert text.endswith("other: x\n")

    @pytest.mark.parametrize("before", ["a", "ab", "abc", PUBLIC])
    def test_its_base64_behind_something_else_is_hidden(self, key: str, before: str) -> None:
        """A certificate and its key in one file, for example."""
        assert is_hidden(key, without_keys(encoded(before + key)))

    def test_what_is_cut_off_is_hidden(self, key: str) -> None:
        """The beginning of a text that goes on, and the end of one whose beginning is lost."""
        half = len(key) // 2
        assert is_hidden(key, without_keys("said: " + key[:half]))
        tail = without_keys(key[half:] + "and then: done")
        assert is_hidden(key, tail)
        assert tail.endswith("and then: done")

    def test_each_of_several_is_hidden(self, key: str) -> None:
        """And what stands between them stays."""
        assert without_keys(f"{key}a: b\n{key}") == f"{HIDDEN}\na: b\n{HIDDEN}\n"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("client-key-data: QUJDREVG\n", "client-key-data: ***\n"),
        ('"client-key-data": "QUJDREVG=="}', '"client-key-data": "***"}'),
        ('"client-key-data":"QUJDREVG"', '"client-key-data":"***"'),
        (r"{\"client-key-data\": \"QUJDREVG\"}", r"{\"client-key-data\": \"***\"}"),
        ("client-key-data: 'QUJDREVG'", "client-key-data: '***'"),
    ],
)
def test_the_key_of_a_kubeconfig_is_hidden_whatever_it_is(text: str, hidden: str) -> None:
    """In YAML, in JSON, and in JSON inside of JSON."""
    assert without_keys(text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "",
        "the words PRIVATE KEY alone",
        "client-key-data: \nother: x",
        "client-certificate-data: QUJDREVG",
        PUBLIC,
        encoded(PUBLIC),
        f"tls.crt: {encoded('-----BEGIN CERTIFICATE-----')}",
        "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_private_key_stays(text: str) -> None:
    """Certificates and public keys are for everybody."""
    assert without_keys(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "A" * 2_000_000,
        "AAAA\n" * 400_000,
        "-----BEGIN PRIVATE KEY-----" * 40_000,
        "-----BEGIN " * 200_000,
        encoded("-----BEGIN PRIVATE KEY")[:-4] * 40_000,
        ("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0" + "\n" * 50) * 10_000,
        "-----END PRIVATE KEY-----" * 40_000,
        "client-key-data:" * 100_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    """A node's words may be megabytes, and anything."""
    begun = time.process_time()
    without_keys(text)
    assert time.process_time() - begun < 5
