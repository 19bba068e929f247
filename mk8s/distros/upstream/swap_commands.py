"""The commands that turn swap off and on again, as values. Laws as in `host_commands`."""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.distros.upstream.host_commands import SBIN
from transports.base import Command

__all__ = ["SWAP_MARK", "disable_swap", "is_swap_off", "restore_swap"]

SWAPS, FSTAB = PurePosixPath("/proc/swaps"), PurePosixPath("/etc/fstab")
SECONDS_TO_SWAP = 600.0  # swapping off reads all of it back into memory

SWAP_LINE = "^[[:space:]]*[^#[:space:]][^[:space:]]*[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]]|$)"
SWAP_MARK = "#mk8s-swap#"
IS_SWAP_OFF = f"""\
[ ! -e "$1" ] || {{ read -r _; ! read -r _; }} <"$1" || exit 1
[ ! -e "$2" ] || ! grep -Eq '{SWAP_LINE}' "$2"
"""
# Lines of fstab are commented out with a mark; units that come from elsewhere (zram, partition tables) are
# masked, or disabled where their file is the administrator's own.
DISABLE_SWAP = f"""\
set -eu
{SBIN}swaps=$1 fstab=$2 before=$3
umask 077
mkdir -p "$(dirname "$before")"
touch "$before"
note() {{ grep -Fqx -- "$1" "$before" || printf '%s\\n' "$1" >>"$before"; }}
[ ! -e "$swaps" ] || {{ read -r _; while read -r device _; do note "device $device"; done; }} <"$swaps"
if [ -e "$fstab" ] && grep -Eq '{SWAP_LINE}' "$fstab"; then
  cp -a "$fstab" "$fstab.mk8s"
  sed -E '/{SWAP_LINE}/s/^/{SWAP_MARK}/' "$fstab" >"$fstab.mk8s"
  mv -f "$fstab.mk8s" "$fstab"
  systemctl daemon-reload
fi
swapoff -a
systemctl list-units --type=swap --all --plain --no-legend | while read -r unit load _; do
  [ "$load" = loaded ] || continue
  note "unit $unit"
  systemctl mask --quiet -- "$unit" 2>/dev/null || systemctl disable --quiet -- "$unit"
done
"""
RESTORE_SWAP = f"""\
set -eu
{SBIN}fstab=$1 before=$2
[ -e "$before" ] || exit 0
if [ -e "$fstab" ] && grep -q '^{SWAP_MARK}' "$fstab"; then
  cp -a "$fstab" "$fstab.mk8s"
  sed 's/^{SWAP_MARK}//' "$fstab" >"$fstab.mk8s"
  mv -f "$fstab.mk8s" "$fstab"
fi
while read -r kind name; do
  [ "$kind" != unit ] || systemctl unmask --quiet -- "$name" || :
done <"$before"
systemctl daemon-reload
while read -r kind name; do
  case $kind in
    unit) systemctl reenable --quiet -- "$name" 2>/dev/null || :;;
    device) [ ! -e "$name" ] || swapon "$name" 2>/dev/null || :;;
  esac
done <"$before"
rm -f -- "$before"
"""


def is_swap_off() -> Command:
    """Exit 0 when nothing is swapped to, and no line of fstab would change that at boot."""
    return Command(
        operation="upstream.is-swap-off",
        description="look for swap",
        script=IS_SWAP_OFF,
        args=(str(SWAPS), str(FSTAB)),
    )


def disable_swap(before: PurePosixPath) -> Command:
    """Swap off, now and at boot; note what there was."""
    return Command(
        operation="upstream.disable-swap",
        description="turn swap off, now and at boot",
        script=DISABLE_SWAP,
        args=(str(SWAPS), str(FSTAB), str(before)),
        timeout=SECONDS_TO_SWAP,
    )


def restore_swap(before: PurePosixPath) -> Command:
    """Swap as it was noted."""
    return Command(
        operation="upstream.restore-swap",
        description="turn swap on as it was",
        script=RESTORE_SWAP,
        args=(str(FSTAB), str(before)),
        timeout=SECONDS_TO_SWAP,
    )
