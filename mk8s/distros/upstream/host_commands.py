"""The commands that prepare a host and take it back, as values; those for swap are in `swap_commands`.

Laws as in `commands`.

Each change first notes what was there in a file under /var/lib/mk8s/before, and never twice: so a change
that is repeated still knows the host as it was. Taking back reads the note and removes it last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from transports.base import Command

__all__ = [
    "BEGIN",
    "END",
    "drop_entries",
    "has_entries",
    "has_modules",
    "has_no_entries",
    "has_sysctls",
    "is_restored",
    "is_tidy",
    "load_modules",
    "restore_sysctls",
    "set_sysctls",
    "tidy",
    "unload_modules",
    "write_entries",
]

BEGIN, END = "# begin mk8s", "# end mk8s"
HOSTS = PurePosixPath("/etc/hosts")
PROC_SYS = PurePosixPath("/proc/sys")

# Not every account has the administrators' folders on its PATH.
SBIN = "PATH=$PATH:/usr/sbin:/sbin\n"

# A module that is built into the kernel is in no list; what it brings is to be seen.
HAS = """\
has() {
  [ -d "$root/sys/module/$1" ] && return
  case $1 in
    br_netfilter) [ -e "$root/proc/sys/net/bridge/bridge-nf-call-iptables" ];;
    nf_conntrack) [ -e "$root/proc/sys/net/netfilter/nf_conntrack_max" ];;
    overlay) grep -qw overlay "$root/proc/filesystems";;
    *) return 1;;
  esac
}
"""
HAS_MODULES = f"""\
root=$1
shift
{HAS}
for name; do has "$name" || exit 1; done
"""
LOAD_MODULES = f"""\
set -eu
{SBIN}root=$1 before=$2
shift 2
{HAS}
umask 077
mkdir -p "$(dirname "$before")"
for name; do
  has "$name" && continue
  said=$(modprobe -- "$name" 2>&1) || :
  if ! has "$name"; then
    echo "mk8s: the kernel has no $name, neither as a module nor built in: $said" >&2
    exit 69
  fi
  printf '%s\\n' "$name" >>"$before"
done
"""
# One that is in use by now stays: it changes nothing by itself.
UNLOAD_MODULES = f"""\
{SBIN}if [ -e "$1" ]; then
  while read -r name; do modprobe -r -- "$name" 2>/dev/null || :; done <"$1"
fi
rm -f -- "$2" "$1"
"""

AT = 'at() { echo "$proc/$(echo "$1" | tr . /)"; }\n'
HAS_SYSCTLS = f"""\
proc=$1
shift
{AT}
for pair; do
  [ "$(cat "$(at "${{pair%%=*}}")" 2>/dev/null)" = "${{pair#*=}}" ] || exit 1
done
"""
SET_SYSCTLS = f"""\
set -eu
proc=$1 before=$2
shift 2
{AT}
umask 077
mkdir -p "$(dirname "$before")"
if [ ! -e "$before" ]; then
  for pair; do
    name=${{pair%%=*}}
    [ ! -r "$(at "$name")" ] || echo "$name=$(cat "$(at "$name")")"
  done >"$before.new"
  mv "$before.new" "$before"
fi
for pair; do
  name=${{pair%%=*}} value=${{pair#*=}}
  printf '%s\\n' "$value" >"$(at "$name")" || :
  now=$(cat "$(at "$name")")
  [ "$now" = "$value" ] || {{ echo "mk8s: $name stays $now, and should be $value" >&2; exit 65; }}
done
"""
RESTORE_SYSCTLS = f"""\
proc=$1 before=$2 file=$3
{AT}
rm -f -- "$file"
if [ -e "$before" ]; then
  while IFS== read -r name value; do
    [ ! -e "$(at "$name")" ] || printf '%s\\n' "$value" >"$(at "$name")" || exit
  done <"$before"
fi
rm -f -- "$before"
"""

# Only what stands between the marks is ours. The block comes first, for the first line that has a name
# wins; Debian gives a host's own name the address 127.0.1.1.
MARKS = f"""\
marked() {{ grep -c "^$1\\$" "$file" || :; }}
if [ "$(marked '{BEGIN}')" != "$(marked '{END}')" ]; then
  echo "mk8s: $file: the marks '{BEGIN}' and '{END}' do not match; remove both, and the lines between" >&2
  exit 65
fi
others() {{ sed '/^{BEGIN}$/,/^{END}$/d' "$file"; }}
replace() {{
  mv -f "$file.mk8s" "$file" 2>/dev/null && return
  cat "$file.mk8s" >"$file"  # mounted on its own: it can be written to, not replaced
  rm -f "$file.mk8s"
}}
"""
WRITE_ENTRIES = f"""\
set -eu
file=$1 block=$2
[ -e "$file" ] || : >"$file"
{MARKS}
cp -a "$file" "$file.mk8s"
{{ printf '%s\\n' "$block"; others; }} >"$file.mk8s"
replace
"""
DROP_ENTRIES = f"""\
set -eu
file=$1
{MARKS}
cp -a "$file" "$file.mk8s"
others >"$file.mk8s"
replace
"""
HAS_ENTRIES = f"""[ "$(sed -n '/^{BEGIN}$/,/^{END}$/p' "$1" 2>/dev/null)" = "$2" ]"""
HAS_NO_ENTRIES = f"""! grep -q '^{BEGIN}$' "$1" 2>/dev/null"""
IS_RESTORED = 'for path; do [ ! -e "$path" ] || exit 1; done'


def has_modules(names: Sequence[str]) -> Command:
    """Exit 0 when the kernel has them all, loaded or built in."""
    return Command(
        operation="upstream.has-modules",
        description=f"look for the kernel modules {', '.join(names)}",
        script=HAS_MODULES,
        args=("", *names),
    )


def load_modules(names: Sequence[str], before: PurePosixPath) -> Command:
    """Load those that are not there yet, and note which those were. Exit 69 when the kernel lacks one."""
    return Command(
        operation="upstream.load-modules",
        description=f"load the kernel modules {', '.join(names)}",
        script=LOAD_MODULES,
        args=("", str(before), *names),
    )


def unload_modules(file: PurePosixPath, before: PurePosixPath) -> Command:
    """Remove `file`, and unload what `load_modules` loaded and nobody uses."""
    return Command(
        operation="upstream.unload-modules",
        description="unload the kernel modules that mk8s loaded",
        script=UNLOAD_MODULES,
        args=(str(before), str(file)),
    )


def has_sysctls(pairs: Sequence[str]) -> Command:
    """Exit 0 when the running kernel has these values; `pairs` are such as ``net.ipv4.ip_forward=1``."""
    return Command(
        operation="upstream.has-sysctls",
        description="compare the kernel parameters",
        script=HAS_SYSCTLS,
        args=(str(PROC_SYS), *pairs),
    )


def set_sysctls(pairs: Sequence[str], before: PurePosixPath) -> Command:
    """Set these values in the running kernel and look at them. Exit 65 where one does not take."""
    return Command(
        operation="upstream.set-sysctls",
        description="set the kernel parameters",
        script=SET_SYSCTLS,
        args=(str(PROC_SYS), str(before), *pairs),
    )


def restore_sysctls(file: PurePosixPath, before: PurePosixPath) -> Command:
    """Remove `file`, and give the running kernel the values that it had."""
    return Command(
        operation="upstream.restore-sysctls",
        description="restore the kernel parameters",
        script=RESTORE_SYSCTLS,
        args=(str(PROC_SYS), str(before), str(file)),
    )


def has_entries(block: str) -> Command:
    """Exit 0 when exactly this block stands between the marks in /etc/hosts."""
    return Command(
        operation="upstream.has-entries",
        description=f"look for the nodes' names in {HOSTS}",
        script=HAS_ENTRIES,
        args=(str(HOSTS), block),
    )


def write_entries(block: str) -> Command:
    """Put this block, marks and all, in place of ours. Exit 65 where the marks do not match."""
    return Command(
        operation="upstream.write-entries",
        description=f"write the nodes' names to {HOSTS}",
        script=WRITE_ENTRIES,
        args=(str(HOSTS), block),
    )


def has_no_entries() -> Command:
    return Command(
        operation="upstream.has-no-entries",
        description=f"look for names of ours in {HOSTS}",
        script=HAS_NO_ENTRIES,
        args=(str(HOSTS),),
    )


def drop_entries() -> Command:
    """Remove the block from /etc/hosts; the rest stays as it is, byte for byte."""
    return Command(
        operation="upstream.drop-entries",
        description=f"remove the nodes' names from {HOSTS}",
        script=DROP_ENTRIES,
        args=(str(HOSTS),),
    )


def is_restored(*paths: PurePosixPath) -> Command:
    """Exit 0 when none of these is there: what was noted has been restored."""
    return Command(
        operation="upstream.is-restored",
        description="see whether there is anything to restore",
        script=IS_RESTORED,
        args=tuple(map(str, paths)),
    )


def tidy(folder: PurePosixPath) -> Command:
    """Remove a folder of notes when nothing is in it: what others have noted there is theirs to restore."""
    return Command(
        operation="upstream.tidy",
        description=f"remove {folder} if it is empty",
        script='exec rmdir --ignore-fail-on-non-empty -- "$1"',
        args=(str(folder),),
    )


def is_tidy(folder: PurePosixPath) -> Command:
    return Command(
        operation="upstream.is-tidy",
        description=f"look for {folder} and what is in it",
        script='[ ! -d "$1" ] || [ -n "$(ls -A -- "$1")" ]',
        args=(str(folder),),
    )
