"""Writing and reading a whole file by shell commands, and what their answers mean. Shared by ssh and local.

A file is written beside its target under a name that nobody else reads, verified there, and moved in
one step. The part is removed whatever happens: by a trap when the script ends or is killed, and a
connection that drops ends `cat` early, so that the hash does not match.

This module is pure: it makes commands and judges outcomes; it runs nothing and knows no SSH.
"""

from __future__ import annotations

import io
import secrets
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from transports.base import ArgumentError, Bytes, Command, Outcome, Piece, Source, TransportError

__all__ = [
    "CANNOT_WRITE",
    "NO_SPACE",
    "disk_full",
    "free_bytes",
    "get_command",
    "judge_get",
    "judge_put",
    "not_whole",
    "not_writable",
    "open_source",
    "part_of",
    "plain",
    "put_command",
    "seal_patience",
    "unreadable",
]

NO_SPACE = (b"No space left on device", b"Disk quota exceeded")
CANNOT_WRITE, NOT_WHOLE, NO_HASH, CANNOT_FINISH = 80, 81, 82, 83

# noclobber: the part's name can be read in the process list before the part is there, so whoever may write
# to the folder could put a link in its place; a file that is there, or a link, is never written to.
# openssl hashes five times as fast as sha256sum on Debian 12 (it uses the processor's SHA instructions).
# chown comes before chmod: it clears the set-user-id bits.
PUT = f"""\
LC_ALL=C; export LC_ALL; umask 077; set -o noclobber
target=$1 part=$2 folder=$3 sum=$4 mode=$5 owner=$6
trap 'rm -f -- "$part"' EXIT
trap 'exit 143' HUP INT TERM
if [ -d "$target" ]; then echo "$target is a folder" >&2; exit {CANNOT_FINISH}; fi
if [ ! -d "$folder" ]; then echo "there is no folder $folder" >&2; exit {CANNOT_FINISH}; fi
cat >"$part" || {{ df -Pk -- "$folder" 2>/dev/null | tail -n 1; exit {CANNOT_WRITE}; }}
got=$(openssl dgst -sha256 -r <"$part" 2>/dev/null || sha256sum <"$part") || exit {NO_HASH}
[ "${{got%% *}}" = "$sum" ] || {{ wc -c <"$part"; exit {NOT_WHOLE}; }}
if [ -n "$owner" ]; then chown -- "$owner" "$part" || exit {CANNOT_FINISH}; fi
chmod -- "$mode" "$part" || exit {CANNOT_FINISH}
sync "$part" 2>/dev/null
mv -f -- "$part" "$target" || exit {CANNOT_FINISH}
"""

GET = """\
LC_ALL=C; export LC_ALL
if [ -d "$1" ]; then echo "$1 is a folder" >&2; exit 1; fi
head -c "$2" -- "$1"
"""


def open_source(source: Source | Piece) -> BinaryIO:
    """The content as a stream, at its first byte. Raises TransportError ``integrity`` where it is gone."""
    if isinstance(source, Bytes):
        return io.BytesIO(source.content)
    try:
        stream = source.path.open("rb", buffering=0)
    except OSError as error:
        raise unreadable(source.path, error) from error
    if isinstance(source, Piece):
        stream.seek(source.start)
    return stream


def unreadable(path: Path, error: OSError) -> TransportError:
    """The file that was to be sent cannot be read here."""
    return TransportError(
        "integrity",
        message=f"cannot read {path} here: {error.strerror}",
        remedy="fetch the file again, or correct its path",
    )


def part_of(target: PurePosixPath) -> PurePosixPath:
    """The name beside the target that the content is written to first."""
    if not target.name or "\0" in str(target):
        raise ArgumentError(f"{target} is not the name of a file".replace("\0", "?"))
    stem = target.name.encode()[:200].decode("utf-8", "ignore")  # a name has at most 255 bytes
    return target.with_name(f".{stem}.{secrets.token_hex(6)}.part")


def put_command(
    source: Source, target: PurePosixPath, *, mode: int, owner: str | None, sudo: bool
) -> Command:
    """The command that takes the content on stdin and leaves the whole file, or nothing."""
    return Command(
        operation="file.put",
        description=f"upload {target.name} ({source.size} bytes)",
        script=PUT,
        args=(
            plain(target),
            plain(part_of(target)),
            plain(target.parent),
            source.sha256,
            f"{mode:04o}",
            owner or "",
        ),
        sudo=sudo,
        timeout=seal_patience(source.size),
    )


def plain(path: PurePosixPath) -> str:
    """A path that no program takes for an option."""
    return str(path) if path.is_absolute() else f"./{path}"


def seal_patience(size: int) -> float:
    """Seconds that a node may take to hash and move `size` bytes: 5 MB a second, and a minute of grace."""
    return 60 + size / 5e6


def judge_put(name: str, source: Source, target: PurePosixPath, outcome: Outcome) -> None:
    """Raise the TransportError that an upload's outcome stands for, if any."""
    if outcome.ok:
        return
    if outcome.status == CANNOT_WRITE and any(words in outcome.stderr for words in NO_SPACE):
        raise disk_full(name, source.size, target, free_bytes(outcome.text))
    if outcome.status == NOT_WHOLE:
        raise not_whole(name, source, target, outcome.text)
    raise not_writable(name, target, outcome)


def not_writable(name: str, place: PurePosixPath, outcome: Outcome) -> TransportError:
    return TransportError(
        f"exit.{outcome.status}",
        "exit",
        message=f"{name}: cannot write {place}: {outcome.complaint}",
        remedy="check that the folder exists and that the user may write there",
    )


def not_whole(name: str, source: Source, target: PurePosixPath, arrived: str) -> TransportError:
    """`arrived`: how many bytes are there."""
    return TransportError(
        "integrity",
        message=f"{name}: what arrived as {target} is not what was sent "
        f"({arrived or '?'} of {source.size} bytes, or another content)",
        remedy="the file here may have changed while it was read; hash it again and repeat",
    )


def disk_full(name: str, size: int, target: PurePosixPath, free: int | None) -> TransportError:
    left = f"{free // 1024} KiB free" if free is not None else "no space left"
    return TransportError(
        "disk.full",
        "disk",
        message=f"{name}: {target.parent} is full: {target.name} needs {size} bytes, {left}",
        remedy=f"make room under {target.parent} on {name}, then run again",
    )


def free_bytes(line: str) -> int | None:
    """What the last line of ``df -Pk`` says is available, in bytes."""
    columns = line.split()
    return int(columns[3]) * 1024 if len(columns) >= 4 and columns[3].isdigit() else None


def get_command(source: PurePosixPath, *, limit: int, sudo: bool) -> Command:
    """The command whose stdout is the file, and one byte more where it is larger than `limit`."""
    return Command(
        operation="file.get",
        description=f"read {source}",
        script=GET,
        args=(plain(source), str(limit + 1)),
        sudo=sudo,
        timeout=seal_patience(limit),
    )


def judge_get(name: str, source: PurePosixPath, limit: int, outcome: Outcome) -> bytes:
    """The file's content, or the TransportError that the outcome stands for."""
    if not outcome.ok:
        raise TransportError(
            f"exit.{outcome.status}",
            "exit",
            message=f"{name}: cannot read {source}: {outcome.complaint}",
            remedy="check that the file exists and that the user may read it",
        )
    if len(outcome.stdout) > limit or outcome.truncated:
        raise TransportError(
            "exit.too-large", "exit", message=f"{name}: {source} is larger than {limit} bytes", final=True
        )
    return outcome.stdout
