"""Which labs run on this machine, and how its kernel was set before the first of them.

Some settings belong to the whole kernel, inside and outside alike. A few are too small for many
systemds, one has to be what kube-proxy wants, others get changed from within a host (kubelet sets
kernel.panic). The first lab notes them all; the last one to leave puts them back.

In a lab's folder these notes would be wrong as soon as there are two labs; so they are in /run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .errors import UnfitError
from .locks import locked
from .places import REGISTER

__all__ = ["Register", "conntrack_limit"]

AT_LEAST = {
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 1 << 20,
    "kernel/keys/maxkeys": 20_000,
    "kernel/keys/maxbytes": 400_000,
}
CONNTRACK = "net/netfilter/nf_conntrack_max"
WATCHED = (
    *AT_LEAST,
    CONNTRACK,
    *("kernel/panic", "kernel/panic_on_oops", "kernel/pid_max", "vm/overcommit_memory", "vm/panic_on_oom"),
    *("vm/swappiness", "vm/max_map_count", "fs/file-max", "kernel/keys/root_maxkeys"),
    "kernel/keys/root_maxbytes",
)


def conntrack_limit(cores: int) -> int:
    """What kube-proxy writes by default (--conntrack-max-per-core, --conntrack-min): connections to track.

    Only the machine itself may write it, in a host kube-proxy ends when it has to. It does not write what is
    there already, so it has to be there, exactly: v1.20 compares for equality.
    """
    return max(131_072, 32_768 * cores)


class Register:
    """The register of this machine; `folder`, `settings` and `cores` are others only in tests."""

    def __init__(
        self, folder: Path = REGISTER, settings: Path = Path("/proc/sys"), cores: int | None = None
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._cores = cores or len(os.sched_getaffinity(0))

    def owner(self, name: str) -> Path | None:
        """The folder of the lab that has this name now."""
        try:
            return Path((self._folder / f"{name}.lab").read_text())
        except FileNotFoundError:
            return None

    def refuse_other(self, name: str, folder: Path) -> None:
        """Raises UnfitError if the name belongs to a lab in another folder."""
        owner = self.owner(name)
        if owner not in (None, folder):
            raise UnfitError(
                f"a lab named {name!r} runs on this machine already, with its folder at {owner}",
                cause="names of interfaces and cgroups are shared by the whole machine",
                remedy=f"take another --name, or end that one: "
                f"`MK8S_LAB_DIR={owner.parent} mk8s lab --name {name} down`",
            )

    def enter(self, name: str, folder: Path) -> None:
        """Note the lab; the first notes the kernel's settings, all make them as hosts need them."""
        with locked(self._folder):
            self.refuse_other(name, folder)
            if not self._notes.exists():
                self._notes.write_text(json.dumps(self._read()))
            (self._folder / f"{name}.lab").write_text(str(folder))
            self._adapt()

    def leave(self, name: str) -> None:
        """Strike the lab out; the last one puts the kernel's settings back."""
        with locked(self._folder):
            (self._folder / f"{name}.lab").unlink(missing_ok=True)
            if self.names():
                return
            if self._notes.exists():
                self._restore(json.loads(self._notes.read_text()))
                self._notes.unlink()
            with suppress(OSError):  # something of a later version is in it
                self._folder.rmdir()

    def names(self) -> list[str]:
        """The labs that run now."""
        return sorted(path.stem for path in self._folder.glob("*.lab"))

    @property
    def _notes(self) -> Path:
        return self._folder / "settings.json"

    def _read(self) -> Mapping[str, int]:
        paths = {setting: self._settings / setting for setting in WATCHED}
        return {setting: int(path.read_text()) for setting, path in paths.items() if path.exists()}

    def _adapt(self) -> None:
        now = self._read()
        wanted = {setting: least for setting, least in AT_LEAST.items() if now.get(setting, least) < least}
        if CONNTRACK in now:
            wanted[CONNTRACK] = conntrack_limit(self._cores)
        for setting, value in wanted.items():
            (self._settings / setting).write_text(str(value))

    def _restore(self, noted: Mapping[str, int]) -> None:
        now = self._read()
        for setting, value in noted.items():
            if now.get(setting, value) != value:
                (self._settings / setting).write_text(str(value))
