"""The commands that only RKE2 needs, as values. Commands of the operating system are in `mk8s.commands`.

Every operation here begins with ``rke2.`` and has its model in `rke2.model`; a test compares the two.
All of them run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text, and
none carries a secret.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from mk8s import units
from mk8s.cluster import Node
from mk8s.distros.rke2.config import data_dir
from mk8s.units import ANSWER, STATE
from mk8s.verifying import VERIFY
from transports.base import Command, File

__all__ = [
    "ADMIN_KUBECONFIG",
    "USUAL_PREFIX",
    "ask_node",
    "ask_nodes",
    "ask_ping",
    "ask_readyz",
    "ask_unit",
    "begin_cache",
    "has_archive",
    "has_cache",
    "has_install",
    "has_nm_cloud_setup",
    "install_by_script",
    "is_prepared_for_cis",
    "kubeconfig_of",
    "place_archive",
    "prepare_for_cis",
    "record_of",
    "start_unit",
    "unit_of",
    "unpack_bundle",
]

ADMIN_KUBECONFIG = PurePosixPath("/etc/rancher/rke2/rke2.yaml")
USUAL_PREFIX = PurePosixPath("/usr/local")
RECORDS = PurePosixPath("/var/lib/mk8s/installed")
SECONDS_TO_INSTALL = 600.0
SECONDS_TO_COPY = 1800.0

# The record names every installed file with its hash, so the check sees a torn unpacking, a different
# release put over this one, and a changed prefix.
RECORD = """\
record() {
  mkdir -p "$(dirname "$3")"
  sha256sum "$1/bin/rke2" "$1/bin/rke2-killall.sh" "$1/bin/rke2-uninstall.sh" \\
    "$2/rke2-server.service" "$2/rke2-agent.service" > "$3.new"
  mv -f "$3.new" "$3"
}
"""

UNPACK = f"""\
set -eu
{VERIFY}{RECORD}
bundle=$1 hash=$2 prefix=$3 units=$4 record=$5
verify "$bundle" "$hash"
mkdir -p "$prefix"
tar xzof "$bundle" -C "$prefix"
if [ "$units" != "$prefix/lib/systemd/system" ]; then
  mkdir -p "$units"
  for role in server agent; do
    unit=$prefix/lib/systemd/system/rke2-$role.service
    sed "s|/usr/local|$prefix|g" "$unit" > "$units/rke2-$role.service"
    rm -f "$unit"
  done
  sed -i "s|/usr/local|$prefix|g" "$prefix/bin/rke2-uninstall.sh"
fi
if command -v restorecon >/dev/null 2>&1 && rpm -q rke2-selinux >/dev/null 2>&1; then
  restorecon -R "$prefix/bin" "$prefix/lib/systemd/system" "$units"
fi
systemctl daemon-reload
record "$prefix" "$units" "$record"
"""

INSTALL = f"""\
set -eu
{VERIFY}{RECORD}
folder=$1 type=$2 prefix=$3 units=$4 record=$5
shift 5
while [ $# -gt 1 ]; do
  verify "$folder/$1" "$2"
  shift 2
done
INSTALL_RKE2_ARTIFACT_PATH="$folder" INSTALL_RKE2_TYPE="$type" INSTALL_RKE2_METHOD=tar \\
  INSTALL_RKE2_TAR_PREFIX="$prefix" sh "$folder/install.sh"
record "$prefix" "$units" "$record"
"""

# A link costs no space and no time; where the two folders are not on one file system, a copy is made and
# verified. The engine reads whatever lies in the folder, so the file gets its name last.
PLACE = f"""\
set -eu
{VERIFY}
staged=$1 target=$2 hash=$3
mkdir -p "$(dirname "$target")"
rm -f "$target" "$target.new"
ln "$staged" "$target.new" 2>/dev/null || cp "$staged" "$target.new"
verify "$target.new" "$hash"
mv "$target.new" "$target"
"""

PREPARE_FOR_CIS = """\
set -eu
prefix=$1 role=$2
cp "$prefix/share/rke2/rke2-cis-sysctl.conf" /etc/sysctl.d/60-rke2-cis.conf
sysctl -q -p /etc/sysctl.d/60-rke2-cis.conf
if [ "$role" != agent ] && ! id etcd >/dev/null 2>&1; then
  useradd -r -c "etcd user" -s /sbin/nologin -M etcd -U
fi
"""

IS_PREPARED_FOR_CIS = """\
cmp -s "$1/share/rke2/rke2-cis-sysctl.conf" /etc/sysctl.d/60-rke2-cis.conf || exit 1
[ "$2" = agent ] || id etcd >/dev/null 2>&1
"""

# The moment of the start is noted, so that nobody takes an older complaint in the journal for today's.
START = """\
mkdir -p /run/mk8s && date +%s > "/run/mk8s/$1.since"
systemctl reset-failed "$1" 2>/dev/null || :
exec systemctl start --no-block "$1"
"""

ASK_READYZ = f"""\
{STATE}
state "$1"
echo '{ANSWER}'
exec "$2" --kubeconfig "$3" --request-timeout=10s get --raw /readyz
"""

ASK_PING = f"""\
{STATE}
state "$1"
echo '{ANSWER}'
if command -v curl >/dev/null 2>&1; then
  exec curl -sk --max-time 10 https://127.0.0.1:9345/ping
fi
exec "$2" --kubeconfig "$3" --request-timeout=10s --server https://127.0.0.1:9345 get --raw /ping
"""


def unit_of(node: Node) -> str:
    """The systemd unit of this node's role."""
    return "rke2-server.service" if node.is_server else "rke2-agent.service"


def record_of(bundle: File) -> PurePosixPath:
    """Where a node keeps the hashes of what this very bundle installed."""
    return RECORDS / f"rke2-{bundle.sha256[:16]}.sha256"


def _units(prefix: PurePosixPath) -> PurePosixPath:
    """install.sh's rule: under any prefix but the usual one, systemd would not find the units."""
    return prefix / "lib/systemd/system" if prefix == USUAL_PREFIX else PurePosixPath("/etc/systemd/system")


def has_install(bundle: File) -> Command:
    """Whether everything that this bundle installs is there, unchanged."""
    return Command(
        operation="rke2.has-install",
        description="compare the installed files with their record",
        script='sha256sum -c "$1" >/dev/null 2>&1',
        args=(str(record_of(bundle)),),
    )


def unpack_bundle(bundle: File, staged: PurePosixPath, prefix: PurePosixPath) -> Command:
    """What install.sh does with the tarball; under another prefix, correct the paths in the units."""
    return Command(
        operation="rke2.unpack",
        description=f"verify {staged.name} and unpack it into {prefix}",
        script=UNPACK,
        args=(str(staged), bundle.sha256, str(prefix), str(_units(prefix)), str(record_of(bundle))),
        timeout=SECONDS_TO_INSTALL,
    )


def install_by_script(
    node: Node, bundle: File, folder: PurePosixPath, prefix: PurePosixPath, hashes: dict[str, str]
) -> Command:
    """RKE2's own install.sh over the staged files. `hashes`: names in `folder` that are verified first."""
    kind = "server" if node.is_server else "agent"
    verified = [word for name, digest in hashes.items() for word in (name, digest)]
    return Command(
        operation="rke2.install-script",
        description=f"verify the files and run install.sh for an RKE2 {kind}",
        script=INSTALL,
        args=(str(folder), kind, str(prefix), str(_units(prefix)), str(record_of(bundle)), *verified),
        timeout=SECONDS_TO_INSTALL,
    )


def place_archive(file: File, staged: PurePosixPath, target: PurePosixPath) -> Command:
    """Give a staged image archive its place in the engine's folder, verified."""
    return Command(
        operation="rke2.place-archive",
        description=f"verify {target.name} and place it in {target.parent}",
        script=PLACE,
        args=(str(staged), str(target), file.sha256),
        timeout=SECONDS_TO_COPY,
    )


def prepare_for_cis(node: Node, prefix: PurePosixPath) -> Command:
    """Kernel parameters and, on servers, the etcd user that a CIS profile demands."""
    return Command(
        operation="rke2.prepare-cis",
        description="set the kernel parameters and the etcd user of the CIS profile",
        script=PREPARE_FOR_CIS,
        args=(str(prefix), node.role),
    )


def is_prepared_for_cis(node: Node, prefix: PurePosixPath) -> Command:
    return Command(
        operation="rke2.is-cis-prepared",
        description="look for the kernel parameters and the etcd user of the CIS profile",
        script=IS_PREPARED_FOR_CIS,
        args=(str(prefix), node.role),
    )


def has_nm_cloud_setup() -> Command:
    """Whether nm-cloud-setup is enabled: prints systemd's word for it."""
    return Command(
        operation="rke2.nm-cloud-setup",
        description="ask systemd for nm-cloud-setup",
        script="systemctl is-enabled nm-cloud-setup.service 2>/dev/null; exit 0",
    )


def has_archive(file: File, target: PurePosixPath) -> Command:
    """Whether the archive lies in its place, whole."""
    return Command(
        operation="rke2.has-archive",
        description=f"hash {target}",
        script='printf \'%s  %s\\n\' "$2" "$1" | sha256sum -c - >/dev/null 2>&1',
        args=(str(target), file.sha256),
        timeout=SECONDS_TO_COPY,
    )


def begin_cache(path: PurePosixPath) -> Command:
    """An empty note of what was imported, for the engine to fill. Its own is never written over."""
    return Command(
        operation="rke2.begin-cache",
        description=f"make {path}, empty, unless it is there",
        script='set -eu\nmkdir -p "$(dirname "$1")"\n[ -e "$1" ] || : >"$1"\n',
        args=(str(path),),
    )


def has_cache(path: PurePosixPath) -> Command:
    return Command(
        operation="rke2.has-cache",
        description=f"look for {path}",
        script='[ -e "$1" ]',
        args=(str(path),),
    )


def start_unit(node: Node) -> Command:
    """Start the unit without waiting: its start job never times out by itself."""
    return Command(
        operation="rke2.start",
        description=f"start {unit_of(node)} and do not wait for it",
        script=START,
        args=(unit_of(node),),
    )


def ask_unit(node: Node) -> Command:
    """The unit's state and, unless it is active, what it said since it was started."""
    return replace(units.ask_unit(unit_of(node)), operation="rke2.unit")


def ask_readyz(node: Node) -> Command:
    """The API server's own word on 6443, asked on the host itself."""
    return _ask_endpoint("rke2.readyz", "ask the API server whether it is ready", ASK_READYZ, node)


def ask_ping(node: Node) -> Command:
    """The supervisor on 9345, where other nodes register."""
    return _ask_endpoint("rke2.ping", "ask the supervisor on 9345", ASK_PING, node)


def _ask_endpoint(operation: str, description: str, script: str, node: Node) -> Command:
    return Command(
        operation=operation,
        description=description,
        script=script,
        args=(unit_of(node), _kubectl(node), str(kubeconfig_of(node))),
    )


def ask_node(server: Node, name: str) -> Command:
    """The Node object of that name as JSON, asked on `server`."""
    return _kubectl_get("rke2.get-node", f"ask {server.name} for node {name}", server, "node", name)


def ask_nodes(server: Node) -> Command:
    """All Node objects as JSON, asked on `server`."""
    return _kubectl_get("rke2.get-nodes", f"ask {server.name} for all nodes", server, "nodes")


def _kubectl_get(operation: str, description: str, server: Node, *what: str) -> Command:
    kubectl = (_kubectl(server), "--kubeconfig", str(kubeconfig_of(server)), "--request-timeout=10s")
    return Command(operation=operation, description=description, args=(*kubectl, "get", *what, "-o", "json"))


def _kubectl(server: Node) -> str:
    return str(PurePosixPath(data_dir(server)) / "bin" / "kubectl")


def kubeconfig_of(server: Node) -> PurePosixPath:
    """Where this server writes the administrator's kubeconfig."""
    return PurePosixPath(str(server.config.get("write-kubeconfig") or ADMIN_KUBECONFIG))
