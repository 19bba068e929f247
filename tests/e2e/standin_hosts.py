"""The lab's hosts with a stand-in release on them, driven by hand as an administrator would."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mk8s.lab import Lab
from tests.e2e.driving import whole_lines

__all__ = ["K0S", "K3S", "RKE2", "TOKEN", "Places", "StandinHosts", "eventually"]

TOKEN = "S3cret"
PATIENCE = 150.0  # seconds: what takes five here takes many times that on a busy machine
QUICK = {"START_SECONDS": 0.5, "PROMOTE_SECONDS": 0.7, "READY_SECONDS": 0.2}  # the stand-in's own pauses


def eventually(met: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Look until something of the real world is the case."""
    end = time.monotonic() + patience
    while not met():
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.1)


@dataclass(frozen=True)
class Places:
    """Where a distro has its things."""

    data: str
    config: str  # folder of config.yaml
    units: dict[str, str]  # by role
    kubectl: str
    port: int  # of registration
    install: str  # run with ROLE in its environment


RKE2 = Places(
    "/var/lib/rancher/rke2",
    "/etc/rancher/rke2",
    {"server": "rke2-server", "agent": "rke2-agent"},
    "/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml",
    9345,
    "INSTALL_RKE2_ARTIFACT_PATH=/root/release INSTALL_RKE2_TYPE=$ROLE sh /root/release/install.sh",
)
K3S = Places(
    "/var/lib/rancher/k3s",
    "/etc/rancher/k3s",
    {"server": "k3s", "agent": "k3s-agent"},
    "k3s kubectl",
    6443,
    """install -m 755 /root/release/k3s /usr/local/bin/k3s
    cd /var/lib; mkdir -p rancher/k3s/agent/images; cp /root/release/k3s-airgap-* rancher/k3s/agent/images/
    INSTALL_K3S_SKIP_DOWNLOAD=true INSTALL_K3S_SKIP_START=true sh /root/release/install.sh $ROLE""",
)
K0S = Places(
    "/var/lib/k0s",
    "/etc/k0s",
    {"server": "k0scontroller", "agent": "k0sworker"},
    "k0s kubectl",
    9443,
    """install -m 755 /root/release/k0s-v* /usr/local/bin/k0s
    mkdir -p /var/lib/k0s/images; cp /root/release/k0s-airgap-* /var/lib/k0s/images/""",
)


@dataclass(frozen=True)
class StandinHosts:
    """Host numbers begin at 1, as in the lab."""

    lab: Lab
    release: Path
    places: Places = RKE2

    def run(self, i: int, script: str) -> subprocess.CompletedProcess[str]:
        return self.lab.run(i, script, check=False)

    def sh(self, i: int, script: str) -> str:
        done = self.run(i, script)
        assert done.returncode == 0, f"host {i}: {script}: {done.stdout}{done.stderr}"
        return done.stdout

    def install(self, i: int, role: str = "server", settings: Mapping[str, object] | None = None) -> None:
        """Put the release on a host and run its install.sh; starts nothing."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(self.release, "release")
        command = self.lab.ssh_command(i, ["tar xf - -C /root"])
        subprocess.run(command, input=packed.getvalue(), check=True, timeout=PATIENCE)
        lines = "".join(f"STANDIN_{name}={value}\n" for name, value in {**QUICK, **(settings or {})}.items())
        self.sh(i, f"mkdir -p /etc/default; printf %s '{lines}' > /etc/default/{self.unit(role)}")
        self.sh(i, f"ROLE={role}; {self.places.install}")

    def configure(self, i: int, **keys: str) -> None:
        text = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in keys.items())
        folder = self.places.config
        self.sh(i, f"mkdir -p {folder}; umask 077; printf %s '{text}' > {folder}/config.yaml")

    def begin(
        self, i: int, role: str = "server", settings: Mapping[str, object] | None = None, **keys: str
    ) -> None:
        """Install, configure and start without waiting."""
        self.install(i, role, settings)
        self.configure(i, **{"token": TOKEN, **keys})
        self.sh(i, f"systemctl enable --now --no-block {self.unit(role)} 2>/dev/null")

    def first(self, i: int = 1, settings: Mapping[str, object] | None = None, **keys: str) -> None:
        """A first server, up."""
        self.begin(i, settings=settings, **keys)
        self.wait_active(i)

    def url(self, i: int) -> str:
        return f"https://{self.lab.hosts[i - 1].address}:{self.places.port}"

    def unit(self, role: str) -> str:
        return self.places.units[role]

    def name(self, i: int) -> str:
        return self.lab.hosts[i - 1].name

    def wait_active(self, i: int, role: str = "server") -> None:
        unit = self.unit(role)
        eventually(
            lambda: self.run(i, f"systemctl is-active {unit}").returncode == 0, f"{unit} on {i} is active"
        )

    def said(self, i: int, words: str, role: str = "server") -> bool:
        return words in self.sh(i, f"journalctl -u {self.unit(role)} -o cat --no-pager")

    def wait_said(self, i: int, words: str, role: str = "server") -> None:
        eventually(lambda: self.said(i, words, role), f"host {i} says: {words}")

    def freeze_at(self, i: int, event: str, role: str = "server") -> None:
        """Have a host stop its service in the middle of what it does, right after this event, until `thaw`.

        So that what is to happen in between has time, however slow this machine is: the host itself looks.
        Said before the service begins; `wait_frozen` tells when it is so.
        """
        look = f"until grep -qs {event} {self.places.data}/standin-log.jsonl; do sleep 0.05; done"
        stop = f"systemctl kill -s STOP {self.unit(role)}"
        self.sh(i, f"systemd-run --quiet sh -c '{look}; {stop} && touch /run/frozen'")

    def wait_frozen(self, i: int) -> None:
        eventually(lambda: self.run(i, "test -e /run/frozen").returncode == 0, f"{i} is frozen")

    def thaw(self, i: int, role: str = "server") -> None:
        self.sh(i, f"systemctl kill -s CONT {self.unit(role)}")

    def wait_nothing(self, i: int, script: str) -> None:
        """What was killed may take a moment to be gone."""
        eventually(lambda: self.sh(i, script) == "", f"{i} prints nothing: {script}")

    def evidence(self, i: int) -> list[dict[str, Any]]:
        text = self.sh(i, f"cat {self.places.data}/standin-log.jsonl 2>/dev/null || :")
        return [json.loads(line) for line in whole_lines(text)]

    def when(self, i: int, event: str) -> list[float]:
        """The times of every event of that kind on a host, in seconds of the epoch."""
        return [line["t"] for line in self.evidence(i) if line["event"] == event]

    def kubectl(self, i: int, words: str) -> subprocess.CompletedProcess[str]:
        return self.run(i, f"{self.places.kubectl} {words}")

    def conditions(self, i: int) -> dict[str, str]:
        """What host `i` says of every node: its Ready condition."""
        done = self.kubectl(i, "get nodes -o json")
        if done.returncode:
            return {}
        return {
            node["metadata"]["name"]: next(
                c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready"
            )
            for node in json.loads(done.stdout)["items"]
        }

    def wait_ready(self, i: int, *members: int) -> None:
        """Host `i` says that exactly these hosts are nodes, and Ready."""
        wanted = {self.name(member): "True" for member in members}
        eventually(lambda: self.conditions(i) == wanted, f"{i} sees {wanted}")
