"""A delta and its base make the whole bundle, and nothing else does."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk8s.bundle.bases import FileBase, FolderBase, open_base
from mk8s.bundle.delta import as_data, as_text, compare, delta_head, write_delta
from mk8s.bundle.head import Head
from mk8s.bundle.index import BundleError
from mk8s.bundle.reading import Reader
from mk8s.bundle.unpacking import unpack, verify_base
from tests.mk8s.bundle.making import BIG, FILES, bundle, contents, head_of, read, tree, written

NEW = {
    **{path: content for path, content in FILES.items() if path != "mk8s/lib/other.py"},
    "artifacts/rke2.linux-amd64.tar.gz": b"rke2 of another day",
    "artifacts/extra.tar": BIG[::-1],
    "mk8s/lib/copy.py": FILES["mk8s/mk8s"],
}
SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\n"


@pytest.fixture
def delta(tmp_path: Path) -> Path:
    """What leads from FILES to NEW, signed as NEW is."""
    path = tmp_path / "delta.mk8s.tar"
    new = read(bundle(NEW, head=head_of(NEW, signature=SIGNATURE)))
    write_delta(path, delta_head(head_of(), new.head), new)
    return path


def reader(path: Path) -> Reader:
    return Reader(io.BytesIO(path.read_bytes()), path.name, size=path.stat().st_size)


def expected(head: Head) -> dict[str, bytes]:
    return {**contents(NEW), "bundle.json": head.content, "bundle.json.sig": SIGNATURE}


def test_a_delta_carries_only_what_is_new(delta: Path) -> None:
    """A file that only has another name is no news; README and the manifest always come."""
    carried = [entry.path for entry in reader(delta).verify().carried]
    assert carried == [
        "README.txt",
        "SHA256SUMS",
        "cluster.yaml",
        "artifacts/extra.tar",
        "artifacts/rke2.linux-amd64.tar.gz",
    ]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_delta_and_its_base_make_the_whole(kind: str, delta: Path, tmp_path: Path) -> None:
    """The same folder, with the same index and signature, as from the whole bundle."""
    base = written(tmp_path / "old.mk8s.tar")
    if kind == "folder":
        base = tmp_path / "old"
        unpack(read(bundle()), base)
    unpack(reader(delta), tmp_path / "new", base=open_base(base))
    assert tree(tmp_path / "new") == expected(head_of(NEW))


def test_a_folder_is_brought_up_to_date_in_place(delta: Path, tmp_path: Path) -> None:
    """With --replace, the folder itself being the base; what has not changed is not touched."""
    folder = tmp_path / "folder"
    unpack(read(bundle()), folder)
    inode = (folder / "artifacts/images.tar.zst").stat().st_ino
    unpack(reader(delta), folder, base=FolderBase(folder), replace=True)
    assert tree(folder) == {**expected(head_of(NEW)), "mk8s/lib/other.py": b""}
    assert (folder / "artifacts/images.tar.zst").stat().st_ino == inode


def test_without_its_base_a_delta_is_refused(delta: Path, tmp_path: Path) -> None:
    """And says what it needs."""
    with pytest.raises(BundleError, match=head_of().digest[:12]):
        unpack(reader(delta), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_another_base_is_refused(delta: Path, tmp_path: Path) -> None:
    """Known by the hash of its index, before anything is written."""
    other = written(tmp_path / "other", bundle({"artifacts/a": b"a", "cluster.yaml": b""}))
    with pytest.raises(BundleError, match="is not what"):
        unpack(reader(delta), tmp_path / "new", base=FileBase(other))
    assert not (tmp_path / "new").exists()


def test_a_delta_is_no_base(delta: Path) -> None:
    """Deltas do not pile up: each leads from one whole bundle to another."""
    with pytest.raises(BundleError, match="is a delta itself"):
        FileBase(delta)


@pytest.mark.parametrize("fault", ["changed", "missing", "short"])
def test_a_base_that_was_changed_is_refused_and_nothing_is_written(
    fault: str, delta: Path, tmp_path: Path
) -> None:
    """The index of the folder is right, and a file in it is not."""
    folder = tmp_path / "old"
    unpack(read(bundle()), folder)
    images = folder / "artifacts/images.tar.zst"
    if fault == "missing":
        images.unlink()
    else:
        images.write_bytes(BIG[::-1] if fault == "changed" else BIG[:-1])
    with pytest.raises(BundleError, match="images"):
        unpack(reader(delta), tmp_path / "new", base=FolderBase(folder))
    assert not (tmp_path / "new").exists()
    with pytest.raises(BundleError, match="images"):
        verify_base(reader(delta).head, FolderBase(folder), delta.name)


def test_the_base_is_verified_without_writing(delta: Path, tmp_path: Path) -> None:
    """A base that is right passes."""
    verify_base(reader(delta).head, FileBase(written(tmp_path / "old")), delta.name)


def test_differences_are_told_as_a_table_and_as_data() -> None:
    """Added, removed and changed, by path, with sizes."""
    old, new = head_of(), head_of(NEW)
    found = compare(old, new)
    assert [(one.what, one.path) for one in found] == [
        ("changed", "SHA256SUMS"),
        ("added", "artifacts/extra.tar"),
        ("changed", "artifacts/rke2.linux-amd64.tar.gz"),
        ("added", "mk8s/lib/copy.py"),
        ("removed", "mk8s/lib/other.py"),
    ]
    assert "~ artifacts/rke2.linux-amd64.tar.gz  4 B -> 19 B" in as_text(old, new, found)
    data = as_data(old, new, found)
    assert data["members"][4]["after"] is None
    assert (data["old"]["sha256"], data["new"]["sha256"]) == (old.digest, new.digest)


def test_the_same_bundle_differs_in_nothing() -> None:
    assert compare(head_of(), head_of()) == []
    assert "no member differs" in as_text(head_of(), head_of(), [])


NAMES = st.sampled_from(["artifacts/a", "artifacts/b", "artifacts/c/d", "mk8s/mk8s", "cluster.yaml"])
RELEASES = st.dictionaries(NAMES, st.binary(max_size=3) | st.just(BIG[:1500]), max_size=5)


@given(RELEASES, RELEASES)
@settings(max_examples=25, deadline=None)
def test_any_two_bundles_have_a_delta(old: dict[str, bytes], new: dict[str, bytes]) -> None:
    """Whatever they hold: the same content under other names, nothing in common, or everything."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        base = written(folder / "old", bundle(old))
        newer = read(bundle(new))
        write_delta(folder / "delta", delta_head(head_of(old), newer.head), newer)
        unpack(reader(folder / "delta"), folder / "there", base=FileBase(base))
        assert tree(folder / "there") == {**contents(new), "bundle.json": head_of(new).content}
