"""Handing files on from node to node: ways to do it, and what it saves where the link from here is slow.

On hosts of one lab, which share this machine's processors, memory and disk: so ratios within one run say
something, and seconds do not. What this machine sends is slowed by a token bucket on the lab's bridge;
hosts' own cables by one on each end. Needs root on Linux.

- *ways*: one host hands 256 MB to another by sshd and what a host has; in ranges of 8 MiB and in one.
- *staging*: one file to N hosts, from here to each, and handed on; against what the links allow at the best.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import trio

from benchmarks.measuring import NotMeasuredError
from benchmarks.tables import Table, ratio, seconds
from mk8s.lab import Lab, LabError, UnfitError
from mk8s.lab.manifest_writer import DEFAULT_VERSION, ManifestChoices
from mk8s.project import load_project
from mk8s.release import inspect_release
from mk8s.rollout import Rollout
from mk8s.session import open_journal, real_rollout
from mk8s.standin.release import build_release

__all__ = ["run"]

SUBNET = "10.93.0.0/24"
MB = 1_000_000
OPERATOR = 12.5e6  # bytes per second: 100 Mbit/s
CABLE = 125e6  # a host's own: 1 Gbit/s
BURST = "256k"


def run(quick: bool) -> Iterator[Table]:
    """The ways first, then a table of staging."""
    with tempfile.TemporaryDirectory() as folder, hosts(Path(folder), 4 if quick else 16) as lab:
        yield _ways(lab, 1 if quick else 3)
        yield _staging(lab, Path(folder), (4,) if quick else (1, 4, 8, 16), 64 if quick else 256)


@contextmanager
def hosts(folder: Path, count: int) -> Iterator[Lab]:
    """A lab of its own, always taken down. Raises NotMeasuredError where this machine cannot have one."""
    lab = Lab(folder / "lab", name="bench", subnet=SUBNET)
    try:
        lab.up(count)
    except UnfitError as error:
        raise NotMeasuredError(str(error)) from error
    try:
        yield lab
    finally:
        lab.down()


# Ways

PREPARE_SOURCE = """\
mkdir -p /srv/b && cd /srv/b
head -c 268435456 /dev/urandom >big
cat >serve <<'END'
set -- $SSH_ORIGINAL_COMMAND
tail -c +$(($1 + 1)) /srv/b/big | head -c "$2"
END
cat >http <<'END'
while IFS= read -r line; do line=${line%?}; case $line in GET*) asked=$line;; '') break;; esac; done
set -- $asked; range=${2#/}; size=${range#*/}
printf 'HTTP/1.0 200 OK\\r\\nContent-Length: %s\\r\\n\\r\\n' "$size"
tail -c +$((${range%%/*} + 1)) /srv/b/big | head -c "$size"
END
printf '[Socket]\\nListenStream=8099\\nAccept=yes\\n' >/etc/systemd/system/b.socket
printf '[Service]\\nExecStart=/bin/sh /srv/b/http\\nStandardInput=socket\\nStandardOutput=socket\\n' \\
  >/etc/systemd/system/b@.service
systemctl daemon-reload && systemctl start b.socket
"""
PREPARE_RECEIVER = """\
rm -f /root/k1 /root/k2
ssh-keygen -q -t ed25519 -N '' -f /root/k1; ssh-keygen -q -t ed25519 -N '' -f /root/k2
echo "restrict,command=\\"/bin/sh /srv/b/serve\\" $(cat /root/k1.pub)"; cat /root/k2.pub
"""
TIMED = """\
source=$1; shift
options="-F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o IdentitiesOnly=yes"
range() { ssh -n $options "$@" $source; }
one() { ssh -n $options -i /root/k1 "$@" $source '0 268435456' >/root/out; }
ranges() { : >/root/out; i=0; while [ $i -lt 32 ]; do
  ssh -n $options -i /root/k1 "$@" $source "$((i * 8388608)) 8388608" >>/root/out; i=$((i + 1)); done; }
master() { ranges -o ControlMaster=auto -o ControlPath=/root/m -o ControlPersist=5; }
copy() { scp -q $options -i /root/k2 $source:/srv/b/big /root/out; }
fetch() { echo 'get /srv/b/big /root/out' | sftp -q $options -i /root/k2 -b - $source >/dev/null; }
http() { curl -sf http://$source:8099/0/268435456 >/root/out; }
https() { : >/root/out; i=0; while [ $i -lt 32 ]; do
  curl -sf http://$source:8099/$((i * 8388608))/8388608 >>/root/out; i=$((i + 1)); done; }
began=$(date +%s%N); "$@" || exit; ended=$(date +%s%N)
[ "$(stat -c %s /root/out)" = 268435456 ] || exit 1
echo $(((ended - began) / 1000))
"""
WAYS = {
    "ssh, forced command, one connection kept for 32 ranges": "master",
    "ssh, forced command, in one range": "one",
    "the same, aes128-gcm": "one -c aes128-gcm@openssh.com",
    "ssh, forced command, 32 connections": "ranges",
    "scp": "copy",
    "sftp": "fetch",
    "HTTP without encryption, socket unit and sh, one range": "http",
    "HTTP, 32 ranges": "https",
}


def _ways(lab: Lab, rounds: int) -> Table:
    lab.run(1, PREPARE_SOURCE)
    lab.run(1, "cat >>/root/.ssh/authorized_keys", stdin=lab.run(2, PREPARE_RECEIVER).stdout)
    source = lab.hosts[0].address
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, words in WAYS.items():
            said = lab.run(2, f"sh -s {source} {words}", stdin=TIMED).stdout
            found[way].append(int(said) / 1e6)
    table = Table("one host hands 256 MB to another", ["way", "time", "times the first"])
    first = min(next(iter(found.values())))
    for way, figures in found.items():
        table.add(way, seconds(min(figures)), ratio(min(figures), first))
    return table


# Staging


def _staging(lab: Lab, folder: Path, counts: tuple[int, ...], megabytes: int) -> Table:
    release = folder / "release"
    release.mkdir()
    build_release(release, DEFAULT_VERSION, images_size=megabytes * MB)
    table = Table(
        f"{megabytes} MB to N hosts: 100 Mbit/s from here, 1 Gbit/s between hosts",
        [
            "hosts",
            "the links' limit",
            "direct",
            "times the limit",
            "fan-out",
            "times the limit",
            "sent from here",
        ],
    )
    for count in counts:
        limit = megabytes * MB / OPERATOR + megabytes * MB / CABLE
        direct = limit * count if count > 4 else _stage(lab, folder, release, count, "off")[0]
        handed, sent = _stage(lab, folder, release, count, "on")
        shown = f"{'about ' if count > 4 else ''}{seconds(direct)}"
        table.add(
            str(count), seconds(limit), shown, ratio(direct, limit),
            seconds(handed), ratio(handed, limit), f"{sent / MB:.0f} MB",
        )  # fmt: skip
    table.notes.append(
        "Direct to more than four hosts is reckoned, not measured: each copy takes the link once."
    )
    return table


def _stage(lab: Lab, folder: Path, release: Path, count: int, mode: str) -> tuple[float, int]:
    """Seconds until all hosts have the release, verified, and bytes that this machine sent."""
    lab.down()
    lab.up(count)
    manifest = folder / f"{mode}-{count}" / "cluster.yaml"
    manifest.parent.mkdir()
    lab.write_manifest(manifest, ManifestChoices(servers=1, artifacts=release, standin=True))
    manifest.write_text(manifest.read_text().replace("\nnodes:", f'\nfan_out: {{mode: "{mode}"}}\nnodes:', 1))
    project = load_project(manifest)
    with slowed(lab), open_journal(project.state(None)) as journal:
        files = inspect_release(project.cluster, project.distro).files
        rollout = real_rollout(project, project.state(None), journal, files)
        before, began = _sent(lab), time.perf_counter()
        trio.run(_bring, rollout)
        return time.perf_counter() - began, _sent(lab) - before


async def _bring(rollout: Rollout) -> None:
    binding = rollout.binding

    async def bring(node: str) -> None:
        await binding.executor.run_steps(node, binding.distro.stage(await binding.situation_of(node)))

    try:
        async with anyio.create_task_group() as tasks:
            for node in rollout.cluster.nodes:
                tasks.start_soon(bring, node.name)
        await rollout.remove_keys()
    finally:
        await rollout.close()


def _sent(lab: Lab) -> int:
    return int(Path(f"/sys/class/net/{lab.layout.bridge}/statistics/tx_bytes").read_text())


@contextmanager
def slowed(lab: Lab) -> Iterator[None]:
    """What leaves this machine, and each host's cable in both directions."""
    _shape([], lab.layout.bridge, OPERATOR)
    for host in lab.hosts:
        link = lab.layout.link(host.number)
        _shape([], link, CABLE)
        pid = _leader(lab, host.number)
        _shape(["nsenter", "-t", pid, "-n"], "eth0", CABLE)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", "dev", lab.layout.bridge, "root"], check=False)


def _leader(lab: Lab, number: int) -> str:
    found = [str(status.pid) for status in lab.status() if status.number == number and status.pid]
    if not found:
        raise LabError(f"host {number} does not run")
    return found[0]


def _shape(inside: list[str], device: str, rate: float) -> None:
    words = f"tc qdisc replace dev {device} root tbf rate {int(rate * 8)}bit burst {BURST} latency 200ms"
    subprocess.run([*inside, *words.split()], check=True)
