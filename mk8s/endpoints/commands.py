"""What puts haproxy and keepalived to work on a server, as values. Models stand in `model`.

All run as root. Scripts are POSIX sh; what varies goes in as arguments, and no secret is among them: the
configs are files that were written before. Begin reading at `apply`.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from transports.base import Command

__all__ = ["MISSING", "REFUSED", "apply", "is_applied"]

REFUSED, MISSING = 65, 69  # exit statuses: the program refuses its config; the host lacks something
SECONDS_TO_START = 120.0
LINES_OF_JOURNAL = 10
BEFORE = PurePosixPath("/var/lib/mk8s/before")
STARTED = PurePosixPath("/var/lib/mk8s/started")
PROC = PurePosixPath("/proc")

# The interface is the one that has the node's own address: there its neighbours are.
RENDER = """\
PATH=$PATH:/usr/sbin:/sbin
program=$1 template=$2 target=$3 address=$4 started=$5
interface() {
  ip -o addr show to "$address" | { read -r _ name _ && echo "${name%%@*}"; }
}
render() {
  grep -q @INTERFACE@ "$template" || { cat "$template"; return; }
  name=$(interface) || return
  sed "s|@INTERFACE@|$name|g" "$template"
}
"""
# A reload that fails leaves haproxy active and without its ports, whatever systemd says of it.
LISTENS = """\
listens() {
  sed -n 's/^ *bind .*:\\([0-9]*\\)$/\\1/p' "$target" | while read -r port; do
    grep -q ":$(printf %04X "$port") 0*:0000 0A " "$proc/net/tcp" "$proc/net/tcp6" 2>/dev/null || exit 1
  done
}
"""
IS_APPLIED = f"""\
{RENDER}{LISTENS}
proc=$6
[ -e "$target" ] && wanted=$(render) && [ "$(cat "$target")" = "$wanted" ] || exit 1
[ "$(sha256sum <"$target")" = "$(cat "$started" 2>/dev/null)" ] || exit 1
systemctl is-enabled --quiet "$program.service" && systemctl is-active --quiet "$program.service" && listens
"""
# A config that its program refuses never takes the place of one that works. A running program reads the
# new one without letting go of its connections, or of the address; it is restarted where that fails.
APPLY = f"""\
set -eu
{RENDER}{LISTENS}
proc=$6 before=$7 unit=$program.service
umask 077
if ! command -v "$program" >/dev/null; then
  echo "mk8s: there is no $program on this host; install it, or add its package to the artifacts" >&2
  exit {MISSING}
fi
mkdir -p "$(dirname "$target")" "$(dirname "$started")" "$before"
if ! render >"$target.mk8s"; then
  rm -f "$target.mk8s"
  echo "mk8s: no interface of this host has the address $address; name one as endpoint.interface" >&2
  exit {MISSING}
fi
refused() {{
  rm -f "$target.mk8s"
  printf 'mk8s: %s refuses its config: %s\\n' "$program" "$1" >&2
  exit {REFUSED}
}}
case $program in
  haproxy)
    chmod 644 "$target.mk8s"
    said=$(haproxy -c -q -f "$target.mk8s" 2>&1) || refused "$said"
    if [ "$(cat /sys/fs/selinux/enforce 2>/dev/null)" = 1 ] && command -v setsebool >/dev/null; then
      setsebool -P haproxy_connect_any 1
    fi;;
  keepalived)
    if keepalived --help 2>&1 | grep -q -e --config-test; then
      said=$(keepalived -t -f "$target.mk8s" 2>&1) || refused "$said"
    fi;;
esac
kept=$before/${{target##*/}}
if [ -e "$target" ] && [ ! -e "$kept" ] && ! grep -q '^# written by mk8s' "$target"; then
  cp -p "$target" "$kept"
fi
mv -f "$target.mk8s" "$target"
! command -v restorecon >/dev/null || restorecon "$target" /usr/libexec/keepalived/* 2>/dev/null || :
sum=$(sha256sum <"$target")
systemctl daemon-reload
systemctl enable --quiet "$unit"
systemctl reset-failed "$unit" 2>/dev/null || :
works() {{
  systemctl "$1" "$unit" || return
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if listens; then return; fi
    sleep 0.5
  done
  return 1
}}
if ! works reload-or-restart && ! works restart; then
  journalctl -u "$unit" -n {LINES_OF_JOURNAL} -o cat --no-pager >&2
  exit 1
fi
printf '%s\\n' "$sum" >"$started"
"""


def apply(program: str, template: PurePosixPath, target: PurePosixPath, address: str) -> Command:
    """Put a checked config into its place and let the program run with it, now and at each boot.

    Another's config that is there is kept below /var/lib/mk8s/before.
    """
    return Command(
        operation="endpoints.apply",
        description=f"let {program} run with {target}",
        script=APPLY,
        args=(*_words(program, template, target, address), str(BEFORE)),
        timeout=SECONDS_TO_START,
    )


def is_applied(program: str, template: PurePosixPath, target: PurePosixPath, address: str) -> Command:
    """Exit 0 when the program runs with that config, and a reboot starts it."""
    return Command(
        operation="endpoints.is-applied",
        description=f"see whether {program} runs with its config as it should be",
        script=IS_APPLIED,
        args=_words(program, template, target, address),
    )


def _words(program: str, template: PurePosixPath, target: PurePosixPath, address: str) -> tuple[str, ...]:
    return program, str(template), str(target), address, str(STARTED / f"endpoint-{program}"), str(PROC)
