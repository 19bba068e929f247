"""Turns on one connection, with a server that is a number: it gives so many sessions and refuses the rest."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from transports.rooms import PAUSES, Room

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; they take no time here."""
    made: list[float] = []

    async def pause(seconds: float) -> None:
        made.append(seconds)
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr("transports.rooms.anyio.sleep", pause)
    return made


class Server:
    """Gives `most` sessions at once, and forgets an ended one only `late` refusals after its end."""

    def __init__(self, most: int, *, late: int = 0) -> None:
        self._free = most
        self._late = late
        self._ended: list[int] = []

    async def session(self, room: Room) -> bool:
        """One command with all its tries: whether it ran."""
        turn = room.turn()
        while True:
            async with turn:
                if self._opens():
                    await anyio.wait_all_tasks_blocked()
                    self._ended.append(self._late)
                    return True
                if not await turn.refused():
                    return False

    def _opens(self) -> bool:
        self._free += self._ended.count(0)
        self._ended = [refusals - 1 for refusals in self._ended if refusals]
        if not self._free:
            return False
        self._free -= 1
        return True


async def run(server: Server, room: Room, commands: int) -> list[bool]:
    """All at once."""
    ran: list[bool] = []

    async def one() -> None:
        ran.append(await server.session(room))

    async with anyio.create_task_group() as tasks:
        for _ in range(commands):
            tasks.start_soon(one)
    return ran


@pytest.mark.parametrize("most", [1, 2, 5])
async def test_commands_wait_for_each_other_where_the_server_gives_fewer(
    most: int, pauses: list[float]
) -> None:
    room = Room(8)
    assert await run(Server(most), room, 12) == [True] * 12
    assert room.most == most


async def test_where_all_get_a_session_nothing_changes(pauses: list[float]) -> None:
    room = Room(8)
    assert await run(Server(10), room, 30) == [True] * 30
    assert room.most == 8
    assert not pauses


async def test_a_session_that_has_just_ended_and_still_counts_is_waited_for(pauses: list[float]) -> None:
    """sshd reads the end of one session and the request for the next in one go, and refuses."""
    room, server = Room(8), Server(1, late=3)
    assert [await server.session(room) for _ in range(3)] == [True] * 3
    assert pauses == [*PAUSES[:3]] * 2
    assert room.most == 8


async def test_two_refused_at_once_both_get_their_turn(pauses: list[float]) -> None:
    """The second refusal finds its command alone, for the first has just made room."""
    room, server = Room(2), Server(2, late=2)
    assert await run(server, room, 2) == [True] * 2
    assert await run(server, room, 2) == [True] * 2
    assert pauses


async def test_a_server_that_gives_none_is_given_up(pauses: list[float]) -> None:
    assert await run(Server(0), Room(8), 3) == [False] * 3
    assert sum(PAUSES) < 3


async def test_a_command_that_is_cancelled_in_its_pause_leaves_its_place() -> None:
    room = Room(1)
    with anyio.CancelScope() as scope:
        async with (turn := room.turn()):
            scope.cancel()
            await turn.refused()
    assert scope.cancelled_caught
    with anyio.fail_after(60):
        async with room.turn():
            pass
