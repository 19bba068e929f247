"""Temporary users for tests of passwords and sudo. Only root can make them; they are removed afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUDOERS = Path("/etc/sudoers.d")


@dataclass(frozen=True)
class TemporaryUser:
    """A user who exists for one test."""

    name: str
    password: str


def cannot_make_users() -> str:
    """Why no user can be made here; empty where one can."""
    if os.geteuid() != 0:
        return "not root: no temporary user can be made"
    if not shutil.which("useradd"):
        return "useradd is not installed"
    return ""


@contextmanager
def temporary_user() -> Iterator[TemporaryUser]:
    """Make a user with a home, a shell and a password."""
    user = TemporaryUser(f"mk8s-test-{secrets.token_hex(4)}", secrets.token_hex(8))
    subprocess.run(["useradd", "-m", "-s", "/bin/sh", user.name], check=True, capture_output=True)
    try:
        subprocess.run(["chpasswd"], input=f"{user.name}:{user.password}\n".encode(), check=True)
        yield user
    finally:
        subprocess.run(["userdel", "-r", "-f", user.name], capture_output=True, check=False)


@contextmanager
def sudo_rule(user: TemporaryUser, rule: str) -> Iterator[None]:
    """Give a user one line of sudoers, such as `ALL=(ALL) NOPASSWD:ALL`."""
    path = SUDOERS / user.name
    path.write_text(f"{user.name} {rule}\n")
    path.chmod(0o440)
    try:
        yield
    finally:
        path.unlink()
