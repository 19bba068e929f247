"""mk8s as a user drives it: the real program in a process of its own, on the lab's real hosts.

What happened is read where it happened: the journal of the run, and the logs and files of the hosts.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from machines import Record, read_journal
from mk8s.lab import Lab
from mk8s.lab.manifest_writer import ManifestChoices, machine_arch
from mk8s.lab.places import cache_folder
from mk8s.lab.standin_release import default_build, standin_release

__all__ = [
    *("Driver", "Finished", "drive", "intervals", "of_kind", "stand_in", "states_of", "wait_until"),
    "whole_lines",
]

MK8S = [sys.executable, "-m", "mk8s"]
EVIDENCE = "/var/lib/{}/standin-log.jsonl"
DATA = {"rke2": "rancher/rke2", "k3s": "rancher/k3s", "k0s": "k0s"}
PATIENCE = 900.0  # seconds for one whole run: on busy cores
UPLOADED = "find /var/lib/mk8s/artifacts -type f ! -name '*.part' -printf '%p %i %T@\\n' 2>/dev/null || true"
ANSWER = 180.0  # seconds for one question to a host, or one file
FROZEN = "var/lib/frozen"  # on a host: its service was stopped in the middle
FREEZER = """systemd-run --quiet sh -c 'until grep -qs "{event}" {log}; do sleep 0.02; done
systemctl kill -s STOP {unit}; touch /{frozen}'"""
SLOW_START = "echo STANDIN_START_SECONDS=3600 > /etc/default/{0}"
QUICK_START = "rm /etc/default/{0}; systemctl try-restart --no-block {0} 2>/dev/null || :"


@dataclass(frozen=True)
class Finished:
    """A run of mk8s that ended."""

    code: int
    out: str
    err: str

    def refuse_traceback(self) -> None:
        assert "Traceback" not in self.err, self.err


@dataclass
class Driver:
    """One lab, one manifest, and mk8s runs on it."""

    lab: Lab
    manifest: Path
    extra_env: Mapping[str, str] = field(default_factory=dict)
    distro: str = "rke2"

    def mk8s(self, *words: str, env: Mapping[str, str] | None = None) -> Finished:
        """Run a verb to its end."""
        done = subprocess.run(
            [*MK8S, *words], capture_output=True, text=True, timeout=PATIENCE, env=self._env(env), check=False
        )
        print(
            f"$ mk8s {' '.join(words)}\n{done.stderr}(exit code {done.returncode})"
        )  # for a test that fails
        finished = Finished(done.returncode, done.stdout, done.stderr)
        finished.refuse_traceback()
        return finished

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> Finished:
        return self.mk8s("run", str(self.manifest), *words, env=env)

    def uploads(self) -> dict[tuple[int, str], str]:
        """Each finished upload on each host, with its inode and time: sent again, it would have others."""
        found = {}
        for i in range(1, len(self.node_names()) + 1):
            for line in self.on_host(i, UPLOADED).splitlines():
                path, _, identity = line.partition(" ")
                found[i, path] = identity
        return found

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """`mk8s run` in the background; killed at the end of the block if it still runs."""
        process = subprocess.Popen(
            [*MK8S, "run", str(self.manifest), *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=self._env(None),
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()

    def kill_after(self, seconds: float) -> bool:
        """Start a run and kill -9 it after a while. Whether it was still running."""
        with self.running() as process:
            try:
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return True
            return False

    @property
    def state(self) -> Path:
        (folder,) = [path for path in (self.manifest.parent / ".mk8s").iterdir() if path.is_dir()]
        return folder

    def records(self) -> Sequence[Record]:
        """The run's journal, readable at any moment."""
        folders = list(self.manifest.parent.glob(".mk8s/*/journal"))  # none yet in a run's first moments
        return read_journal(folders[0]) if folders else ()

    def on_host(self, i: int, script: str, user: str = "root") -> str:
        """Run a script on a host, over the lab's own ssh; what it printed."""
        done = subprocess.run(
            self.lab.ssh_command(i, [script], user),
            capture_output=True,
            text=True,
            timeout=ANSWER,
            check=False,
        )
        assert done.returncode == 0, f"host {i}: {script}: {done.stderr}"
        return done.stdout

    def put_on_host(self, i: int, file: Path, target: str) -> None:
        """Copy a file to a host, over the lab's own ssh."""
        with file.open("rb") as content:
            command = self.lab.ssh_command(i, [f"cat > {target}"])
            subprocess.run(command, stdin=content, check=True, timeout=ANSWER)

    def evidence(self, i: int) -> list[dict[str, object]]:
        """What the stand-in on a host says that it did, oldest first."""
        place = EVIDENCE.format(DATA[self.distro])
        text = self.on_host(i, f"cat {place} 2>/dev/null || true")
        return [json.loads(line) for line in whole_lines(text)]

    def freeze_at(self, i: int, event: str, unit: str) -> None:
        """Have a host stop a service in the middle of its work, right after it logged an event matching this.

        What is to happen in between has time, then, however slow this machine is. Frozen services go on by
        `systemctl kill -s CONT`.
        """
        log = EVIDENCE.format(DATA[self.distro])
        self.on_host(i, FREEZER.format(event=event, log=log, unit=unit, frozen=FROZEN))

    def is_frozen(self, i: int) -> bool:
        """Seen from outside: no session is needed for it."""
        return (self.lab.folder / "hosts" / str(i) / FROZEN).exists()

    @contextmanager
    def starting_slowly(self, i: int, unit: str = "rke2-server") -> Iterator[None]:
        """A first server that begins to start in the block does not come to its end there."""
        self.on_host(i, SLOW_START.format(unit))
        yield
        self.on_host(i, QUICK_START.format(unit))

    def edit(self, pattern: str, replacement: str) -> None:
        """Change the manifest as a user with an editor would."""
        text = self.manifest.read_text()
        changed = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        assert changed != text, f"{pattern!r} is not in the manifest"
        self.manifest.write_text(changed)

    def add(self, yaml: str) -> None:
        """Add a key of the manifest's top, above its nodes."""
        self.edit(r"^nodes:$", f"{yaml}\nnodes:")

    def add_ssh(self, yaml: str) -> None:
        """Add a key below `ssh:`."""
        self.edit(r"^ssh:$", f"ssh:\n  {yaml}")

    def name(self, i: int) -> str:
        """What mk8s calls a host whose manifest gives it no name."""
        return self.lab.hosts[i - 1].address.replace(".", "-")

    def node_names(self) -> list[str]:
        """Of the nodes in the journal."""
        return sorted(states_of(self.records()))

    def node_states(self) -> list[str]:
        """Where the hosts are by the journal, in their order."""
        states = states_of(self.records())
        return [states.get(self.name(i), "") for i in range(1, len(self.lab.hosts) + 1)]

    def events(self, *hosts: int) -> list[str]:
        """The kinds of all that the stand-ins on these hosts say that they did."""
        return [str(entry["event"]) for i in hosts for entry in self.evidence(i)]

    def _env(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        return {**os.environ, **self.extra_env, **(extra or {}), "TERM": "dumb"}


def stand_in(version: str) -> Path:
    """The folder of a release that stands in for this version of RKE2, K3s or k0s; built where need be."""
    cache = cache_folder(os.environ, Path.home())
    return standin_release(cache, version, machine_arch(), lambda _: None, default_build)


def drive(lab: Lab, folder: Path, release: Path, *, servers: int = 0, distro: str = "rke2") -> Driver:
    """A driver for a lab's hosts, with a manifest in the original format in `folder`."""
    manifest = folder / "cluster.yaml"
    choices = ManifestChoices(distro=distro, servers=servers, artifacts=release, standin=True)
    lab.write_manifest(manifest, choices)
    return Driver(lab, manifest, distro=distro)


def wait_until(met: Callable[[], bool], what: str, patience: float = 180.0) -> None:
    """Look until something of the real world is the case. Only for e2e: elsewhere time is virtual."""
    end = time.monotonic() + patience
    while not met():
        assert time.monotonic() < end, f"not within {patience:g} s: {what}"
        time.sleep(0.05)


def whole_lines(text: str) -> list[str]:
    """Of a file that another process writes: its last line may be on its way."""
    return text[: text.rfind("\n") + 1].splitlines()


def states_of(records: Sequence[Record]) -> dict[str, str]:
    """Where each node is by the journal."""
    return {record.node: record.to for record in records if record.kind in ("state", "resumed") and record.to}


def of_kind(records: Sequence[Record], kind: str, edge: str = "") -> list[Record]:
    """The records of a kind, on one edge where it is named."""
    return [record for record in records if record.kind == kind and edge in ("", record.edge)]


def intervals(records: Sequence[Record], edge: str) -> dict[str, tuple[float, float]]:
    """When each node's work on an edge began and ended, in seconds of the run."""
    began = {r.node: r.at for r in records if r.kind == "state" and r.to.endswith(f"~{edge}")}
    ended = {r.node: r.at for r in records if r.kind == "state" and r.source.endswith(f"~{edge}")}
    return {node: (at, ended[node]) for node, at in began.items() if node in ended}
