"""Chunks for media: verified one by one, each fault named by its chunk, put together step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk8s.bundle.index import BundleError
from mk8s.bundle.opening import opened
from mk8s.bundle.splitting import join, split
from tests.mk8s.bundle.making import bundle, tree, written

SIZE = 500_000


@pytest.fixture
def chunks(tmp_path: Path) -> list[Path]:
    """The chunks of a bundle, in a folder of their own; the list of chunks is the last."""
    return split(written(tmp_path / "b.mk8s.tar"), SIZE, tmp_path / "media")


def joined(first: Path, folder: Path) -> bytes:
    join(first, folder / "joined")
    return (folder / "joined").read_bytes()


def test_chunks_have_the_size_asked_for_and_make_the_whole(chunks: list[Path], tmp_path: Path) -> None:
    """Their names are in order, and together they are the file."""
    assert [path.name for path in chunks[:2]] == ["b.mk8s.tar.001", "b.mk8s.tar.002"]
    assert chunks[-1].name == "b.mk8s.tar.parts.json"
    assert {path.stat().st_size for path in chunks[:-2]} == {SIZE}
    assert b"".join(path.read_bytes() for path in chunks[:-1]) == bundle()
    assert joined(chunks[0], tmp_path) == bundle()


def test_any_chunk_or_the_list_stands_for_the_set(chunks: list[Path], tmp_path: Path) -> None:
    """People name what they see."""
    for number, chunk in enumerate((chunks[1], chunks[-1])):
        join(chunk, tmp_path / str(number))
        assert (tmp_path / str(number)).read_bytes() == bundle()


def test_a_bundle_is_verified_from_its_chunks(chunks: list[Path]) -> None:
    """Nothing has to be put together for it."""
    with opened(chunks[0], "verifying") as reader:
        assert reader.verify().file_size == len(bundle())


def test_splitting_twice_writes_nothing_twice(chunks: list[Path], tmp_path: Path) -> None:
    """A chunk that is there and right is left alone; a damaged one is made anew."""
    chunks[1].write_bytes(b"damaged")
    before = {path: path.stat().st_ino for path in chunks[:-1]}
    split(tmp_path / "b.mk8s.tar", SIZE, tmp_path / "media")
    after = {path: path.stat().st_ino for path in chunks[:-1]}
    assert [path for path in before if before[path] != after[path]] == [chunks[1]]
    assert joined(chunks[0], tmp_path) == bundle()


def cut(chunks: list[Path]) -> str:
    chunks[2].write_bytes(chunks[2].read_bytes()[:-1])
    return r"b\.mk8s\.tar\.003 is cut off: it has 499999 of 500000 bytes"


def longer(chunks: list[Path]) -> str:
    chunks[2].write_bytes(chunks[2].read_bytes() + b"x")
    return r"b\.mk8s\.tar\.003 is too long"


def missing(chunks: list[Path]) -> str:
    chunks[1].unlink()
    chunks[3].unlink()
    return r"2 of 5 chunks not here: b\.mk8s\.tar\.002, b\.mk8s\.tar\.004"


def swapped(chunks: list[Path]) -> str:
    second, third = chunks[1].read_bytes(), chunks[2].read_bytes()
    chunks[1].write_bytes(third)
    chunks[2].write_bytes(second)
    return r"b\.mk8s\.tar\.002 holds what belongs into b\.mk8s\.tar\.003"


def damaged(chunks: list[Path]) -> str:
    content = bytearray(chunks[3].read_bytes())
    content[1000] ^= 1
    chunks[3].write_bytes(content)
    return r"b\.mk8s\.tar\.004 is damaged, or of another bundle"


def without_list(chunks: list[Path]) -> str:
    chunks[-1].unlink()
    return r"b\.mk8s\.tar\.parts\.json is not there"


def spoilt_list(chunks: list[Path]) -> str:
    chunks[-1].write_bytes(b"[]")
    return r"is no list of chunks"


def foreign_list(chunks: list[Path]) -> str:
    chunks[-1].write_bytes(chunks[-1].read_bytes().replace(b"b.mk8s.tar", b"../evil"))
    return r"is of another file, or was changed"


def lying_list(chunks: list[Path]) -> str:
    text = chunks[-1].read_text()
    last = '"sha256": "'
    at = text.index(last) + len(last)
    chunks[-1].write_text(text[:at] + "0" * 64 + text[at + 64 :])
    return r"the chunks are right, and the whole is not"


FAULTS = [cut, longer, missing, swapped, damaged, without_list, spoilt_list, foreign_list, lying_list]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_chunk_is_named_and_no_file_is_made(
    fault: Callable[[list[Path]], str], chunks: list[Path], tmp_path: Path
) -> None:
    """The words say which chunk, and what is wrong with it."""
    words = fault(chunks)
    with pytest.raises(BundleError, match=words):
        join(chunks[0], tmp_path / "joined")
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault is not lying_list])
def test_verifying_names_the_faulty_chunk_too(
    fault: Callable[[list[Path]], str], chunks: list[Path], tmp_path: Path
) -> None:
    """In the same words."""
    words = fault(chunks)
    with pytest.raises(BundleError, match=words), opened(chunks[0], "verifying") as reader:
        reader.verify()


def test_chunks_may_come_medium_by_medium(chunks: list[Path], tmp_path: Path) -> None:
    """Each call goes on with the chunk that is there now; those before may be gone."""
    target, away = tmp_path / "joined", {path: path.read_bytes() for path in chunks[:-1]}
    for path in away:
        path.unlink()
    for path, content in list(away.items())[:-1]:
        path.write_bytes(content)
        with pytest.raises(BundleError, match="chunks not here"):
            join(path, target)
        path.unlink()
    last = chunks[-2]
    last.write_bytes(away[last])
    join(last, target)
    assert target.read_bytes() == bundle()
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_damage_to_what_was_joined_is_found(chunks: list[Path], tmp_path: Path) -> None:
    """What a join left behind is believed only as far as its hashes say."""
    target = tmp_path / "joined"
    gone = chunks[3].read_bytes()
    chunks[3].unlink()
    with pytest.raises(BundleError, match="chunks not here"):
        join(chunks[0], target)
    part = tmp_path / ".joined.part"
    content = bytearray(part.read_bytes())
    content[SIZE + 7] ^= 1
    part.write_bytes(content)
    chunks[3].write_bytes(gone)
    join(chunks[0], target)
    assert target.read_bytes() == bundle()


@pytest.mark.parametrize("size", [1, 1000])
def test_chunks_too_small_are_refused(size: int, tmp_path: Path) -> None:
    """Nobody wants thousands of files."""
    with pytest.raises(BundleError, match="too small"):
        split(written(tmp_path / "b"), size, tmp_path / "media")
    assert tree(tmp_path).keys() == {"b"}


@given(st.integers(1, 300_000), st.integers(1 << 16, 400_000))
@settings(max_examples=25, deadline=None)
def test_any_size_is_parted_and_joined(size: int, chunk: int) -> None:
    """Also where the last chunk is full, or the only one."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        content = (bytes(range(256)) * 1200)[:size]
        paths = split(written(folder / "b", content), chunk, folder / "media")
        assert len(paths) == -(-size // chunk) + 1
        assert joined(paths[0], folder) == content
