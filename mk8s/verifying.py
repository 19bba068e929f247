"""The last look at a file before it is installed, for every driver's scripts.

What was sent is verified as it arrives; between then and its use lie minutes, reboots and other people.
The model of it is `mk8s.modelled.hash_is`.
"""

from __future__ import annotations

__all__ = ["VERIFY"]

VERIFY = """\
verify() {
  printf '%s  %s\\n' "$2" "$1" | sha256sum -c - >/dev/null 2>&1 && return
  echo "mk8s: $1 is not what was sent" >&2
  exit 65
}
"""
"""A shell function: ``verify PATH SHA256`` ends the script with status 65 unless the file is that one."""
