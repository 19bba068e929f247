"""The one question that preflight asks a node: everything that its checks look at, in one round trip.

The script follows the laws of `mk8s.commands`: POSIX sh, coreutils, nothing that varies inside it, and
it changes nothing. Where something cannot be read (no /sys/class/dmi in a container), its line is left out.
Each line is ``key=value``; keys may repeat. `mk8s.preflight.reading` reads them.
"""

from __future__ import annotations

from mk8s.commands import FREE
from mk8s.distros.base import Requirements
from mk8s.facts import DATA
from transports.base import Command

__all__ = ["OPERATION", "gather"]

OPERATION = "preflight.gather"
LONGEST = 30.0  # seconds; it takes a tenth of one

# A folder without any file in it is no leftover: packages make such folders ahead of time.
# The clock comes last: the less follows it, the closer it is to the moment at which the answer arrives.
SCRIPT = (
    FREE
    + """\
say() { printf "%s=%s\\n" "$1" "$2"; }
word() { [ -r "$1" ] && read -r line <"$1" && say "$2" "$line"; }
pairs() { while read -r key value _; do [ "$key" = "$2" ] && say "$3" "$value"; done <"$1"; }
filesystem() { while read -r a b; do [ "${b:-$a}" = "$1" ] && return; done </proc/filesystems; return 1; }
module() {
  [ -d "/sys/module/$1" ] && return
  case $1 in
    br_netfilter) [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] && return;;
    nf_conntrack) [ -e /proc/sys/net/netfilter/nf_conntrack_max ] && return;;
  esac
  filesystem "$1" || modprobe -n -q -- "$1"
}
listening() {
  [ -r "$1" ] || return
  while read -r _ at _ state _; do [ "$state" = 0A ] && say listen "$at"; done <"$1"
}
route() {
  while read -r at dest _ _ _ _ _ mask _; do
    [ "$dest$mask" = 0000000000000000 ] && { say route "$at"; word "/sys/class/net/$at/address" mac; return; }
  done </proc/net/route
  for at in /sys/class/net/*; do
    [ -e "$at/device" ] && { word "$at/address" mac; return; }
  done
}
holds() {
  for at in "$1"/* "$1"/.[!.]*; do
    if [ -d "$at" ] && [ ! -L "$at" ]; then holds "$at" && return
    elif [ -e "$at" ] || [ -L "$at" ]; then return 0; fi
  done
  return 1
}
left() {
  if [ -d "$1" ] && [ ! -L "$1" ]; then holds "$1"; else [ -e "$1" ] || [ -L "$1" ]; fi
}
exec 2>/dev/null
say hostname "$(uname -n)"
say machine "$(uname -m)"
[ -d /run/systemd/system ] && say systemd yes || say systemd no
word /etc/machine-id machine_id
word /sys/class/dmi/id/product_uuid product_uuid
say cpus "$(nproc)"
pairs /proc/meminfo MemTotal: memory_kib
say free_kib "$(free_kib "$1")"
say cgroup "$(stat -f -c %T /sys/fs/cgroup)"
[ -r /proc/swaps ] && while read -r at _ size _; do
  [ "$at" = Filename ] || say swap "$size $at"
done </proc/swaps
listening /proc/net/tcp
listening /proc/net/tcp6
command -v ss >/dev/null && ss -Hltnp | while read -r line; do say socket "$line"; done
while read -r _ at _ options _; do
  case $at in /|/var|/var/lib) say mount "$at $options";; esac
done </proc/self/mounts
command -v ip >/dev/null && ip -o -4 addr show | while read -r _ _ _ own _; do
  say address "${own%%/*}"
done
[ -r /etc/resolv.conf ] && pairs /etc/resolv.conf nameserver nameserver
[ -e /run/systemd/resolve/resolv.conf ] && say resolved yes
route
systemctl -q is-active firewalld && say firewall firewalld
[ -r /etc/ufw/ufw.conf ] && while read -r line; do
  [ "$line" = ENABLED=yes ] && say firewall ufw
done </etc/ufw/ufw.conf
word /sys/fs/selinux/enforce selinux
word /sys/module/apparmor/parameters/enabled apparmor
command -v apparmor_parser >/dev/null && say apparmor_parser yes
shift
for it; do
  name=${it#*:}
  case $it in
    leftover:*) left "$name" && say leftover "$name";;
    module:*) module "$name" || say no_module "$name";;
    program:*) command -v "$name" >/dev/null || say no_program "$name";;
  esac
done
say clock "$(date +%s.%N)"
"""
)


def gather(wants: Requirements) -> Command:
    """Look at a host with a distro's wishes in mind. Read the answer with `reading.read`."""
    return Command(
        operation=OPERATION,
        description="look whether the host can become a node",
        script=SCRIPT,
        args=(
            str(DATA),
            *(f"leftover:{path}" for path in wants.leftovers),
            *(f"module:{name.replace('-', '_')}" for name in wants.modules),
            *(f"program:{name}" for name in wants.programs),
        ),
        sudo=True,
        timeout=LONGEST,
    )
