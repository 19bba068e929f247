"""The lab's hosts with the stand-in release on them, driven by hand as an administrator would."""

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

__all__ = ["TOKEN", "StandinHosts", "eventually"]

TOKEN = "S3cret"
EVIDENCE = "/var/lib/rancher/rke2/standin-log.jsonl"
KUBECTL = "/var/lib/rancher/rke2/bin/kubectl --kubeconfig /etc/rancher/rke2/rke2.yaml"
PATIENCE = 40.0
QUICK = {"START_SECONDS": 0.5, "PROMOTE_SECONDS": 0.7, "READY_SECONDS": 0.2}  # the stand-in's own pauses


def eventually(met: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Look until something of the real world is the case."""
    end = time.monotonic() + patience
    while not met():
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.1)


@dataclass(frozen=True)
class StandinHosts:
    """Host numbers begin at 1, as in the lab."""

    lab: Lab
    release: Path

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
        subprocess.run(command, input=packed.getvalue(), check=True, timeout=60)
        lines = "".join(f"STANDIN_{name}={value}\n" for name, value in {**QUICK, **(settings or {})}.items())
        self.sh(i, f"mkdir -p /etc/default; printf %s '{lines}' > /etc/default/rke2-{role}")
        self.sh(
            i,
            f"INSTALL_RKE2_ARTIFACT_PATH=/root/release INSTALL_RKE2_TYPE={role} sh /root/release/install.sh",
        )

    def configure(self, i: int, **keys: str) -> None:
        text = "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in keys.items())
        self.sh(
            i,
            f"mkdir -p /etc/rancher/rke2; umask 077; printf %s '{text}' > /etc/rancher/rke2/config.yaml",
        )

    def begin(
        self, i: int, role: str = "server", settings: Mapping[str, object] | None = None, **keys: str
    ) -> None:
        """Install, configure and start without waiting."""
        self.install(i, role, settings)
        self.configure(i, **{"token": TOKEN, **keys})
        self.sh(i, f"systemctl enable --now --no-block rke2-{role} 2>/dev/null")

    def first(self, i: int = 1, settings: Mapping[str, object] | None = None, **keys: str) -> None:
        """A first server, up."""
        self.begin(i, settings=settings, **keys)
        self.wait_active(i)

    def url(self, i: int) -> str:
        return f"https://{self.lab.hosts[i - 1].address}:9345"

    def name(self, i: int) -> str:
        return self.lab.hosts[i - 1].name

    def wait_active(self, i: int, role: str = "server") -> None:
        unit = f"rke2-{role}"
        eventually(
            lambda: self.run(i, f"systemctl is-active {unit}").returncode == 0, f"{unit} on {i} is active"
        )

    def said(self, i: int, words: str, role: str = "server") -> bool:
        return words in self.sh(i, f"journalctl -u rke2-{role} -o cat --no-pager")

    def wait_said(self, i: int, words: str, role: str = "server") -> None:
        eventually(lambda: self.said(i, words, role), f"host {i} says: {words}")

    def evidence(self, i: int) -> list[dict[str, Any]]:
        text = self.sh(i, f"cat {EVIDENCE} 2>/dev/null || :")
        return [json.loads(line) for line in text.splitlines()]

    def when(self, i: int, event: str) -> list[float]:
        """The times of every event of that kind on a host, in seconds of the epoch."""
        return [line["t"] for line in self.evidence(i) if line["event"] == event]

    def kubectl(self, i: int, words: str) -> subprocess.CompletedProcess[str]:
        return self.run(i, f"{KUBECTL} {words}")

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
