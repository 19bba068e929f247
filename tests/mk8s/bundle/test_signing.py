"""Signatures by the real ssh-keygen: who signed, nobody known, nobody at all, and wrong."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from mk8s.bundle.head import Head
from mk8s.bundle.index import BundleError
from mk8s.bundle.signing import Signed, check_signature, refuse_signature, sign, words_for_hand_check
from mk8s.bundle.splitting import split
from tests.mk8s.bundle.making import bundle, head_of, written

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen here")

CONTENT = head_of().content
MEDIUM = 500_000  # bytes


def key_in(folder: Path, name: str) -> Path:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return key_in(tmp_path_factory.mktemp("keys"), "alice")


@pytest.fixture
def signers(key: Path, tmp_path: Path) -> Path:
    """A file that vouches for the key."""
    return signers_in(tmp_path, f"alice@example.org {key.with_suffix('.pub').read_text()}")


def signers_in(folder: Path, text: str) -> Path:
    path = folder / "allowed signers"
    path.write_text(text)
    return path


def test_a_good_signature_names_who_made_it(key: Path, signers: Path) -> None:
    """And the key's fingerprint."""
    signed = check_signature(CONTENT, sign(CONTENT, key), signers)
    assert (signed.state, signed.who) == ("good", "alice@example.org")
    assert signed.key.startswith("ED25519 SHA256:")
    refuse_signature(signed, "b", signers, required=True)


def test_the_same_key_signs_the_same_way(key: Path) -> None:
    """So a signed bundle is as reproducible as an unsigned one."""
    assert sign(CONTENT, key) == sign(CONTENT, key)


def test_a_changed_index_is_a_wrong_signature(key: Path, signers: Path) -> None:
    """Refused always, whether one is required or not."""
    signed = check_signature(CONTENT.replace(b"rke2", b"rke3", 1), sign(CONTENT, key), signers)
    assert signed.state == "wrong"
    with pytest.raises(BundleError, match="the signature is wrong"):
        refuse_signature(signed, "b", signers, required=False)


def test_a_signature_for_something_else_is_wrong(key: Path, signers: Path) -> None:
    """Made by the same key over the same bytes, for git or mail: another namespace."""
    other = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", "file"],
        input=CONTENT,
        capture_output=True,
        check=True,
    )
    assert check_signature(CONTENT, other.stdout, signers).state == "wrong"


@pytest.mark.parametrize(
    "text", [b"no signature", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"]
)
def test_what_is_no_signature_is_wrong(text: bytes, signers: Path) -> None:
    assert check_signature(CONTENT, text, signers).state == "wrong"


@pytest.mark.parametrize("kind", ["no file", "empty", "another key", "another purpose", "too late"])
def test_a_key_that_nobody_vouches_for_is_unknown(kind: str, key: Path, tmp_path: Path) -> None:
    """Passed with a word where no signature is required, refused where one is."""
    public = key.with_suffix(".pub").read_text()
    texts = {
        "empty": "",
        "another key": f"bob@example.org {key_in(tmp_path, 'bob').with_suffix('.pub').read_text()}",
        "another purpose": f'alice@example.org namespaces="git" {public}',
        "too late": f'alice@example.org valid-before="20200101" {public}',
    }
    signers = tmp_path / "none" if kind == "no file" else signers_in(tmp_path, texts[kind])
    signed = check_signature(CONTENT, sign(CONTENT, key), signers)
    assert signed.state == "unknown"
    refuse_signature(signed, "b", signers, required=False)
    with pytest.raises(BundleError, match="a good signature is required"):
        refuse_signature(signed, "b", signers, required=True)


def test_no_signature_is_said_and_refused_where_one_is_required(tmp_path: Path) -> None:
    signed = check_signature(CONTENT, b"", tmp_path)
    assert signed == Signed("none")
    with pytest.raises(BundleError, match="not signed"):
        refuse_signature(signed, "b", tmp_path, required=True)


def test_an_unchecked_signature_is_not_a_good_one(tmp_path: Path) -> None:
    """Where there is no ssh-keygen, nothing that is required is taken for granted."""
    with pytest.raises(BundleError, match="no ssh-keygen"):
        refuse_signature(Signed("unchecked"), "b", tmp_path, required=True)


@pytest.mark.parametrize("said", ["unknown option -- Y\nusage: ssh-keygen", "Unsupported operation for -Y"])
def test_a_program_too_old_says_neither_yes_nor_no(said: str, key: Path, tmp_path: Path) -> None:
    """OpenSSH before 8.2 does not know the question: that is not a wrong signature."""
    old = tmp_path / "ssh-keygen"
    old.write_text(f"#!/bin/sh\nprintf '%s\\n' '{said}' >&2\nexit 1\n")
    old.chmod(0o755)
    signed = check_signature(CONTENT, sign(CONTENT, key), tmp_path, program=str(old))
    assert signed == Signed("unchecked")
    refuse_signature(signed, "b", tmp_path, required=False)


@pytest.mark.parametrize("words", [b"usage:", b"x\nusage:", b"Unsupported operation"])
def test_words_within_a_signature_do_not_pass_for_those_of_an_old_program(
    words: bytes, key: Path, signers: Path
) -> None:
    """ssh-keygen repeats the name of a hash that it does not know; it was not asked anything unknown."""
    lines = sign(CONTENT, key).decode().splitlines()
    raw = base64.b64decode("".join(lines[1:-1]))
    changed = raw.replace(_string(b"sha512"), _string(words))
    made = f"{lines[0]}\n{base64.b64encode(changed).decode()}\n{lines[-1]}\n"
    assert changed != raw
    assert check_signature(CONTENT, made.encode(), signers).state == "wrong"


def _string(content: bytes) -> bytes:
    """As SSH writes it."""
    return len(content).to_bytes(4, "big") + content


def test_the_commands_for_checking_chunks_by_hand_work(key: Path, signers: Path, tmp_path: Path) -> None:
    """Whichever chunk was named: the signature is in the first ones, and they lie side by side."""
    head: Head = head_of(signature=sign(head_of().content, key))
    chunks = split(written(tmp_path / "a bundle.mk8s.tar", bundle(head=head)), MEDIUM, tmp_path / "a medium")
    words = words_for_hand_check(chunks[1], "alice@example.org", signers)
    done = subprocess.run(["sh", "-ec", words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Good" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("name", ["missing", "folder", "no-key"])
def test_a_key_that_cannot_sign_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "no-key").write_text("hello")
    with pytest.raises(BundleError, match=name):
        sign(CONTENT, tmp_path / name)


def test_the_commands_for_checking_by_hand_work(key: Path, signers: Path, tmp_path: Path) -> None:
    """As printed, in a shell, with names that need quotes; and they fail for a changed index."""
    signature = sign(CONTENT, key)
    head: Head = head_of(signature=signature)
    file = written(tmp_path / "a bundle.mk8s.tar", bundle(head=head))
    words = words_for_hand_check(file, "alice@example.org", signers)
    done = subprocess.run(["sh", "-ec", words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Good" in done.stdout) == (0, True), done.stderr
    file.write_bytes(file.read_bytes().replace(b'"rke2"', b'"rke3"', 1))
    assert (
        subprocess.run(["sh", "-ec", words], cwd=tmp_path, capture_output=True, check=False).returncode != 0
    )
