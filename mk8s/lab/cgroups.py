"""A subtree for each host in every cgroup hierarchy of this machine: v1, hybrid or v2.

Laws:

1. A host sees only its own subtree, writable, through a cgroup namespace: systemd, containerd and
   kubelet inside make groups there as they do on a machine of their own.
2. A group that is removed has no process left, so an empty tree proves that a host is gone.
3. All controllers, also v1's cpuset, are usable in a new group: it takes no process before it has
   its parent's CPUs and memory nodes.

Measured on hybrid machines. Pure v2 follows the same rules; kubelets before 1.19 do not run there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError, UnfitError
from .processes import wait_until

__all__ = [
    "LAB_GROUP",
    "Hierarchy",
    "find_hierarchies",
    "make_group",
    "members",
    "parse_hierarchies",
    "remove_group",
]

ROOT = Path("/sys/fs/cgroup")
LAB_GROUP = "mk8s-lab-{}"
# mount options that are the kernel's business, not a controller's name
NOT_CONTROLLERS = {
    "rw",
    "ro",
    "relatime",
    "noatime",
    "nosuid",
    "nodev",
    "noexec",
    "xattr",
    "clone_children",
    "seclabel",
}


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted cgroup tree. `options` select it when it is mounted again (v1 only)."""

    point: Path
    version: int
    options: str = ""

    @property
    def inside(self) -> str:
        """Where a host mounts it, relative to /sys/fs/cgroup; "." when it is the only one."""
        return "." if self.point == ROOT else self.point.name


def find_hierarchies() -> tuple[Hierarchy, ...]:
    """Those of this machine. Raises UnfitError if there are none."""
    found = parse_hierarchies(Path("/proc/self/mounts").read_text())
    if not found:
        raise UnfitError(
            "no cgroup hierarchy is mounted under /sys/fs/cgroup", cause="systemd in a host needs one"
        )
    return found


def parse_hierarchies(mounts: str) -> tuple[Hierarchy, ...]:
    """The cgroup lines of /proc/self/mounts that lie at or directly under /sys/fs/cgroup."""
    found = []
    for line in mounts.splitlines():
        _, point, kind, options, *_ = line.split()
        if kind in ("cgroup", "cgroup2") and ROOT in (Path(point), Path(point).parent):
            names = [
                o
                for o in options.split(",")
                if o not in NOT_CONTROLLERS and not o.startswith("release_agent")
            ]
            version = 1 if kind == "cgroup" else 2
            found.append(Hierarchy(Path(point), version, ",".join(names) if version == 1 else ""))
    return tuple(found)


def make_group(hierarchy: Hierarchy, names: Iterable[str]) -> Path:
    """The group with this path, made and ready for processes."""
    group = hierarchy.point
    for name in names:
        parent, group = group, group / name
        if hierarchy.version == 2:
            _hand_down_controllers(parent)
        group.mkdir(exist_ok=True)
        if hierarchy.version == 1:
            _copy_cpuset(parent, group)
    return group


def _hand_down_controllers(parent: Path) -> None:
    for controller in (parent / "cgroup.controllers").read_text().split():
        with suppress(OSError):  # one that cannot be handed down is not had inside, no more
            (parent / "cgroup.subtree_control").write_text(f"+{controller}")


def _copy_cpuset(parent: Path, group: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and not (group / name).read_text().strip():
            (group / name).write_text((parent / name).read_text())


def members(groups: Iterable[Path]) -> set[int]:
    """Process numbers in these groups and all below them."""
    pids: set[int] = set()
    for top in groups:
        for group in _subtree(top):
            with suppress(OSError):
                pids.update(map(int, (group / "cgroup.procs").read_text().split()))
    return pids


def remove_group(group: Path, patience: float = 10) -> None:
    """Remove a group and all below it. Raises LabError if it is in use for longer than `patience` seconds."""

    def is_gone() -> bool:
        for path in _subtree(group):
            with suppress(OSError):
                path.rmdir()
        return not group.exists()

    if not wait_until(is_gone, patience):
        raise LabError(f"{group} is still in use", cause=f"processes {sorted(members([group]))} are in it")


def _subtree(group: Path) -> list[Path]:
    """The group and all below it, children first."""
    return [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
