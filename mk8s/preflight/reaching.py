"""The second question: what a host sees of the others, asked with what is there, all ways at the same time.

Nothing listens on a bare host. A refusal therefore comes from its kernel and proves that the way is open;
silence, or a router's word, means a firewall. (One that refuses in the kernel's own manner, as iptables'
plain REJECT does, cannot be told from an open way.) UDP is told in the same manner: the kernel refuses a
datagram to a port that nobody has. Silence on TCP refuses a run, so it is believed the second time: two lost
packets, or a host that is too busy to start bash, look the same.

bash tries both, nc and curl TCP alone. One write at a time is measured where etcd will keep its log: the
only thing that preflight ever writes on a node, into a file that has no name any more when it is written to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mk8s.preflight.found import Reached, Target, Way
from mk8s.preflight.reading import Told, number
from mk8s.preflight.script import SAYING
from transports.base import Command

__all__ = ["REACHING", "reach", "read_reached", "seconds_for"]

REACHING = "preflight.reach"
PATIENCE = 3  # seconds for one attempt: a lost packet is sent again after one
ATTEMPTS = 2  # at the most for each way
BATCH = 100  # attempts at the same time
MARGIN = 15.0  # seconds for all else
WRITES, WRITE_SIZE, WRITING = 200, 2048, 5  # writes, their bytes, and seconds for all of them

SCRIPT = (
    SAYING
    + """\
for tool in bash nc curl none; do command -v "$tool" >/dev/null && break; done
attempt() {
  case $tool in
    bash) timeout "$patience" bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2";;
    nc) timeout "$patience" nc -z -w $(($patience + 1)) -v "$1" "$2" </dev/null;;
    curl)
      case $1 in *:*) set -- "[$1]" "$2";; esac
      timeout "$patience" curl -sS --connect-timeout $(($patience - 1)) "telnet://$1:$2" </dev/null;;
  esac
}
# the second datagram meets what the first one brought back
datagram() {
  timeout "$patience" bash -c '
    exec 3<>"/dev/udp/$0/$1"
    for _ in 1 2 3; do printf . >&3 || exit 1; sleep 0.3; done
    exit 9' "$1" "$2"
}
ask() {
  words=$("$@" 2>&1; echo "status $?")
  code=${words##*status }
}
tried() {
  ask "$2" "$3" "$4"
  # once more where nothing came: it is timeout's status 124; curl, killed so, held a connection, and says 28
  case "$1 $tool $code" in "tcp curl 28" | "tcp bash 124" | "tcp nc 124") ask "$2" "$3" "$4";; esac
  say "$1" "$3 $4 $code $(printf %s "${words%status *}" | tr "\\n" " ")"
}
known() {
  addresses=$(timeout 5 getent ahosts "$1" | while read -r at kind _; do
    [ "$kind" = STREAM ] && printf '%s ' "$at"
  done)
  say name "$1 $addresses"
}
writes() {
  at=$1
  while [ ! -e "$at" ]; do at=$(dirname -- "$at"); done
  file=$(mktemp -p "$at" .mk8s-probe.XXXXXX) || return
  exec 5<>"$file"
  rm -f -- "$file"
  # empty and nameless: ours, and not what somebody who owns the folder put there in between
  [ "$(stat -L -c '%h %s' /proc/self/fd/5)" = "0 0" ] || return
  timeout -s INT "$4" dd if=/dev/zero of=/dev/fd/5 bs="$2" count="$3" oflag=dsync conv=notrunc 2>&1 |
    while read -r line; do say write "$line"; done
}
exec 2>/dev/null
patience=$1 batch=$2 size=$3 count=$4 limit=$5
shift 5
say tool "$tool"
begun=0
for it; do
  rest=${it#*/} host=${it#*/} port=${it##*/}
  host=${host%/*}
  case $it in
    tcp/*) [ "$tool" = none ] || tried tcp attempt "$host" "$port" &;;
    udp/*) [ "$tool" = bash ] && tried udp datagram "$host" "$port" &;;
    name/*) command -v getent >/dev/null && known "$rest" &;;
    write/*) writes "/$rest" "$size" "$count" "$limit" &;;
  esac
  begun=$(($begun + 1))
  [ $(($begun % $batch)) = 0 ] && wait
done
wait
command -v ip >/dev/null && for it; do
  case $it in neighbour/*) ip neigh show "${it#*/}" | while read -r at words; do
    case $words in *lladdr*) say neighbour "$at";; esac
  done;; esac
done
say end yes
"""
)
COPIED = re.compile(r"(?P<bytes>[0-9]+) bytes .*copied, (?P<seconds>[0-9.eE+-]+) s")
NAMELESS = ("not known", "name resolution", "no address", "could not resolve", "bad address", "nodename")
BLOCKED = ("no route to host", "unreachable", "prohibited", "not permitted", "permission denied")
TIMED_OUT, CURL_TIMED_OUT, NO_REPLY = 124, 28, 9


def reach(
    targets: Iterable[Target], names: Iterable[str] = (), neighbours: Iterable[str] = (), write_at: str = ""
) -> Command:
    """Try all ways, resolve all names, and measure writes at a path. Read the answer with `read_reached`.

    `neighbours`: addresses of which is asked who in the network answered for them; each is a target, too.
    """
    words = (
        *(f"{protocol}/{host}/{port}" for protocol, host, port in targets),
        *(f"name/{name}" for name in names),
        *(f"neighbour/{address}" for address in neighbours),
        *((f"write{write_at}",) if write_at else ()),
    )
    return Command(
        operation=REACHING,
        description="try the ways to the other nodes",
        script=SCRIPT,
        args=(str(PATIENCE), str(BATCH), str(WRITE_SIZE), str(WRITES), str(WRITING), *words),
        sudo=True,
        timeout=seconds_for(len(words)),
    )


def seconds_for(words: int) -> float:
    """The longest that so many attempts may take."""
    return (words // BATCH + 1) * (ATTEMPTS * PATIENCE + 1) + MARGIN


def read_reached(text: str) -> Reached:
    """Raises ValueError for an answer without its end."""
    told = Told(text)
    if not told.one("end"):
        raise ValueError("the answer lacks its end")
    tool = told.one("tool")
    ways: dict[Target, Way] = {}
    for line in told.all("tcp"):
        host, port, code, words = _attempt(line)
        ways["tcp", host, port] = _tcp(tool, code, words)
    for line in told.all("udp"):
        host, port, code, words = _attempt(line)
        ways["udp", host, port] = _udp(code, words)
    return Reached(
        tool,
        ways,
        {line.split()[0]: tuple(dict.fromkeys(line.split()[1:])) for line in told.all("name")},
        frozenset(told.all("neighbour")),
        _seconds(told.all("write")),
    )


def _attempt(line: str) -> tuple[str, int, int, str]:
    """``HOST PORT STATUS WORDS``; a line that is odd has port 0 and so belongs to no target."""
    words: Sequence[str] = (*line.split(maxsplit=3), "", "", "", "")
    return words[0], number(words[1]) or 0, number(words[2]) or 0, words[3]


def _tcp(tool: str, code: int, words: str) -> Way:
    if code == 0 or (code == TIMED_OUT and tool == "curl"):  # curl holds a connection that it has
        return Way("open", answers=True)
    if code == TIMED_OUT or (code == CURL_TIMED_OUT and tool == "curl") or "timed out" in words.lower():
        return Way("silent", words="no answer")
    return _by_words(words)


def _udp(code: int, words: str) -> Way:
    return Way("silent", words="no answer") if code in (NO_REPLY, TIMED_OUT) else _by_words(words)


def _by_words(words: str) -> Way:
    """The system's own words for why there is no connection, in the language C."""
    small = words.lower()
    if "refused" in small:
        return Way("open")
    said = words.strip().rpartition(": ")[2].rstrip(".")
    if any(word in small for word in BLOCKED):
        return Way("blocked", words=said)
    return Way("nameless" if any(word in small for word in NAMELESS) else "unknown", words=said)


def _seconds(lines: Iterable[str]) -> float | None:
    """The mean time of a write, by dd's last words; None where it said none, or nothing was written."""
    for line in lines:
        match = COPIED.match(line)
        if match and int(match["bytes"]) >= WRITE_SIZE:
            try:
                return float(match["seconds"]) / (int(match["bytes"]) // WRITE_SIZE)
            except ValueError:
                return None
    return None
