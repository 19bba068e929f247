"""What every transport promises: one suite for ssh, local and simulated.

Each claim here is a sentence of `transports.base`. Add a transport in conftest.ROADS.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.transports import contract_commands as say
from tests.transports.conftest import ROADS, Rig, Road
from transports.base import (
    ArgumentError,
    Bytes,
    Command,
    File,
    Piece,
    Stream,
    TransportError,
    digest_of_file,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=ROADS, ids=str)
def road(request: pytest.FixtureRequest) -> Road:
    assert isinstance(request.param, Road)
    return request.param


@pytest.fixture
def anyio_backend(road: Road) -> Any:
    return road.backend


@pytest.fixture
async def rig(road: Road, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    folder = tmp_path / "node"
    folder.mkdir()
    async with road.open(request, folder) as rig:
        yield rig


async def names_in(rig: Rig) -> list[str]:
    """What is in the rig's folder, hidden names too. Real hosts only."""
    listing = Command(
        operation="contract.list", description="list", script='ls -A "$1"', args=(str(rig.folder),)
    )
    return (await rig.transport.run(listing)).text.split()


# ---- run


async def test_arguments_arrive_as_they_were_given(rig: Rig) -> None:
    """Spaces, quotes, dollars, globs, newlines and empty words are the command's, not the shell's."""
    words = ("a b", "it's", '"', "$HOME `id`", "*", "; rm -rf /", "-n", "\\t", "", "ü\n!")

    outcome = await rig.transport.run(say.echo(*words))

    assert outcome.ok
    assert outcome.stdout.decode() == "".join(word + "\n" for word in words)


@pytest.mark.parametrize("status", [0, 1, 77, 126, 127, 130, 255])
async def test_an_exit_status_is_an_answer(rig: Rig, status: int) -> None:
    """A status other than 0 is no exception."""
    outcome = await rig.transport.run(say.fail(status))

    assert (outcome.status, outcome.stdout, outcome.stderr) == (status, b"", b"")


async def test_the_two_streams_stay_apart(rig: Rig) -> None:
    """stdout and stderr arrive whole, and the complaint is stderr's last line."""
    outcome = await rig.transport.run(say.complain("no such thing"))

    assert (outcome.status, outcome.stdout, outcome.stderr) == (3, b"out\n", b"no such thing\n")
    assert outcome.complaint == "no such thing"


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
async def test_stdin_arrives_whole_and_ends(rig: Rig, size: int) -> None:
    """All bytes, of any value, then the end of the file."""
    content = (bytes(range(256)) * (size // 256 + 1))[:size]

    outcome = await rig.transport.run(say.repeat(content))

    assert outcome.stdout == content


async def test_a_command_without_stdin_reads_its_end_at_once(rig: Rig) -> None:
    """No command waits for input that nobody sends."""
    outcome = await rig.transport.run(say.repeat(None))

    assert outcome.ok
    assert outcome.stdout == b""


async def test_variables_reach_the_command(rig: Rig) -> None:
    """Their values are not interpreted."""
    outcome = await rig.transport.run(say.environment("GREETING", "it's $HOME; `id`"))

    assert outcome.stdout == b"it's $HOME; `id`"


async def test_sudo_makes_root(rig: Rig) -> None:
    """Where the transport is root already nothing is added, and no sudo is needed."""
    if rig.is_real and (await rig.transport.run(uid())).text != "0":
        pytest.skip("not root; sudo has tests of its own")

    assert (await rig.transport.run(say.whoami())).text == "0"


async def test_output_is_handed_on_as_it_comes_and_not_gathered(rig: Rig) -> None:
    """With on_output the outcome is empty, and every byte was handed on in order."""
    heard: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}

    def on_output(stream: Stream, data: bytes) -> None:
        heard[stream] += data

    outcome = await rig.transport.run(say.complain("why"), on_output=on_output)

    assert heard == {"stdout": b"out\n", "stderr": b"why\n"}
    assert (outcome.status, outcome.stdout, outcome.stderr) == (3, b"", b"")


async def test_output_beyond_the_limit_is_cut_and_said_to_be(rig: Rig) -> None:
    """A chatty command fills no memory, and its status still arrives."""
    outcome = await rig.transport.run(say.flood(20_000_000))

    assert outcome.ok
    assert outcome.truncated
    assert 0 < len(outcome.stdout) < 20_000_000


async def test_a_timeout_is_ambiguous(rig: Rig) -> None:
    """The command may have done its work: whoever repeats it must look first."""
    for timeout in (0.2, 2.0, 20.0):  # on a busy machine a short time is over before the command begins
        with pytest.raises(TransportError) as caught:
            await rig.transport.run(say.asleep(30, timeout=timeout))
        if caught.value.ambiguous:
            break

    assert caught.value.lineage == ("timeout.command", "timeout")
    assert caught.value.ambiguous
    assert not caught.value.final


async def test_after_a_timeout_the_transport_works_on(rig: Rig) -> None:
    """One slow command costs nobody else anything."""
    with pytest.raises(TransportError):
        await rig.transport.run(say.asleep(30, timeout=0.2))

    assert (await rig.transport.run(say.echo("still here"))).text == "still here"


async def test_a_cancelled_command_ends_soon_and_the_transport_works_on(rig: Rig) -> None:
    """Cancelling does not wait for the command."""
    with anyio.fail_after(60):
        with anyio.move_on_after(0.2):
            await rig.transport.run(say.asleep(100, timeout=200))
        assert (await rig.transport.run(say.echo("still here"))).text == "still here"


async def test_commands_run_at_the_same_time(rig: Rig) -> None:
    """More of them than a connection has channels; each gets its own answer."""
    answers: dict[int, str] = {}

    async def ask(number: int) -> None:
        answers[number] = (await rig.transport.run(say.echo(f"answer {number}"))).text

    async with anyio.create_task_group() as tasks:
        for number in range(25):
            tasks.start_soon(ask, number)

    assert answers == {number: f"answer {number}" for number in range(25)}


async def test_a_nul_is_refused_before_anything_is_sent(rig: Rig) -> None:
    """No shell word can hold it; dropping it silently would run something else."""
    with pytest.raises(ArgumentError):
        await rig.transport.run(say.echo("a\0b"))
    with pytest.raises(ArgumentError):
        await rig.transport.put(Bytes(b""), rig.folder / "a\0b")


# ---- put and get


async def test_what_was_put_can_be_got(rig: Rig) -> None:
    """Every byte value survives, and so does emptiness."""
    for content in (b"", bytes(range(256)) * 3):
        await rig.transport.put(Bytes(content), rig.folder / "file")
        assert await rig.transport.get(rig.folder / "file") == content


async def test_a_large_file_arrives_whole(rig: Rig, tmp_path: Path) -> None:
    """Larger than any buffer on the way; the progress ends at the file's size."""
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 12_000)
    told: list[tuple[int, int]] = []
    source = File(path, path.stat().st_size, digest_of_file(path))

    await rig.transport.put(
        source, rig.folder / "file", on_progress=lambda done, size: told.append((done, size))
    )

    assert told[-1] == (source.size, source.size)
    assert told == sorted(told)
    if rig.is_real:
        assert digest_of_file(Path(rig.folder / "file")) == source.sha256


async def test_a_put_replaces_the_file_and_sets_its_mode(rig: Rig) -> None:
    """Mode is what was asked for, whatever the old file or the umask say."""
    await rig.transport.put(Bytes(b"old"), rig.folder / "file", mode=0o600)
    await rig.transport.put(Bytes(b"new"), rig.folder / "file", mode=0o755)

    assert await rig.transport.get(rig.folder / "file") == b"new"
    if rig.is_real:
        assert Path(rig.folder / "file").stat().st_mode & 0o7777 == 0o755
        assert await names_in(rig) == ["file"]


async def test_names_are_not_interpreted(rig: Rig) -> None:
    """A name may look like an option, a command or a pattern."""
    for name in ("-rf", "a b; touch c", "$(id)", "'", "*"):
        await rig.transport.put(Bytes(name.encode()), rig.folder / name)
        assert await rig.transport.get(rig.folder / name) == name.encode()


async def test_a_put_into_no_folder_is_an_exit(rig: Rig) -> None:
    """The parent must exist: making it is the caller's decision."""
    with pytest.raises(TransportError, match=r"(?i)folder|directory") as caught:
        await rig.transport.put(Bytes(b"x"), rig.folder / "absent" / "file")

    assert "exit" in caught.value.lineage


async def test_content_that_is_not_what_was_promised_is_refused(rig: Rig, tmp_path: Path) -> None:
    """The hash is verified on the node before the move: the old file stays, and no part does."""
    if not rig.is_real:
        pytest.skip("a modelled host reads no files")
    path = tmp_path / "changed"
    path.write_bytes(b"changed meanwhile")
    await rig.transport.put(Bytes(b"old"), rig.folder / "file")

    with pytest.raises(TransportError) as caught:
        await rig.transport.put(File(path, 17, "0" * 64), rig.folder / "file")

    assert caught.value.lineage == ("integrity",)
    assert await rig.transport.get(rig.folder / "file") == b"old"
    assert await names_in(rig) == ["file"]


async def test_getting_what_is_not_there_is_an_exit(rig: Rig) -> None:
    """The name is in the message."""
    with pytest.raises(TransportError, match=re.escape("absent")) as caught:
        await rig.transport.get(rig.folder / "absent")

    assert "exit" in caught.value.lineage


async def test_a_file_beyond_the_limit_is_not_read_in_part(rig: Rig) -> None:
    """Half a certificate is worse than none."""
    await rig.transport.put(Bytes(b"x" * 11), rig.folder / "file")

    with pytest.raises(TransportError) as caught:
        await rig.transport.get(rig.folder / "file", limit=10)

    assert "exit" in caught.value.lineage
    assert await rig.transport.get(rig.folder / "file", limit=11) == b"x" * 11


# ---- append

CONTENT = bytes(range(256)) * 8_000
HALF = len(CONTENT) // 2


def piece_of(folder: Path, start: int, end: int, content: bytes = CONTENT) -> Piece:
    """A range of a file here that holds the content."""
    path = folder / "grows"
    path.write_bytes(content)
    digest = hashlib.sha256(CONTENT[start:end]).hexdigest()
    return Piece(path, start, end - start, digest, hashlib.sha256(CONTENT).hexdigest())


async def test_a_file_grows_by_pieces(rig: Rig, tmp_path: Path) -> None:
    """Each stands behind the one before; only root, or the user, may read what is not whole yet."""
    part = rig.folder / "part"
    told: list[tuple[int, int]] = []

    for start, end in ((0, 1000), (1000, HALF), (HALF, len(CONTENT))):
        piece = piece_of(tmp_path, start, end)
        told.clear()
        await rig.transport.append(piece, part, on_progress=lambda done, size: told.append((done, size)))
        assert told[-1] == (piece.size, piece.size)

    if rig.is_real:
        assert Path(part).read_bytes() == CONTENT
        assert Path(part).stat().st_mode & 0o7777 == 0o600


async def test_what_lies_behind_a_pieces_place_is_cut_off(rig: Rig, tmp_path: Path) -> None:
    """An attempt that broke leaves a beginning of its piece, and perhaps worse: that is written over."""
    part = rig.folder / "part"
    await rig.transport.append(piece_of(tmp_path, 0, HALF), part)
    await rig.transport.append(piece_of(tmp_path, HALF, len(CONTENT)), part)
    await rig.transport.append(piece_of(tmp_path, 500, HALF), part)

    if rig.is_real:
        assert Path(part).read_bytes() == CONTENT[:HALF]


async def test_the_first_piece_makes_the_part_anew(rig: Rig, tmp_path: Path) -> None:
    """Whatever was there, and whatever mode it had."""
    part = rig.folder / "part"
    await rig.transport.put(Bytes(b"something else" * 100), part, mode=0o666)

    await rig.transport.append(piece_of(tmp_path, 0, 300), part)

    if rig.is_real:
        assert Path(part).read_bytes() == CONTENT[:300]
        assert Path(part).stat().st_mode & 0o7777 == 0o600


async def test_a_part_that_is_too_short_is_not_stretched(rig: Rig, tmp_path: Path) -> None:
    """A hole of zeros is no content; the same where there is no part at all."""
    part = rig.folder / "part"
    for there in (None, 100):
        if there:
            await rig.transport.append(piece_of(tmp_path, 0, there), part)
        with pytest.raises(TransportError, match=f"holds {there or 0} bytes") as caught:
            await rig.transport.append(piece_of(tmp_path, HALF, len(CONTENT)), part)
        assert caught.value.lineage == ("integrity",)


async def test_a_piece_that_is_not_what_was_promised_is_taken_back(rig: Rig, tmp_path: Path) -> None:
    """Its hash is verified on the node, and what stood before it still stands."""
    if not rig.is_real:
        pytest.skip("a modelled host reads no files")
    part = rig.folder / "part"
    await rig.transport.append(piece_of(tmp_path, 0, 1000), part)

    with pytest.raises(TransportError) as caught:
        await rig.transport.append(piece_of(tmp_path, 1000, HALF, content=CONTENT[::-1]), part)

    assert caught.value.lineage == ("integrity",)
    assert Path(part).read_bytes() == CONTENT[:1000]


async def test_a_source_that_became_shorter_is_an_integrity_error(rig: Rig, tmp_path: Path) -> None:
    """What did arrive stays: it may be a beginning of the piece, which the node's hashes tell."""
    if not rig.is_real:
        pytest.skip("a modelled host reads no files")
    part = rig.folder / "part"

    with pytest.raises(TransportError) as caught:
        await rig.transport.append(piece_of(tmp_path, 0, HALF, content=CONTENT[:4000]), part)

    assert caught.value.lineage == ("integrity",)
    assert Path(part).read_bytes() == CONTENT[:4000]


@pytest.mark.parametrize("start", [0, 10])
async def test_a_link_is_never_written_through(rig: Rig, tmp_path: Path, start: int) -> None:
    """Whoever may write to the folder cannot make us write elsewhere."""
    if not rig.is_real:
        pytest.skip("a modelled disk has no links")
    precious = tmp_path / "precious"
    precious.write_bytes(b"p" * 100)
    Path(rig.folder / "part").symlink_to(precious)

    with pytest.raises(TransportError, match="link") as caught:
        await rig.transport.append(piece_of(tmp_path, start, 1000), rig.folder / "part")

    assert "exit" in caught.value.lineage
    assert caught.value.final
    assert precious.read_bytes() == b"p" * 100


async def test_an_append_into_no_folder_is_an_exit(rig: Rig, tmp_path: Path) -> None:
    """As a put."""
    with pytest.raises(TransportError, match=r"(?i)folder|directory") as caught:
        await rig.transport.append(piece_of(tmp_path, 0, 1000), rig.folder / "absent" / "part")

    assert "exit" in caught.value.lineage


async def test_a_cancelled_append_can_be_gone_on_with(rig: Rig, tmp_path: Path) -> None:
    """What stood before it still stands."""
    part = rig.folder / "part"
    await rig.transport.append(piece_of(tmp_path, 0, HALF), part)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await rig.transport.append(piece_of(tmp_path, HALF, len(CONTENT)), part)
    with anyio.CancelScope() as scope:
        await rig.transport.append(
            piece_of(tmp_path, HALF, len(CONTENT)), part, on_progress=lambda _done, _size: scope.cancel()
        )

    await rig.transport.append(piece_of(tmp_path, HALF, len(CONTENT)), part)

    if rig.is_real:
        assert Path(part).read_bytes() == CONTENT


async def test_an_append_as_root_is_roots(rig: Rig, tmp_path: Path) -> None:
    """Where the transport is root already nothing is added; sudo has tests of its own."""
    if rig.is_real and (await rig.transport.run(uid())).text != "0":
        pytest.skip("not root")
    await rig.transport.append(piece_of(tmp_path, 0, 1000), rig.folder / "part", sudo=True)

    if rig.is_real:
        assert Path(rig.folder / "part").stat().st_uid == 0


async def test_a_name_that_looks_like_an_option_may_grow(rig: Rig, tmp_path: Path) -> None:
    """Names are not interpreted; one that holds NUL is refused before anything is sent."""
    for name in ("-rf", "a b; touch c", "$(id)"):
        await rig.transport.append(piece_of(tmp_path, 0, 300), rig.folder / name)
        if rig.is_real:
            assert Path(rig.folder / name).read_bytes() == CONTENT[:300]
    with pytest.raises(ArgumentError):
        await rig.transport.append(piece_of(tmp_path, 0, 300), rig.folder / "a\0b")


# ---- close


async def test_closing_twice_is_fine_and_using_a_closed_transport_is_an_error(rig: Rig) -> None:
    """A transport that was closed does not come back by itself."""
    await rig.transport.run(say.echo())
    await rig.transport.close()
    await rig.transport.close()

    with pytest.raises(TransportError) as caught:
        await rig.transport.run(say.echo())
    assert caught.value.lineage == ("connection.closed", "connection")


def uid() -> Command:
    return Command(operation="contract.uid", description="tell the user", script="id -u")
