"""What a lab writes for those who want to log in."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from shutil import which

import pytest

from mk8s.lab.addresses import LabHost
from mk8s.lab.files import hosts_json, known_hosts, ssh_config

FOLDER = Path("/labs/my lab")
HOSTS = [LabHost(1, "node-1", "10.77.0.11"), LabHost(2, "node-2", "10.77.0.12")]


def test_programs_find_addresses_users_and_paths() -> None:
    assert json.loads(hosts_json(FOLDER, HOSTS)) == {
        "key": "/labs/my lab/id_ed25519",
        "known_hosts": "/labs/my lab/known_hosts",
        "users": ["root", "dev", "pw"],
        "password_of_pw": "lab-password",
        "hosts": [
            {"number": 1, "name": "node-1", "address": "10.77.0.11", "port": 22},
            {"number": 2, "name": "node-2", "address": "10.77.0.12", "port": 22},
        ],
    }


def test_known_hosts_has_a_line_a_host() -> None:
    keys = {"10.77.0.11": "ssh-ed25519 AAAA1", "10.77.0.12": "ssh-ed25519 AAAA2"}
    assert known_hosts(keys) == "10.77.0.11 ssh-ed25519 AAAA1\n10.77.0.12 ssh-ed25519 AAAA2\n"


@pytest.mark.skipif(not which("ssh"), reason="asks the OpenSSH client")
def test_openssh_reads_the_config_as_it_is_meant(tmp_path: Path) -> None:
    """Also with a blank in the lab's folder; host keys are checked strictly."""
    path = tmp_path / "ssh_config"
    path.write_text(ssh_config(FOLDER, HOSTS))
    done = subprocess.run(["ssh", "-G", "-F", path, "node-2"], capture_output=True, text=True, check=True)
    found = done.stdout.splitlines()
    for line in (
        "hostname 10.77.0.12",
        "user root",
        "stricthostkeychecking true",
        "identityfile /labs/my lab/id_ed25519",
        "identitiesonly yes",
        "userknownhostsfile /labs/my lab/known_hosts",
        "userknownhostsfile /labs/my lab/known_hosts",
    ):
        assert line in found
