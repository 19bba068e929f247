"""The state folder: its owner's alone, whole files, whole lines, and clear words when the disk refuses."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mk8s.errors import Mk8sError
from mk8s.state import StateFolder, TranscriptWriter, write_private


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    folder = tmp_path / "clusters"
    folder.mkdir()
    return folder / "my.yaml"


@pytest.fixture(params=[0o000, 0o022, 0o277])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def refused(manifest: Path, override: Path | None = None) -> str:
    with pytest.raises(Mk8sError) as caught:
        StateFolder.open(manifest, "my", override)
    return str(caught.value)


def failing(code: int, after: int = 0) -> Callable[[int, memoryview], int]:
    """A disk that takes `after` bytes of each write and then refuses."""
    taken: list[int] = []

    def write(descriptor: int, data: memoryview) -> int:
        if after and not taken:
            taken.append(after)
            return os.write(descriptor, data[:after])
        raise OSError(code, os.strerror(code))

    return write


class TestOpen:
    """Where the folder is, and when it is trusted."""

    def test_it_is_beside_the_manifest_private_and_kept_out_of_git(self, manifest: Path, umask: int) -> None:
        """Whatever the umask says."""
        state = StateFolder.open(manifest, "my")

        holder = manifest.parent / ".mk8s"
        assert state.folder == holder / "my"
        assert (mode(holder), mode(state.folder)) == (0o700, 0o700)
        assert (holder / ".gitignore").read_bytes() == b"*\n"
        assert mode(holder / ".gitignore") == 0o600

    def test_looking_makes_nothing(self, manifest: Path, tmp_path: Path) -> None:
        """Whoever only reads may do so in a folder where nothing can be written."""
        assert StateFolder.look(manifest, "my").folder == manifest.parent / ".mk8s" / "my"
        assert StateFolder.look(manifest, "my", tmp_path / "typo").folder == tmp_path / "typo"
        assert [path.name for path in tmp_path.rglob("*")] == ["clusters"]

    def test_looking_trusts_no_more_than_opening_does(self, manifest: Path) -> None:
        """What others can change is not believed."""
        folder = StateFolder.open(manifest, "my").folder
        folder.chmod(0o777)
        with pytest.raises(Mk8sError, match="can be changed by others"):
            StateFolder.look(manifest, "my")

    def test_opening_again_changes_nothing(self, manifest: Path) -> None:
        """A second run finds what the first one kept."""
        first = StateFolder.open(manifest, "my")
        first.write_private(first.kubeconfig, b"x")
        (first.folder.parent / ".gitignore").write_text("mine\n")

        again = StateFolder.open(manifest, "my")

        assert again.kubeconfig.read_bytes() == b"x"
        assert (first.folder.parent / ".gitignore").read_text() == "mine\n"

    def test_two_clusters_have_two_folders(self, manifest: Path) -> None:
        """Manifests may lie side by side."""
        assert StateFolder.open(manifest, "a").folder != StateFolder.open(manifest, "b").folder

    def test_a_folder_that_is_named_is_taken_as_it_is(self, manifest: Path, tmp_path: Path) -> None:
        """Made with all above it; nothing appears beside the manifest."""
        named = tmp_path / "x" / "y"

        assert StateFolder.open(manifest, "my", named).folder == named
        assert mode(named) == 0o700
        assert not (manifest.parent / ".mk8s").exists()

    def test_the_mode_of_a_named_folder_that_is_there_stays(self, manifest: Path, tmp_path: Path) -> None:
        """It may be anybody's home."""
        tmp_path.chmod(0o755)

        StateFolder.open(manifest, "my", tmp_path)

        assert mode(tmp_path) == 0o755

    def test_a_readable_folder_of_ours_is_closed(self, manifest: Path) -> None:
        """Reading others did no harm; now they cannot."""
        folder = StateFolder.open(manifest, "my").folder
        folder.chmod(0o755)

        StateFolder.open(manifest, "my")

        assert mode(folder) == 0o700

    @pytest.mark.parametrize("part", [".mk8s", ".mk8s/my"])
    def test_a_link_in_its_place_is_refused(self, manifest: Path, tmp_path: Path, part: str) -> None:
        """It could lead the secrets to anybody."""
        (tmp_path / "elsewhere").mkdir()
        link = manifest.parent / part
        link.parent.mkdir(mode=0o700, exist_ok=True)
        link.symlink_to(tmp_path / "elsewhere")

        assert refused(manifest) == (
            f"the state folder {link} is a link\n  because it holds the cluster's secrets\n"
            "hint: remove the link, or name the folder itself with --state"
        )
        assert not list((tmp_path / "elsewhere").iterdir())

    @pytest.mark.parametrize("bits", [0o720, 0o702, 0o777])
    def test_a_folder_that_others_can_change_is_refused(self, manifest: Path, bits: int) -> None:
        """What lies in it may not be ours."""
        folder = StateFolder.open(manifest, "my").folder
        folder.chmod(bits)

        text = refused(manifest)

        assert f"can be changed by others (mode {bits:04o})" in text
        assert f"hint: if you trust what is in it: chmod 700 {folder}" in text

    def test_a_named_folder_that_others_can_change_is_refused(self, manifest: Path, tmp_path: Path) -> None:
        """The same law for --state."""
        tmp_path.chmod(0o1777)

        assert "can be changed by others" in refused(manifest, tmp_path)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_a_folder_of_another_user_is_refused(self, manifest: Path) -> None:
        """Both users are named."""
        folder = StateFolder.open(manifest, "my").folder
        os.chown(folder, 12345, 12345)

        assert f"belongs to user 12345, and mk8s runs as {os.geteuid()}" in refused(manifest)

    def test_a_file_in_its_place_is_refused(self, manifest: Path) -> None:
        """Not removed."""
        (manifest.parent / ".mk8s").write_text("mine")

        assert ".mk8s is not a folder" in refused(manifest)
        assert (manifest.parent / ".mk8s").read_text() == "mine"

    def test_a_place_that_cannot_be_made_is_told_with_a_remedy(self, manifest: Path, tmp_path: Path) -> None:
        """Such as a path through a file."""
        (tmp_path / "file").write_text("")

        text = refused(manifest, tmp_path / "file" / "x")

        assert text.startswith(f"{tmp_path}/file/x cannot be made: ")
        assert "hint: " in text


class TestPaths:
    """What is where."""

    def test_every_path_is_in_the_folder_and_none_is_another(self, manifest: Path) -> None:
        """The list of what a state folder holds."""
        state = StateFolder.open(manifest, "my")
        paths = [
            state.journal,
            state.secrets,
            state.transcript,
            state.kubeconfig,
            state.known_hosts,
            state.accepted_manifest,
            state.rendered("cp-1"),
        ]

        assert [str(path.relative_to(state.folder)) for path in paths] == [
            "journal",
            "secrets.json",
            "transcript.jsonl",
            "kubeconfig",
            "known_hosts",
            "manifest.yaml",
            "rendered/cp-1",
        ]
        assert list(state.folder.iterdir()) == []

    def test_folders_between_are_made_private(self, manifest: Path, umask: int) -> None:
        """Rendered files may hold a token."""
        state = StateFolder.open(manifest, "my")
        path = state.rendered("cp-1") / "config.yaml"

        state.write_private(path, b"token: x\n")

        assert [mode(part) for part in (path.parent.parent, path.parent, path)] == [0o700, 0o700, 0o600]

    @pytest.mark.parametrize("where", ["../x", "rendered/../../x"])
    def test_nothing_is_written_elsewhere(self, manifest: Path, where: str) -> None:
        """A path that leaves the folder is a mistake of ours."""
        state = StateFolder.open(manifest, "my")

        with pytest.raises(ValueError, match="leaves"):
            state.write_private(state.folder / where, b"")
        with pytest.raises(ValueError, match="not in the subpath"):
            state.write_private(manifest, b"")


class TestWritePrivate:
    """Whole or not at all."""

    def test_a_file_is_its_owners_alone_whatever_the_umask(self, tmp_path: Path, umask: int) -> None:
        """0600, never more and never less."""
        write_private(tmp_path / "f", b"content")

        assert ((tmp_path / "f").read_bytes(), mode(tmp_path / "f")) == (b"content", 0o600)

    def test_an_open_file_is_replaced_and_becomes_private(self, tmp_path: Path) -> None:
        """Not written over: whoever had it open keeps the old content."""
        path = tmp_path / "f"
        path.write_bytes(b"old")
        path.chmod(0o644)
        with path.open("rb") as before:
            write_private(path, b"new")

            assert before.read() == b"old"
        assert (path.read_bytes(), mode(path)) == (b"new", 0o600)

    def test_a_link_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        """What it pointed to stays as it was."""
        (tmp_path / "target").write_bytes(b"old")
        (tmp_path / "f").symlink_to("target")

        write_private(tmp_path / "f", b"new")

        assert (tmp_path / "target").read_bytes() == b"old"
        assert not (tmp_path / "f").is_symlink()

    def test_short_writes_are_continued(self, tmp_path: Path) -> None:
        """A disk may take a little at a time."""
        write_private(tmp_path / "f", b"content", write=lambda fd, data: os.write(fd, data[:2]))

        assert (tmp_path / "f").read_bytes() == b"content"

    @pytest.mark.parametrize(
        ("code", "hint"),
        [(errno.ENOSPC, "free some space"), (errno.EDQUOT, "your quota"), (errno.EROFS, "read-only")],
    )
    def test_a_refusing_disk_leaves_the_old_content_and_says_what_to_do(
        self, tmp_path: Path, code: int, hint: str
    ) -> None:
        """Refused in the middle of a write; no leftover either."""
        path = tmp_path / "f"
        path.write_bytes(b"old")

        with pytest.raises(Mk8sError) as caught:
            write_private(path, b"new content", write=failing(code, after=3))

        assert str(caught.value).startswith(f"{path} cannot be written: {os.strerror(code)}\nhint: ")
        assert hint in caught.value.remedy
        assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"f": b"old"}

    def test_a_missing_folder_is_told(self, tmp_path: Path) -> None:
        """Not made: the caller named a wrong place."""
        with pytest.raises(Mk8sError, match="cannot be written: No such file or directory"):
            write_private(tmp_path / "x" / "f", b"")


class TestTranscript:
    """One line an entry, no secret, nothing torn."""

    def test_each_entry_is_one_line_of_json_appended(self, tmp_path: Path) -> None:
        """By one writer after another."""
        for number in (1, 2):
            with TranscriptWriter(tmp_path / "t", str) as write:
                write(
                    {"node": "a", "status": number, "out": "x\ny", "ok": True, "none": None, "args": ("ü",)}
                )

        assert [json.loads(line) for line in (tmp_path / "t").read_text().splitlines()] == [
            {"node": "a", "status": number, "out": "x\ny", "ok": True, "none": None, "args": ["ü"]}
            for number in (1, 2)
        ]

    def test_the_file_is_private_whatever_the_umask(self, tmp_path: Path, umask: int) -> None:
        """Also one that was there."""
        (tmp_path / "t").write_text("")
        (tmp_path / "t").chmod(0o644)

        with TranscriptWriter(tmp_path / "t", str) as write:
            write({})

        assert mode(tmp_path / "t") == 0o600

    def test_every_text_is_redacted_wherever_it_stands(self, tmp_path: Path) -> None:
        """Keys, lists, mappings, bytes, other objects."""
        with TranscriptWriter(tmp_path / "t", lambda text: text.replace('a"b', "***")) as write:
            write({'a"b': ['a"b', {"x": b'-a"b-'}, Path('/a"b')]})

        assert json.loads((tmp_path / "t").read_text()) == {"***": ["***", {"x": "-***-"}, "/***"]}

    def test_after_a_torn_line_the_next_entry_begins_its_own(self, tmp_path: Path) -> None:
        """One entry is lost by a crash, not two."""
        (tmp_path / "t").write_text('{"n": 1}\n{"n":')

        with TranscriptWriter(tmp_path / "t", str) as write:
            write({"n": 3})

        assert (tmp_path / "t").read_text() == '{"n": 1}\n{"n":\n{"n": 3}\n'

    def test_nothing_is_written_before_the_first_entry(self, tmp_path: Path) -> None:
        """A run that does nothing leaves nothing."""
        with TranscriptWriter(tmp_path / "t", str):
            pass

        assert list(tmp_path.iterdir()) == []

    def test_output_that_is_no_text_is_kept_readable(self, tmp_path: Path) -> None:
        """Bytes that are not UTF-8 and lone surrogates are escaped."""
        with TranscriptWriter(tmp_path / "t", str) as write:
            write({"out": b"\xff", "name": "\udcff"})

        assert json.loads((tmp_path / "t").read_text().replace("\\udcff", "?"))["out"] == "\\xff"

    def test_a_full_disk_is_a_problem_with_a_remedy(self, tmp_path: Path) -> None:
        """Not a traceback."""
        with (
            TranscriptWriter(tmp_path / "t", str, write=failing(errno.ENOSPC)) as write,
            pytest.raises(Mk8sError, match="No space left on device"),
        ):
            write({"n": 1})

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        """It could lead anywhere."""
        (tmp_path / "t").symlink_to("elsewhere")

        with pytest.raises(Mk8sError, match="cannot be written"):
            TranscriptWriter(tmp_path / "t", str)({})

    def test_closing_twice_is_fine_and_a_later_entry_opens_again(self, tmp_path: Path) -> None:
        """Whoever closes early loses nothing."""
        write = TranscriptWriter(tmp_path / "t", str)
        write({"n": 1})
        write.close()
        write.close()
        write({"n": 2})
        write.close()

        assert (tmp_path / "t").read_text() == '{"n": 1}\n{"n": 2}\n'

    def test_the_folder_gives_a_writer_to_its_transcript(self, manifest: Path) -> None:
        """The one that a run uses."""
        state = StateFolder.open(manifest, "my")

        with state.transcript_writer(str.upper) as write:
            write({"a": "b"})

        assert state.transcript.read_text() == '{"A": "B"}\n'
