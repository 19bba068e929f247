"""mk8s.report.files: answers are whole or not there, and no option costs a run what it needs."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from machines.files import JOURNAL
from machines.framing import frame
from mk8s.cli import main
from mk8s.errors import UsageError
from mk8s.fanout.places import FilePlaces
from mk8s.report.files import refuse_needed, write_new, write_page, write_whole
from mk8s.state import StateFolder
from mk8s.state_names import keeper_of
from tests.mk8s.cli.recorded import as_real, keep, manifest_in, run_of

STATE = StateFolder(Path("prod"))
KEPT = [
    STATE.journal / JOURNAL, STATE.journal / "lock", STATE.secrets, STATE.kept, STATE.pki / "ca" / "key.pem",
    STATE.transcript, STATE.kubeconfig, STATE.known_hosts, STATE.accepted_manifest,
    STATE.rendered("srv-1") / "etc" / "x.yaml", STATE.folder / "fan-out.json",
]  # fmt: skip

ROOT = Path(__file__).parents[3]
KILLED = """
import os, signal, sys
from pathlib import Path
from mk8s.report.files import write_new
write_new(Path(sys.argv[1]), b"new", "--to", write=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""
"""A process that comes to its first byte."""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """With the journal of a run in its state folder, `six`, and of one in a folder `prod`."""
    path = manifest_in(tmp_path)
    journal = keep(path, as_real(run_of(path).records[:1]))
    named = tmp_path / "prod" / "journal" / JOURNAL
    named.parent.mkdir(parents=True)
    named.write_bytes(journal.read_bytes())
    return path


def broken(_descriptor: int, _content: memoryview) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def a_byte_at_a_time(descriptor: int, content: memoryview) -> int:
    return os.write(descriptor, content[:1])


@pytest.mark.parametrize("kept", KEPT, ids=str)
@pytest.mark.parametrize("folder", ["prod", ".mk8s/six"])
def test_nothing_that_a_run_keeps_is_written_over(folder: str, kept: Path, manifest: Path) -> None:
    """Nor in its place, where it is not there yet: a run would take it for its own."""
    path = manifest.parent / folder / kept.relative_to("prod")
    there = path.read_bytes() if path.exists() else None
    writers: list[Callable[[], None]] = [
        lambda: write_whole(path, b"x", manifest=manifest, option="--save"),
        lambda: write_new(path, b"x", "--to"),
        lambda: write_page(path, "x", "--report"),
        lambda: refuse_needed(path, manifest=manifest, option="--copy-to"),
    ]
    for write in writers:
        with pytest.raises(UsageError):
            write()
    assert (path.read_bytes() if path.exists() else None) == there


def test_the_refusal_says_what_where_why_and_what_to_do(manifest: Path) -> None:
    """By the option that named it."""
    path = manifest.parent / "prod" / "kubeconfig"
    with pytest.raises(UsageError) as refused:
        write_whole(path, b"x", manifest=manifest, option="--save")
    assert str(refused.value) == (
        f"{path} is where runs keep what they need of a cluster\n"
        f"  because {manifest.parent / 'prod'} is a state folder\n"
        "hint: name another file with --save"
    )


def test_a_link_into_a_state_folder_leads_there(manifest: Path) -> None:
    """A folder of another name is still that folder."""
    (manifest.parent / "elsewhere").symlink_to(manifest.parent / ".mk8s" / "six")
    assert keeper_of(manifest.parent / "elsewhere" / "kubeconfig") == manifest.parent / ".mk8s" / "six"


@pytest.mark.parametrize("name", ["page.html", ".mk8s/six/page.html", "kubeconfig", "manifest.yaml", "pki"])
def test_other_names_and_other_folders_are_free(name: str, manifest: Path) -> None:
    """Whoever likes to keep a page beside its run may."""
    write_whole(manifest.parent / name, b"x", manifest=manifest)
    assert (manifest.parent / name).read_bytes() == b"x"


def test_every_file_of_a_state_folder_is_held(manifest: Path) -> None:
    """Those that are written by others than `StateFolder` as well."""
    state = StateFolder.open(manifest, "six")
    FilePlaces(state).add("srv-1", "ops")
    assert all(keeper_of(path) for path in state.folder.rglob("*"))


def test_what_cannot_be_written_leaves_the_old_answer(manifest: Path) -> None:
    """And nothing beside it."""
    path = manifest.parent / "answers" / "plan.txt"
    path.parent.mkdir()
    write_whole(path, b"old", manifest=manifest)
    with pytest.raises(UsageError, match=r"plan\.txt cannot be written: No space left on device"):
        write_whole(path, b"new", manifest=manifest, write=broken)
    assert path.read_bytes() == b"old"
    assert [each.name for each in path.parent.iterdir()] == ["plan.txt"]


def test_a_new_file_that_cannot_be_written_is_not_there(tmp_path: Path) -> None:
    """So the same command may be given again."""
    with pytest.raises(UsageError, match="No space left on device"):
        write_new(tmp_path / "c.yaml", b"new", "--to", write=broken)
    assert list(tmp_path.iterdir()) == []
    write_new(tmp_path / "c.yaml", b"new", "--to", write=a_byte_at_a_time)
    assert (tmp_path / "c.yaml").read_bytes() == b"new"
    with pytest.raises(UsageError, match="is there already"):
        write_new(tmp_path / "c.yaml", b"newer", "--to")
    assert (tmp_path / "c.yaml").read_bytes() == b"new"


def test_a_new_file_is_whole_or_not_there_whenever_it_is_killed(tmp_path: Path) -> None:
    """Before: it was there, and empty, while it was written. An empty manifest is taken for a wrong one."""
    path = tmp_path / "c.yaml"
    died = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, check=False)
    assert died.returncode == -signal.SIGKILL
    assert not path.exists()
    write_new(path, b"new", "--to")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get)
def test_where_a_file_has_one_name_only_a_new_one_is_still_nobodys_else(code: int, tmp_path: Path) -> None:
    """On a memory stick: whoever comes second is refused, and nothing is left beside it."""
    path = tmp_path / "c.yaml"

    def link(_source: Path, _name: Path) -> None:
        raise OSError(code, os.strerror(code))

    write_new(path, b"new", "--to", link=link)
    with pytest.raises(UsageError, match="is there already"):
        write_new(path, b"newer", "--to", link=link)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("letter", ["n", "ä", "\N{HELM SYMBOL}", "\N{OCTOPUS}"])
def test_every_name_that_a_folder_can_have_is_written(letter: str, tmp_path: Path) -> None:
    """255 bytes, of however many letters."""
    path = tmp_path / (letter * (255 // len(letter.encode())))
    write_new(path, b"new", "--to")
    assert path.read_bytes() == b"new"


def test_another_refusal_of_the_name_is_told(tmp_path: Path) -> None:
    """As that of a full folder."""

    def link(_source: Path, _name: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UsageError, match=r"c\.yaml cannot be written: No space left on device"):
        write_new(tmp_path / "c.yaml", b"new", "--to", link=link)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_cannot_be_read_is_held_as_a_real_run_is(manifest: Path) -> None:
    """Nobody knows what it is; a simulation's, and one that a simulation went on with, is overwritten."""
    run = run_of(manifest).records[:1]
    path = manifest.with_name("some.jsonl")
    path.write_bytes(b"".join(map(frame, run)).replace(b"six", b"sex"))
    with pytest.raises(UsageError, match="a journal that this mk8s cannot read, perhaps of a real run"):
        refuse_needed(path, manifest=manifest, option="--save")
    on_it = replace(run[0], seq=2, kind="resumed")
    for simulated in (run, [*as_real(run), on_it]):
        path.write_bytes(b"".join(map(frame, simulated)))
        refuse_needed(path, manifest=manifest, option="--save")
    path.write_bytes(b"".join(map(frame, [*run, *as_real([on_it])])))
    with pytest.raises(UsageError, match="is the journal of a real run"):
        refuse_needed(path, manifest=manifest, option="--save")


def test_a_link_is_replaced_and_not_followed(manifest: Path) -> None:
    """What it pointed to is left as it is."""
    target = manifest.with_name("target")
    target.write_bytes(b"mine")
    link = manifest.with_name("link")
    link.symlink_to(target)
    write_whole(link, b"x", manifest=manifest)
    assert (target.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"mine", b"x", False)


def test_a_copy_of_the_kubeconfig_takes_no_place_of_what_is_needed(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even with --force, which is for an older copy."""
    state = StateFolder.open(manifest, "six")
    state.write_private(state.kubeconfig, b"secret")
    before = manifest.read_bytes()
    for path in (manifest, state.journal / JOURNAL, state.secrets):
        assert main(["kubeconfig", str(manifest), "--copy-to", str(path), "--force"]) == 2
        assert "hint: name another file with --copy-to" in capsys.readouterr().err
    assert manifest.read_bytes() == before
    assert main(["kubeconfig", str(manifest), "--copy-to", "n" * 300]) == 2
    assert "cannot be written: File name too long" in capsys.readouterr().err
    copy = manifest.with_name("copy")
    for _ in range(2):
        assert main(["kubeconfig", str(manifest), "--copy-to", str(copy), "--force"]) == 0
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (b"secret", 0o600)
