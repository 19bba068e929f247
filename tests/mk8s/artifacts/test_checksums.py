"""Every form of file of hashes that upstream projects publish."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk8s.artifacts.checksums import ChecksumError, find_digest, read_checksums

A, B = "ab" * 32, "cd" * 32
SHA512 = "ef" * 64
SIGNED = f"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

{A}  runc.amd64
{B}  runc.arm64
- {SHA512[:64]}  runc.tar.xz
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEEX2Q0tYLg3+Zw/{"0" * 30}
{B}  runc.amd64
=AbCd
-----END PGP SIGNATURE-----
"""

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789._+-", min_size=1, max_size=40).filter(
    lambda name: name.strip(".") and not name.startswith("*")
)
noise = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(
    lambda line: not any(len(word.strip("\ufeff")) == 64 for word in line.split())
)


@pytest.mark.parametrize(
    "line",
    [
        f"{A}  k0s",
        f"{A} *k0s",
        f"{A}  ./k0s",
        f"{A} *./k0s",
        f"{A}  dist/artifacts/k0s",
        f"{A}\tk0s\r",
        f"  {A}  k0s  ",
        f"{A.upper()}  k0s",
        f"\ufeff{A}  k0s",
    ],
    ids=ascii,
)
def test_a_line_of_sha256sum_in_any_form_names_a_file(line: str) -> None:
    """Text and binary marker, folders, tabs, CRLF, a mark of the byte order."""
    assert read_checksums(f"# hashes\n{line}\n") == {"k0s": A}


@pytest.mark.parametrize("text", [A, f"{A}\n", f"{A}\r\n", f"\n {A} \n"])
def test_a_hash_that_stands_alone_is_of_the_file_that_was_asked_for(text: str) -> None:
    """dl.k8s.io has only the hash, sometimes without a newline."""
    assert find_digest(text, "kubelet") == A


def test_a_text_that_pgp_signed_is_read_up_to_its_signature() -> None:
    """runc's: nothing within the signature counts, and an escaped line does."""
    assert read_checksums(SIGNED) == {"runc.amd64": A, "runc.arm64": B, "runc.tar.xz": SHA512[:64]}


def test_a_line_of_sha512_is_no_line() -> None:
    assert read_checksums(f"{SHA512}  kubelet\n{A}  kubelet\n") == {"kubelet": A}


def test_the_hash_of_another_file_is_not_taken() -> None:
    """Not even of the only one in the list."""
    with pytest.raises(ChecksumError, match="of other files, and none of k3s-arm64"):
        find_digest(f"{A}  k3s\n", "k3s-arm64")


def test_a_name_that_ends_alike_is_another_file() -> None:
    assert find_digest(f"{A}  my-k3s\n{B}  k3s\n", "k3s") == B


def test_two_different_hashes_of_one_file_are_an_error() -> None:
    with pytest.raises(ChecksumError, match="2 different hashes of k3s"):
        find_digest(f"{A}  k3s\n{B}  k3s\n", "k3s")


def test_the_same_hash_twice_is_none() -> None:
    assert find_digest(f"{A}  k3s\n{A} *k3s\n", "k3s") == A


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("<!DOCTYPE html>\n<p>not found", "it begins with '<!DOCTYPE html>'"),
        (f"{SHA512}  k3s", "has no sha256"),
        (f"SHA256 (k3s) = {A}", "has no sha256"),
    ],
)
def test_a_text_without_hashes_says_so(text: str, words: str) -> None:
    """A page of a proxy must never pass for *nothing is published*."""
    with pytest.raises(ChecksumError, match=words):
        find_digest(text, "k3s")


@given(st.dictionaries(names, digests, min_size=1, max_size=8), st.sampled_from(["  ", " *", "  ./", "\t"]))
def test_whatever_was_written_is_read_again(listed: dict[str, str], between: str) -> None:
    text = "".join(f"{digest}{between}{name}\n" for name, digest in listed.items())

    assert read_checksums(text) == listed
    assert all(find_digest(text, name) == digest for name, digest in listed.items())


@given(names, digests, st.lists(noise, max_size=5), st.lists(noise, max_size=5))
def test_other_lines_change_nothing(name: str, digest: str, above: list[str], below: list[str]) -> None:
    text = "\n".join([*above, f"{digest}  {name}", *below])
    assert find_digest(text, name) == digest


@given(st.text(max_size=400), names)
def test_any_text_is_a_digest_or_words(text: str, name: str) -> None:
    """No text makes it fail in another way."""
    with suppress(ChecksumError):
        assert len(find_digest(text, name)) == 64
