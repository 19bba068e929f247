"""The headers of a bundle's tar, exactly: one regular file, mode 0644 or 0755, no time, no owner.

A bundle uses so little of tar that a header follows from path, size and mode alone. So the reader does
not interpret foreign headers: it makes the one it expects and compares the bytes. Links, devices,
extended headers, sparse files and whatever else tar can say are refused because they are not that.

Plain USTAR, which every tar reads; a file of 8 GiB or more has its size in GNU's binary form.
"""

from __future__ import annotations

__all__ = ["BLOCK", "END", "describe", "header", "padding", "size_in", "split_path", "stored_size"]

BLOCK = 512
END = bytes(2 * BLOCK)
LARGEST_OCTAL = 8**11 - 1
NAME, PREFIX = 100, 155
MODES = {False: 0o644, True: 0o755}

KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder",
    b"6": "a pipe",
    b"7": "a contiguous file",
    b"x": "an extended header",
    b"g": "a global extended header",
    b"L": "a GNU long name",
    b"K": "a GNU long link",
    b"S": "a sparse file",
    b"M": "a continuation of another volume",
    b"V": "a volume label",
    b"D": "a folder's listing",
}


def header(path: str, size: int, *, executable: bool = False) -> bytes:
    """The 512 bytes before a member. Raises ValueError for a path that does not fit."""
    split = split_path(path)
    if split is None:
        raise ValueError(f"{path!a} does not fit a tar header")
    prefix, name = split
    block = b"".join(
        (
            name.encode("ascii").ljust(NAME, b"\0"),
            b"%07o\0" % MODES[executable],
            b"0000000\0" * 2,  # user and group
            _size(size),
            b"00000000000\0",  # time
            b" " * 8,  # where the sum of all bytes will stand
            b"0",  # a regular file
            bytes(100),  # link name
            b"ustar\x0000",
            bytes(64),  # names of user and group
            b"0000000\0" * 2,  # device
            prefix.encode("ascii").ljust(PREFIX, b"\0"),
            bytes(12),
        )
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def split_path(path: str) -> tuple[str, str] | None:
    """A path as prefix and name, the name as long as may be; None: it does not fit."""
    if len(path) <= NAME:
        return "", path
    at = path.find("/", len(path) - NAME - 1)
    return (path[:at], path[at + 1 :]) if 0 < at <= PREFIX else None


def padding(size: int) -> int:
    """Zero bytes behind a member of that size."""
    return -size % BLOCK


def stored_size(size: int) -> int:
    """Bytes that a member takes in the file, with its header."""
    return BLOCK + size + padding(size)


def size_in(block: bytes) -> int | None:
    """The size that a header names in octal digits; None: it names none."""
    digits = block[124:135]
    return int(digits, 8) if len(digits) == 11 and digits.isdigit() and _is_octal(digits) else None


def describe(block: bytes) -> str:
    """What stands there instead of an expected header, in words for people."""
    if len(block) < BLOCK:
        return "the end of the file"
    if block == bytes(BLOCK):
        return "the end of the archive"
    if block[257:262] != b"ustar":
        return "something that is no tar header"
    kind = KINDS.get(block[156:157])
    if kind:
        return kind
    return f"a header of {_text(block[:NAME])!a} (or only its size, mode, owner or time is another)"


def _size(size: int) -> bytes:
    if size <= LARGEST_OCTAL:
        return b"%011o\0" % size
    return b"\x80" + size.to_bytes(11, "big")


def _is_octal(digits: bytes) -> bool:
    return not digits.strip(b"01234567")


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")
