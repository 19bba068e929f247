"""Commands of the operating system, as values: what a node is asked or told.

Laws:

1. Scripts are POSIX sh (they run under dash) and use only coreutils, tar and systemd: nothing is
   installed on a node to be able to install.
2. Whatever varies is a positional argument, never part of the script, so no path can become code.
3. Each operation here has a model beside it in `mk8s.modelled`, and a test holds the two together.
4. Words printed for a machine are not translated: a command that is read asks for one fixed form.

This module knows no transport that is open, no clock and no file. How an answer is read stands in
`mk8s.answers`. Questions come first, then changes. What many nodes are asked alike is made once.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath

from transports.base import Command

__all__ = [
    "daemon_reload",
    "file_digest",
    "file_state",
    "free_space",
    "gather_facts",
    "has_folder",
    "make_folder",
    "read_file",
    "read_mode",
    "remove_path",
    "set_mode",
    "unit_disable",
    "unit_enable",
    "unit_is_enabled",
    "unit_journal_tail",
    "unit_show",
    "unit_start_no_block",
    "unit_stop",
    "unpack_tar",
]

HASHING = 1800.0  # seconds: a few GB from a slow disk
KNOWN = 1 << 10  # commands of each sort that are kept
STOPPING = 300.0  # seconds: a unit's own TimeoutStopSec is 90 by default, and it may be killed after it

# Hashing by openssl is five times as fast as by sha256sum where the processor helps; both read stdin,
# so no file name stands in the output.
SUM = """\
[ -e "$1" ] || { echo absent; exit 0; }
sum=$(openssl dgst -sha256 -r <"$1" 2>/dev/null) || sum=$(sha256sum <"$1") || exit
"""
DIGEST = SUM + 'echo "${sum%% *}"\n'
STATE = SUM + 'about=$(stat -L -c "%a %U" -- "$1") || exit\necho "${sum%% *} $about"\n'
MODE = '[ -e "$1" ] || { echo absent; exit 0; }\nexec stat -L -c %a -- "$1"\n'

# `stat -f` instead of `df`: nothing to cut out of columns. The path itself may not be there yet.
FREE = """\
free_kib() {
  at=$1
  while [ ! -e "$at" ]; do at=$(dirname -- "$at"); done
  blocks=$(stat -f -c "%a * %S" -- "$at") || return
  echo $(($blocks / 1024))
}
"""
FREE_SPACE = FREE + 'free_kib "$1"\n'

# A container shares the boot id of its machine's kernel, so process 1 says when it began: field 22 of stat,
# the 20th behind the name, which may hold brackets, spaces and line feeds itself.
FACTS = (
    FREE
    + """\
say() { printf "%s=%s\\n" "$1" "$2"; }
word() { [ -r "$1" ] && read -r line <"$1" && printf %s "$line"; }
release() { for at in /etc/os-release /usr/lib/os-release; do
  [ -r "$at" ] && ( . "$at" && eval "printf %s \\"\\${$1:-}\\"" ) && return
done; }
memory() { while read -r key value _; do
  [ "$key" = MemTotal: ] && printf %s "$value" && return
done </proc/meminfo; }
init_started() { stat=$(cat /proc/1/stat 2>/dev/null) || return
  set -- ${stat##*\\)} && printf %s "${20:-}"
}
selinux() { case $(word /sys/fs/selinux/enforce) in
  1) echo enforcing;; 0) echo permissive;; *) echo disabled;;
esac; }
usr_local() {
  while read -r _ at _; do [ "$at" = /usr/local ] && { echo mount; return; }; done </proc/self/mounts
  [ -w /usr/local ] && echo writable || echo read-only
}
capabilities() { while read -r key value; do
  [ "$key" = CapEff: ] && printf %s "$value" && return
done </proc/self/status; }
cgroup() { [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] && echo v2 || echo v1; }
resolv_conf() { case $(readlink -f /etc/resolv.conf) in
  /run/systemd/resolve/*|*/lib/systemd/resolv.conf)
    [ -e /run/systemd/resolve/resolv.conf ] && { echo /run/systemd/resolve/resolv.conf; return; };;
esac; echo /etc/resolv.conf; }
say hostname "$(uname -n)"
say machine "$(uname -m)"
say kernel "$(uname -r)"
say os_id "$(release ID)"
say os_version "$(release VERSION_ID)"
say boot_id "$(word /proc/sys/kernel/random/boot_id)"
say init_started "$(init_started)"
say machine_id "$(word /etc/machine-id)"
say uid "$(id -u)"
say free_kib "$(free_kib "$1")"
say memory_kib "$(memory)"
say systemd "$([ -d /run/systemd/system ] && echo yes || echo no)"
say selinux "$(selinux)"
say usr_local "$(usr_local)"
say lowers_oom "$([ $((0x$(capabilities) >> 24 & 1)) = 1 ] && echo yes || echo no)"
say cgroup "$(cgroup)"
say resolv_conf "$(resolv_conf)"
"""
)

# tar itself strips a leading / and refuses .. only with a warning; a release with such a name is not
# one, so nothing of it is unpacked. An existing folder keeps its owner and mode.
UNPACK = """\
umask 022
names=$(tar -tPf "$1") || exit
while IFS= read -r name; do
  case "/$name/" in
    //*|*/../*) printf "refused: the archive holds the name %s\\n" "$name" >&2; exit 3;;
  esac
done <<END
$names
END
mkdir -p -- "$2" && exec tar -xf "$1" -C "$2" --no-same-owner --no-same-permissions --no-overwrite-dir
"""

UNIT_PROPERTIES = "LoadState,ActiveState,SubState,Result,NRestarts,MainPID,UnitFileState"


# Questions: they change nothing


def gather_facts(space_at: PurePosixPath) -> Command:
    """All that decisions need of a host, in one round trip, as ``key=value`` lines. See `mk8s.facts`."""
    return Command(
        operation="facts.gather",
        description="look at the host",
        script=FACTS,
        args=(str(space_at),),
        sudo=True,
    )


@lru_cache(KNOWN)
def file_digest(path: PurePosixPath) -> Command:
    """The sha256 of a file, or ``absent``. Read it with `answers.read_digest`."""
    return Command(
        operation="file.digest",
        description=f"hash {path}",
        script=DIGEST,
        args=(str(path),),
        timeout=HASHING,
    )


@lru_cache(KNOWN)
def file_state(path: PurePosixPath) -> Command:
    """Digest, mode and owner of a file, or ``absent``. Read it with `answers.read_file_state`."""
    return Command(
        operation="file.state",
        description=f"hash {path}",
        script=STATE,
        args=(str(path),),
        timeout=HASHING,
    )


@lru_cache(KNOWN)
def read_mode(path: PurePosixPath) -> Command:
    """The octal mode of a file or folder, such as ``600``, or ``absent``."""
    return Command(operation="file.mode", description=f"mode of {path}", script=MODE, args=(str(path),))


def read_file(path: PurePosixPath) -> Command:
    """The content of a small text file. Exit 1 when it is not there. Never for a secret: use `get`."""
    return Command(
        operation="file.read", description=f"read {path}", script='exec cat -- "$1"', args=(str(path),)
    )


@lru_cache(KNOWN)
def has_folder(path: PurePosixPath, mode: int | None = None) -> Command:
    """Exit 0 when the folder is there, with this mode if one is given. The check of `make_folder`."""
    return Command(
        operation="folder.check",
        description=f"look for the folder {path}",
        script='[ -d "$1" ] && { [ -z "$2" ] || [ "$(stat -L -c %a -- "$1")" = "$2" ]; }',
        args=(str(path), _octal(mode)),
    )


@lru_cache(KNOWN)
def free_space(path: PurePosixPath) -> Command:
    """Free KiB for root's files where `path` is, or will be. Read it with `answers.read_free_space`."""
    return Command(
        operation="disk.free",
        description=f"free space for {path}",
        script=FREE_SPACE,
        args=(str(path),),
    )


@lru_cache(KNOWN)
def unit_show(unit: str) -> Command:
    """How a unit is. Exit 0 also for one that does not exist. Read it with `answers.read_unit`."""
    return _unit("unit.show", f"look at {unit}", f'show -p {UNIT_PROPERTIES} -- "$1"', unit)


@lru_cache(KNOWN)
def unit_is_enabled(unit: str) -> Command:
    """Exit 0 when the unit starts at boot. The check of `unit_enable`."""
    return _unit("unit.is-enabled", f"is {unit} enabled?", '--quiet is-enabled -- "$1"', unit)


def unit_journal_tail(unit: str, lines: int = 20) -> Command:
    """The last words that a unit wrote to the journal, without times."""
    return Command(
        operation="unit.journal",
        description=f"last words of {unit}",
        script='exec journalctl --no-pager --quiet --output=cat --lines="$2" --unit="$1"',
        args=(unit, str(lines)),
    )


# Changes: each may be repeated


@lru_cache(KNOWN)
def make_folder(path: PurePosixPath, mode: int | None = None) -> Command:
    """Make a folder and those above it, 0755. With `mode`, the last one gets it, also if it was there."""
    return Command(
        operation="folder.make",
        description=f"make the folder {path}",
        script='umask 022 && mkdir -p -- "$1" && { [ -z "$2" ] || chmod -- "$2" "$1"; }',
        args=(str(path), _octal(mode)),
    )


@lru_cache(KNOWN)
def set_mode(path: PurePosixPath, mode: int) -> Command:
    """Change the mode of a file or folder."""
    return Command(
        operation="file.chmod",
        description=f"set the mode of {path} to {mode:o}",
        script='exec chmod -- "$2" "$1"',
        args=(str(path), f"{mode:o}"),
    )


def remove_path(path: PurePosixPath) -> Command:
    """Remove a file or a whole folder; what is not there is fine.

    Raises ValueError for what no installer ever owns: a relative path, one with ``..``, ``/`` itself
    and the folders right under it.
    """
    if not path.is_absolute() or len(path.parts) < 3 or ".." in path.parts:
        raise ValueError(
            f"{path}: refused to remove it; only absolute paths of two names or more are removed"
        )
    return Command(
        operation="path.remove",
        description=f"remove {path}",
        script='exec rm -rf -- "$1"',
        args=(str(path),),
        timeout=HASHING,
    )


def unpack_tar(archive: PurePosixPath, prefix: PurePosixPath) -> Command:
    """Unpack an archive under a prefix as root's files. Compression is found out by tar.

    Exit 3, with nothing unpacked, for an archive that names an absolute path or ``..``.
    """
    return Command(
        operation="archive.unpack",
        description=f"unpack {archive.name} under {prefix}",
        script=UNPACK,
        args=(str(archive), str(prefix)),
        timeout=HASHING,
    )


def daemon_reload() -> Command:
    """Let systemd read changed unit files."""
    return Command(
        operation="unit.reload",
        description="let systemd read the unit files",
        script="exec systemctl daemon-reload",
    )


@lru_cache(KNOWN)
def unit_enable(unit: str) -> Command:
    """Start the unit at each boot. Starts nothing now."""
    return _unit("unit.enable", f"enable {unit}", '--quiet enable -- "$1"', unit)


@lru_cache(KNOWN)
def unit_disable(unit: str) -> Command:
    """Do not start the unit at boot. Stops nothing now."""
    return _unit("unit.disable", f"disable {unit}", '--quiet disable -- "$1"', unit)


@lru_cache(KNOWN)
def unit_start_no_block(unit: str) -> Command:
    """Begin to start a unit, and come back at once: whether it gets ready is another question."""
    return _unit("unit.start", f"start {unit}", 'start --no-block -- "$1"', unit)


@lru_cache(KNOWN)
def unit_stop(unit: str) -> Command:
    """Stop a unit and wait until it has stopped."""
    return _unit("unit.stop", f"stop {unit}", 'stop -- "$1"', unit, timeout=STOPPING)


def _unit(operation: str, description: str, words: str, unit: str, timeout: float = 60.0) -> Command:
    return Command(
        operation=operation,
        description=description,
        script=f"exec systemctl {words}",
        args=(unit,),
        timeout=timeout,
    )


def _octal(mode: int | None) -> str:
    return "" if mode is None else f"{mode:o}"
