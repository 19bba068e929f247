"""The commands that only K3s needs, as values; what RKE2 needs too is in `rancher.commands`.

Every operation here begins with ``k3s.`` and has its model in `k3s.model`; a test compares the two. All of
them run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text. The config,
which holds secrets, goes in as stdin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from mk8s.distros.rancher.commands import RECORDS, SECONDS_TO_INSTALL
from mk8s.verifying import VERIFY
from transports.base import Command, File

__all__ = [
    "LINKS",
    "convert",
    "has_links",
    "has_program",
    "install_by_script",
    "install_program",
    "is_converted",
    "is_loaded",
    "link",
    "record_of",
    "reload",
]

LINKS = ("kubectl", "crictl", "ctr")

# The name comes last: a program that runs is never written over, and a torn copy never has its name.
INSTALL_PROGRAM = f"""\
set -eu
{VERIFY}
staged=$1 program=$2 hash=$3
mkdir -p "$(dirname "$program")"
rm -f "$program.new"
cp "$staged" "$program.new"
verify "$program.new" "$hash"
chmod 755 "$program.new"
if command -v chcon >/dev/null 2>&1 && rpm -q k3s-selinux >/dev/null 2>&1; then
  chcon -u system_u -r object_r -t container_runtime_exec_t "$program.new"
fi
mv -f "$program.new" "$program"
"""

HAS_PROGRAM = """\
[ -x "$1" ] && printf '%s  %s\\n' "$2" "$1" | sha256sum -c - >/dev/null 2>&1
"""

# A name that is taken, here or anywhere on PATH, is somebody else's.
LINK = """\
folder=$1
shift
for name; do
  [ ! -e "$folder/$name" ] && [ ! -L "$folder/$name" ] || continue
  command -v "$name" >/dev/null 2>&1 || ln -s k3s "$folder/$name" || exit
done
"""

HAS_LINKS = """\
folder=$1
shift
for name; do
  [ -e "$folder/$name" ] || [ -L "$folder/$name" ] || command -v "$name" >/dev/null 2>&1 || exit 1
done
"""

IS_LOADED = """\
[ "$(systemctl show -p LoadState -- "$1")" = LoadState=loaded ] || exit 1
[ "$(systemctl show -p NeedDaemonReload -- "$1")" != NeedDaemonReload=yes ]
"""

# install.sh takes K3S_* and proxies of its environment into the unit's: it gets none of ours.
INSTALL = f"""\
set -eu
{VERIFY}
script=$1 role=$2 folder=$3 record=$4
shift 4
hashes=$1
shift
while [ "$hashes" -gt 0 ]; do
  verify "$1" "$2"
  shift 2
  hashes=$((hashes - 1))
done
env -i PATH="$PATH" HOME="${{HOME:-/root}}" INSTALL_K3S_SKIP_DOWNLOAD=true \\
  INSTALL_K3S_SKIP_SELINUX_RPM=true INSTALL_K3S_SKIP_START=true INSTALL_K3S_SKIP_ENABLE=true \\
  INSTALL_K3S_BIN_DIR="$folder" sh "$script" "$role"
systemctl daemon-reload
mkdir -p "$(dirname "$record")"
sha256sum "$@" > "$record.new"
mv -f "$record.new" "$record"
"""

IS_CONVERTED = '[ ! -e "$1/state.db" ] || [ -d "$1/etcd" ]\n'

CONVERT = """\
set -eu
umask 077
unit=$1 config=$2
cat > "$config.new"
mv -f "$config.new" "$config"
mkdir -p /run/mk8s && date +%s > "/run/mk8s/$unit.since"
exec systemctl restart --no-block "$unit"
"""


def install_program(file: File, staged: PurePosixPath, program: PurePosixPath) -> Command:
    """Put K3s' one program into its place, verified there."""
    return Command(
        operation="k3s.install",
        description=f"verify {staged.name} and put it at {program}",
        script=INSTALL_PROGRAM,
        args=(str(staged), str(program), file.sha256),
        timeout=SECONDS_TO_INSTALL,
    )


def has_program(file: File, program: PurePosixPath) -> Command:
    """Whether this very program is there. The check of `install_program`."""
    return Command(
        operation="k3s.has-program",
        description=f"hash {program}",
        script=HAS_PROGRAM,
        args=(str(program), file.sha256),
        timeout=SECONDS_TO_INSTALL,
    )


def link(folder: PurePosixPath) -> Command:
    """Names by which K3s is kubectl, crictl and ctr, where they are free."""
    return Command(
        operation="k3s.link",
        description=f"link {', '.join(LINKS)} to k3s in {folder}, where the names are free",
        script=LINK,
        args=(str(folder), *LINKS),
    )


def has_links(folder: PurePosixPath) -> Command:
    """Whether each name is somebody's. The check of `link`."""
    return Command(
        operation="k3s.has-links",
        description=f"look for {', '.join(LINKS)}",
        script=HAS_LINKS,
        args=(str(folder), *LINKS),
    )


def reload(unit: str) -> Command:
    """Let systemd read the unit's file."""
    return Command(
        operation="k3s.reload",
        description=f"let systemd read {unit}",
        script="exec systemctl daemon-reload",
        args=(unit,),
    )


def is_loaded(unit: str) -> Command:
    """Whether systemd knows the unit's file as it is. The check of `reload`."""
    return Command(
        operation="k3s.is-loaded",
        description=f"does systemd know {unit} as it is?",
        script=IS_LOADED,
        args=(unit,),
    )


def install_by_script(
    role: str, script: PurePosixPath, hashes: Mapping[PurePosixPath, str], record: PurePosixPath,
    installed: Sequence[PurePosixPath],
) -> Command:  # fmt: skip
    """K3s' own install.sh, which starts and enables nothing. `hashes`: of the files that are verified first.

    `installed`: what it leaves, the program first, of which `record` keeps the hashes.
    """
    verified = [word for path, digest in hashes.items() for word in (str(path), digest)]
    folder = str(installed[0].parent)
    return Command(
        operation="k3s.install-script",
        description=f"verify the files and run install.sh for a K3s {role}",
        script=INSTALL,
        args=(
            *(str(script), role, folder, str(record)),
            *(str(len(hashes)), *verified),
            *map(str, installed),
        ),
        timeout=SECONDS_TO_INSTALL,
    )


def record_of(program: File, role: str) -> PurePosixPath:
    """Where a node keeps the hashes of what install.sh left there with this very program."""
    return RECORDS / f"k3s-{role}-{program.sha256[:16]}.sha256"


def is_converted(db: PurePosixPath) -> Command:
    """Whether the state is in etcd, or nowhere yet. The check of `convert`."""
    return Command(
        operation="k3s.is-converted",
        description="see whether the state is in SQLite or in etcd",
        script=IS_CONVERTED,
        args=(str(db),),
    )


def convert(unit: str, config: PurePosixPath, content: bytes) -> Command:
    """Start the server anew with this config, in which `cluster-init` moves its SQLite into etcd."""
    return Command(
        operation="k3s.convert",
        description=f"write {config} and start {unit} anew, which moves its state into etcd",
        script=CONVERT,
        args=(unit, str(config)),
        stdin=content,
    )
