"""What mk8s itself costs: the wall time of a run on real hosts, minus what the hosts had to do anyway.

The hosts' own work is the critical path through what cannot be done sooner by anyone: the primary's
staging and installing (the commands that changed something, by the transcript, sending files included),
then by the hosts' own evidence log from each start to that node's Ready: the primary's, each other
server's in order (etcd takes one at a time), and the slowest agent's.

Needs root on Linux. The hosts are real and six (`mk8s lab`), RKE2 is a stand-in: it starts in seconds, so
a second of mk8s' own weighs more than on a real cluster. The second row slows the stand-in to a pace that
is nearer to the real one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import NotMeasuredError, Usage, measure, medians
from benchmarks.tables import Table, percent, seconds
from mk8s.lab import Lab, UnfitError
from mk8s.lab.machine import require_root
from mk8s.lab.manifest_writer import DEFAULT_VERSION, ManifestChoices, machine_arch
from mk8s.lab.places import cache_folder
from mk8s.lab.standin_release import default_build, standin_release

__all__ = ["run"]

HOSTS = 6
SUBNET = "10.91.0.0/24"
EVIDENCE = "/var/lib/rancher/rke2/standin-log.jsonl"
BEFORE_START = "rke2.start"  # the operation that ends the staging of a node
SLOWER = {"STANDIN_START_SECONDS": 20, "STANDIN_READY_SECONDS": 10}
PACES: dict[str, dict[str, int]] = {"stand-in as quick as it is": {}, "stand-in at 30 s a node": SLOWER}


@dataclass(frozen=True, slots=True)
class Ended:
    """One run: what it took, and what its hosts and its transcript say."""

    usage: Usage
    evidence: Sequence[Sequence[dict[str, Any]]]  # of each host, the primary first
    transcript: Sequence[dict[str, Any]]

    @property
    def staging(self) -> float:
        """Seconds that changes on the primary took before it was started."""
        primary = self.transcript[0]["node"]
        total = 0.0
        for entry in (entry for entry in self.transcript if entry["node"] == primary):
            if entry["operation"] == BEFORE_START:
                break
            total += entry["seconds"] if entry["changed"] else 0.0
        return total

    @property
    def starts(self) -> float:
        """Seconds from start to Ready: servers one after the other, agents together."""
        servers = [_seconds_to_ready(events) for events in self.evidence if events[0]["role"] == "server"]
        agents = [_seconds_to_ready(events) for events in self.evidence if events[0]["role"] == "agent"]
        return sum(servers) + max(agents)

    def figures(self) -> list[float]:
        """Wall, staging, starts, and CPU seconds of mk8s."""
        return [self.usage.wall, self.staging, self.starts, self.usage.cpu]


def run(quick: bool) -> Iterator[Table]:
    """Fresh hosts for each run, at each pace."""
    try:
        require_root()
    except UnfitError as reason:
        raise NotMeasuredError(reason.problem) from reason
    table = Table(
        f"overhead: mk8s run on {HOSTS} real hosts",
        ["hosts", "wall", "staging", "starts", "mk8s' own", "of wall", "CPU of mk8s"],
    )
    paces = list(PACES.items())[: 1 if quick else None]
    for name, knobs in paces:
        rounds = 1 if quick or knobs else 3
        wall, staging, starts, cpu = medians([_run_once(knobs).figures() for _ in range(rounds)])
        own = wall - staging - starts
        table.add(name, *map(seconds, (wall, staging, starts, own)), percent(own / wall), seconds(cpu))
    yield table


def _run_once(knobs: dict[str, int]) -> Ended:
    with tempfile.TemporaryDirectory(prefix="mk8s-bench-") as name, _lab(Path(name)) as lab:
        _set(lab, knobs)
        manifest = Path(name) / "cluster.yaml"
        lab.write_manifest(manifest, ManifestChoices(artifacts=_release(), standin=True))
        usage = measure(
            [sys.executable, "-m", "mk8s", "run", str(manifest)], env={**os.environ, "TERM": "dumb"}
        )
        (transcript,) = Path(name).glob(".mk8s/*/transcript.jsonl")
        evidence = [_lines(_on_host(lab, i, f"cat {EVIDENCE}")) for i in range(1, HOSTS + 1)]
        return Ended(usage, evidence, _lines(transcript.read_text()))


@contextmanager
def _lab(folder: Path) -> Iterator[Lab]:
    """Fresh hosts, gone afterwards."""
    lab = Lab(folder / "lab", name="bench", subnet=SUBNET)
    lab.down()
    try:
        lab.up(HOSTS)
        yield lab
    finally:
        lab.down()


def _release() -> Path:
    cache = cache_folder(os.environ, Path.home())
    return standin_release(cache, DEFAULT_VERSION, machine_arch(), lambda _words: None, default_build)


def _set(lab: Lab, knobs: dict[str, int]) -> None:
    """Write the stand-in's knobs on every host."""
    text = "".join(f"{name}={value}\\n" for name, value in knobs.items())
    for number in range(1, HOSTS + 1):
        _on_host(lab, number, f"printf '{text}' | tee /etc/default/rke2-server >/etc/default/rke2-agent")


def _on_host(lab: Lab, number: int, script: str) -> str:
    done = subprocess.run(
        lab.ssh_command(number, [script], "root"), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotMeasuredError(f"host {number}: {script}: {done.stderr}")
    return done.stdout


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def _seconds_to_ready(events: Sequence[dict[str, Any]]) -> float:
    """From the engine's start to its node's Ready, by the host's own clock."""
    at = {event["event"]: float(event["t"]) for event in events}
    return at["node-ready"] - at["start"]
