"""A large file that grows on a node: what it holds, making it the file it is to be, and room for it.

Laws, beside those of `mk8s.commands`:

1. Nothing is trusted that is only there: a node says the hashes of what it holds, and mk8s compares.
2. A part is a plain file of root's own. A link, or another's file, counts as not there, and is never
   written to, hashed or moved.
3. The target appears whole, verified from the disk, in one step.

Each operation has a model in `mk8s.parts_model`. This module knows no transport that is open, no clock and
no file. Begin reading at `part_state`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from mk8s.commands import FREE, HASHING
from mk8s.delivery import part_of
from mk8s.steps import Upload
from transports.base import Command, Outcome

__all__ = [
    "NOT_WHOLE",
    "PartState",
    "Room",
    "finish_part",
    "part_state",
    "read_part_state",
    "read_room",
    "remove_part",
    "room_for",
]

ABSENT = "absent"
HEX_DIGITS = 64  # of a sha256
KIB = 1024
NOT_WHOLE = 65  # as the drivers' own last look says it: what is there is not what was sent

# `-O`: of our own, that is root's. openssl hashes five times as fast as sha256sum where the processor helps.
OURS = """\
ours() { [ ! -L "$1" ] && [ -f "$1" ] && [ -O "$1" ]; }
if openssl dgst -sha256 -r </dev/null >/dev/null 2>&1; then hash() { openssl dgst -sha256 -r; }
else hash() { sha256sum; }; fi
"""

STATE = (
    OURS
    + """\
ours "$1" || { echo absent; exit 0; }
size=$(wc -c <"$1") || exit
echo "$((size))"
number=0
while [ $((number * $2)) -lt "$size" ]; do
  sum=$(dd if="$1" bs="$2" skip="$number" count=1 2>/dev/null | hash) || exit
  echo "${sum%% *}"
  number=$((number + 1))
done
"""
)

# chown before chmod: it clears the set-user-id bits. The sync is the only one of the whole transfer: a
# file that has its name has its content.
FINISH = (
    OURS
    + f"""\
part=$1 target=$2 want=$3 size=$4 mode=$5
shift 5
[ ! -d "$target" ] || {{ echo "$target is a folder" >&2; exit 1; }}
ours "$part" || {{ echo "$part is not there" >&2; exit {NOT_WHOLE}; }}
have=$(wc -c <"$part") && sum=$(hash <"$part") || exit
if [ "$have" != "$size" ] || [ "${{sum%% *}}" != "$want" ]; then
  echo "$part is not what was sent" >&2; exit {NOT_WHOLE}
fi
chown -- "$(id -u)" "$part" && chmod -- "$mode" "$part" || exit
sync "$part" 2>/dev/null
mv -f -- "$part" "$target" || exit
[ $# -gt 0 ] || exit 0
for other in "$(dirname -- "$target")"/.*.part; do
  sum=${{other##*/.}} sum=${{sum%.part}}
  [ ${{#sum}} = {HEX_DIGITS} ] || continue
  case $sum in *[!0-9a-f]*) continue;; esac
  case " $* " in *" $sum "*) continue;; esac
  ! ours "$other" || rm -f -- "$other"
done
exit 0
"""
)

REMOVE = OURS + '! ours "$1" || exec rm -f -- "$1"\n'

ROOM = (
    FREE
    + """\
size_of() { if [ -f "$1" ] && [ ! -L "$1" ]; then stat -c %s -- "$1"; else echo 0; fi; }
while [ $# -gt 1 ]; do
  at=$(dirname -- "$1")
  while [ ! -e "$at" ]; do at=$(dirname -- "$at"); done
  echo "$(stat -L -c %d -- "$at") $(free_kib "$at") $(size_of "$1") $(size_of "$2")" || exit
  shift 2
done
"""
)


@dataclass(frozen=True, slots=True)
class PartState:
    """What a node holds of a file: its size, and the hash of each piece, the last one as long as it is."""

    size: int = 0  # bytes; 0 also where there is no part
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """What a file finds where it is to go."""

    device: str  # files with the same one share what is free
    free: int  # bytes, for root
    target: int  # bytes that stand there under its name
    part: int  # bytes of its part


def part_state(part: PurePosixPath, piece: int) -> Command:
    """How long the part is, and the sha256 of each `piece` bytes of it, in one pass."""
    return Command(
        operation="part.state",
        description=f"look what is there of {part.name[:13]}….part",
        script=STATE,
        args=(str(part), str(piece)),
        timeout=HASHING,
    )


def finish_part(step: Upload, keep: Iterable[str] = ()) -> Command:
    """Verify the whole part, make it root's in its mode, and move it. Exit NOT_WHOLE: it is another.

    `keep`: hashes of files that are still wanted. Parts beside the target of any other content are
    removed, unless nothing is named.
    """
    source = step.source
    about = (str(part_of(step)), str(step.target), source.sha256, str(source.size), f"{step.mode:o}")
    return Command(
        operation="part.finish",
        description=f"verify {step.target} whole and move it to its place",
        script=FINISH,
        args=(*about, *sorted(keep)),
        timeout=HASHING,
    )


def remove_part(part: PurePosixPath) -> Command:
    """Remove a part. What is not there, or is not ours, is left alone."""
    return Command(
        operation="part.remove", description=f"remove the part {part}", script=REMOVE, args=(str(part),)
    )


def room_for(places: Sequence[tuple[PurePosixPath, PurePosixPath]]) -> Command:
    """What each file, given as target and part, finds where it is to go. Read it with `read_room`."""
    words = tuple(str(path) for place in places for path in place)
    return Command(
        operation="part.room", description="look for room for what is to be sent", script=ROOM, args=words
    )


def read_part_state(outcome: Outcome) -> PartState:
    """What `part_state` says. Raises ValueError."""
    if outcome.truncated:
        raise ValueError("the answer came cut")
    if outcome.text == ABSENT:
        return PartState()
    size, *hashes = outcome.text.split()
    for digest in hashes:
        if len(digest) != HEX_DIGITS or not set(digest) <= set("0123456789abcdef"):
            raise ValueError(f"{digest!r} is no sha256")
    return PartState(int(size), tuple(hashes))


def read_room(outcome: Outcome) -> tuple[Room, ...]:
    """What `room_for` says, in the order of its question. Raises ValueError."""
    if outcome.truncated:
        raise ValueError("the answer came cut")
    return tuple(_room(line) for line in outcome.text.splitlines())


def _room(line: str) -> Room:
    device, free, target, part = line.split()
    return Room(device, int(free) * KIB, int(target), int(part))
