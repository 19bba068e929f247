"""A host's disk: what makes it this host and not another. It survives power loss, not `down`.

| folder | what |
| --- | --- |
| `upper`, `work` | what the host changed over the Debian tree (overlay) |
| `var` | its /var: a plain folder, because containerd inside puts overlays on it, and those do not stack |
| `root` | an empty place, where the host's root is put together at boot |

`var` is made last and in one move: a disk that has it is whole.
"""

from __future__ import annotations

import os
from pathlib import Path

from .addresses import LabHost
from .processes import run
from .recipe import USERS
from .rootfs import remove_tree

__all__ = ["is_whole", "make_disk", "public_host_key"]

HOST_KEY = "upper/etc/ssh/ssh_host_ed25519_key"


def is_whole(disk: Path) -> bool:
    return (disk / "var").exists()


def make_disk(disk: Path, host: LabHost, tree: Path, login_key: str) -> None:
    """Make the disk unless it is whole. `login_key` is the line for authorized_keys."""
    if is_whole(disk):
        return
    remove_tree(disk)
    for name in ("upper/etc/ssh", "work", "root"):
        (disk / name).mkdir(parents=True)
    upper = disk / "upper"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{host.name}", "-f", disk / HOST_KEY])
    for user, number in USERS.items():
        _allow_login(upper / ("root" if user == "root" else f"home/{user}"), number, login_key)
    (upper / "etc/hostname").write_text(f"{host.name}\n")
    (upper / "etc/hosts").write_text(
        f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{host.address} {host.name}\n"
    )
    (upper / "etc/machine-id").write_text(os.urandom(16).hex() + "\n")
    run(["cp", "-a", "--reflink=auto", tree / "var", disk / "var.unfinished"])
    (disk / "var.unfinished").rename(disk / "var")


def public_host_key(disk: Path) -> str:
    """The type and key of the host's SSH server, as known_hosts wants them."""
    return " ".join((disk / f"{HOST_KEY}.pub").read_text().split()[:2])


def _allow_login(home: Path, number: int, key: str) -> None:
    ssh = home / ".ssh"
    ssh.mkdir(parents=True)
    (ssh / "authorized_keys").write_text(key)
    modes = {home: 0o700 if number == 0 else 0o755, ssh: 0o700, ssh / "authorized_keys": 0o600}
    for path, mode in modes.items():
        path.chmod(mode)
        os.chown(path, number, number)
