"""A lab: real throw-away Linux hosts on this machine.

Laws:

1. Every verb may be repeated, and may follow a verb that was cut off at any moment: each looks at
   what is there and does what is missing.
2. One verb at a time: a lock on the lab's folder.
3. `down` leaves nothing behind but the cached Debian tree, and removes nothing that is not the lab's.

Begin reading at `Lab.up`. A host is in `host`, what it boots into in `boot`.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from . import files, machine, network
from .addresses import DEFAULT_SUBNET, LabHost, Layout, parse_subnet
from .cgroups import LAB_GROUP, find_hierarchies, members, remove_group
from .disk import make_disk, public_host_key
from .errors import LabError, UnfitError
from .host import Host, HostStatus
from .locks import locked
from .manifest_writer import ManifestChoices, manifest_text, write
from .places import cache_folder, lab_command
from .processes import find_process, run, send_signal, wait_until
from .recipe import SUITE
from .register import Register
from .rootfs import cached_tree, remove_tree
from .saved import SAVED_FILE, Saved

__all__ = ["Lab"]

Say = Callable[[str], None]
REBOOT = signal.SIGRTMIN + 5  # systemd(1): starts reboot.target
OWN_FILES = (
    *(files.HOSTS_FILE, files.KNOWN_HOSTS_FILE, files.SSH_CONFIG_FILE),
    *(files.KEY_FILE, f"{files.KEY_FILE}.pub", SAVED_FILE),
)


class Lab:
    """The lab in `folder`. Making the object touches nothing; `up` makes hosts.

    A lab that is up keeps the subnet and the prefix it was made with. `say` hears about progress.
    Raises UnfitError for names and subnets that cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "lab",
        prefix: str = "node-",
        subnet: str | None = None,
        cache: Path | None = None,
        say: Say = lambda _words: None,
    ) -> None:
        self.folder = folder.absolute()
        self.name = name
        self._asked_subnet = subnet
        self._asked_prefix = prefix
        self._cache = cache or cache_folder(os.environ, Path.home())
        self._say = say
        self._register = Register()
        self.layout  # noqa: B018  wrong names are refused now, not later

    @property
    def layout(self) -> Layout:
        """Names and addresses: those of the lab that is up, else those that were asked for."""
        saved = Saved.load(self.folder)
        if saved is None:
            return Layout(self.name, self._asked_prefix, parse_subnet(self._asked_subnet or DEFAULT_SUBNET))
        return Layout(self.name, saved.prefix, parse_subnet(saved.subnet))

    @property
    def key(self) -> Path:
        """The private key that logs in as any of the users."""
        return self.folder / files.KEY_FILE

    @property
    def known_hosts(self) -> Path:
        return self.folder / files.KNOWN_HOSTS_FILE

    @property
    def ssh_config(self) -> Path:
        return self.folder / files.SSH_CONFIG_FILE

    @property
    def hosts(self) -> list[LabHost]:
        """The hosts that have a disk, running or not."""
        return [host.about for host in self._hosts()]

    # -- the whole lab

    def up(self, count: int, *, memory: int = 0, timeout: float = 120) -> list[LabHost]:
        """Make it exactly `count` hosts, all running, plugged in and ready for SSH.

        `memory` limits each new host, in MiB, unless 0. Raises UnfitError before anything is changed,
        LabError if a host is not ready after `timeout` seconds.
        """
        machine.require_root()
        find_hierarchies()
        self._refuse_other_subnet()
        self.layout.hosts(count)
        self._register.refuse_other(self.name, self.folder)
        machine.require_packages(self._say)
        network.refuse_overlap(self.layout)
        with self._locked():
            tree = self._tree(memory)
            for host in self._hosts():
                if host.number > count:
                    self._remove(host)
            machine.load_conntrack()
            self._register.enter(self.name, self.folder)
            network.make_bridge(self.layout)
            hosts = self._make_disks(count, tree)
            self._power_on(hosts, tree)
            self._wait(hosts, timeout)
        return [host.about for host in hosts]

    def down(self, *, purge: bool = False) -> int:
        """Remove all hosts and all that belongs to them; with `purge` the cached tree too.

        Returns how many hosts there were. Raises UnfitError if the name belongs to another lab, LabError
        if something does not end.
        """
        machine.require_root()
        self._register.refuse_other(self.name, self.folder)
        with self._locked():
            hosts = self._hosts()
            for host in hosts:
                host.send(signal.SIGKILL)  # all at once, then wait for each
            for host in hosts:
                host.stop()
            self._remove_strays()
            network.remove_links(self.layout)
            self._register.leave(self.name)
            self._remove_folder()
        if purge:
            self._purge()
        return len(hosts)

    def status(self) -> list[HostStatus]:
        machine.require_root()
        with ThreadPoolExecutor(32) as pool:
            return list(pool.map(Host.status, self._hosts()))

    # -- one host

    def kill(self, number: int) -> None:
        """Cut the power of a host: all its processes end at once, its disk stays."""
        with self._locked():
            self._host(number).stop()

    def cut(self, number: int) -> None:
        """Pull the network cable of a host; its processes go on. Raises LabError on a dead host."""
        with self._locked():
            host = self._host(number)
            if network.link_state(host.link) == "none":
                raise LabError(
                    f"{host} is dead, so it has no cable to pull", remedy=f"`mk8s lab heal {number}`"
                )
            network.set_link(host.link, "down")

    def heal(self, number: int, *, timeout: float = 120) -> None:
        """Undo kill and cut: plug the cable in, power the host on with the disk it had, wait for SSH."""
        with self._locked():
            self._heal(self._host(number), timeout)

    def reboot(self, number: int, *, timeout: float = 120) -> None:
        """An orderly reboot, as by `systemctl reboot`; returns when the host is ready for SSH again.

        A host whose services do not stop within `timeout` seconds is powered off.
        """
        with self._locked():
            host = self._host(number)
            host.send(REBOOT)
            wait_until(lambda: host.leader() is None, timeout)
            host.stop()
            self._heal(host, timeout)

    def ssh_command(self, number: int, words: Sequence[str] = (), user: str = "root") -> list[str]:
        """The ssh command line that runs `words` on a host; a shell if there are none.

        As ssh does, the host's shell gets the words joined by blanks: quote what must stay together.
        """
        name = self._host(number).about.name
        return ["ssh", "-F", str(self.ssh_config), "-l", user, name, *words]

    def run(
        self, number: int, script: str, *, user: str = "root", stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script on a host over SSH. Raises LabError if it fails and `check`."""
        return run(self.ssh_command(number, ["--", script], user), stdin=stdin, check=check)

    def write_manifest(self, path: Path, choices: ManifestChoices, *, agents: int | None = None) -> None:
        """Write a manifest for the hosts. Raises UnfitError for a file that is not the lab's own.

        With `agents`, only `choices.servers` and so many hosts after them are in it.
        """
        hosts = self.hosts if agents is None else self.hosts[: choices.servers + agents]
        write(path, manifest_text(hosts, self.key, self.known_hosts, choices))

    # -- inside

    def _locked(self) -> AbstractContextManager[None]:
        machine.require_root()
        return locked(
            self.folder, lambda: self._say(f"waiting: another command works on the lab in {self.folder}")
        )

    def _refuse_other_subnet(self) -> None:
        saved = Saved.load(self.folder)
        if saved and self._asked_subnet and parse_subnet(self._asked_subnet) != parse_subnet(saved.subnet):
            raise UnfitError(
                f"the lab {self.name!r} exists with the subnet {saved.subnet}",
                remedy=f"take it down first: {lab_command(self.name, 'down')}",
            )

    def _tree(self, memory: int) -> Path:
        """The tree that the lab began with; a new lab begins with the newest."""
        saved = Saved.load(self.folder)
        if saved is None:
            tree = cached_tree(self._cache, lambda: machine.debian_mirror(SUITE, os.environ), self._say)
            saved = Saved(str(self.layout.subnet), self.layout.prefix, str(tree), memory)
            saved.store(self.folder)
        return saved.existing_tree()

    def _hosts(self) -> list[Host]:
        disks = self.folder / "hosts"
        if not disks.exists():
            return []
        numbers = sorted(int(path.name) for path in disks.iterdir() if path.name.isdigit())
        return [self._make_host(number) for number in numbers]

    def _make_host(self, number: int) -> Host:
        return Host(self.layout, number, self.folder / "hosts" / str(number), find_hierarchies())

    def _host(self, number: int) -> Host:
        hosts = {host.number: host for host in self._hosts() if host.exists}
        if number not in hosts:
            there = " ".join(map(str, hosts)) or "none"
            raise UnfitError(
                f"the lab {self.name!r} has no host {number}",
                cause=f"its hosts are: {there}",
                remedy=f"{lab_command(self.name, 'status')} shows them; "
                f"{lab_command(self.name, 'up N')} makes N",
            )
        return hosts[number]

    def _make_disks(self, count: int, tree: Path) -> list[Host]:
        if not self.key.exists():
            run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"mk8s-lab-{self.name}", "-f", self.key]
            )
        public = self.key.with_suffix(".pub").read_text()
        hosts = [self._make_host(number) for number in range(1, count + 1)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda host: make_disk(host.disk, host.about, tree, public), hosts))
        about = [host.about for host in hosts]
        keys = {host.about.address: public_host_key(host.disk) for host in hosts}
        self.known_hosts.write_text(files.known_hosts(keys))
        self.ssh_config.write_text(files.ssh_config(self.folder, about))
        (self.folder / files.HOSTS_FILE).write_text(files.hosts_json(self.folder, about))
        return hosts

    def _power_on(self, hosts: Sequence[Host], tree: Path) -> None:
        saved = Saved.load(self.folder)
        memory = saved.memory if saved else 0
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda host: host.start(tree, memory), hosts))
        for host in hosts:
            network.set_link(host.link, "up")

    def _heal(self, host: Host, timeout: float) -> None:
        self._power_on([host], self._tree(0))
        self._wait([host], timeout)

    def _wait(self, hosts: Sequence[Host], timeout: float) -> None:
        waiting = list(hosts)

        def are_ready() -> bool:
            waiting[:] = [host for host in waiting if not host.is_ready()]
            return not waiting or any(host.leader() is None for host in waiting)

        wait_until(are_ready, timeout)
        if waiting:
            lines = [f"{host} ({host.about.address}): {_why_not(host)}" for host in waiting]
            raise LabError(
                "not ready for SSH:\n  " + "\n  ".join(lines),
                remedy=f"their journals: `journalctl -D {waiting[0].disk}/var/log/journal` and so on",
            )

    def _remove(self, host: Host) -> None:
        host.stop()
        remove_tree(host.disk)

    def _remove_strays(self) -> None:
        """Groups and processes of hosts whose folder is gone."""
        for group in self._groups():
            for pid in members([group]):
                process = find_process(pid)
                if process:
                    send_signal(process)
            remove_group(group)

    def _groups(self) -> Iterator[Path]:
        for hierarchy in find_hierarchies():
            yield hierarchy.point / LAB_GROUP.format(self.name)

    def _remove_folder(self) -> None:
        """Remove what the lab made; a folder that holds something else too stays."""
        remove_tree(self.folder / "hosts")
        for name in OWN_FILES:
            (self.folder / name).unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _purge(self) -> None:
        others = self._register.names()
        if others:
            raise LabError(
                f"the hosts are gone, but the Debian trees in {self._cache} are kept",
                cause=f"other labs run on it: {', '.join(others)}",
                remedy="take them down first",
            )
        for tree in self._cache.glob("debian-*"):
            remove_tree(tree)


def _why_not(host: Host) -> str:
    return "its process 1 ended" if host.leader() is None else host.ssh_answer()
