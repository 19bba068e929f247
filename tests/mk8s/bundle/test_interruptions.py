"""kill -9 and a disk that refuses, in real processes: nothing half is ever taken for whole."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from mk8s.bundle.index import BundleError
from mk8s.bundle.reading import Reader
from mk8s.bundle.splitting import join, split
from mk8s.bundle.unpacking import unpack
from tests.mk8s.bundle.making import BIG, FILES, bundle, contents, head_of, member, read, tree, written

SIZE = len(bundle())
FOR_EVER = 1 << 60
ROOT = Path(__file__).parents[3]


def child(*words: object) -> list[str]:
    return [sys.executable, "-m", "tests.mk8s.bundle.child", *map(str, words)]


def killed(*words: object) -> None:
    """Run a child until it has come to its byte, and kill it there."""
    with subprocess.Popen(child(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.kill()


def starved(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(child(*words), capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.99, 1.0])
def test_a_killed_unpacking_is_taken_up(share: float, tmp_path: Path) -> None:
    """After the kill no member is at its place; then the same command makes all of it."""
    file, folder = written(tmp_path / "b.mk8s.tar"), tmp_path / "folder"
    killed("unpack", file, folder, int((SIZE - 1) * share))
    assert not any((folder / path).exists() for path in contents())
    unpack(read(file.read_bytes()), folder)
    assert tree(folder) == {**contents(), "bundle.json": head_of().content}
    assert not (folder / ".mk8s-unpack").exists()


def test_a_kill_between_two_moves_is_taken_up(tmp_path: Path) -> None:
    """Some members are at their place, others still wait on the stage: no member is written again."""
    unpack(read(bundle()), tmp_path)
    stage = tmp_path / ".mk8s-unpack"
    stage.mkdir()
    places = [*contents(), "bundle.json"]
    for path in ("artifacts/images.tar.zst", "bundle.json"):
        (tmp_path / path).rename(stage / f"{places.index(path):06d}")
    waiting = {path.stat().st_ino for path in tmp_path.rglob("*") if path.is_file()}
    unpack(read(bundle()), tmp_path)
    assert {(tmp_path / path).stat().st_ino for path in contents()} <= waiting
    assert tree(tmp_path) == {**contents(), "bundle.json": head_of().content}


def test_a_killed_create_leaves_no_bundle_and_is_repeated(tmp_path: Path) -> None:
    """What was begun is not there under the bundle's name; the next one leaves nothing of it."""
    file = tmp_path / "b.mk8s.tar"
    killed("create", file, tmp_path, SIZE // 2)
    assert [path.name for path in tmp_path.iterdir()] == [".b.mk8s.tar.part"]
    subprocess.run(child("create", file, tmp_path, FOR_EVER), check=True, cwd=ROOT)
    assert [path.name for path in tmp_path.iterdir()] == ["b.mk8s.tar"]
    assert file.read_bytes() == bundle()


def test_a_killed_join_goes_on_from_verified_chunks(tmp_path: Path) -> None:
    """Chunks that it has already need not be there any more."""
    file = written(tmp_path / "b.mk8s.tar")
    chunks = split(file, 300_000, tmp_path / "media")
    joined = tmp_path / "joined"
    killed("join", chunks[0], joined, SIZE // 2)
    assert not joined.exists()
    chunks[0].unlink()
    join(chunks[1], joined)
    assert joined.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("what", ["unpack", "create"])
def test_a_disk_that_refuses_is_told_and_nothing_is_left(what: str, tmp_path: Path) -> None:
    """The system's own refusal in the middle of a file: named, with a remedy."""
    made = tmp_path / "made"
    made.mkdir()
    file = written(tmp_path / "b.mk8s.tar") if what == "unpack" else made / "b.mk8s.tar"
    done = starved(what, file, made / "folder", FOR_EVER, 1 << 20)
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stdout
    assert "hint: " in done.stdout
    assert list(made.iterdir()) == []


def test_room_is_looked_for_before_the_first_byte(tmp_path: Path) -> None:
    """A bundle that promises more than the disk has is refused for that, and nothing was made."""
    files = {**FILES, **{f"artifacts/{number}.tar": BIG for number in range(6)}}
    head = head_of(files)
    promised = head.content.replace(b'"size": 2304000', b'"size": 1099511627776')  # the largest, seven times
    whole = bundle(files, head=head)
    big = whole.replace(member("bundle.json", head.content), member("bundle.json", promised), 1)
    assert big != whole
    with pytest.raises(BundleError, match="no room"):
        unpack(Reader(io.BytesIO(big), "big"), tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_do_not_write_one_file(tmp_path: Path) -> None:
    """The second is told, and the first is not disturbed."""
    file = tmp_path / "b.mk8s.tar"
    with subprocess.Popen(
        child("create", file, tmp_path, SIZE // 2), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"here\n"
        second = starved("create", file, tmp_path, FOR_EVER)
        assert (second.returncode, "another mk8s" in second.stdout) == (2, True)
        first.communicate(b"")  # the end of its stdin lets it go on
    assert first.returncode == 0
    assert file.read_bytes() == bundle()
