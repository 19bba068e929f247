"""Runs as a child of its own and becomes process 1 of a host: `python -m mk8s.lab.boot SPEC`.

The talk with the parent: stdout gets the host's process number and a newline, then what went wrong,
if anything; it is closed by the exec that succeeds. stdin brings GO when the network is there; only
then does systemd start.

Laws:

1. All mounts are made in the host's own mount namespace, so they end with its last process.
2. Nothing of the machine can be reached from inside but its kernel: the old root is let go of.
3. A boot has a boot id of its own; the machine's would be the same for all hosts and never change.

A process of its own, because a program with threads must not fork. So no other module may import this one.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from . import system
from .bootspec import GO, BootSpec, CgroupMount
from .system import BIND, NODEV, NOEXEC, NOSUID, READ_ONLY, RECURSIVE, REMOUNT, mount

__all__ = ["main", "overlay_escape"]

SAFE = NOSUID | NODEV | NOEXEC
DEVICES: tuple[str, ...] = (
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "kmsg",
    "fuse",
    "net/tun",
    "loop-control",
)
DEVICES += tuple(f"loop{number}" for number in range(8))
ENVIRONMENT = {
    "container": "mk8s-lab",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


def main(words: list[str]) -> int:
    """Fork process 1 of the host and say its number. Returns in the parent only."""
    spec = BootSpec.from_json(words[0])
    said = os.dup(1)  # not inherited by exec, so exec closes it
    try:
        os.setsid()
        for cgroup in spec.cgroups:
            (Path(cgroup.group) / "cgroup.procs").write_text("0")
        system.unshare(system.ALL_NAMESPACES)
    except OSError as error:
        os.write(said, str(error).encode())
        return 1
    pid = os.fork()
    if pid:
        os.write(said, f"{pid}\n".encode())
        return 0
    return _become_init(spec, said)


def _become_init(spec: BootSpec, said: int) -> NoReturn:
    """Never returns."""
    try:
        if os.read(0, 1) != GO:  # until the network is there, or nobody is left to make it
            os._exit(1)
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        build_root(spec)
        system.set_host_name(spec.name)
        _forget_signals()
        os.umask(0o022)
        os.execve("/sbin/init", ["/sbin/init"], ENVIRONMENT)  # noqa: S606  no shell is meant
    except BaseException as error:  # the parent must hear of everything
        os.write(said, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(1)


def _forget_signals() -> None:
    for number in range(1, signal.NSIG):
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def build_root(spec: BootSpec) -> None:
    """Put the host's file system together and move into it."""
    root = Path(spec.disk) / "root"
    mount(None, "/", flags=RECURSIVE | system.PRIVATE)
    os.chdir(spec.disk)
    mount("overlay", root, "overlay", 0, f"lowerdir={overlay_escape(spec.tree)},upperdir=upper,workdir=work")
    mount("var", root / "var", flags=BIND)
    _mount_proc(root / "proc", Path(spec.disk) / "boot_id")
    mount("sysfs", root / "sys", "sysfs", SAFE)
    mount("tmpfs", root / "run", "tmpfs", NOSUID | NODEV, "mode=755")
    _mount_cgroups(root / "sys/fs/cgroup", spec.cgroups)
    _fill_dev(root / "dev")
    if spec.modules:
        _show_modules(Path(spec.modules), root)
    os.chdir(root)
    system.pivot_root_here()
    mount(None, "/", flags=RECURSIVE | system.SHARED)  # kubelet and storage drivers expect shared mounts


def overlay_escape(path: str) -> str:
    """A path as the overlay's lowerdir option wants it: commas and colons separate there."""
    return "".join(f"\\{letter}" if letter in "\\,:" else letter for letter in path)


def _mount_proc(proc: Path, boot_id: Path) -> None:
    mount("proc", proc, "proc", SAFE)
    if (proc / "sysrq-trigger").exists():  # it would reach the machine itself
        mount("/dev/null", proc / "sysrq-trigger", flags=BIND)
    boot_id.write_text(f"{uuid.uuid4()}\n")
    mount(boot_id, proc / "sys/kernel/random/boot_id", flags=BIND)


def _mount_cgroups(place: Path, cgroups: tuple[CgroupMount, ...]) -> None:
    if [cgroup.inside for cgroup in cgroups] != ["."]:
        mount("tmpfs", place, "tmpfs", SAFE, "mode=755")
    for cgroup in cgroups:
        inside = place / cgroup.inside
        inside.mkdir(exist_ok=True)
        kind, options = ("cgroup", cgroup.options) if cgroup.version == 1 else ("cgroup2", None)
        mount("cgroup", inside, kind, SAFE, options)
        for name in inside.name.split(","):  # "cpu,cpuacct" is also looked for as cpu and as cpuacct
            if name != inside.name:
                (place / name).symlink_to(inside.name)


def _fill_dev(dev: Path) -> None:
    mount("tmpfs", dev, "tmpfs", NOSUID, "mode=755")
    for name in DEVICES:
        with suppress(FileNotFoundError):  # what the machine does not have, its hosts do not have
            _copy_device(Path("/dev") / name, dev / name)
    places = (
        ("pts", "devpts", "newinstance,ptmxmode=0666,mode=620,gid=5"),
        ("shm", "tmpfs", "mode=1777"),
        ("mqueue", "mqueue", None),
    )
    for name, kind, data in places:
        (dev / name).mkdir()
        mount(kind, dev / name, kind, NOSUID | NOEXEC, data)
    links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd"}
    links |= {name: f"/proc/self/fd/{number}" for number, name in enumerate(("stdin", "stdout", "stderr"))}
    for name, target in links.items():
        (dev / name).symlink_to(target)
    (dev / "console").touch()
    mount("/dev/null", dev / "console", flags=BIND)


def _copy_device(outer: Path, inner: Path) -> None:
    found = outer.stat()
    inner.parent.mkdir(exist_ok=True)
    os.mknod(inner, stat.S_IFMT(found.st_mode) | 0o600, found.st_rdev)
    inner.chmod(0o644 if inner.name == "kmsg" else 0o600 if "loop" in inner.name else 0o666)


def _show_modules(outer: Path, root: Path) -> None:
    inner = root / "lib/modules" / outer.name
    inner.mkdir(parents=True, exist_ok=True)
    mount(outer, inner, flags=BIND)
    mount(None, inner, flags=BIND | REMOUNT | READ_ONLY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
