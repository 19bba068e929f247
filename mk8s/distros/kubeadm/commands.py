"""What kubeadm's hosts are asked and told, as values. What its clusters are is in `cluster_commands`.

Every operation here begins with ``kubeadm.`` and has its model in `kubeadm.model`; a test compares the two.
All of them run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text, and
none carries a secret: those come over stdin. Questions first, then changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from mk8s.cluster import Node
from mk8s.distros.kubeadm.paths import (
    ADMIN_KUBECONFIG,
    CLUSTER_CONFIG,
    DONE,
    KUBELET_CONFIG,
    KUBELET_KUBECONFIG,
    LOG,
    MANIFESTS,
    RUNNER_CONFIG,
    RUNNER_UNIT,
)
from mk8s.distros.upstream import parts
from mk8s.distros.upstream.runtime import SOCKET
from mk8s.units import JOURNAL, LINES_OF_JOURNAL
from transports.base import Command

__all__ = [
    "LEFTOVERS",
    "MISSING",
    "REFUSED",
    "SERVER_IMAGES",
    "ask",
    "find_missing_images",
    "forget_config",
    "has_no_config",
    "reset",
    "start",
    "stop",
]

UNIT = RUNNER_UNIT.name
SECONDS_TO_RESET = 600.0
REFUSED = 66  # exit status: the reset would have taken a cluster away
SERVER_IMAGES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")

LEFTOVERS = (
    *(f"{MANIFESTS}/{name}.yaml" for name in SERVER_IMAGES),
    "/etc/kubernetes/pki/ca.crt",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    str(ADMIN_KUBECONFIG),
    str(KUBELET_KUBECONFIG),
    str(KUBELET_CONFIG),
    "/var/lib/etcd/member",
)
"""What kubeadm writes on its way, and nobody else."""

# `done` needs both: the marker may outlive a `kubeadm reset` by hand, and the files a power loss.
ASK = f"""\
unit=$1 done=$2 joined=$3
shift 3
progress() {{
  if [ -e "$done" ] && [ -e "$joined" ]; then echo done; return; fi
  for path; do [ ! -e "$path" ] || {{ echo half; return; }}; done
  echo none
}}
echo "progress=$(progress "$@")"
echo "kubelet=$(systemctl is-enabled kubelet.service 2>/dev/null)"
[ ! -s "$joined" ] || echo registered=yes
systemctl show "$unit" -p LoadState -p ActiveState -p SubState -p Result -p Job
systemctl is-active --quiet "$unit" && exit 0
since=$(cat "/run/mk8s/$unit.since" 2>/dev/null) || since=
echo '{JOURNAL}'
journalctl -u "$unit" ${{since:+"--since=@$since"}} -n {LINES_OF_JOURNAL} -o cat --no-pager 2>/dev/null
exit 0
"""

# kubeadm lists what it needs without a network: the config names the version.
MISSING = """\
kubeadm=$1 ctr=$2 config=$3 role=$4
shift 4
needed=$("$kubeadm" config images list --config "$config") || exit
held=$("$ctr" -n k8s.io images ls -q) || exit
for image in $needed "$@"; do
  case $role:$image in
    agent:*/kube-apiserver:*|agent:*/kube-controller-manager:*) continue;;
    agent:*/kube-scheduler:*|agent:*/etcd:*) continue;;
  esac
  printf '%s\\n' "$held" | grep -qxF -- "$image" || echo "$image"
done
"""


# A mark that is there now has outlived what it was of: kubeadm was reset by hand.
START = """\
rm -f -- "$2"
mkdir -p /run/mk8s && date +%s >"/run/mk8s/$1.since"
systemctl daemon-reload
systemctl reset-failed "$1" 2>/dev/null || :
systemctl stop "$1" 2>/dev/null || :
exec systemctl start --no-block "$1"
"""

STOP = """\
systemctl disable --quiet kubelet.service
systemctl stop "$1" kubelet.service
rm -f "$2"
"""

# A first server that others have joined is the cluster, and so may be one where init has succeeded: its API
# may be down just now. No half-made node is.
RESET = f"""\
set -u
kubeadm=$1 kubectl=$2 admin=$3 name=$4 socket=$5 unit=$6 done=$7 log=$8 primary=$9
systemctl stop "$unit" 2>/dev/null
if [ "$primary" = primary ] && [ -e "$admin" ]; then
  nodes=$("$kubectl" --kubeconfig "$admin" --request-timeout=10s get nodes -o name 2>/dev/null) || nodes=
  for node in $nodes; do
    [ "$node" = "node/$name" ] || {{
      echo "mk8s: refused to start over: ${{node#node/}} has joined the cluster of $name" >&2
      exit {REFUSED}
    }}
  done
  case $(grep -E ' (begin|end) (init|reset)' "$log" 2>/dev/null | tail -n 1) in
    *" end init "*"exit status 0")
      echo "mk8s: refused to start over: kubeadm init has succeeded on $name" >&2
      exit {REFUSED};;
  esac
fi
rm -f "$done"
mkdir -p "$(dirname "$log")"
say() {{ printf '%s %s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$log"; }}
say "begin reset"
"$kubeadm" reset -f --cri-socket "$socket" >&2
status=$?
say "end reset, exit status $status"
[ "$status" = 0 ] || exit "$status"
shift 9
rm -rf -- "$@"
"""


# Questions


def ask() -> Command:
    """How far kubeadm has come on this host, and, unless its unit is active, what it said."""
    return Command(
        operation="kubeadm.ask",
        description="see how far kubeadm has come",
        script=ASK,
        args=(UNIT, str(DONE), str(KUBELET_KUBECONFIG), *LEFTOVERS),
    )


def find_missing_images(node: Node, more: Sequence[str] = ()) -> Command:
    """Prints each image that kubeadm needs on this node, or that is in `more`, and containerd has not."""
    return Command(
        operation="kubeadm.missing-images",
        description="compare kubeadm's list of images with containerd's",
        script=MISSING,
        args=(
            str(parts.program("kubeadm")), str(parts.program("ctr")), str(CLUSTER_CONFIG), node.role, *more
        ),
    )  # fmt: skip


def has_no_config() -> Command:
    return Command(
        operation="kubeadm.has-no-config",
        description="see that no config with secrets is left",
        script='[ ! -e "$1" ]',
        args=(str(RUNNER_CONFIG),),
    )


# Changes


def start() -> Command:
    """Let kubeadm begin, and do not wait for it."""
    return Command(
        operation="kubeadm.start",
        description=f"start {UNIT} and do not wait",
        script=START,
        args=(UNIT, str(DONE)),
    )


def stop() -> Command:
    """Stop kubeadm and the kubelet, and start neither at boot. No file of the cluster's is touched."""
    return Command(
        operation="kubeadm.stop",
        description="stop kubeadm and the kubelet",
        script=STOP,
        args=(UNIT, str(RUNNER_CONFIG)),
        timeout=300.0,
    )


def reset(node: Node) -> Command:
    """Take a half-made node back. Exit 66 for a first server whose cluster has other nodes already."""
    return Command(
        operation="kubeadm.reset",
        description="take back what kubeadm has half made",
        script=RESET,
        args=(
            str(parts.program("kubeadm")), str(parts.program("kubectl")), str(ADMIN_KUBECONFIG),
            node.name, f"unix://{SOCKET}", UNIT, str(DONE), str(LOG), node.role, *LEFTOVERS,
        ),
        timeout=SECONDS_TO_RESET,
    )  # fmt: skip


def forget_config() -> Command:
    return Command(
        operation="kubeadm.forget-config",
        description="remove the config with the token",
        script='exec rm -f -- "$1"',
        args=(str(RUNNER_CONFIG),),
    )
