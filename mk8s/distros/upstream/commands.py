"""The commands that upstream's programs need, as values; those that prepare a host are in `host_commands`.

Every operation here begins with ``upstream.`` and has its model in `model`; a test compares the two.
All of them run as root. Scripts are POSIX sh; what varies goes in as arguments, never into the text, and
none carries a secret. Questions and the changes that they belong to stand together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mk8s.commands import UNPACK
from mk8s.verifying import VERIFY
from transports.base import Command

__all__ = [
    "ask_containerd",
    "ask_routes",
    "choose_config",
    "has_images",
    "has_program",
    "import_images",
    "install_program",
    "is_config_chosen",
    "is_containerd_current",
    "is_linked",
    "is_unpacked",
    "link_program",
    "restart_containerd",
    "restart_routes",
    "unpack",
]

SECONDS_TO_INSTALL = 600.0
SECONDS_TO_IMPORT = 1800.0
SECONDS_TO_RESTART = 300.0
LINES_OF_JOURNAL = 10

# A program that runs may not be written to, but its name may be given to another file.
INSTALL = f"""\
set -eu
{VERIFY}
staged=$1 hash=$2 target=$3 link=$4
umask 022
mkdir -p "$(dirname "$target")" "$(dirname "$link")"
cp "$staged" "$target.mk8s"
verify "$target.mk8s" "$hash"
chmod 755 "$target.mk8s"
mv -f "$target.mk8s" "$target"
ln -sfn "$target" "$link"
"""

HAS_PROGRAM = """\
[ -x "$2" ] && [ "$(readlink "$3")" = "$2" ] || exit 1
printf '%s  %s\\n' "$1" "$2" | sha256sum -c - >/dev/null 2>&1
"""

LINK = 'umask 022 && mkdir -p "$(dirname "$2")" && ln -sfn "$1" "$2"'
IS_LINKED = '[ -x "$1" ] && [ "$(readlink "$2")" = "$1" ]'

# The record names every unpacked file with its hash, so the check sees a torn unpacking and a file that
# something else has replaced. The unpacking itself is the common one, in a shell of its own.
UNPACK_VERIFIED = f"""\
set -eu
{VERIFY}
archive=$1 prefix=$2 hash=$3 record=$4
verify "$archive" "$hash"
(
{UNPACK})
umask 022
mkdir -p "$(dirname "$record")"
cd "$prefix"
tar -tf "$archive" | while IFS= read -r name; do
  [ ! -f "$name" ] || sha256sum "$name"
done >"$record.new"
mv -f "$record.new" "$record"
"""

IS_UNPACKED = '[ -s "$2" ] && cd "$1" && sha256sum -c "$2" >/dev/null 2>&1'

# Which of the two files fits is known by the containerd that is installed: 2.x prints "v2.0.1" or "2.0.1",
# distributions add words of their own behind it. A config with passwords in it is 0600, and so is its copy.
CONFIG = """\
version=$("$1" --version | { read -r _ _ version _; echo "${version#v}"; })
case $version in
  0.*|1.*) config=$2;;
  [2-9]*|[1-9][0-9]*) config=$3;;
  *) echo "mk8s: $1 says of itself no version: $version" >&2; exit 65;;
esac
"""
CHOOSE_CONFIG = f"""\
set -eu
{CONFIG}
target=$4 before=$5
umask 022
mkdir -p "$(dirname "$target")" "$before"
if [ -e "$target" ] && [ ! -e "$before/containerd.toml" ] && ! grep -q '^# written by mk8s' "$target"; then
  cp -p "$target" "$before/containerd.toml"
fi
rm -f "$target.mk8s"
cp "$config" "$target.mk8s"
mv -f "$target.mk8s" "$target"
"""
IS_CONFIG_CHOSEN = f"""\
{CONFIG}
cmp -s "$config" "$4"
"""

# containerd runs with the files of its last start: the note says which those were.
NOTE = """\
note=$1
shift
now() { sha256sum "$@" | sha256sum; }
"""
RESTART_CONTAINERD = f"""\
set -eu
{NOTE}
said=$(now "$@")
umask 022
mkdir -p "$(dirname "$note")"
systemctl daemon-reload
systemctl reset-failed containerd.service 2>/dev/null || :
if ! systemctl restart containerd.service; then
  journalctl -u containerd.service -n {LINES_OF_JOURNAL} -o cat --no-pager >&2
  exit 1
fi
printf '%s\\n' "$said" >"$note"
"""
IS_CONTAINERD_CURRENT = f"""\
{NOTE}
systemctl is-active --quiet containerd.service && [ "$(cat "$note" 2>/dev/null)" = "$(now "$@")" ]
"""

ASK_CONTAINERD = f"""\
"$1" --connect-timeout 5s version >/dev/null 2>&1 && exit 0
systemctl show containerd.service -p ActiveState -p SubState -p NRestarts
journalctl -u containerd.service -n {LINES_OF_JOURNAL} -o cat --no-pager 2>/dev/null
exit 1
"""

# What containerd holds after the import is noted: when one of these is gone, the archive is imported again.
LIST = """\
list() { "$1" -n k8s.io images ls -q | grep -v '^sha256:' | LC_ALL=C sort -u; }
"""
IMPORT = f"""\
set -eu
{VERIFY}{LIST}
ctr=$1 archive=$2 hash=$3 record=$4
verify "$archive" "$hash"
umask 022
mkdir -p "$(dirname "$record")"
"$ctr" -n k8s.io images import "$archive" >/dev/null
list "$ctr" >"$record.new"
mv -f "$record.new" "$record"
"""
HAS_IMAGES = f"""\
{LIST}
[ -s "$2" ] || exit 1
now=$(list "$1") || exit
printf '%s\\n' "$now" | LC_ALL=C comm -23 "$2" - | {{ ! read -r _; }}
"""

RESTART_ROUTES = """\
systemctl daemon-reload
systemctl enable --quiet mk8s-routes.service || exit
systemctl restart mk8s-routes.service && exit
journalctl -u mk8s-routes.service -n 5 -o cat --no-pager >&2
exit 1
"""
ASK_ROUTES = """\
systemctl is-enabled --quiet mk8s-routes.service || { echo "mk8s-routes.service is not enabled"; exit 1; }
systemctl is-active --quiet mk8s-routes.service || { echo "mk8s-routes.service has not run"; exit 1; }
exec sh "$1" check "$2" "$3"
"""


def install_program(
    staged: PurePosixPath, digest: str, target: PurePosixPath, link: PurePosixPath
) -> Command:
    """Copy a staged program to its place, verified, and link it."""
    return Command(
        operation="upstream.install-program",
        description=f"verify {staged.name} and install it as {target}",
        script=INSTALL,
        args=(str(staged), digest, str(target), str(link)),
        timeout=SECONDS_TO_INSTALL,
    )


def has_program(digest: str, target: PurePosixPath, link: PurePosixPath) -> Command:
    return Command(
        operation="upstream.has-program",
        description=f"hash {target}",
        script=HAS_PROGRAM,
        args=(digest, str(target), str(link)),
    )


def link_program(target: PurePosixPath, link: PurePosixPath) -> Command:
    return Command(
        operation="upstream.link-program",
        description=f"link {link} to {target}",
        script=LINK,
        args=(str(target), str(link)),
    )


def is_linked(target: PurePosixPath, link: PurePosixPath) -> Command:
    return Command(
        operation="upstream.is-linked",
        description=f"look for the link {link}",
        script=IS_LINKED,
        args=(str(target), str(link)),
    )


def unpack(archive: PurePosixPath, digest: str, into: PurePosixPath, record: PurePosixPath) -> Command:
    """Verify an archive and unpack it; note the hash of every file. Exit 65 or 3 with nothing unpacked."""
    return Command(
        operation="upstream.unpack",
        description=f"verify {archive.name} and unpack it into {into}",
        script=UNPACK_VERIFIED,
        args=(str(archive), str(into), digest, str(record)),
        timeout=SECONDS_TO_INSTALL,
    )


def is_unpacked(kind: str, into: PurePosixPath, record: PurePosixPath) -> Command:
    return Command(
        operation="upstream.is-unpacked",
        description=f"compare the files of {kind} with their record",
        script=IS_UNPACKED,
        args=(str(into), str(record)),
    )


def choose_config(
    containerd: PurePosixPath,
    one: PurePosixPath,
    two: PurePosixPath,
    target: PurePosixPath,
    before: PurePosixPath,
) -> Command:
    """Give the containerd on this host the config for 1.x (`one`) or for 2.x; keep another's in `before`."""
    return Command(
        operation="upstream.choose-config",
        description=f"write {target} for the containerd that is installed",
        script=CHOOSE_CONFIG,
        args=(str(containerd), str(one), str(two), str(target), str(before)),
    )


def is_config_chosen(
    containerd: PurePosixPath, one: PurePosixPath, two: PurePosixPath, target: PurePosixPath
) -> Command:
    return Command(
        operation="upstream.is-config-chosen",
        description=f"compare {target} with the config for the containerd that is installed",
        script=IS_CONFIG_CHOSEN,
        args=(str(containerd), str(one), str(two), str(target)),
    )


def restart_containerd(note: PurePosixPath, files: Sequence[PurePosixPath]) -> Command:
    """Start containerd anew with these files, wait until systemd calls it ready, and note which they were."""
    return Command(
        operation="upstream.restart-containerd",
        description="start containerd",
        script=RESTART_CONTAINERD,
        args=(str(note), *map(str, files)),
        timeout=SECONDS_TO_RESTART,
    )


def is_containerd_current(note: PurePosixPath, files: Sequence[PurePosixPath]) -> Command:
    return Command(
        operation="upstream.is-containerd-current",
        description="see whether containerd runs with the files as they are",
        script=IS_CONTAINERD_CURRENT,
        args=(str(note), *map(str, files)),
    )


def ask_containerd(ctr: PurePosixPath) -> Command:
    """Exit 0 when containerd answers; otherwise what systemd and its journal say of it."""
    return Command(
        operation="upstream.ask-containerd",
        description="ask containerd for its version",
        script=ASK_CONTAINERD,
        args=(str(ctr),),
    )


def import_images(ctr: PurePosixPath, archive: PurePosixPath, digest: str, record: PurePosixPath) -> Command:
    """Verify an archive of images and import it into Kubernetes' part of containerd."""
    return Command(
        operation="upstream.import-images",
        description=f"verify {archive.name} and import its images",
        script=IMPORT,
        args=(str(ctr), str(archive), digest, str(record)),
        timeout=SECONDS_TO_IMPORT,
    )


def has_images(ctr: PurePosixPath, record: PurePosixPath) -> Command:
    return Command(
        operation="upstream.has-images",
        description="look for the imported images",
        script=HAS_IMAGES,
        args=(str(ctr), str(record)),
    )


def restart_routes() -> Command:
    """Set the pod routes as the file says now. Takes none away that is still wanted."""
    return Command(
        operation="upstream.restart-routes",
        description="set the routes to the other nodes' pods",
        script=RESTART_ROUTES,
        timeout=SECONDS_TO_RESTART,
    )


def ask_routes(script: PurePosixPath, file: PurePosixPath, pods: str) -> Command:
    """Exit 0 when the kernel has exactly the routes of the file; otherwise the first difference."""
    return Command(
        operation="upstream.ask-routes",
        description="compare the routes with those of the other nodes",
        script=ASK_ROUTES,
        args=(str(script), str(file), pods),
    )
