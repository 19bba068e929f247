"""A limit on bytes per second: pure, with a clock of its own; then over real roads."""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath

import anyio
import pytest

from tests.transports.sshd import Server
from transports.base import File, Piece, Transport, digest_of_file
from transports.local import LocalTransport
from transports.pace import BURST, Pace
from transports.ssh import SSHTransport

RATE = 1_000_000.0


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def send(pace: Pace, clock: Clock, seconds: float, size: int) -> list[tuple[float, int]]:
    """Keep sending for so many seconds: when how many bytes went."""
    began, went = clock.now, []
    while clock.now - began < seconds:
        clock.now += pace.delay(size)
        went.append((clock.now, size))
    return went


def most_within(went: list[tuple[float, int]], window: float) -> int:
    return max(sum(size for at, size in went if start <= at < start + window) for start, _ in went)


@pytest.mark.parametrize("size", [1_000, 30_000, 250_000])
def test_no_more_than_the_rate_goes_on_the_whole(size: int) -> None:
    """Beyond one burst at the beginning."""
    clock = Clock()
    went = send(Pace(RATE, clock), clock, 60, size)

    assert abs(sum(size for _, size in went) - 60 * RATE) <= RATE


def test_no_second_is_much_fuller_than_the_rate() -> None:
    """Smooth: also after a silence, which saves up no more than half a second's worth."""
    clock = Clock()
    pace = Pace(RATE, clock)
    went = send(pace, clock, 10, pace.share)
    clock.now += 3600
    went += send(pace, clock, 10, pace.share)

    assert most_within(went, 1.0) <= RATE * (1 + BURST) + 2 * pace.share


def test_all_who_hold_it_share_it() -> None:
    """Two who ask in turn get half each."""
    clock = Clock()
    pace = Pace(RATE, clock)
    waits = [pace.delay(100_000) for _ in range(40)]

    assert max(waits) == pytest.approx(39 * 0.1)
    assert waits == sorted(waits)


def test_a_pace_that_lets_nothing_through_is_refused() -> None:
    """It would be a run that never ends."""
    with pytest.raises(ValueError, match="lets nothing through"):
        Pace(0)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.parametrize("kind", ["ssh", "local"])
@pytest.mark.parametrize("how", ["put", "append"])
async def test_a_road_keeps_its_pace(
    kind: str, how: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Real time: a megabyte and a half at a megabyte a second takes more than half a second, and no day."""
    pace = Pace(RATE)
    road: Transport
    if kind == "ssh":
        server: Server = request.getfixturevalue("server")
        road = SSHTransport("n", server.options(), pace=pace)
    else:
        road = LocalTransport("n", pace=pace)
    source = tmp_path / "source"
    source.write_bytes(bytes(1_500_000))
    digest = digest_of_file(source)
    await anyio.sleep(0)
    began = time.monotonic()
    if how == "put":
        await road.put(File(source, 1_500_000, digest), PurePosixPath(tmp_path / "file"))
    else:
        await road.append(Piece(source, 0, 1_500_000, digest), PurePosixPath(tmp_path / "file"))
    took = time.monotonic() - began
    await road.close()

    assert 1.5 - BURST - 0.3 <= took < 20


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_slow_pace_does_not_hold_up_a_cancel(server: Server, tmp_path: Path) -> None:
    """A wait of minutes ends at once."""
    road = SSHTransport("n", server.options(), pace=Pace(1000))
    source = tmp_path / "source"
    source.write_bytes(bytes(1_500_000))
    with anyio.fail_after(60):
        with anyio.move_on_after(1):
            await road.append(
                Piece(source, 0, 1_500_000, digest_of_file(source)), PurePosixPath(tmp_path / "file")
            )
        await road.close()
