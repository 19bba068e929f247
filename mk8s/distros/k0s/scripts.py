"""What `commands` runs on nodes: POSIX sh, with coreutils and systemd alone. What varies is an argument."""

from __future__ import annotations

from mk8s.verifying import VERIFY

__all__ = [
    "FIND",
    "HAS_NO_MEMBER",
    "INSTALL",
    "IN_CONFIG_FOLDER",
    "IS_INSTALLED",
    "IS_SHARED",
    "IS_STOPPED",
    "PLACE",
    "PROGRESS",
    "SHARE",
    "VALIDATE",
]

# A link costs no space and no time; where the two folders are not on one file system, a copy is made and
# verified. k0s imports whatever it sees in the folder, so the file gets its name last.
PLACE = f"""\
set -eu
{VERIFY}
staged=$1 target=$2 hash=$3
umask 022
mkdir -p "$(dirname "$target")"
new=$(dirname "$(dirname "$target")")/.mk8s-$(basename "$target")
rm -f "$new"
ln "$staged" "$new" 2>/dev/null || cp "$staged" "$new"
verify "$new" "$hash"
rm -f "$target"
mv "$new" "$target"
"""

FIND = """\
link=$1
shift
for file in "$(command -v k0s)" "$@"; do
  [ -n "$file" ] && [ -x "$file" ] || continue
  umask 022
  mkdir -p "$(dirname "$link")" && exec ln -sfn "$file" "$link"
done
echo "mk8s: there is no program k0s on this host" >&2
exit 69
"""

# k0s 1.22 and older have no such command; there, `k0s install` validates the config itself.
VALIDATE = """\
said=$("$1" config validate --config "$2" 2>&1) && exit 0
case $said in *"unknown command"*) exit 0;; esac
printf '%s\\n' "$said" >&2
exit 1
"""

# A unit is as wanted while it is the file that k0s made of these very words. `k0s install` refuses where a
# unit is, and old releases know no --force: so the old one is put aside, and put back when it fails.
PRINT = """\
units=$1 unit=$2 late=$3
shift 3
flags=$units/$unit.d/40-mk8s-flags.conf
print() {
  { printf '%s\\n' "$late" "$@"; cat "$units/$unit"; [ -z "$late" ] || cat "$flags"; } | sha256sum
}
"""
IS_INSTALLED = f"""\
record=$1
shift 2
{PRINT}
[ -e "$units/$unit" ] && [ "$(print "$@" 2>/dev/null)" = "$(cat "$record" 2>/dev/null)" ]
"""
INSTALL = f"""\
set -eu
record=$1 k0s=$2
shift 2
{PRINT}
rm -f "$record" "$flags"
[ ! -e "$units/$unit" ] || mv -f "$units/$unit" "$units/$unit.mk8s-before"
if ! said=$("$k0s" install "$@" 2>&1) || [ ! -e "$units/$unit" ]; then
  [ ! -e "$units/$unit.mk8s-before" ] || mv -f "$units/$unit.mk8s-before" "$units/$unit"
  printf '%s\\n' "$said" "mk8s: k0s install $1 made no unit" >&2
  exit 1
fi
rm -f "$units/$unit.mk8s-before"
if [ -n "$late" ]; then
  mkdir -p "$units/$unit.d"
  start=$(sed -n 's/^ExecStart=//p' "$units/$unit")
  printf '# written by mk8s\\n[Service]\\nExecStart=\\nExecStart=%s %s\\n' "$start" "$late" >"$flags"
fi
systemctl daemon-reload
mkdir -p "$(dirname "$record")"
print "$@" >"$record.new"
mv -f "$record.new" "$record"
"""

# k0s' own rule of when it has to join, both as it was and as it is: see `tokens`. A token that was given and
# is still good is not given anew while the unit works with it.
PROGRESS = """\
role=$1 data=$2 etcd=$3 unit=$4 token=$5 fresh=$6
joined() {
  if [ "$role" = worker ]; then [ -e "$data/kubelet.conf" ]; return; fi
  [ -e "$data/pki/ca.key" ] && [ -e "$data/pki/ca.crt" ] || return
  [ "$etcd" = no ] || [ -e "$data/etcd/member/snap/db" ]
}
joining() {
  systemctl is-active --quiet "$unit" && [ -s "$token" ] || return
  [ $(($(date +%s) - $(stat -c %Y -- "$token"))) -lt "$fresh" ]
}
if joined; then echo joined; elif joining; then echo joining; else echo new; fi
"""

# The config is found in the folder by releases that look for it nowhere else.
IN_CONFIG_FOLDER = """\
cd "$1" 2>/dev/null
shift
exec "$@"
"""

# API servers run as a user of their own, which `k0s install` makes: its group may read, and nobody may write.
SHARE = """\
set -eu
group=$(id -g -- "$1")
shift
chgrp -- "$group" "$@"
"""
IS_SHARED = """\
group=$(id -g -- "$1") || exit
shift
for file; do [ "$(stat -c %g -- "$file")" = "$group" ] || exit 1; done
"""

IS_STOPPED = """\
case $(systemctl show -p ActiveState -- "$1") in *=active|*=activating|*=deactivating) exit 1;; esac
"""

HAS_NO_MEMBER = """\
peer=$1
shift
said=$("$@") || exit
case $said in *"\\"$peer\\""*) exit 1;; esac
"""
