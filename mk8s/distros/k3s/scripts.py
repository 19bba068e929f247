"""Files that K3s' install script would write: the unit, and the scripts that stop and remove all. Pure.

Their content follows K3s' documentation (uninstalling) and install script; the text is mk8s' own.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from shlex import quote

__all__ = ["killall", "uninstall", "unit_file"]

UNIT = """\
# written by mk8s
[Unit]
Description=K3s ({role})
Documentation=https://docs.k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-{env}
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart={program} {role}
"""

# The shims outlive the unit on purpose (KillMode=process), and their containers with them.
KILLALL = """\
#!/bin/sh
# written by mk8s: stop K3s and everything that it runs on this host; its data stay
[ "$(id -u)" -eq 0 ] || {{ echo "must run as root" >&2; exit 1; }}
data={data}
data=${{K3S_DATA_DIR:-$data}}

for unit in k3s k3s-agent; do
  systemctl stop "$unit" 2>/dev/null
done

# a process and all below it, the lowest last
tree() {{
  for pid; do
    echo "$pid"
    tree $(ps -e -o ppid= -o pid= | while read -r parent child; do
      [ "$parent" = "$pid" ] && echo "$child"
    done)
  done
}}
shims=$(ps -e -o pid= -o args= | while read -r pid args; do
  case $args in "$data"/data/*/bin/containerd-shim*) echo "$pid";; esac
done)
[ -z "$shims" ] || kill -9 $(tree $shims) 2>/dev/null

unmount() {{
  cat /proc/self/mounts | while read -r _ at _; do  # not <: bash seeks in it, and misses lines when others go
    case $at in "$1"*) printf '%s\\n' "$at";; esac
  done | sort -r | while read -r at; do
    umount -f "$at" 2>/dev/null || umount -l "$at"
  done
}}
for place in /run/k3s /var/lib/kubelet/pods /var/lib/kubelet/plugins /run/netns/cni-; do
  unmount "$place"
done

if command -v ip >/dev/null 2>&1; then
  ip netns list 2>/dev/null | while read -r name _; do
    case $name in cni-*) ip netns delete "$name";; esac
  done
  ip -o link show master cni0 2>/dev/null | while read -r _ name _; do
    name=${{name%:}}
    ip link delete "${{name%%@*}}" 2>/dev/null
  done
  for name in cni0 flannel.1 flannel-v6.1 flannel-wg flannel-wg-v6 kube-ipvs0; do
    ip link delete "$name" 2>/dev/null
  done
fi

for tables in iptables ip6tables; do
  if command -v "$tables-save" >/dev/null 2>&1; then
    "$tables-save" | grep -v KUBE- | grep -v CNI- | grep -iv flannel | "$tables-restore"
  fi
done
rm -rf /var/lib/cni
exit 0
"""

UNINSTALL = """\
#!/bin/sh
# written by mk8s: remove K3s ({unit}) and all its data from this host; an external datastore is untouched
[ "$(id -u)" -eq 0 ] || {{ echo "must run as root" >&2; exit 1; }}
data={data}
data=${{K3S_DATA_DIR:-$data}}

[ ! -x {bin}/k3s-killall.sh ] || {bin}/k3s-killall.sh

systemctl disable {unit} 2>/dev/null
rm -f {file} {env} /etc/default/{name}
systemctl daemon-reload
systemctl reset-failed {unit} 2>/dev/null

for other in /etc/systemd/system/k3s*.service; do
  if [ -e "$other" ]; then
    echo "$other is another service of K3s: its program and data stay" >&2
    rm -f {bin}/{script}
    exit 0
  fi
done

for name in kubectl crictl ctr; do
  case $(readlink {bin}/"$name" 2>/dev/null) in k3s|*/k3s) rm -f {bin}/"$name";; esac
done
rm -rf /etc/rancher/k3s /run/k3s /run/flannel /var/lib/kubelet
# what is mounted there is emptied, and stays mounted
if grep -q " $data[ /]" /proc/self/mounts; then
  find "$data" -mindepth 1 -depth -delete 2>/dev/null
else
  rm -rf "$data"
fi
rm -rf /etc/rancher/node /etc/cni/net.d /opt/cni
rmdir /etc/rancher 2>/dev/null
if command -v rpm >/dev/null 2>&1 && rpm -q k3s-selinux >/dev/null 2>&1; then
  rpm -e k3s-selinux
fi
rm -f {bin}/k3s {bin}/k3s-killall.sh {bin}/{script}
exit 0
"""


def unit_file(role: str, program: PurePosixPath, env: PurePosixPath) -> bytes:
    """The systemd unit. `role`: server or agent; `env`: the file of variables that install.sh would write."""
    return UNIT.format(role=role, program=program, env=env).encode()


def killall(data: str) -> bytes:
    """``k3s-killall.sh``. `data`: the data folder."""
    return KILLALL.format(data=quote(data)).encode()


def uninstall(unit: PurePosixPath, bin_dir: PurePosixPath, data: str, script: str) -> bytes:
    """The script that removes everything. `unit`: the unit's file; `script`: its own name."""
    return UNINSTALL.format(
        unit=unit.name,
        name=unit.stem,
        file=unit,
        env=f"{unit}.env",
        bin=bin_dir,
        data=quote(data),
        script=script,
    ).encode()
