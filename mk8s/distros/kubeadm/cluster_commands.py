"""What only kubeadm's clusters are asked and told, as values: each runs on a server, with its programs.

Laws as in `commands`; what every cluster is asked is in `mk8s.kube.commands`. Begin reading at `tools`.
"""

from __future__ import annotations

from mk8s.distros.base import Tools
from mk8s.distros.kubeadm.paths import ADMIN_KUBECONFIG, ETCD_PKI
from mk8s.distros.upstream import parts
from transports.base import Command

__all__ = [
    "create_token",
    "etcdctl",
    "forget_node",
    "has_certificates",
    "has_no_member",
    "has_token",
    "remove_member",
    "tools",
    "upload_certificates",
]

SECONDS_TO_ASK = 180.0

SOON = 1800  # seconds; what expires sooner is made anew before a node joins with it

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
