"""The commands of this room, as values: packages that the user brings.

Every operation here begins with ``packages.`` and has its model in `model`; a test compares the two. All
run as root. Scripts are POSIX sh; what varies goes in as arguments. Questions first, then changes.

A host's packages are RPM's if RPM itself is one of them, and likewise dpkg's: either program may lie on a
host of the other kind, and installing with it there would bypass the host's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mk8s.verifying import VERIFY
from transports.base import Command

__all__ = ["NO_MANAGER", "UNFIT", "ask_manager", "has_packages", "install_packages"]

SECONDS_TO_INSTALL = 1800.0  # SELinux's modules are compiled on the host
UNFIT = 69  # exit status: the host's packages are of another kind than these
NO_MANAGER = "none"

MANAGER = """\
manager() {
  if rpm -q rpm >/dev/null 2>&1; then echo rpm
  elif dpkg-query -W dpkg >/dev/null 2>&1; then echo dpkg
  else echo none; fi
}
"""

# `missing FILE...` prints those of these that the host has not, neither in this version nor in a newer one:
# what the host's own updates have brought is never taken back.
MISSING = """\
missing_rpm() {
  for file; do
    name=$(rpm -qp --qf '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}' "$file" 2>/dev/null) &&
      rpm -q "$name" >/dev/null 2>&1 && continue
    case $(rpm -U --test --nodeps "$file" 2>&1) in *"is already installed"*) ;; *) echo "$file";; esac
  done
}
missing_dpkg() {
  for file; do
    name=$(dpkg-deb -f "$file" Package 2>/dev/null) version=$(dpkg-deb -f "$file" Version 2>/dev/null)
    there=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "${name:-?}" 2>/dev/null) || there=
    case $there in
      "installed "*) dpkg --compare-versions "${there#installed }" ge "$version" && continue;;
    esac
    echo "$file"
  done
}
"""

ASK_MANAGER = f"""\
{MANAGER}
manager
"""

HAS_PACKAGES = f"""\
{MANAGER}{MISSING}
kind=$(manager)
[ "$kind" = "$1" ] || exit 0
shift
[ -z "$("missing_$kind" "$@")" ]
"""

# All in one transaction: one may need the other. Nothing is fetched; what else they need must be there.
INSTALL = f"""\
set -u
{VERIFY}{MANAGER}{MISSING}
kind=$1 count=$2
shift 2
[ "$(manager)" = "$kind" ] || {{ echo "mk8s: the packages of this host are not $kind's" >&2; exit {UNFIT}; }}
while [ "$count" -gt 0 ]; do
  verify "$1" "$2"
  set -- "$@" "$1"
  shift 2
  count=$((count - 1))
done
wanted=$("missing_$kind" "$@")
set -f
IFS='
'
set -- $wanted
[ "$#" -gt 0 ] || exit 0
case $kind in
  rpm) said=$(rpm -U "$@" 2>&1) && exit;;
  dpkg) said=$(DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i "$@" </dev/null 2>&1) && exit;;
esac
status=$?
printf '%s\n' "$said" >&2
why=$(printf '%s\n' "$said" | grep -m1 -e ' depends on ' -e ' is needed by ' -e '^error: ' -e '^dpkg: error')
echo "mk8s: $kind did not install them: ${{why:-it says no reason}}" >&2
exit "$status"
"""


def ask_manager() -> Command:
    """Prints which program the host's packages belong to: ``rpm``, ``dpkg`` or ``none``."""
    return Command(
        operation="packages.manager", description="look how packages are installed", script=ASK_MANAGER
    )


def has_packages(kind: str, files: Sequence[PurePosixPath]) -> Command:
    """Exit 0 when the host has all of them, in this version or a newer one, or is of another `kind`."""
    return Command(
        operation="packages.has",
        description=f"look for the packages {_names(files)}",
        script=HAS_PACKAGES,
        args=(kind, *map(str, files)),
        timeout=SECONDS_TO_INSTALL,
    )


def install_packages(kind: str, files: Sequence[tuple[PurePosixPath, str]]) -> Command:
    """Verify the files and install what is missing of them at once; `files`: each with its sha256.

    Exit 65 with nothing installed for a file that is not what was sent, `UNFIT` on a host of another kind.
    """
    pairs = [word for path, digest in files for word in (str(path), digest)]
    return Command(
        operation="packages.install",
        description=f"install the packages {_names([path for path, _ in files])}",
        script=INSTALL,
        args=(kind, str(len(files)), *pairs),
        timeout=SECONDS_TO_INSTALL,
    )


def _names(files: Sequence[PurePosixPath]) -> str:
    return ", ".join(file.name for file in files)
