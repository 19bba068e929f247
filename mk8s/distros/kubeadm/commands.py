"""The commands that only kubeadm needs, as values. What every cluster is asked is in `mk8s.kube.commands`.

Every operation here begins with ``kubeadm.`` and has its model in `kubeadm.model`; a test compares the two.
All of them run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text, and
none carries a secret: those come over stdin. Questions first, then changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from mk8s.cluster import Node
from mk8s.distros.base import Tools
from mk8s.distros.kubeadm.paths import (
    ADMIN_KUBECONFIG,
    CLUSTER_CONFIG,
    DONE,
    ETCD_PKI,
    KUBELET_CONFIG,
    KUBELET_KUBECONFIG,
    LOG,
    MANIFESTS,
    RUNNER_CONFIG,
    RUNNER_UNIT,
)
from mk8s.distros.upstream import parts
from mk8s.distros.upstream.runtime import SOCKET
from transports.base import Command

__all__ = [
    "JOURNAL",
    "LEFTOVERS",
    "LINES_OF_JOURNAL",
    "MISSING",
    "REFUSED",
    "SERVER_IMAGES",
    "ask",
    "create_token",
    "etcdctl",
    "find_missing_images",
    "forget_config",
    "forget_node",
    "has_certificates",
    "has_no_config",
    "has_no_member",
    "has_token",
    "remove_member",
    "reset",
    "start",
    "stop",
    "tools",
    "upload_certificates",
]

UNIT = RUNNER_UNIT.name
JOURNAL = "--- journal"
LINES_OF_JOURNAL = 60
SECONDS_TO_RESET = 600.0
SECONDS_TO_ASK = 180.0
SOON = 1800  # seconds; what expires sooner is made anew before a node joins with it
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

LASTS = """\
kubectl() { "$kubectl" --kubeconfig "$kubeconfig" --request-timeout=10s -n kube-system "$@"; }
lasts() {
  expires=$(kubectl get secret "$1" -o 'go-template={{with .data.expiration}}{{. | base64decode}}{{end}}') \\
    || return
  [ -z "$expires" ] || [ "$(date -d "$expires" +%s)" -gt $(($(date +%s) + $2)) ]
}
"""
HAS_TOKEN = f"""\
kubectl=$1 kubeconfig=$2
{LASTS}
lasts "bootstrap-token-$3" "$4"
"""

# The secret lives as long as the token that owns it: two hours.
HAS_CERTIFICATES = f"""\
kubectl=$1 kubeconfig=$2
{LASTS}
owner=$(kubectl get secret kubeadm-certs \\
  -o 'go-template={{{{range .metadata.ownerReferences}}}}{{{{.name}}}}{{{{end}}}}') || exit
[ -z "$owner" ] || lasts "$owner" "$3"
"""

# kubeadm wants its config in a file: one in memory, that only root reads, for as long as it runs. A signal
# has to be caught for the first trap to run: sh does not run it when a signal ends the shell.
WITH_CONFIG = """\
set -u
umask 077
mkdir -p /run/mk8s
trap 'rm -f -- "${config:-}"' EXIT
trap 'exit 143' HUP INT TERM
config=$(mktemp /run/mk8s/kubeadm-XXXXXX) || exit
cat >"$config"
"""
CREATE_TOKEN = f"""\
{WITH_CONFIG}
"$1" token delete "$3" --kubeconfig "$2" >/dev/null 2>&1
said=$("$1" token create --config "$config" --kubeconfig "$2" 2>&1 >/dev/null) && exit 0
case $said in *"already exists"*) exit 0;; esac
printf '%s\\n' "$said" >&2
exit 1
"""
UPLOAD_CERTIFICATES = f"""\
{WITH_CONFIG}
"$1" init phase upload-certs --upload-certs --config "$config" --kubeconfig "$2" >/dev/null
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

# Whoever may make pods can call a container etcd; in kube-system only the cluster's administrator may.
ETCDCTL = f"""\
etcdctl() {{
  etcd=$("$crictl" ps --label=io.kubernetes.pod.namespace=kube-system | while read -r id rest; do
    case " $rest " in *" etcd "*) echo "$id"; break;; esac
  done)
  [ -n "$etcd" ] || {{ echo "mk8s: no container of etcd runs on this host" >&2; return 1; }}
  "$crictl" exec "$etcd" etcdctl --endpoints https://127.0.0.1:2379 --cacert {ETCD_PKI}/ca.crt \\
    --cert {ETCD_PKI}/server.crt --key {ETCD_PKI}/server.key "$@"
}}
crictl=$1
shift
"""
RUN_ETCDCTL = f'{ETCDCTL}etcdctl "$@"\n'

# `member list` prints "ID, started, NAME, PEER-URL, CLIENT-URL, LEARNER"; who never started has no name.
ID_OF = """\
id_of() {
  members=$(etcdctl member list -w simple) || return
  printf '%s\\n' "$members" | while IFS= read -r line; do
    case $line in *", $1, "*) echo "${line%%,*}"; break;; esac
  done
}
"""
HAS_NO_MEMBER = f"""\
{ETCDCTL}{ID_OF}
id=$(id_of "$1") && [ -z "$id" ]
"""
REMOVE_MEMBER = f"""\
{ETCDCTL}{ID_OF}
id=$(id_of "$1") || exit
[ -n "$id" ] || exit 0
said=$(etcdctl member remove "$id" 2>&1) && exit 0
case $said in *"ember not found"*) exit 0;; esac
printf '%s\\n' "$said" >&2
exit 1
"""


def tools(smoke_image: str = "") -> Tools:
    """The administrator's programs on a server."""
    kubectl = (str(parts.program("kubectl")), "--kubeconfig", str(ADMIN_KUBECONFIG))
    return Tools(kubectl=kubectl, etcdctl=etcdctl, smoke_image=smoke_image)


def etcdctl(words: tuple[str, ...]) -> Command:
    """etcdctl in the container of this server's own member."""
    return Command(
        operation="kubeadm.etcdctl",
        description=f"etcdctl {' '.join(words[:2])}",
        script=RUN_ETCDCTL,
        args=(str(parts.program("crictl")), *words),
    )


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


def has_token(token: str) -> Command:
    """Exit 0 when the cluster knows the join token for another half hour at least. Only its id is sent."""
    return Command(
        operation="kubeadm.has-token",
        description="look for the join token",
        script=HAS_TOKEN,
        args=(*_kubectl(), token.partition(".")[0], str(SOON)),
    )


def has_certificates() -> Command:
    """Exit 0 when the certificates for a joining server lie ready for another half hour at least."""
    return Command(
        operation="kubeadm.has-certificates",
        description="look for the certificates that servers join with",
        script=HAS_CERTIFICATES,
        args=(*_kubectl(), str(SOON)),
    )


def has_no_config() -> Command:
    return Command(
        operation="kubeadm.has-no-config",
        description="see that no config with secrets is left",
        script='[ ! -e "$1" ]',
        args=(str(RUNNER_CONFIG),),
    )


# Changes


def create_token(token: str, config: bytes) -> Command:
    """Let nodes join with this token for two hours. It comes in with the config, over stdin."""
    return Command(
        operation="kubeadm.create-token",
        description="renew the join token",
        script=CREATE_TOKEN,
        args=(str(parts.program("kubeadm")), str(ADMIN_KUBECONFIG), token.partition(".")[0]),
        stdin=config,
        timeout=SECONDS_TO_ASK,
    )


def upload_certificates(config: bytes) -> Command:
    """Put the certificates that servers join with into the cluster, encrypted, for two hours."""
    return Command(
        operation="kubeadm.upload-certificates",
        description="renew the certificates that servers join with",
        script=UPLOAD_CERTIFICATES,
        args=(str(parts.program("kubeadm")), str(ADMIN_KUBECONFIG)),
        stdin=config,
        timeout=SECONDS_TO_ASK,
    )


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


def has_no_member(address: str) -> Command:
    """Exit 0 when etcd has no member at this address."""
    return Command(
        operation="kubeadm.has-no-member",
        description=f"look for an etcd member at {address}",
        script=HAS_NO_MEMBER,
        args=(str(parts.program("crictl")), _peer(address)),
    )


def remove_member(address: str) -> Command:
    """Remove the etcd member at this address; one that is gone is fine."""
    return Command(
        operation="kubeadm.remove-member",
        description=f"remove the etcd member at {address}",
        script=REMOVE_MEMBER,
        args=(str(parts.program("crictl")), _peer(address)),
    )


def forget_node(name: str) -> Command:
    """Delete a Node; one that is gone is fine."""
    return Command(
        operation="kubeadm.forget-node",
        description=f"delete the Node {name}",
        args=(
            *tools().kubectl, "--request-timeout=30s", "delete", "node", name, "--ignore-not-found"
        ),
    )  # fmt: skip


def _peer(address: str) -> str:
    return f"https://{address}:2380"


def _kubectl() -> tuple[str, str]:
    return str(parts.program("kubectl")), str(ADMIN_KUBECONFIG)
