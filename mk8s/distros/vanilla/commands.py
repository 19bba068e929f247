"""The commands that only vanilla needs, as values; others are in `upstream`, `mk8s.kube` and `mk8s.units`.

Every operation here begins with ``vanilla.`` and has its model in `vanilla.model`; a test compares the two.
All of them run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text, and
none carries a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mk8s.cluster import Node
from mk8s.distros.base import Tools
from mk8s.distros.upstream.parts import program
from mk8s.distros.vanilla.paths import ADMIN, ETCD_CLUSTER, ETCD_DATA, ETCD_PKI, PKI
from mk8s.kube import commands as kube
from mk8s.units import ask_unit_and
from transports.base import Command, File

__all__ = [
    "HEALTH",
    "add_member",
    "admin_tools",
    "ask_health",
    "ask_members",
    "ask_ready",
    "etcdctl",
    "has_etcd",
    "install_etcd",
    "is_member",
    "is_voter",
    "promote",
]

RECORDS = PurePosixPath("/var/lib/mk8s/installed")
SECONDS_TO_INSTALL = 600.0
SECONDS_FOR_MEMBERS = 60.0
TRIES = 60  # to promote a learner, a second apart

HEALTH = {"kube-controller-manager": 10257, "kube-scheduler": 10259, "kubelet": 10248, "kube-proxy": 10256}
"""Where each component answers on its own host."""
SERVED_BY_TLS = (10257, 10259)
API_3 = {"ETCDCTL_API": "3"}  # the default since etcd 3.4; before, another one

# The archive holds one folder, named after the release: etcd-v3.4.13-linux-amd64/{etcd,etcdctl}. A link in
# place of one of them would give chmod another file.
INSTALL_ETCD = """\
set -eu
archive=$1 hash=$2 target=$3 links=$4 record=$5
printf '%s  %s\\n' "$hash" "$archive" | sha256sum -c - >/dev/null 2>&1 || {
  echo "mk8s: $archive is not what was sent" >&2
  exit 65
}
umask 022
mkdir -p "$target" "$links" "$(dirname "$record")"
work=$(mktemp -d "$target/.mk8s-etcd.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM
tar -xf "$archive" -C "$work" --no-same-owner --strip-components=1
for name in etcd etcdctl; do
  [ -f "$work/$name" ] && [ ! -L "$work/$name" ] || {
    echo "mk8s: $archive holds no program $name" >&2
    exit 65
  }
  chmod 755 "$work/$name"
  mv -f "$work/$name" "$target/$name"
  ln -sfn "$target/$name" "$links/$name"
done
sha256sum "$target/etcd" "$target/etcdctl" >"$record.new"
mv -f "$record.new" "$record"
"""
HAS_ETCD = """\
[ -e "$1/etcd" ] && [ -e "$1/etcdctl" ] && sha256sum -c "$2" >/dev/null 2>&1
"""

# `member list` prints "ID, started, NAME, PEER-URL, CLIENT-URL, LEARNER": a member that has never started
# has no name. The one with this server's peer address is this server's own, from a run that was cut off, and
# may be used again where it has never started. A learner does not count for the quorum until it is promoted,
# so that a cut here never stops the cluster. Whom etcd begins with is written anew each time from what the
# cluster says, and read by etcd only as long as it has no data.
LIST = """\
list() { "$@" member list -w simple; }
line_of() { printf '%s\\n' "$members" | while IFS= read -r line; do
  case $line in *", $peer, "*) echo "$line";; esac
done; }
"""
ADD_MEMBER = f"""\
set -eu
{LIST}
name=$1 peer=$2 data=$3 file=$4
shift 4
members=$(list "$@")
case $(line_of) in
  '')
    "$@" member add "$name" --learner "--peer-urls=$peer" >/dev/null
    members=$(list "$@");;
  *", started, "*)
    [ -d "$data/member" ] || {{
      echo "mk8s: etcd has a started member at $peer, and its data are not here" >&2
      exit 66
    }};;
esac
cluster=$(printf '%s\\n' "$members" | while IFS= read -r line; do
  line=${{line#*, *, }}
  known=${{line%%,*}} line=${{line#*, }}
  at=${{line%%,*}}
  [ "$at" != "$peer" ] || known=$name
  [ -z "$known" ] || printf '%s=%s,' "$known" "$at"
done)
umask 022
printf 'ETCD_INITIAL_CLUSTER=%s\\nETCD_INITIAL_CLUSTER_STATE=existing\\n' "${{cluster%,}}" >"$file.mk8s"
mv -f "$file.mk8s" "$file"
"""
IS_MEMBER = f"""\
{LIST}
peer=$1
[ -e "$3" ] && [ -d "$2/member" ] || exit 1
shift 3
members=$(list "$@") || exit
case $(line_of) in *", started, "*) exit 0;; esac
exit 1
"""

# The leader refuses until the learner has its data: seconds for a small cluster.
PROMOTE = f"""\
set -eu
{LIST}
peer=$1
shift
members=$(list "$@")
line=$(line_of)
tries=0
until said=$("$@" member promote "${{line%%,*}}" 2>&1); do
  tries=$((tries + 1))
  [ $tries -lt {TRIES} ] || {{ printf '%s\\n' "$said" >&2; exit 1; }}
  sleep 1
done
"""
IS_VOTER = f"""\
{LIST}
peer=$1
shift
members=$(list "$@") || exit
case $(line_of) in *", started, "*", false") exit 0;; esac
exit 1
"""


def install_etcd(archive: PurePosixPath, file: File, target: PurePosixPath) -> Command:
    """Verify the archive and put etcd and etcdctl in their place."""
    return Command(
        operation="vanilla.install-etcd",
        description=f"verify {archive.name} and install etcd and etcdctl in {target}",
        script=INSTALL_ETCD,
        args=(str(archive), file.sha256, str(target), str(program("etcd").parent), str(_record(file))),
        timeout=SECONDS_TO_INSTALL,
    )


def has_etcd(file: File, target: PurePosixPath) -> Command:
    return Command(
        operation="vanilla.has-etcd",
        description="compare etcd and etcdctl with their record",
        script=HAS_ETCD,
        args=(str(target), str(_record(file))),
    )


def _record(file: File) -> PurePosixPath:
    """Where a node keeps the hashes of what this very archive installed."""
    return RECORDS / f"etcd-{file.sha256[:16]}.sha256"


def etcdctl(*servers: Node) -> tuple[str, ...]:
    """etcdctl and the words that let it ask these servers' members; none: the host's own."""
    urls = [f"https://{server.ip}:2379" for server in servers] or ["https://127.0.0.1:2379"]
    client = PKI / "apiserver-etcd-client"
    return (
        str(program("etcdctl")),
        f"--endpoints={','.join(urls)}",
        f"--cacert={ETCD_PKI / 'ca.crt'}",
        f"--cert={client}.crt",
        f"--key={client}.key",
        "--command-timeout=10s",
    )


def ask_members(others: Sequence[Node]) -> Command:
    """All members of etcd, as whichever of these servers knows them, for `kube.views.read_members`."""
    return Command(
        operation="vanilla.members",
        description="ask another server's etcd for its members",
        args=(*etcdctl(*others), "member", "list", "-w", "json"),
        env=API_3,
        timeout=SECONDS_FOR_MEMBERS,
    )


def add_member(node: Node, others: Sequence[Node]) -> Command:
    """Make this server a learner of the others' etcd, and write whom its own etcd begins with.

    Run on the server itself, which asks whichever of the others answers. May be repeated at any moment.
    """
    return Command(
        operation="vanilla.add-member",
        description=f"add {node.name} to etcd",
        script=ADD_MEMBER,
        args=(node.name, _peer(node), str(ETCD_DATA), str(ETCD_CLUSTER), *etcdctl(*others)),
        env=API_3,
        timeout=SECONDS_FOR_MEMBERS,
    )


def is_member(node: Node, others: Sequence[Node]) -> Command:
    """Whether this server's member has started once and its data are here."""
    return Command(
        operation="vanilla.is-member",
        description=f"ask etcd whether {node.name} is a member",
        script=IS_MEMBER,
        args=(_peer(node), str(ETCD_DATA), str(ETCD_CLUSTER), *etcdctl(*others)),
        env=API_3,
        timeout=SECONDS_FOR_MEMBERS,
    )


def promote(node: Node, others: Sequence[Node]) -> Command:
    """Make a learner a full member once it has the leader's data. Exit 1 when it has not in a minute."""
    return Command(
        operation="vanilla.promote",
        description=f"make {node.name} a full member of etcd",
        script=PROMOTE,
        args=(_peer(node), *etcdctl(*others)),
        env=API_3,
        timeout=TRIES + SECONDS_FOR_MEMBERS,
    )


def is_voter(node: Node, others: Sequence[Node]) -> Command:
    return Command(
        operation="vanilla.is-voter",
        description=f"ask etcd whether {node.name} is a full member",
        script=IS_VOTER,
        args=(_peer(node), *etcdctl(*others)),
        env=API_3,
        timeout=SECONDS_FOR_MEMBERS,
    )


def _peer(node: Node) -> str:
    return f"https://{node.ip}:2380"


def admin_tools(smoke_image: str = "") -> Tools:
    """The administrator's programs on a server, the same on each. etcdctl asks its own host's member."""

    def asking(words: tuple[str, ...]) -> Command:
        return Command(
            operation="vanilla.etcdctl",
            description=f"etcdctl {' '.join(words)}",
            args=(*etcdctl(), *words),
            env=API_3,
            timeout=SECONDS_FOR_MEMBERS,
        )

    kubectl = (str(program("kubectl")), "--kubeconfig", str(ADMIN))
    return Tools(kubectl=kubectl, etcdctl=asking, smoke_image=smoke_image, secrets_encrypted=True)


def ask_ready() -> Command:
    """The API server's unit, and its own word on whether it is ready."""
    asked = kube.readyz(admin_tools())
    return ask_unit_and("vanilla.readyz", asked.description, "kube-apiserver.service", *asked.args)


def ask_health(component: str) -> Command:
    """A component's unit, and what it answers at its health port."""
    port = HEALTH[component]
    asked = kube.healthz(admin_tools(), port, tls=port in SERVED_BY_TLS)
    return ask_unit_and(
        "vanilla.health", f"ask {component} whether it is healthy", f"{component}.service", *asked.args
    )
