"""What a lab writes for those who want to log in to its hosts. Pure: values in, text out.

| file | for |
| --- | --- |
| `hosts.json` | programs: addresses, users, the paths of the key and of known_hosts |
| `known_hosts` | every SSH client: the hosts' keys, so that nobody has to trust at first sight |
| `ssh_config` | people: `ssh -F FOLDER/ssh_config node-1`, also scp and sftp |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .addresses import LabHost
from .recipe import PASSWORD, USERS

__all__ = [
    "HOSTS_FILE",
    "KEY_FILE",
    "KNOWN_HOSTS_FILE",
    "SSH_CONFIG_FILE",
    "hosts_json",
    "known_hosts",
    "ssh_config",
]

HOSTS_FILE = "hosts.json"
KEY_FILE = "id_ed25519"
KNOWN_HOSTS_FILE = "known_hosts"
SSH_CONFIG_FILE = "ssh_config"


def hosts_json(folder: Path, hosts: Sequence[LabHost]) -> str:
    content = {
        "key": str(folder / KEY_FILE),
        "known_hosts": str(folder / KNOWN_HOSTS_FILE),
        "users": list(USERS),
        "password_of_pw": PASSWORD,
        "hosts": [
            {"number": host.number, "name": host.name, "address": host.address, "port": host.port}
            for host in hosts
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def known_hosts(keys: Mapping[str, str]) -> str:
    """Address -> "type key", as one line each."""
    return "".join(f"{address} {key}\n" for address, key in keys.items())


def ssh_config(folder: Path, hosts: Sequence[LabHost]) -> str:
    names = "".join(f"Host {host.name}\n  HostName {host.address}\n" for host in hosts)
    return (
        f"{names}Host *\n"
        "  User root\n"
        f'  IdentityFile "{folder / KEY_FILE}"\n'
        "  IdentitiesOnly yes\n"
        f'  UserKnownHostsFile "{folder / KNOWN_HOSTS_FILE}"\n'
        "  StrictHostKeyChecking yes\n"
        "  ConnectTimeout 10\n"
        "  LogLevel ERROR\n"
    )
