"""User names and passwords for registries, where the user has put them already.

`docker login` and `podman login` write ``config.json``; curl, git and others read ``~/.netrc``. A password
is never shown, never written and sent to nobody but the registry's own token server. Helper programs that
such a file may name are not run.

Begin reading at `Logins.of`.
"""

from __future__ import annotations

import base64
import binascii
import json
import netrc
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Login", "Logins"]

HUB_KEYS = ("index.docker.io", "docker.io")
HUB_ADDRESS = "registry-1.docker.io"
LARGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Logins:
    """Which login belongs to which registry, by host[:port]."""

    known: Mapping[str, Login] = field(default_factory=dict)

    @classmethod
    def of(cls, environment: Mapping[str, str], home: Path) -> Logins:
        """Those of this user. Files that are not there, or cannot be read, hold none."""
        folder = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
        netrc_file = Path(environment.get("NETRC") or home / ".netrc")
        return cls(_of_netrc(netrc_file) | _of_docker(folder / "config.json"))

    def find(self, host: str) -> Login | None:
        names = (host, *HUB_KEYS) if host == HUB_ADDRESS else (host,)
        return next((self.known[name] for name in names if name in self.known), None)


def _of_docker(path: Path) -> dict[str, Login]:
    """Keys may be hosts or URLs: Docker Hub's is ``https://index.docker.io/v1/``."""
    document = _json(path)
    auths = document.get("auths") if isinstance(document, dict) else None
    found = {}
    for key, entry in (auths if isinstance(auths, dict) else {}).items():
        login = _login(entry) if isinstance(entry, dict) else None
        if login:
            found[urlsplit(key if "://" in key else f"//{key}").netloc] = login
    return found


def _login(entry: Mapping[str, Any]) -> Login | None:
    user, password = entry.get("username"), entry.get("password")
    if isinstance(entry.get("auth"), str):
        try:
            user, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    return Login(str(user), str(password)) if user and password else None


def _of_netrc(path: Path) -> dict[str, Login]:
    try:
        hosts = netrc.netrc(path).hosts
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return {}
    return {
        host: Login(user, password)
        for host, (user, _, password) in hosts.items()
        if host != "default" and user and password
    }


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes()) if path.stat().st_size <= LARGEST_FILE else None
    except (OSError, ValueError, RecursionError):
        return None
