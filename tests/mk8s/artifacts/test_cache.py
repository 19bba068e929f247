"""mk8s.artifacts.cache and .filing: folders that are trusted, names that are given in one step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mk8s.artifacts.cache import Blob, Cache, CacheError, Known, default_cache_folder, link_or_copy
from mk8s.artifacts.filing import write_small
from tests.mk8s.artifacts.fetching import cache_in, content, digest

DATA = content(5000)


def put(cache: Cache, data: bytes = DATA) -> Blob:
    with cache.part("ab" * 32) as part:
        assert part
        part.begin(Known("https://x.example/a"))
        part.add(data)
        return cache.keep(part)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"XDG_CACHE_HOME": "/big/cache"}, Path("/big/cache/mk8s")),
        ({"XDG_CACHE_HOME": "relative"}, Path.home() / ".cache" / "mk8s"),
        ({}, Path.home() / ".cache" / "mk8s"),
    ],
)
def test_the_cache_lies_where_caches_do(environment: dict[str, str], found: Path) -> None:
    """The base directory specification passes over a relative path, and so do we."""
    assert default_cache_folder(environment) == found


def test_the_cache_is_its_owners_alone(tmp_path: Path) -> None:
    """Each folder of it."""
    put(cache_in(tmp_path))
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "cache").rglob("*") if path.is_dir()}
    assert modes == {0o700}


def test_a_cache_behind_a_link_is_refused(tmp_path: Path) -> None:
    """Whoever put it there may have chosen where it leads."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").symlink_to("elsewhere")
    with pytest.raises(CacheError, match="a link or a file stands there"):
        cache_in(tmp_path)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_part_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    """What it leads to keeps its content."""
    cache = cache_in(tmp_path)
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (tmp_path / "cache" / "partial" / f"{'ab' * 32}.part").symlink_to(precious)
    with pytest.raises(CacheError):
        put(cache)
    assert precious.read_bytes() == b"precious"


def test_a_blob_that_is_a_link_is_no_blob(tmp_path: Path) -> None:
    """Even where it leads to the right content: it is removed, and told."""
    said: list[str] = []
    cache = cache_in(tmp_path, said.append)
    blob = put(cache)
    real = tmp_path / "real"
    blob.path.rename(real)
    blob.path.symlink_to(real)
    assert cache.take(digest(DATA)) is None
    assert (real.exists(), blob.path.is_symlink(), len(said)) == (True, False, 1)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "AB" * 32, "ab" * 31])
def test_only_hashes_name_blobs(tmp_path: Path, name: str) -> None:
    """A promise that is no hash leads to no path."""
    with pytest.raises(ValueError, match="no sha256"):
        cache_in(tmp_path).path_of(name)


def test_a_part_has_one_owner(tmp_path: Path) -> None:
    """The second gets nothing while the first has it, and all of it afterwards."""
    cache = cache_in(tmp_path)
    with cache.part("cd" * 32) as first, cache.part("cd" * 32) as second:
        assert first is not None
        assert second is None
    with cache.part("cd" * 32) as third:
        assert third is not None


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second disk")
def test_to_another_disk_a_blob_is_copied(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """And the copy is hashed: a blob that changed meanwhile gets no name there."""
    import tempfile

    blob = put(cache_in(tmp_path))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        if Path(folder).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("one disk holds both")
        link_or_copy(blob, Path(folder) / "file")
        assert (Path(folder) / "file").read_bytes() == DATA
        blob.path.chmod(0o600)
        blob.path.write_bytes(b"changed")
        with pytest.raises(CacheError, match="the copy is not what was copied"):
            link_or_copy(blob, Path(folder) / "other")
        assert [path.name for path in Path(folder).iterdir()] == ["file"]


def test_a_small_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """And no half one beside it."""

    def full(_descriptor: int, _piece: memoryview) -> int:
        raise OSError(28, "No space left on device")

    path = tmp_path / "SHA256SUMS"
    write_small(path, b"old")
    with pytest.raises(CacheError, match="No space left"):
        write_small(path, b"new", full)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("SHA256SUMS", b"old")]
