"""Labs for tests: hosts with names and addresses of this test process alone, so that several can run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from mk8s.lab import Lab, UnfitError
from mk8s.lab.addresses import Layout
from mk8s.lab.network import refuse_overlap
from mk8s.lab.register import Register

__all__ = ["LabMaker", "in_memory", "refuse_full_disk", "set_rate", "slow_link"]

ROOMY = 12 << 30  # bytes of memory that are available: then a lab's disks may lie there
LARGEST = "8g"  # of which all disks of one lab together take so much at the most
KUBELETS_SHARE = 0.15  # of a disk; with less free, kubelets remove images and then pods
CLUSTERS = 8 << 30  # bytes that the clusters of real Kubernetes take together
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
HEIR = """read -r word || { "$1" -c "$2" "$3" "$4"; umount -l "$5"; }"""  # the end without a word: a death
DOWN = "import sys, pathlib, mk8s.lab; mk8s.lab.Lab(pathlib.Path(sys.argv[1]), name=sys.argv[2]).down()"


class LabMaker:
    """`lab(3)` gives three running hosts, as earlier tests left them; `lab.fresh(3)` gives new ones.

    Either takes about two seconds. Hosts that a test killed, cut or rebooted are healed.
    """

    def __init__(self, folder: Path, process: int | None = None) -> None:
        process = process or os.getpid()
        name = _free_name(process)
        self._lab = Lab(folder, name=name, subnet=_free_subnet(name, process))

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """While it lasts, another process takes the lab down should this one be killed.

        It hears of it by the end of a pipe that this process alone holds; in a session of its own, it is not
        reached by signals that end the tests, and nobody waits for it.
        """
        folder = self._lab.folder
        words = [sys.executable, DOWN, str(folder), self._lab.name, str(folder.parent)]
        silent = subprocess.DEVNULL
        with subprocess.Popen(
            ["sh", "-c", HEIR, "sh", *words],
            stdin=subprocess.PIPE, stdout=silent, stderr=silent, start_new_session=True,
        ) as heir:  # fmt: skip
            yield  # what is raised here goes on without a word: the heir tries once more
            heir.communicate(b"all is taken down\n")

    def __call__(self, count: int) -> Lab:
        self._lab.up(count)
        return self._lab

    def fresh(self, count: int) -> Lab:
        """New disks, new keys: nothing that an earlier test did is there."""
        self._lab.down()
        return self(count)

    def close(self) -> None:
        self._lab.down()


@contextmanager
def in_memory(folder: Path) -> Iterator[Path]:
    """A folder for a lab, below `folder`: in memory where there is enough, else on the disk.

    A lab is made for most tests. On a disk that is busy, removing the old one takes longer than booting; on
    an overlay, as in a container, hosts cannot lie at all.
    """
    roomy = _available() >= ROOMY or _is_overlay(folder)
    if roomy:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={LARGEST},mode=755", "tmpfs", folder], check=True
        )
    try:
        yield folder / "lab"
    finally:
        if roomy:
            subprocess.run(["umount", "-l", folder], check=False)


@contextmanager
def slow_link(lab: Lab, rate: str) -> Iterator[None]:
    """Slow down what this machine sends to the hosts, not what they send to each other."""
    set_rate(lab, rate)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", "dev", lab.layout.bridge, "root"], check=False)


def set_rate(lab: Lab, rate: str) -> None:
    """Another rate for a slow link, in words of tc(8)."""
    shape = ["tc", "qdisc", "replace", "dev", lab.layout.bridge, "root", "tbf", "rate", rate]
    subprocess.run([*shape, "burst", "128k", "latency", "100ms"], check=True)


def refuse_full_disk(folder: Path) -> None:
    """Fails where kubelets would evict: their tests end minutes later, and say nothing of the cause."""
    total, _, free = shutil.disk_usage(folder)
    needed = int(total * KUBELETS_SHARE) + CLUSTERS
    if free < needed:
        pytest.fail(
            f"{free >> 30} GiB are free at {folder}, and real Kubernetes needs {needed >> 30} GiB: kubelets "
            f"evict pods where less than {KUBELETS_SHARE:.0%} of a disk is free. Free some space",
            pytrace=False,
        )


def _available() -> int:
    """Bytes of memory that programs could have now, by the kernel's own estimate."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def _is_overlay(folder: Path) -> bool:
    asked = ["stat", "-f", "-c", "%T", str(folder)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == "overlayfs"


def _short(number: int) -> str:
    """In base 36: process numbers are long, interface names are not."""
    text = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text


def _free_name(process: int) -> str:
    """Process numbers come again, and a lab that nobody could take down may still have the name."""
    names = (f"t{_short(process + (step << 22))}" for step in range(100))
    return next(name for name in names if Register().owner(name) is None)


def _free_subnet(name: str, process: int) -> str:
    """One that is none of this machine's own networks; another process's next choice is another, too."""
    subnets = [_subnet(process + 256 * step) for step in range(128)]
    return next((subnet for subnet in subnets if _is_free(name, subnet)), subnets[0])


def _is_free(name: str, subnet: str) -> bool:
    try:
        refuse_overlap(Layout(name, "node-", IPv4Network(subnet)))
    except UnfitError:
        return False
    return True


def _subnet(process: int) -> str:
    """A network of its own for each of 32768 process numbers that follow each other."""
    return f"10.{100 + (process >> 8) % 128}.{process % 256}.0/24"
