"""The index and the tar around it: one way to write each thing, and every tar program reads it."""

from __future__ import annotations

import io
import tarfile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk8s.bundle.index import BundleError, Member, encode, entry_of, in_order, path_fault, read_index
from mk8s.bundle.tar import BLOCK, header, size_in, split_path
from tests.mk8s.bundle.making import bundle, contents, head_of, index_of, members, read
from transports.base import Bytes

LETTERS = st.sampled_from("abcXYZ019 ._+@=,:~%()[]-")
PARTS = st.text(LETTERS, min_size=1, max_size=40).filter(
    lambda part: part[0] != " " and part not in (".", "..")
)
PATHS = st.builds(
    lambda first, parts: first + "/".join(parts),
    st.sampled_from(["artifacts/", "mk8s/", "files/"]),
    st.lists(PARTS, min_size=1, max_size=4),
)
FILES = st.dictionaries(PATHS, st.binary(max_size=2000), max_size=6)


def no_file_is_a_folder(files: dict[str, bytes]) -> bool:
    return not any(other.startswith(path + "/") for path in files for other in files)


@given(FILES.filter(no_file_is_a_folder))
@settings(max_examples=60, deadline=None)
def test_what_goes_in_comes_out(files: dict[str, bytes]) -> None:
    """Any names that are allowed, any contents: the strict reader, and Python's own tar reader, agree."""
    whole = bundle(files)
    head = head_of(files)
    found = {entry.path: b"".join(content) for entry, content in read(whole).members()}
    assert found == contents(files)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert [one.name for one in tar] == ["README.txt", "bundle.json", *list(found)[1:]]
        assert {(one.mtime, one.uid, one.gid, one.type) for one in tar} == {(0, 0, 0, tarfile.REGTYPE)}
    assert head.file_size == len(whole)


@given(PATHS, st.integers(0, (1 << 40) - 1), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_header_means_the_same_to_others(path: str, size: int, executable: bool) -> None:
    """Also where the size is more than octal digits can say, and where the path is parted in two."""
    info = tarfile.TarInfo.frombuf(header(path, size, executable=executable), "ascii", "strict")
    assert (info.name, info.size, info.mode) == (path, size, 0o755 if executable else 0o644)


@given(st.binary(min_size=BLOCK, max_size=BLOCK))
def test_no_block_makes_the_size_reader_stumble(block: bytes) -> None:
    """A number from 0 on, or none."""
    assert (size_in(block) or 0) >= 0


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_no_bytes_make_the_reader_stumble(content: bytes) -> None:
    """Whatever stands there: a refusal in words, never another error."""
    for text in (content, bundle({})[: len(content)] + content):
        with pytest.raises(BundleError):
            read(text).verify()


@given(st.integers(0, len(bundle({})) - 1), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_no_byte_can_be_another(at: int, change: int) -> None:
    """One that is changed is refused, or, in the words of the index, makes another bundle of it.

    Of the latter only a signature can tell; see test_signing.
    """
    whole = bytearray(bundle({}))
    whole[at] ^= change
    try:
        head = read(bytes(whole)).verify()
    except BundleError:
        return
    assert head.digest != head_of({}).digest


@pytest.mark.parametrize(
    "path", ["", "/", "artifacts/", "/artifacts/a", "artifacts/..", "artifacts/ a", "mk8s"]
)
def test_a_path_that_no_member_may_have(path: str) -> None:
    assert path_fault(path)


@given(PATHS)
@settings(max_examples=200)
def test_every_path_that_is_allowed_fits_a_header(path: str) -> None:
    """`path_fault` promises what `header` needs."""
    assert path_fault(path) or split_path(path)


def test_members_are_put_in_order() -> None:
    """By class, then by path, in whatever order they were given."""
    given_members = members({"artifacts/b": b"", "artifacts/a": b"", "mk8s/z": b"", "cluster.yaml": b""})
    ordered = [member.path for member in in_order(reversed(given_members))]
    assert ordered == ["README.txt", "SHA256SUMS", "cluster.yaml", "mk8s/z", "artifacts/a", "artifacts/b"]


def test_an_index_reads_as_it_was_written() -> None:
    index = index_of(entry_of(member) for member in members({"artifacts/a": b"a"}))
    assert read_index(encode(index)) == index


def test_an_index_for_people_has_a_line_for_each_hash() -> None:
    """The hand check greps for it."""
    index = index_of([entry_of(Member("artifacts/a", Bytes(b"a")))])
    assert f'"sha256": "{index.members[0].sha256}"' in encode(index).decode().splitlines()[-4].strip()


def test_an_index_without_its_list_of_sums_is_refused() -> None:
    """`sha256sum -c` is promised in every README."""
    index = head_of().index
    less = msgspec.structs.replace(index, members=tuple(e for e in index.members if e.path != "SHA256SUMS"))
    with pytest.raises(BundleError, match="SHA256SUMS is missing"):
        read_index(encode(less))
