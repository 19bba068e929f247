"""machines.journal and machines.files: what is kept, when it is safe, and what happens when it is not."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing

from machines.files import JOURNAL, Disk, FileJournal, read_journal
from machines.framing import JournalDamaged, parse
from machines.journal import GroupCommit, JournalError, MemoryJournal
from machines.lock import Holder, JournalLocked


def numbers(folder: Path) -> list[int]:
    return [record.seq for record in read_journal(folder)]


def test_what_one_run_appends_the_next_one_reads(tmp_path: Path) -> None:
    """Numbers go on where they ended."""
    first = FileJournal(tmp_path / "state")
    first.append(0.0, "done", node="n1")
    first.close()
    second = FileJournal(tmp_path / "state")
    assert second.append(1.0, "done", node="n2").seq == 2
    assert [record.node for record in second.records()] == ["n1", "n2"]
    second.close()


def test_the_folder_and_its_files_are_nobody_elses(tmp_path: Path) -> None:
    """0700 and 0600."""
    folder = tmp_path / "state"
    FileJournal(folder).close()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes == {"state": 0o700, JOURNAL: 0o600, "lock": 0o600}


def test_an_appended_record_is_in_the_file_at_once(tmp_path: Path) -> None:
    """It survives kill -9 from then on, and others can look on."""
    journal = FileJournal(tmp_path)
    journal.append(0.0, "done")
    assert numbers(tmp_path) == [1]
    journal.close()


def test_a_torn_last_record_is_cut_off_when_the_journal_is_opened(tmp_path: Path) -> None:
    """The next record then follows a whole one."""
    journal = FileJournal(tmp_path)
    journal.append(0.0, "done")
    journal.close()
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + whole[:-5])
    journal = FileJournal(tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == whole
    assert journal.append(1.0, "done").seq == 2
    journal.close()
    assert numbers(tmp_path) == [1, 2]


def test_a_damaged_journal_is_refused_and_its_lock_is_let_go(tmp_path: Path) -> None:
    """The person mends it and opens it again."""
    (tmp_path / JOURNAL).write_bytes(b"00000000 {}\nmore\n")
    for _ in range(2):
        with pytest.raises(JournalDamaged, match=f"{JOURNAL}: damaged at byte 0"):
            FileJournal(tmp_path)


def test_the_name_of_a_new_journal_is_made_durable_once(tmp_path: Path) -> None:
    """A synced file whose name is lost is lost, and so is one in a folder whose name is lost."""
    synced: list[Path] = []
    for _ in range(2):
        FileJournal(tmp_path / "run", disk=Disk(sync_folder=synced.append)).close()
    assert synced == [tmp_path / "run", tmp_path]


def test_a_folder_without_a_journal_reads_as_empty(tmp_path: Path) -> None:
    """Looking on makes nothing."""
    assert read_journal(tmp_path / "nothing") == []
    assert not (tmp_path / "nothing").exists()


def test_a_second_journal_in_the_same_folder_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    """Even within one process."""
    journal = FileJournal(tmp_path, holder=Holder(4711, "desk", "2026-01-02T03:04:05"))
    with pytest.raises(JournalLocked, match="process 4711 on desk, since 2026-01-02T03:04:05"):
        FileJournal(tmp_path)
    journal.close()
    FileJournal(tmp_path).close()


def test_another_process_that_holds_the_folder_is_named_and_its_death_frees_it(tmp_path: Path) -> None:
    """The kernel lets go of the lock with the process, also at kill -9."""
    code = (
        "import sys, pathlib; from machines.files import FileJournal;"
        "j = FileJournal(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(JournalLocked, match=f"process {other.pid} on "):
            FileJournal(tmp_path)
        other.kill()
        other.wait()
    FileJournal(tmp_path).close()


def test_everyone_who_waits_in_the_same_tick_shares_one_sync(tmp_path: Path) -> None:
    """Group commit: fifty intents cost one wait for the disk, and each comes back durable."""
    journal = FileJournal(tmp_path)

    async def main() -> None:
        async def intent() -> None:
            await journal.durable(journal.append(0.0, "intent").seq)

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(intent)

    trio.run(main)
    journal.close()
    assert journal.syncs == 1


def test_a_record_that_is_durable_already_costs_no_sync() -> None:
    """The next one after it does."""
    journal = MemoryJournal()

    async def main() -> None:
        first = journal.append(0.0, "intent").seq
        await journal.durable(first)
        await journal.durable(first)
        await journal.durable(journal.append(0.0, "intent").seq)

    trio.run(main)
    assert journal.syncs == 2


def test_a_cancelled_leader_does_not_leave_the_others_waiting() -> None:
    """The next who waits takes over the sync."""
    gate = trio.Event()

    async def sync() -> int:
        await gate.wait()
        return 1

    async def main() -> None:
        commits = GroupCommit(sync)
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as leader:
                nursery.start_soon(commits.wait, 1)
                nursery.start_soon(gate_later, leader)
                await commits.wait(1)
        assert commits.durable == 1

    async def gate_later(leader: trio.CancelScope) -> None:
        await trio.testing.wait_all_tasks_blocked()
        leader.cancel()
        gate.set()

    with_timeout(main)


def with_timeout(main: object) -> None:
    async def bounded() -> None:
        with trio.fail_after(60):
            await main()  # type: ignore[operator]

    trio.run(bounded)


def test_after_a_failed_sync_nothing_is_written_any_more(tmp_path: Path) -> None:
    """The kernel may have dropped the pages: every waiter is told, and the run has to stop."""

    def sync(_fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal = FileJournal(tmp_path, disk=Disk(sync=sync))
    refusals: list[str] = []

    async def main() -> None:
        async def intent() -> None:
            try:
                await journal.durable(journal.append(0.0, "intent").seq)
            except JournalError as error:
                refusals.append(str(error))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(intent)

    trio.run(main)
    assert len(refusals) == 3
    assert "Input/output error; the run stops here and can be resumed" in refusals[0]
    with pytest.raises(JournalError):
        journal.append(1.0, "done")
    journal.close()


def append_three(journal: FileJournal) -> None:
    for _ in range(3):
        journal.append(0.0, "done", node="n1")


@pytest.mark.parametrize("room", [0, 1, 30, 61])
def test_a_full_disk_stops_the_run_and_leaves_only_whole_records(tmp_path: Path, room: int) -> None:
    """What was written of the last record is taken back; with room again the run goes on."""
    left = room

    def write(fd: int, data: bytes) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(fd, data[:left])
        left -= written
        return written

    FileJournal(tmp_path).close()
    journal = FileJournal(tmp_path, disk=Disk(write=write))
    for _ in range(2):
        with pytest.raises(JournalError, match=r"No space left on device[^\n]*\nhint: make room"):
            append_three(journal)
    journal.close()
    data = (tmp_path / JOURNAL).read_bytes()
    assert parse(data).length == len(data)
    again = FileJournal(tmp_path)
    sound = len(again.records())
    assert again.append(1.0, "done").seq == sound + 1
    again.close()
    assert numbers(tmp_path) == list(range(1, sound + 2))


def test_a_disk_that_takes_a_line_in_pieces_gets_all_of_it(tmp_path: Path) -> None:
    """A short write is no error."""
    journal = FileJournal(tmp_path, disk=Disk(write=lambda fd, data: os.write(fd, data[:3])))
    journal.append(0.0, "done", message="long enough to need several writes")
    journal.close()
    assert numbers(tmp_path) == [1]


def test_memory_holds_the_bytes_that_a_file_would(tmp_path: Path) -> None:
    """What simulation compares is what a run would have written."""
    memory, file = MemoryJournal(), FileJournal(tmp_path)
    for journal in (memory, file):
        journal.append(0.25, "state", node="n1", source="a", to="b")
    file.close()
    assert memory.data == (tmp_path / JOURNAL).read_bytes()
    assert MemoryJournal(memory.data).records() == memory.records()


@pytest.mark.parametrize("where", ["journal.jsonl", "lock"])
def test_a_journal_that_cannot_be_opened_says_what_is_in_the_way(where: str, tmp_path: Path) -> None:
    """As one that cannot be written does; and the folder is free again."""
    (tmp_path / where).mkdir()
    with pytest.raises(
        JournalError, match=r"cannot be opened: Is a directory; nothing was begun\nhint: look"
    ):
        FileJournal(tmp_path)
    (tmp_path / where).rmdir()
    FileJournal(tmp_path).close()
