"""The release of real Kubernetes on a lab's hosts: its containers run, and a power cut ends all of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mk8s.lab import Lab
from mk8s.lab.cgroups import LAB_GROUP, find_hierarchies
from tests.e2e.driving import wait_until
from tests.e2e.labs import LabMaker

pytestmark = [pytest.mark.e2e, pytest.mark.real]

IMAGE = "registry.local/busybox:1.35"
CTR = "/usr/local/bin/ctr -n k8s.io"
SECONDS = str(1_000_000 + os.getpid())  # that pods sleep for: no other process of this machine does
UNIT = """
cat > /etc/systemd/system/containerd.service <<END
[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
[Install]
WantedBy=multi-user.target
END
systemctl enable -q --now containerd
"""
# Processes in cgroups of their own, as kubelet nests them, a mount and a bridge.
PODS = f"""
for i in 1 2 3 4; do {CTR} run -d --memory-limit 33554432 {IMAGE} pod$i sleep {SECONDS}; done
for hierarchy in /sys/fs/cgroup/*/; do mkdir -p $hierarchy/kubepods/burstable/pod-1/a; done
mkdir -p /var/lib/kubelet/pods/1
mount -t tmpfs tmpfs /var/lib/kubelet/pods/1
ip link add cni0 type bridge
"""
# Beside them, those of units come and go while it looks.
KUBEPODS = "find /sys/fs/cgroup -name 'kubepods*' 2>/dev/null || true"


@pytest.fixture
def host(lab: LabMaker, real_release: dict[str, Path]) -> Lab:
    """A new host with containerd and the images of vanilla."""
    one = lab.fresh(1)
    send(one, real_release["vanilla"] / "containerd-linux-amd64.tar.gz", "tar -xz -C /usr/local")
    send(one, real_release["vanilla"] / "runc.amd64", "install -D -m 755 /dev/stdin /usr/local/sbin/runc")
    one.run(1, UNIT)
    send(one, real_release["vanilla"] / "images-linux-amd64.tar", f"{CTR} images import -")
    return one


def send(lab: Lab, path: Path, receiver: str) -> None:
    """Pipe a file into a command on the host."""
    with path.open("rb") as file:
        subprocess.run(lab.ssh_command(1, [receiver]), stdin=file, check=True, capture_output=True)


def test_containerd_takes_the_archive_of_images(host: Lab) -> None:
    """Under the names that kubeadm and the tests ask for."""
    names = host.run(1, f"{CTR} images ls -q").stdout.split()
    assert {"k8s.gcr.io/pause:3.2", "k8s.gcr.io/coredns:1.7.0", IMAGE} <= set(names)


def test_a_container_has_its_libraries_and_its_shell(host: Lab) -> None:
    said = host.run(1, f"{CTR} run --rm {IMAGE} test sh -c 'cat /www/index.html; nslookup -h 2>&1 | head -1'")
    assert said.stdout.splitlines()[0] == "hello from a pod"
    assert "BusyBox v1.35.0" in said.stdout


def test_a_host_full_of_containers_loses_power_and_comes_back(host: Lab) -> None:
    """Nothing of them is left on the machine, no old cgroup in the host; its disk knows them still."""
    host.run(1, PODS)
    wait_until(lambda: len(processes_with(SECONDS)) == 4, "what containers were started for runs in them")
    assert host.run(1, KUBEPODS).stdout
    host.kill(1)
    assert processes_with(SECONDS) == []
    assert [path for path in groups_of(host) if path.exists()] == []

    host.heal(1)
    assert host.run(1, KUBEPODS).stdout == ""
    assert host.run(1, "findmnt /var/lib/kubelet/pods/1", check=False).stdout == ""
    host.run(1, "systemctl start containerd")  # returns when it is ready: SSH may have been so before
    assert host.run(1, f"{CTR} containers ls -q").stdout.split() == ["pod1", "pod2", "pod3", "pod4"]
    host.run(1, f"{CTR} tasks start -d pod1")
    assert "RUNNING" in host.run(1, f"{CTR} tasks ls").stdout


def test_each_folder_keeps_what_its_checksums_say(real_release: dict[str, Path]) -> None:
    """And holds the programs of one and the same version."""
    for folder in real_release.values():
        subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=folder, check=True)
        said = subprocess.run(
            [folder / "kubectl-linux-amd64", "version", "--client", "-o", "json"],
            capture_output=True,
            check=True,
        )
        assert json.loads(said.stdout)["clientVersion"]["gitVersion"] == "v1.20.2"


def groups_of(lab: Lab) -> list[Path]:
    return [hierarchy.point / LAB_GROUP.format(lab.name) / "1" for hierarchy in find_hierarchies()]


def processes_with(word: str) -> list[str]:
    """The command lines of this machine's processes that have this word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text(errors="replace").split("\0")
        except OSError:  # it ended
            continue
        found += [" ".join(words)] if word in words else []
    return found
