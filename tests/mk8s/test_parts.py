"""Parts on a node: real scripts in real shells, beside their models."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from trio.testing import MockClock

from machines.errors import ActionError
from mk8s.cutting import STRIDE, cut_file, pieces_of
from mk8s.delivery import PIECE, part_of
from mk8s.modelled import model_os
from mk8s.parts import (
    NOT_WHOLE,
    PartState,
    finish_part,
    part_state,
    read_part_state,
    read_room,
    remove_part,
    room_for,
)
from mk8s.parts_model import PART_HANDLERS, modelled_cuts
from mk8s.steps import Upload
from transports.base import Command, File, Outcome, digest_of_file
from transports.simulated import SimulatedHost

pytestmark = pytest.mark.anyio

SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]
SMALL_PIECE = 1000  # bytes
CONTENT = bytes(range(256)) * 10


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(shell: str, command: Command) -> Outcome:
    done = subprocess.run(
        [shell, "-c", command.script, "sh", *command.args], capture_output=True, check=False
    )
    return Outcome(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def upload(folder: Path, content: bytes = CONTENT, mode: int = 0o640) -> Upload:
    path = folder / "source"
    path.write_bytes(content)
    return Upload("send", File(path, len(content), sha(content)), PurePosixPath(folder / "target"), mode)


def beginning(step: Upload, content: bytes) -> Path:
    path = Path(part_of(step))
    path.write_bytes(content)
    return path


def test_a_part_says_its_size_and_the_hash_of_each_piece(shell: str, tmp_path: Path) -> None:
    """The last one as long as it is."""
    part = beginning(upload(tmp_path), CONTENT[:2500])

    found = read_part_state(run(shell, part_state(PurePosixPath(part), SMALL_PIECE)))

    ends = ((0, 1000), (1000, 2000), (2000, 2500))
    assert found == PartState(2500, tuple(sha(CONTENT[start:end]) for start, end in ends))


@pytest.mark.parametrize("kind", ["nothing", "link", "folder", "another's"])
def test_what_is_no_file_of_ours_counts_as_not_there(shell: str, tmp_path: Path, kind: str) -> None:
    """It is neither hashed nor moved nor removed."""
    step = upload(tmp_path)
    part = Path(part_of(step))
    if kind == "link":
        part.symlink_to(step.source.path)
    elif kind == "folder":
        part.mkdir()
    elif kind == "another's":
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        beginning(step, CONTENT)
        os.chown(part, 4711, 4711)

    assert read_part_state(run(shell, part_state(PurePosixPath(part), SMALL_PIECE))) == PartState()
    assert run(shell, finish_part(step)).status == NOT_WHOLE
    assert run(shell, remove_part(PurePosixPath(part))).ok
    assert os.path.lexists(part) == (kind != "nothing")
    assert not Path(step.target).exists()


def test_a_whole_part_becomes_the_target(shell: str, tmp_path: Path) -> None:
    """In its mode, in one step, over what was there."""
    step = upload(tmp_path)
    part = beginning(step, CONTENT)
    Path(step.target).write_bytes(b"old")

    assert run(shell, finish_part(step)).ok
    assert Path(step.target).read_bytes() == CONTENT
    assert stat.S_IMODE(Path(step.target).stat().st_mode) == 0o640
    assert not part.exists()


@pytest.mark.parametrize("there", [CONTENT[:-1], CONTENT + b"x", b"x" + CONTENT[1:]])
def test_a_part_that_is_not_the_file_is_not_moved(shell: str, tmp_path: Path, there: bytes) -> None:
    """Too short, too long, or other: the target stays as it was, and so does the part."""
    step = upload(tmp_path)
    part = beginning(step, there)
    Path(step.target).write_bytes(b"old")

    outcome = run(shell, finish_part(step))

    assert (outcome.status, outcome.complaint) == (NOT_WHOLE, f"{part} is not what was sent")
    assert (Path(step.target).read_bytes(), part.read_bytes()) == (b"old", there)


def test_parts_that_nobody_wants_any_more_are_swept_away(shell: str, tmp_path: Path) -> None:
    """Ours alone, by the form of their names; one that is still wanted stays."""
    step, wanted, stale = upload(tmp_path), "a" * 64, "b" * 64
    beginning(step, CONTENT)
    names = [f".{wanted}.part", f".{stale}.part", ".target.0123456789ab.part", ".B" + "b" * 63 + ".part"]
    for name in names:
        (tmp_path / name).write_bytes(b"")

    assert run(shell, finish_part(step, [wanted, step.source.sha256])).ok
    assert [name for name in names if not (tmp_path / name).exists()] == [f".{stale}.part"]


def test_room_is_told_of_each_place(shell: str, tmp_path: Path) -> None:
    """Of folders that are not there yet too: what is free at the nearest one above."""
    step = upload(tmp_path)
    beginning(step, CONTENT[:100])
    deep = PurePosixPath(tmp_path / "not" / "yet" / "file")

    here, there = read_room(
        run(shell, room_for([(step.target, part_of(step)), (deep, deep.with_name("part"))]))
    )

    assert here.device == there.device
    assert (here.target, here.part, there.target, there.part) == (0, 100, 0, 0)
    free = shutil.disk_usage(tmp_path).free
    assert abs(here.free - free) < 1 << 30


async def test_the_models_answer_as_the_scripts(tmp_path: Path) -> None:
    """Same status and same last words for a part that is whole, one that is not, and none at all."""
    host = SimulatedHost("a", "10.0.0.1")
    model_os(host)
    step = upload(tmp_path)
    host.disk.make_folder(step.target.parent)
    cuts = await modelled_cuts(step.source)

    for size in (None, 1000, len(CONTENT)):
        if size is not None:
            beginning(step, CONTENT[:size])
            host.disk.grow(part_of(step), step.source.sha256, 0, size)
        for command in (part_state(part_of(step), SMALL_PIECE), finish_part(step, ["a" * 64])):
            real, model = run(SHELLS[0], command), await host.perform(command)
            assert (real.status, real.stderr) == (model.status, model.stderr)
            assert len(real.stdout.split()) == len(model.stdout.split())
    assert host.files[step.target].sha256 == cuts.file.sha256
    assert set(PART_HANDLERS) == {"part.state", "part.finish", "part.remove", "part.room"}


def big_file(folder: Path, size: int) -> File:
    path = folder / "big"
    with path.open("wb") as stream:
        for number in range(size // 4096):
            stream.write(hashlib.sha256(str(number).encode()).digest() * 128)
    return File(path, size, digest_of_file(path))


async def test_a_file_is_cut_into_pieces_and_strides(tmp_path: Path) -> None:
    """Pieces and strides are the same bytes, and the last of each is as long as it is."""
    file = big_file(tmp_path, STRIDE + PIECE + 4096)
    cuts = await cut_file(file)
    content = file.path.read_bytes()

    for ranges in (cuts.pieces, cuts.strides, await pieces_of(file), await cuts.rest(5000)):
        assert all(one.sha256 == sha(content[one.start : one.start + one.size]) for one in ranges)
    assert [one.size for one in cuts.pieces[-2:]] == [PIECE, 4096]
    assert [(one.start, one.size) for one in await cuts.rest(5000)] == [
        (5000, STRIDE - 5000),
        (STRIDE, PIECE + 4096),
    ]
    assert await cuts.rest(file.size) == []


async def test_what_is_verified_ends_at_the_first_byte_that_may_be_another(tmp_path: Path) -> None:
    """Whole pieces count until one differs; a beginning of the next one counts by a hash of its own."""
    file = big_file(tmp_path, 3 * PIECE + 4096)
    cuts = await cut_file(file)
    content = file.path.read_bytes()
    good = [piece.sha256 for piece in cuts.pieces]

    def held(data: bytes) -> PartState:
        return PartState(len(data), tuple(sha(data[at : at + PIECE]) for at in range(0, len(data), PIECE)))

    assert await cuts.verified(PartState()) == 0
    assert await cuts.verified(PartState(file.size, tuple(good))) == file.size
    assert await cuts.verified(held(content[: PIECE + 77])) == PIECE + 77
    assert await cuts.verified(held(content[: PIECE + 77] + b"x")) == PIECE
    assert await cuts.verified(held(content[:PIECE] + b"x" * PIECE + content[2 * PIECE :])) == PIECE
    assert await cuts.verified(held(content + b"more")) == 3 * PIECE


async def test_the_last_piece_of_a_part_that_is_too_long_is_sent_again(tmp_path: Path) -> None:
    """Sending it cuts off what lies behind it, also where all pieces are right."""
    cuts = await cut_file(big_file(tmp_path, 2 * PIECE))
    good = tuple(piece.sha256 for piece in cuts.pieces)

    assert await cuts.verified(PartState(2 * PIECE + 5, (*good, sha(b"12345")))) == PIECE


async def test_a_file_that_changed_here_is_told_before_a_byte_is_sent(tmp_path: Path) -> None:
    """With its name, and what to do."""
    file = big_file(tmp_path, PIECE + 4096)
    with file.path.open("r+b") as stream:
        stream.write(b"other")

    with pytest.raises(ActionError, match="big has changed here since the run began") as caught:
        await cut_file(file)
    assert caught.value.failure.lineage == ("integrity",)

    file.path.unlink()
    with pytest.raises(ActionError, match="cannot be read any more"):
        await pieces_of(file)
