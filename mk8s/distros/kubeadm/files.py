"""The files that mk8s writes beside kubeadm's own: units, the runner, kube-vip. Pure.

kubeadm runs as a unit of the host, not as a child of mk8s: so it goes on when mk8s is killed or the
connection is lost, and its words stand in the host's journal. The runner notes when kubeadm begins and
ends, and marks success only once everything that kubeadm wrote is on the disk.
"""

from __future__ import annotations

from mk8s.cluster import Cluster
from mk8s.distros.base import Situation
from mk8s.distros.kubeadm.paths import (
    ADMIN_KUBECONFIG,
    DONE,
    KUBE_VIP,
    KUBE_VIP_FIRST,
    KUBELET_CONFIG,
    KUBELET_KUBECONFIG,
    LOG,
    MANIFESTS,
    RUNNER,
    RUNNER_CONFIG,
    SUPER_ADMIN_KUBECONFIG,
)
from mk8s.distros.upstream import parts
from mk8s.distros.upstream.versions import release_of
from mk8s.endpoints.kube_vip import static_pod

__all__ = ["drop_in", "kube_vip", "kubelet_unit", "runner", "runner_unit", "search_path"]

SUPER_ADMIN_FROM = 29  # until init is done, admin.conf may do nothing yet

# Source of both: upstream's packages, and "Configuring each kubelet in your cluster using kubeadm".
KUBELET_UNIT = """\
# written by mk8s
[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target containerd.service

[Service]
Environment=PATH={path}
ExecStart={bin}/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""

DROP_IN = """\
# written by mk8s, as kubeadm's packages have it
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig={kubeconfig}"
Environment="KUBELET_CONFIG_ARGS=--config={config}"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
EnvironmentFile=-/etc/sysconfig/kubelet
ExecStart=
ExecStart={bin}/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""  # noqa: E501 - systemd reads a line

# No secret may be printed: what this says goes to the journal.
RUNNER_SCRIPT = """\
#!/bin/sh
# written by mk8s: runs `kubeadm init` or `kubeadm join` until it has succeeded once
set -u
umask 022
mkdir -p {log_folder} {done_folder} {manifests}
say() {{ printf '%s %s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>{log}; }}
place() {{ [ ! -e "$1" ] || cp "$1" {manifests}/kube-vip.yaml; }}

[ ! -e {done} ] || {{ echo "mk8s: kubeadm has succeeded already"; exit 0; }}
verb=$1
case $verb in
  init)
    place {kube_vip_first}
    set -- --upload-certs --skip-token-print --skip-certificate-key-print;;
  join) set --;;
  *) echo "mk8s: no such verb: $verb" >&2; exit 64;;
esac

say "begin $verb {version}"
sync
{kubeadm} "$verb" --config {config} "$@"
status=$?
rm -f {config}  # whatever came of it: nobody may ever try again, and the next start brings its own
say "end $verb {version}, exit status $status"
[ "$status" = 0 ] || exit "$status"

place {kube_vip}
sync
printf '%s\\n' "$verb {version}" >{done}.new
mv -f {done}.new {done}
sync
"""

RUNNER_UNIT = """\
# written by mk8s; not enabled: it runs when mk8s says so
[Unit]
Description=kubeadm, run by mk8s
Wants=network-online.target
After=network-online.target containerd.service

[Service]
Type=oneshot
RemainAfterExit=yes
Environment=PATH={path}
ExecStart=/bin/sh {runner} {verb}
TimeoutStartSec=3600
"""


def search_path(s: Situation) -> str:
    """PATH for kubeadm and kubelet, which call crictl, iptables, mount and others by their bare names."""
    folders = [str(parts.prefix(s) / "sbin"), str(parts.bin_dir(s)), "/usr/local/sbin", "/usr/local/bin"]
    return ":".join(dict.fromkeys([*folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]))


def kubelet_unit(s: Situation) -> bytes:
    return KUBELET_UNIT.format(path=search_path(s), bin=parts.bin_dir(s)).encode()


def drop_in(s: Situation) -> bytes:
    """Where the kubelet finds what kubeadm writes for it."""
    return DROP_IN.format(kubeconfig=KUBELET_KUBECONFIG, config=KUBELET_CONFIG, bin=parts.bin_dir(s)).encode()


def runner(s: Situation) -> bytes:
    return RUNNER_SCRIPT.format(
        kubeadm=parts.program("kubeadm"),
        config=RUNNER_CONFIG,
        version=s.cluster.version,
        log=LOG,
        log_folder=LOG.parent,
        done=DONE,
        done_folder=DONE.parent,
        manifests=MANIFESTS,
        kube_vip_first=KUBE_VIP_FIRST,
        kube_vip=KUBE_VIP,
    ).encode()


def runner_unit(s: Situation) -> bytes:
    verb = "init" if s.node.role == "primary" else "join"
    return RUNNER_UNIT.format(path=search_path(s), runner=RUNNER, verb=verb).encode()


def kube_vip(cluster: Cluster, *, first: bool) -> bytes:
    """kube-vip as a static pod: one server at a time holds the endpoint's address. Empty where not wanted.

    `first`: for the first server while `kubeadm init` runs. From v1.29 on admin.conf has no rights before
    init has given them, so super-admin.conf stands in for it.
    """
    if cluster.kube_vip is None:
        return b""
    is_super = first and release_of(cluster).minor >= SUPER_ADMIN_FROM
    kubeconfig = SUPER_ADMIN_KUBECONFIG if is_super else ADMIN_KUBECONFIG
    source = {"path": str(kubeconfig), "type": "File"}
    return static_pod(cluster.kube_vip, str(cluster.endpoint), source)
