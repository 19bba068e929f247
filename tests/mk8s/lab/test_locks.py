"""One command at a time works on a lab."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from mk8s.lab.locks import locked

PATIENCE = 60  # seconds: only who hangs takes so long


def test_the_second_waits_and_says_so(tmp_path: Path) -> None:
    """It hears that it waits, and goes on when the first is done."""
    waits = Event()

    def second() -> str:
        with locked(tmp_path / "lab", waits.set):
            return "in"

    with ThreadPoolExecutor(1) as pool:
        with locked(tmp_path / "lab"):
            other = pool.submit(second)
            assert waits.wait(PATIENCE)
            assert not other.done()
        assert other.result(PATIENCE) == "in"


def test_who_waited_for_a_folder_that_was_removed_gets_a_new_one(tmp_path: Path) -> None:
    """`down` removes the folder that it holds; an `up` that waits must not work in the removed one."""
    folder = tmp_path / "lab"
    waits = Event()

    def second() -> bool:
        with locked(folder, waits.set):
            return folder.is_dir()

    with ThreadPoolExecutor(1) as pool:
        with locked(folder):
            other = pool.submit(second)
            assert waits.wait(PATIENCE)
            folder.rmdir()
        assert other.result(PATIENCE)


def test_a_lock_that_is_free_is_taken_in_silence(tmp_path: Path) -> None:
    said: list[str] = []
    with locked(tmp_path, lambda: said.append("waiting")):
        pass
    assert said == []
