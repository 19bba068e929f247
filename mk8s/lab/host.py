"""One host: power on, power off, and what can be seen of it from outside.

Laws:

1. The process that is noted in `leader` is the host's process 1. When it ends, the kernel ends all
   that the host ever started, and with its namespaces go its mounts and its network.
2. A dead host has no process, no cable and no cgroup; it has a disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import network
from .addresses import LabHost, Layout
from .bootspec import GO, BootSpec, CgroupMount
from .cgroups import LAB_GROUP, Hierarchy, make_group, members, remove_group
from .disk import is_whole
from .errors import LabError
from .network import LinkState
from .processes import Process, find_process, send_signal, wait_until
from .recipe import outer_modules

__all__ = ["Host", "HostStatus"]

PATIENCE = 30.0  # seconds for processes that were killed to be gone: a busy machine, hundreds of them
CODE = Path(__file__).resolve().parents[2]  # where the child finds the package


@dataclass(frozen=True, slots=True)
class HostStatus:
    """What can be seen of a host. `memory` in bytes; `ssh` is "ok" or says why not, "-" on a dead host."""

    number: int
    name: str
    address: str
    running: bool
    pid: int | None
    link: LinkState
    ssh: str
    memory: int
    processes: int


class Host:
    """A host of a lab. `disk` is its folder; nothing else is kept between two commands."""

    def __init__(self, layout: Layout, number: int, disk: Path, hierarchies: tuple[Hierarchy, ...]) -> None:
        self.about: LabHost = layout.host(number)
        self.number = number
        self.disk = disk
        self.link = layout.link(number)
        self._layout = layout
        self._hierarchies = hierarchies
        self._group_names = (LAB_GROUP.format(layout.name), str(number))

    def __str__(self) -> str:
        return self.about.name

    @property
    def exists(self) -> bool:
        return is_whole(self.disk)

    def leader(self) -> Process | None:
        """Process 1 of the host, seen from outside; None when the host is dead."""
        try:
            pid, started = map(int, (self.disk / "leader").read_text().split())
        except (OSError, ValueError):
            return None
        process = Process(pid, started)
        return process if process.runs else None

    def is_ready(self) -> bool:
        """Whether everyone can log in. sshd answers a moment before it lets others than root in."""
        leader = self.leader()
        if not leader or os.path.lexists(f"/proc/{leader.pid}/root/run/nologin"):
            return False
        return self.ssh_answer() == "ok"

    def ssh_answer(self) -> str:
        return network.ssh_answer(self.about.address, self.about.port)

    def status(self) -> HostStatus:
        leader = self.leader()
        return HostStatus(
            number=self.number,
            name=self.about.name,
            address=self.about.address,
            running=leader is not None,
            pid=leader.pid if leader else None,
            link=network.link_state(self.link),
            ssh=self.ssh_answer() if leader else "-",
            memory=self._memory(),
            processes=len(members(self._groups())),
        )

    def start(self, tree: Path, memory: int = 0) -> None:
        """Power on; returns when the boot has begun. `memory` limits it (MiB, 0: not). Raises LabError."""
        if self.leader():
            return
        self.stop()
        child = self._launch(self._spec(tree, memory))
        trouble = self._see_it_begin(child)
        if trouble:
            self.stop()
            raise LabError(f"{self}: cannot start", cause=trouble, remedy=_advice(trouble))

    def stop(self) -> None:
        """Power off at once, as when the cable is pulled. Raises LabError if something does not end."""
        leader = self.leader()
        if leader:
            send_signal(leader)
            wait_until(lambda: not members(self._groups()), PATIENCE)
        self._end_strays()
        (self.disk / "leader").unlink(missing_ok=True)
        network.unplug(self.link)
        for group in self._groups():  # a machine that boots has no cgroups of its last life
            remove_group(group)

    def send(self, signal_number: int) -> None:
        """Send a signal to the host's process 1."""
        leader = self.leader()
        if leader:
            send_signal(leader, signal_number)

    def _groups(self) -> list[Path]:
        return [hierarchy.point.joinpath(*self._group_names) for hierarchy in self._hierarchies]

    def _end_strays(self) -> None:
        """What a start that broke off may have left, before it had a process 1."""

        def are_gone() -> bool:
            for pid in members(self._groups()):
                process = find_process(pid)
                if process:
                    send_signal(process)
            return not members(self._groups())

        if not wait_until(are_gone, PATIENCE):
            raise LabError(f"{self}: processes {sorted(members(self._groups()))} do not end")

    def _spec(self, tree: Path, memory: int) -> BootSpec:
        cgroups = []
        for hierarchy in self._hierarchies:
            group = make_group(hierarchy, self._group_names)
            _limit_memory(group, memory)
            cgroups.append(CgroupMount(str(group), hierarchy.inside, hierarchy.version, hierarchy.options))
        modules = outer_modules()
        shown = str(modules) if modules.exists() else None
        return BootSpec(self.about.name, str(self.disk), str(tree), tuple(cgroups), shown)

    def _launch(self, spec: BootSpec) -> subprocess.Popen[str]:
        with self._boot_log.open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "mk8s.lab.boot", spec.to_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": str(CODE)},
            )

    def _see_it_begin(self, child: subprocess.Popen[str]) -> str:
        """Note the leader, plug it in, let it go on. Returns what went wrong, "" for nothing."""
        assert child.stdin is not None
        assert child.stdout is not None
        with child.stdin, child.stdout:
            first = child.stdout.readline().strip()
            if not first.isdigit():
                child.wait()
                return first or self._boot_log.read_text()[-1000:] or "the host's first process said nothing"
            self._note_leader(int(first))
            child.wait()
            network.plug_in(self._layout, self.number, int(first))
            with suppress(BrokenPipeError):  # it ended: what it said tells why
                child.stdin.write(GO.decode())
                child.stdin.close()
            return child.stdout.read().strip()

    @property
    def _boot_log(self) -> Path:
        return self.disk / "boot.log"

    def _note_leader(self, pid: int) -> None:
        process = find_process(pid)
        (self.disk / "leader").write_text(f"{pid} {process.started if process else 0}\n")

    def _memory(self) -> int:
        for group in self._groups():
            for name in ("memory.usage_in_bytes", "memory.current"):
                with suppress(OSError, ValueError):
                    return int((group / name).read_text())
        return 0


def _limit_memory(group: Path, mebibytes: int) -> None:
    for name in ("memory.limit_in_bytes", "memory.max"):
        if mebibytes and (group / name).exists():
            (group / name).write_text(str(mebibytes << 20))


def _advice(trouble: str) -> str:
    """What helps against the one failure that depends on where the lab's folder is."""
    if "mount overlay" in trouble:
        return (
            "an overlay cannot lie on another one: set MK8S_LAB_DIR to a folder on ext4, xfs, btrfs or tmpfs"
        )
    return ""
