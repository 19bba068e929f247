"""The commands that only RKE2 needs, as values; what K3s needs too is in `rancher.commands`.

Every operation here begins with ``rke2.`` and has its model in `rke2.model`; a test compares the two.
All of them run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text, and
none carries a secret.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath

from mk8s.cluster import Node
from mk8s.distros.rancher.commands import OTHER_PREFIX, RECORDS, SECONDS_TO_INSTALL, USUAL_PREFIX
from mk8s.verifying import VERIFY
from transports.base import Command, File

__all__ = [
    "CIS_SETTINGS",
    "has_nm_cloud_setup",
    "install_by_script",
    "is_prepared_for_cis",
    "prepare_for_cis",
    "record_of",
    "unpack_bundle",
]

CIS_SETTINGS = PurePosixPath("/etc/sysctl.d/60-rke2-cis.conf")
OTHER_PREFIXES = (OTHER_PREFIX / "rke2", PurePosixPath("/usr"))  # where somebody else may have put RKE2

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

# The file is where the bundle was unpacked; a package of the host's puts it elsewhere.
FIND_CIS = """\
prefix=$1 role=$2 target=$3
shift 3
for folder in "$prefix" "$@"; do
  source=$folder/share/rke2/rke2-cis-sysctl.conf
  [ ! -e "$source" ] || break
done
"""
PREPARE_FOR_CIS = f"""\
set -eu
{FIND_CIS}
cp "$source" "$target"
sysctl -q -p "$target"
if [ "$role" != agent ] && ! id etcd >/dev/null 2>&1; then
  useradd -r -c "etcd user" -s /sbin/nologin -M etcd -U
fi
"""
IS_PREPARED_FOR_CIS = f"""\
{FIND_CIS}
cmp -s "$source" "$target" || exit 1
[ "$role" = agent ] || id etcd >/dev/null 2>&1
"""


def record_of(bundle: File) -> PurePosixPath:
    """Where a node keeps the hashes of what this very bundle installed."""
    return _record_of(bundle.sha256)


@lru_cache(64)
def _record_of(sha256: str) -> PurePosixPath:
    return RECORDS / f"rke2-{sha256[:16]}.sha256"


def _units(prefix: PurePosixPath) -> PurePosixPath:
    """install.sh's rule: under any prefix but the usual one, systemd would not find the units."""
    return prefix / "lib/systemd/system" if prefix == USUAL_PREFIX else PurePosixPath("/etc/systemd/system")


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


def prepare_for_cis(node: Node, prefix: PurePosixPath) -> Command:
    """Kernel parameters and, on servers, the etcd user that a CIS profile demands."""
    return Command(
        operation="rke2.prepare-cis",
        description="set the kernel parameters and the etcd user of the CIS profile",
        script=PREPARE_FOR_CIS,
        args=_of_cis(node, prefix),
    )


def is_prepared_for_cis(node: Node, prefix: PurePosixPath) -> Command:
    return Command(
        operation="rke2.is-cis-prepared",
        description="look for the kernel parameters and the etcd user of the CIS profile",
        script=IS_PREPARED_FOR_CIS,
        args=_of_cis(node, prefix),
    )


def _of_cis(node: Node, prefix: PurePosixPath) -> tuple[str, ...]:
    return str(prefix), node.role, str(CIS_SETTINGS), *map(str, OTHER_PREFIXES)


def has_nm_cloud_setup() -> Command:
    """Whether nm-cloud-setup is enabled: prints systemd's word for it."""
    return Command(
        operation="rke2.nm-cloud-setup",
        description="ask systemd for nm-cloud-setup",
        script="systemctl is-enabled nm-cloud-setup.service 2>/dev/null; exit 0",
    )
