"""Letting a large file grow on a node piece by piece, by one shell command a piece. Shared by ssh and local.

What arrived of a piece before a fault stays in the part: whoever goes on asks the node for the hashes of
what it holds, and sends the rest. A piece is written at its own place, never behind whatever is there, so
a command of a lost connection that still drains its input writes the same bytes to the same place.

This module is pure: it makes commands and judges outcomes; it runs nothing and knows no SSH.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from transports.base import ArgumentError, Command, Outcome, Piece, TransportError
from transports.files import CANNOT_WRITE, NO_SPACE, disk_full, free_bytes, not_writable, plain, seal_patience

__all__ = ["append_command", "judge_append", "not_our_file", "too_short", "wrong_piece"]

CANNOT_FINISH, WRONG_PIECE, TOO_SHORT, NOT_OURS = 83, 84, 85, 86

# The hash is taken of the stream while dd writes it, so that it costs no time after the last byte; the
# whole file is hashed again, from the disk, before it is moved to its place. `dd` instead of `>>`: it opens
# no link, makes the file itself or not at all, and writes at the very place. (Where `seek_bytes` is less
# than a block, dd would empty the file: so another call, in blocks of a byte, cuts off what lies behind.)
# No sync: what a power loss takes is found missing by its hash, and the last command syncs.
APPEND = f"""\
LC_ALL=C; export LC_ALL; umask 077
part=$1 folder=$2 start=$3 size=$4 sum=$5
[ -d "$folder" ] || {{ echo "there is no folder $folder" >&2; exit {CANNOT_FINISH}; }}
plain() {{ [ ! -L "$1" ] && {{ [ ! -e "$1" ] || {{ [ -f "$1" ] && [ -O "$1" ]; }}; }}; }}
plain "$part" || exit {NOT_OURS}
if [ "$start" = 0 ]; then
  rm -f -- "$part" || exit {CANNOT_FINISH}
  open=excl
else
  have=0; [ ! -e "$part" ] || have=$(wc -c <"$part") || exit {CANNOT_FINISH}
  [ "$have" -ge "$start" ] || {{ echo "$have"; exit {TOO_SHORT}; }}
  open=nocreat
fi
if openssl dgst -sha256 -r </dev/null >/dev/null 2>&1; then hash() {{ openssl dgst -sha256 -r; }}
else hash() {{ sha256sum; }}; fi
cut() {{ dd of="$part" bs=1 seek="$start" count=0 oflag=nofollow conv="$open" status=none </dev/null; }}
write() {{
  dd of="$part" bs=1M seek="$start" iflag=fullblock oflag=seek_bytes,nofollow conv=nocreat,notrunc status=none
}}
cut || exit {CANNOT_FINISH}
got=$({{ {{ tee /dev/fd/3 | hash >&4; }} 3>&1 | write; }} 4>&1) || {{
  df -Pk -- "$folder" 2>/dev/null | tail -n 1
  exit {CANNOT_WRITE}
}}
have=$(wc -c <"$part") || exit {CANNOT_FINISH}
[ "$have" = "$((start + size))" ] || {{ echo "$have"; exit {WRONG_PIECE}; }}
[ "${{got%% *}}" = "$sum" ] && exit 0
open=nocreat; cut
echo "$have"; exit {WRONG_PIECE}
"""


def append_command(piece: Piece, part: PurePosixPath, *, sudo: bool) -> Command:
    """The command that takes the piece on stdin and leaves the part longer by it. Raises ArgumentError."""
    if not part.name or "\0" in str(part):
        raise ArgumentError(f"{part} is not the name of a file".replace("\0", "?"))
    return Command(
        operation="file.append",
        description=f"send {piece.size} bytes of {piece.path.name}",
        script=APPEND,
        args=(plain(part), plain(part.parent), str(piece.start), str(piece.size), piece.sha256),
        sudo=sudo,
        timeout=seal_patience(piece.size),
    )


def judge_append(name: str, piece: Piece, part: PurePosixPath, outcome: Outcome) -> None:
    """Raise the TransportError that an append's outcome stands for, if any."""
    if outcome.ok:
        return
    if outcome.status == CANNOT_WRITE and any(words in outcome.stderr for words in NO_SPACE):
        raise disk_full(name, piece.size, part, free_bytes(outcome.text))
    if outcome.status == TOO_SHORT:
        raise too_short(name, piece, part, outcome.text)
    if outcome.status == WRONG_PIECE:
        raise wrong_piece(name, piece, part, outcome.text)
    if outcome.status == NOT_OURS:
        raise not_our_file(name, part)
    raise not_writable(name, part, outcome)


def too_short(name: str, piece: Piece, part: PurePosixPath, there: str) -> TransportError:
    """`there`: how many bytes the part holds."""
    return TransportError(
        "integrity",
        message=f"{name}: {part} holds {there or 0} bytes, and {piece.start} were expected",
        remedy="something else wrote to it; what is missing is sent again",
    )


def wrong_piece(name: str, piece: Piece, part: PurePosixPath, there: str) -> TransportError:
    """`there`: how many bytes the part held after it."""
    return TransportError(
        "integrity",
        message=f"{name}: bytes {piece.start} to {piece.start + piece.size} of {part} are not what was sent "
        f"({there or '?'} bytes are there, or another content)",
        remedy="the file here may have changed while it was read; hash it again and repeat",
    )


def not_our_file(name: str, part: PurePosixPath) -> TransportError:
    return TransportError(
        "exit.link",
        "exit",
        message=f"{name}: {part} is a link, or not a plain file of our own: nothing is written there",
        remedy=f"find out who made it, then remove it: rm {part}",
        final=True,
    )
