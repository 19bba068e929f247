"""What nodes are told so that they hand files on to each other, as values.

The same laws as in `mk8s.commands`: POSIX sh and coreutils, and nothing that varies is part of a script.
Added here are sshd on a source and ssh on a receiver; a receiver without it says so, and is sent to from
here. Each operation has its model in `mk8s.fanout.model`.

How it goes: `open_source` on a node that has something, `share` for each of its files; `receive` and then
`pull` on a node that wants something; `close` on both at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mk8s.fanout.keys import MARK, RunKey
from transports.base import Command, Outcome, Piece

__all__ = [
    "CUT",
    "NO_SSH",
    "SERVED",
    "UNFIT",
    "WORKING",
    "WRONG",
    "close",
    "good_pieces",
    "open_source",
    "pull",
    "read_host_keys",
    "receive",
    "share",
]

SERVED = PurePosixPath("/var/lib/mk8s/fanout")  # the serve script, and links to the files it may serve
WORKING = PurePosixPath("/run/mk8s/fanout")  # root's own: the key, known hosts, one piece at a time
LIFETIME = 6 * 60  # minutes: longer than a node may take to be staged
NO_SSH, UNFIT = 90, 91  # exit statuses of `receive`, and of `open_source` and `share`
CUT, WRONG, SHORT, CANNOT_WRITE = 92, 93, 94, 95  # of `pull`
SETTING_UP = 30.0  # seconds
LEAST_PATIENCE = 30.0  # seconds: logging in, a source that falls silent, and a slow disk
HASHING = 20e6  # bytes per second that a receiver hashes and writes at the least
# Those that processors of servers help with come first.
QUICK = "aes128-gcm@openssh.com,aes256-gcm@openssh.com"
OTHERS = "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr"

SERVE = """\
# Written by mk8s for the time of one run: nodes fetch pieces of files from here.
# Asked for HASH OFFSET LENGTH, it prints that range of the file that is linked here by its hash.
set -f
unset IFS
refuse() { echo "mk8s: refused: $1" >&2; exit 64; }
number() { case $1 in ''|*[!0-9]*|0?*|????????????????*) refuse 'no number';; esac; }
set -- $SSH_ORIGINAL_COMMAND
[ $# -eq 3 ] || refuse 'not HASH OFFSET LENGTH'
case $1 in *[!0-9a-f]*) refuse 'no hash';; esac
[ ${#1} -eq 64 ] || refuse 'no hash'
number "$2"; number "$3"
cd "$(dirname -- "$0")" || exit
[ -f "$1" ] && [ -r "$1" ] || refuse 'no such file'
tail -c "+$(($2 + 1))" <"$1" | head -c "$3"
"""

# Where sshd looks for the user's keys is its own to say; without an answer, the usual place. That folder is
# the user's, who is not root yet and may change it at any moment: nothing in it is read or written through
# a link, and no key of theirs is lost, be the disk full or the power gone.
KEYS_FILE = """\
PATH=$PATH:/usr/sbin:/sbin
unfit() { echo "mk8s: $1" >&2; exit 91; }
home_of() { getent passwd "$1" | { IFS=: read -r _ _ _ _ _ home _ && printf %s "$home"; }; }
keys_file() {
  sshd -T -C "user=$1,host=localhost,addr=127.0.0.1" 2>/dev/null | while read -r word first _; do
    [ "$word" = authorizedkeysfile ] && printf %s "$first" && break
  done
}
find_keys() {
  home=$(home_of "$1") && [ -d "$home" ] || unfit "$1 has no home"
  keys=$(keys_file "$1")
  case ${keys:=.ssh/authorized_keys} in
    %h/*) keys=$home/${keys#%h/};;
    none|*%*) unfit "sshd reads the keys of $1 at $keys";;
    /*) ;;
    *) keys=$home/$keys;;
  esac
}
plain() { dd if="$1" iflag=nofollow status=none; }
others() {
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in *" $mark") ;; *) printf '%s\\n' "$line";; esac
  done
}
without_ours() {
  there=$(readlink -f -- "$keys") && [ -f "$there" ] || return 0
  all=$(plain "$there") && kept=$(printf '%s\\n' "$all" | others) || return
  [ "$kept" != "$all" ] || return 0
  new=$there.mk8s
  cp -pP --remove-destination -- "$there" "$new" &&
    printf %s "${kept:+$kept
}" | dd of="$new" oflag=nofollow conv=nocreat,fsync status=none &&
    [ "$(plain "$new")" = "$kept" ] && mv -fT -- "$new" "$there" && return
  rm -f -- "$new"
  return 1
}
"""

OPEN = (
    KEYS_FILE
    + """\
folder=$1 user=$2 mark=$3 key=$4 from=$5 minutes=$6 serve=$7
umask 022
find_keys "$user"
until=$(date -d "+$minutes minutes" +%Y%m%d%H%M%S) || unfit 'date cannot count'
mkdir -p -- "$folder" && chgrp -- "$(id -g "$user")" "$folder" && chmod 750 -- "$folder" || exit
printf %s "$serve" >"$folder/serve" || exit
ssh=$(dirname -- "$keys")
if [ ! -d "$ssh" ]; then
  mkdir -m 700 -- "$ssh" && chown -h -- "$user:$(id -g "$user")" "$ssh" && : >"$folder/made-folder" || exit
fi
without_ours || exit
if [ ! -e "$keys" ]; then
  (umask 077; set -C; : >"$keys") && chown -h -- "$user:$(id -g "$user")" "$keys" || exit
  : >"$folder/made-keys" || exit
fi
may="restrict,command=\\"/bin/sh $folder/serve\\",expiry-time=\\"$until\\"${from:+,from=\\"$from\\"}"
line="$may $key $mark"
[ -z "$(tail -c 1 -- "$keys")" ] || line="
$line"
printf '%s\\n' "$line" >>"$keys" || exit
command -v restorecon >/dev/null 2>&1 && restorecon -F "$ssh" "$keys" 2>/dev/null
found=$(sshd -T 2>/dev/null | while read -r word path; do [ "$word" = hostkey ] && echo "$path"; done)
for path in ${found:-/etc/ssh/ssh_host_*_key}; do
  [ -r "$path.pub" ] && read -r kind blob _ <"$path.pub" && echo "$kind $blob"
done
exit 0
"""
)

# The file is not secret: it is readable by all once it is whole, and `share` is for such files alone. A
# link by name, to a file on another disk, serves those users that can go to where it points.
SHARE = """\
[ -e "$2" ] && from=$2 || from=$3
chmod a+r -- "$from" && { ln -f -- "$from" "$1/$4" 2>/dev/null || ln -sf -- "$from" "$1/$4"; }
"""

RECEIVE = """\
umask 077
command -v ssh >/dev/null || { echo 'mk8s: there is no ssh on this host' >&2; exit 90; }
(umask 022; mkdir -p -- "$(dirname -- "$1")") && mkdir -p -m 700 -- "$1" && exec cat >"$1/key"
"""

# A connection to a source stays open for the next range: opening one takes a fifth of a second. Pieces are
# written at their own places, as in `transports.appending`: one that a lost connection left at work, and
# that comes late, writes what belongs there.
PULL = """\
umask 077
folder=$1 part=$2 start=$3 name=$4 user=$5 address=$6 port=$7 file=$8 ciphers=$9
hosts=$folder/hosts.$name scratch=$folder/piece.$$
trap 'rm -f -- "$scratch"' EXIT
trap 'exit 143' HUP INT TERM
: >"$hosts.$$" || exit
while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$name $line" >>"$hosts.$$"; done
mv -f -- "$hosts.$$" "$hosts" || exit
pieces=$(cat) length=0
write() { dd of="$part" bs=1M seek="$start" oflag=seek_bytes,nofollow conv=nocreat,notrunc status=none; }
while read -r size _; do length=$((length + size)); done <<END
$pieces
END
plain() { [ ! -L "$part" ] && { [ ! -e "$part" ] || { [ -f "$part" ] && [ -O "$part" ]; }; }; }
plain || { echo "mk8s: $part is not ours" >&2; exit 95; }
there=$(stat -c %s -- "$part" 2>/dev/null || echo 0)
[ "$there" -ge "$start" ] || { echo "mk8s: $part holds $there bytes, not $start" >&2; exit 94; }
[ "$start" = 0 ] && { rm -f -- "$part"; open=excl; } || open=nocreat
dd of="$part" bs=1 seek="$start" count=0 oflag=nofollow conv="$open" status=none </dev/null || exit 95
ssh -F /dev/null -n -T -x -a -i "$folder/key" -p "$port" -l "$user" \\
  -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o PreferredAuthentications=publickey \\
  -o StrictHostKeyChecking=yes -o UserKnownHostsFile="$hosts" -o GlobalKnownHostsFile=/dev/null \\
  -o HostKeyAlias="$name" -o CheckHostIP=no -o UpdateHostKeys=no -o LogLevel=ERROR -o Compression=no \\
  -o Ciphers="$ciphers" -o ConnectTimeout=5 -o ServerAliveInterval=5 -o ServerAliveCountMax=2 \\
  -o ControlMaster=auto -o ControlPath="$folder/to-%C" -o ControlPersist=30 \\
  -- "$address" "$file $start $length" | {
  exec 4<&0
  while read -r size sum; do
    head -c "$size" <&4 >"$scratch" || exit 95
    got=$(openssl dgst -sha256 -r <"$scratch" 2>/dev/null || sha256sum <"$scratch") || exit
    if [ "${got%% *}" != "$sum" ]; then
      [ "$(stat -c %s -- "$scratch")" -eq "$size" ] || exit 92
      echo "mk8s: $name sent wrong bytes" >&2; exit 93
    fi
    write <"$scratch" || exit 95
    start=$((start + size))
    echo good
  done <<END
$pieces
END
}
"""

CLOSE = (
    KEYS_FILE
    + """\
folder=$1 working=$2 user=$3 mark=$4
for socket in "$working"/to-*; do
  [ -S "$socket" ] && ssh -F /dev/null -o ControlPath="$socket" -O exit none 2>/dev/null
done
failed=0
if find_keys "$user" && [ -e "$keys" ]; then
  without_ours || failed=1
  [ -e "$folder/made-keys" ] && [ ! -s "$keys" ] && rm -f -- "$keys"
  [ -e "$folder/made-folder" ] && rmdir -- "$(dirname -- "$keys")" 2>/dev/null
fi
rm -rf -- "$folder" "$working" || failed=1
exit "$failed"
"""
)


def open_source(user: str, key: RunKey, addresses: str) -> Command:
    """Let holders of the key fetch what is shared. Prints the host's public keys: `read_host_keys`.

    `addresses`: where they may come from, separated by commas; empty: from anywhere. May be repeated.
    Exit `UNFIT` where the host cannot serve.
    """
    return Command(
        operation="fanout.open",
        description="let other nodes fetch files from here",
        script=OPEN,
        args=(str(SERVED), user, MARK, key.public, addresses, str(LIFETIME), SERVE),
        timeout=SETTING_UP,
    )


def share(part: PurePosixPath, target: PurePosixPath, digest: str) -> Command:
    """Link a file, or the part that it still is, where the key can read it. It becomes readable by all."""
    return Command(
        operation="fanout.share",
        description=f"hand on {target.name}",
        script=SHARE,
        args=(str(SERVED), str(part), str(target), digest),
        timeout=SETTING_UP,
    )


def receive(key: RunKey) -> Command:
    """Keep the key in memory, root's own. Exit `NO_SSH` where the host cannot fetch."""
    return Command(
        operation="fanout.receive",
        description="be ready to fetch files from other nodes",
        script=RECEIVE,
        args=(str(WORKING),),
        stdin=key.private,
        timeout=SETTING_UP,
    )


def pull(
    part: PurePosixPath,
    digest: str,
    pieces: Sequence[Piece],
    *,
    name: str,
    login: tuple[str, str, int],
    host_keys: Sequence[str],
    quick_ciphers: bool,
    floor: float,
) -> Command:
    """Fetch pieces that follow each other from the node `name` and put them behind what `part` holds.

    `login` is user, address and port there. Each piece is verified before it is appended, and said on
    stdout: `good_pieces`. Exit `WRONG` at the first that is not right, `CUT` where the source ended
    early. `floor`: bytes per second below which it is given up.
    """
    user, address, port = login
    size = sum(piece.size for piece in pieces)
    known = "".join(f"{line}\n" for line in host_keys)
    wanted = "".join(f"{piece.size} {piece.sha256}\n" for piece in pieces)
    ciphers = f"{QUICK},{OTHERS}" if quick_ciphers else f"{OTHERS},{QUICK}"
    return Command(
        operation="fanout.pull",
        description=f"fetch {len(pieces)} pieces of {part.name} from {name}",
        script=PULL,
        args=(str(WORKING), str(part), str(pieces[0].start), name, user, address, str(port), digest, ciphers),
        stdin=f"{known}\n{wanted}".encode(),
        timeout=LEAST_PATIENCE + size / floor + size / HASHING,
    )


def close(user: str) -> Command:
    """Remove the key, what was shared and what was prepared; what is not there is fine."""
    return Command(
        operation="fanout.close",
        description="remove the key of the fan-out",
        script=CLOSE,
        args=(str(SERVED), str(WORKING), user, MARK),
        timeout=SETTING_UP,
    )


def read_host_keys(outcome: Outcome) -> tuple[str, ...]:
    """What `open_source` printed: ``ssh-ed25519 AAAA...`` lines. Raises ValueError for anything else."""
    lines = tuple(outcome.text.splitlines())
    if outcome.truncated or not lines or any(len(line.split()) != 2 for line in lines):
        raise ValueError("the host names no public keys of its sshd")
    return lines


def good_pieces(output: bytes) -> int:
    """How many pieces a pull has verified, as its output says so far."""
    return output.count(b"good\n")
