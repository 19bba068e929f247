"""The text of preflight's one question to a node: POSIX sh and coreutils, and nothing that varies.

It follows the laws of `mk8s.commands` and changes nothing. Its first argument is where data will be; each
other is ``kind:value``, and says what else to look at. Where something cannot be read (no /sys/class/dmi
in a container), its line is left out. Each line of the answer is ``key=value``; keys may repeat.
`mk8s.preflight.gathering` asks it, `mk8s.preflight.reading` reads the answer.
"""

from __future__ import annotations

from mk8s.commands import FREE

__all__ = ["SCRIPT", "UNITS"]

UNITS = (
    "firewalld", "NetworkManager", "nm-cloud-setup", "nm-cloud-setup.timer", "wickedd", "fapolicyd", "docker",
    "containerd", "rke2-server", "rke2-agent", "k3s", "k3s-agent", "k0scontroller", "k0sworker", "kubelet",
)  # fmt: skip
"""What checks want to know of: is it active, does it start at boot?"""

SAYING = """\
say() { printf "%s=%s\\n" "$1" "$2"; }
word() { [ -r "$1" ] && read -r line <"$1" && say "$2" "$line"; }
pairs() { while read -r key value _; do [ "$key" = "$2" ] && say "$3" "$value"; done <"$1"; }
table() { cat "$1"; }  # bash seeks back after each line it reads: where lines came or went, it misses others
"""

KERNEL = """\
filesystem() { while read -r a b; do [ "${b:-$a}" = "$1" ] && return; done </proc/filesystems; return 1; }
module() {
  [ -d "/sys/module/$1" ] && return
  case $1 in
    br_netfilter) [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] && return;;
    nf_conntrack) [ -e /proc/sys/net/netfilter/nf_conntrack_max ] && return;;
  esac
  filesystem "$1" || modprobe -n -q -- "$1"
}
controllers() {
  if [ -r /sys/fs/cgroup/cgroup.controllers ]; then
    read -r line </sys/fs/cgroup/cgroup.controllers
    for it in $line; do say controller "$it"; done
    return
  fi
  while read -r name _ _ on; do [ "$on" = 1 ] && say controller "$name"; done </proc/cgroups
}
setting() {
  at=/proc/sys/$(printf %s "${1%%=*}" | tr . /)
  [ -r "$at" ] || return
  read -r line <"$at"
  [ -w "$at" ] && can=yes || can=no
  say sysctl "${1%%=*} $can $line"
}
settings() {
  for at in /etc/sysctl.conf /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf \\
    /usr/lib/sysctl.d/*.conf /lib/sysctl.d/*.conf; do
    [ -r "$at" ] && while read -r line; do
      for it; do case $it in sysctl:*)
        key=${it#sysctl:}; key=${key%%=*}
        case ${line#-} in "$key"|"$key"[!a-zA-Z0-9_.-]*) say sysctl_file "$at ${line#-}";; esac;;
      esac; done
    done <"$at"
  done
}
"""

NETWORK = """\
listening() {
  [ -r "$1" ] || return
  table "$1" | while read -r _ at _ state _; do [ "$state" = "$2" ] && say "$3" "$at"; done
}
card() { word "/sys/class/net/$1/address" mac; word "/sys/class/net/$1/mtu" mtu; }
route() {
  while read -r at dest _ _ _ _ _ mask _; do
    [ "$dest$mask" = 0000000000000000 ] && { say route "$at"; card "$at"; return; }
  done </proc/net/route
  for at in /sys/class/net/*; do
    [ -e "$at/device" ] && { card "${at##*/}"; return; }
  done
}
chains() {
  command -v iptables-save >/dev/null && iptables-save | while read -r line; do
    case $line in :KUBE-*|:CNI-*|:cali-*|:CILIUM_*|:FLANNEL-*) say chain "${line%% *}"; break;; esac
  done
}
interfaces() {
  for at in /sys/class/net/*; do
    case ${at##*/} in
      cni0|flannel.*|flannel-*|cilium_*|vxlan.calico|vxlan-v6.calico|cali*|kube-bridge|kube-ipvs0|nodelocaldns)
        say interface "${at##*/}";;
    esac
  done
}
"""

FILES = """\
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
above() {
  below=${at%/}  # bash misreads the same inside the pattern
  for it; do case $it in path:*) case ${it#path:}/ in "$below"/*) return 0;; esac;; esac; done
  return 1
}
total_kib() {
  at=$1
  while [ ! -e "$at" ]; do at=$(dirname -- "$at"); done
  blocks=$(stat -f -c "%b * %S" -- "$at") && say total_kib $(($blocks / 1024))
}
drop_ins() {
  for at in "$1"/*.yaml; do
    [ -r "$at" ] && while IFS= read -r line; do case $line in
      [a-z]*:*) say drop_in "$(printf %s "${line#*:}" | cksum | tr " " -) ${line%%:*} $at";;
    esac; done <"$at"
  done
}
proxies() {
  for at in /etc/environment /etc/default/rke2-* /etc/default/k3s* /etc/sysconfig/rke2-* \\
    /etc/sysconfig/k3s*; do
    [ -r "$at" ] && while read -r line; do
      line=${line#export }
      case $line in http_proxy=*|https_proxy=*|HTTP_PROXY=*|HTTPS_PROXY=*)
        to=${line#*=}; to=${to#[\\"\\']}; to=${to#*://}; to=${to##*@}; to=${to%%[/\\"\\']*}
        say proxy "$to $at";;
      esac
    done <"$at"
  done
}
"""

SERVICES = """\
units() {
  systemctl show -p Id,LoadState,ActiveState,UnitFileState -- "$@" | {
    id= load= active= file=
    while read -r line; do
      case $line in
        Id=*) id=${line#*=};; LoadState=*) load=${line#*=};;
        ActiveState=*) active=${line#*=};; UnitFileState=*) file=${line#*=};;
        "") [ "$load" = loaded ] && say unit "$id $active ${file:--}"; id= load=;;
      esac
    done
    [ "$load" = loaded ] && say unit "$id $active ${file:--}"
  }
}
network_manager() {
  for at in /etc/NetworkManager/NetworkManager.conf /etc/NetworkManager/conf.d/*.conf \\
    /usr/lib/NetworkManager/conf.d/*.conf; do
    [ -r "$at" ] && while read -r line; do
      case $line in unmanaged-devices*=*) say unmanaged "${line#*=}";; esac
    done <"$at"
  done
}
fapolicy() {
  for at in /etc/fapolicyd/rules.d/*.rules /etc/fapolicyd/fapolicyd.rules; do
    [ -r "$at" ] && while read -r line; do
      case $line in allow*dir=*) say trusted "${line##*dir=}";; esac
    done <"$at"
  done
}
"""

# A folder without any file in it is no leftover: packages make such folders ahead of time.
# The clock comes last: the less follows it, the closer it is to the moment at which the answer arrives.
LOOK = (
    """\
exec 2>/dev/null
say hostname "$(uname -n)"
say system "$(uname -s)"
say kernel "$(uname -r)"
say machine "$(uname -m)"
[ -d /run/systemd/system ] && say systemd yes || say systemd no
word /etc/machine-id machine_id
word /sys/class/dmi/id/product_uuid product_uuid
say cpus "$(nproc)"
pairs /proc/meminfo MemTotal: memory_kib
say free_kib "$(free_kib "$1")"
total_kib "$1"
say cgroup "$(stat -f -c %T /sys/fs/cgroup)"
controllers
[ -r /proc/swaps ] && while read -r at _ size _; do
  [ "$at" = Filename ] || say swap "$size $at"
done </proc/swaps
word /proc/sys/fs/inotify/max_user_instances inotify_instances
word /proc/sys/fs/inotify/max_user_watches inotify_watches
listening /proc/net/tcp 0A listen
listening /proc/net/tcp6 0A listen
listening /proc/net/udp 07 listen_udp
listening /proc/net/udp6 07 listen_udp
command -v ss >/dev/null && ss -Hltnp | while read -r line; do say socket "$line"; done
table /proc/self/mounts | while read -r _ at _ options _; do
  above "$@" && say mount "$at $options"
done
command -v ip >/dev/null && ip -o addr show | while read -r _ name _ own _; do
  say address "$own $name"
done
[ -r /etc/resolv.conf ] && pairs /etc/resolv.conf nameserver nameserver
[ -r /run/systemd/resolve/resolv.conf ] && say resolved yes &&
  pairs /run/systemd/resolve/resolv.conf nameserver upstream
route
interfaces
chains
units """
    + " ".join(UNITS)
    + """
network_manager
fapolicy
proxies
settings "$@"
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
    sysctl:*) setting "$name";;
    user:*) id -u -- "$name" >/dev/null || say no_user "$name";;
    package:*) rpm -q -- "$name" >/dev/null || say no_package "$name";;
    drop_ins:*) drop_ins "$name";;
  esac
done
say clock "$(date +%s.%N)"
"""
)

SCRIPT = FREE + SAYING + KERNEL + NETWORK + FILES + SERVICES + LOOK
