"""Checks provoked on real hosts, many at once: what is there, what it is called, and what helps.

What a lab's hosts cannot be (another system, fewer processors, a slow disk), a program in front of the real
one says in its place; what they can be (a firewall, a mount, a leftover), they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mk8s.lab import Lab
from mk8s.lab.manifest_writer import ManifestChoices
from tests.e2e.driving import Driver, Finished
from tests.e2e.labs import LabMaker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

NOBODY = 250  # the last number of an address that no host of a lab has
UNIT = """\
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""
NO_MODULES = (
    "printf '#!/bin/sh\\nexit 1\\n' >/usr/local/sbin/modprobe; chmod 755 /usr/local/sbin/modprobe; "
    "mount -t tmpfs none /sys/module"
)


@pytest.fixture
def hosts(lab: LabMaker) -> Iterator[Lab]:
    """Two servers and an agent, fresh."""
    made = lab.fresh(3)
    yield made
    lab.close()


@dataclass(frozen=True)
class Told:
    """What preflight found, by the host's number and the check's name."""

    finished: Finished
    names: tuple[str, ...]

    def __getitem__(self, key: tuple[int, str]) -> tuple[str, str]:
        """The level and the words of the one trouble. Number 0 is the release."""
        number, check = key
        node = self.names[number - 1] if number else None
        found = [
            (f["level"], f["message"], f["remedy"])
            for f in json.loads(self.finished.out)["findings"]
            if (f["node"], f["check"]) == (node, check)
        ]
        ((level, message, remedy),) = found
        assert level == "ok" or remedy
        return level, message


def manifest_for(lab: Lab, folder: Path, distro: str, version: str, servers: int = 2) -> Driver:
    folder.mkdir(exist_ok=True)
    manifest = folder / "cluster.yaml"
    choices = ManifestChoices(distro=distro, version=version, servers=servers, artifacts=folder)
    lab.write_manifest(manifest, choices)
    return Driver(lab, manifest)


def look(driver: Driver) -> Told:
    finished = driver.mk8s("preflight", str(driver.manifest), "--output", "json")
    named = "    name: " in driver.manifest.read_text()
    hosts = driver.lab.hosts
    return Told(
        finished,
        tuple(host.name if named else driver.name(i) for i, host in enumerate(hosts, start=1)),
    )


def fake(driver: Driver, number: int, program: str, cases: str) -> None:
    """A program in front of the real one, for some arguments."""
    text = f'#!/bin/sh\\ncase "$*" in\\n{cases}\\nesac\\nexec /usr/bin/{program} "$@"\\n'
    driver.on_host(number, f"printf '{text}' >/usr/local/bin/{program}; chmod 755 /usr/local/bin/{program}")


def run_units(driver: Driver, number: int, *names: str) -> None:
    """Services of these names that do nothing, enabled and running."""
    for name in names:
        driver.on_host(number, f"printf '{UNIT}' >/etc/systemd/system/{name}.service".replace("\n", "\\n"))
    driver.on_host(number, f"systemctl daemon-reload; systemctl enable -q --now {' '.join(names)}")


def cover(driver: Driver, number: int, path: str, content: str) -> None:
    """Another content for a file of /proc."""
    at = f"/run/cover{path.replace('/', '-')}"
    driver.on_host(number, f"printf '{content}' >{at}; mount --bind {at} {path}")


def test_what_is_wrong_with_a_host_is_told_whatever_it_is(hosts: Lab, tmp_path: Path) -> None:
    """Twenty troubles on three hosts in one look, and none where there is none."""
    driver = manifest_for(hosts, tmp_path, "vanilla", "v1.20.2")
    first, _, third = (host.address for host in hosts.hosts)
    nobody = f"{first.rpartition('.')[0]}.{NOBODY}"
    driver.add("endpoint: api.lab.example")
    for number, address in ((1, nobody), (2, nobody), (3, f"{nobody[:-1]}1")):
        driver.on_host(number, f"echo '{address} api.lab.example' >>/etc/hosts")

    driver.on_host(1, "iptables -A INPUT -p tcp --dport 6443 -j DROP")
    driver.on_host(1, f"ip addr add {third}/32 dev lo")
    driver.on_host(1, "mkdir -p /var/lib/rancher/k3s/server; echo x >/var/lib/rancher/k3s/server/token")
    driver.on_host(1, "ip link add cni0 type bridge; iptables -N KUBE-SERVICES")
    driver.on_host(1, "echo 'net.ipv4.ip_forward = 0' >/etc/sysctl.d/99-hard.conf")
    driver.on_host(1, "chmod -x /usr/sbin/conntrack")
    run_units(driver, 1, "docker", "firewalld", "wickedd")

    driver.on_host(2, "iptables -A INPUT -p tcp --dport 2379 -j REJECT --reject-with icmp-admin-prohibited")
    fake(driver, 2, "uname", "-s) echo FreeBSD; exit;;\\n-m) echo aarch64; exit;;")
    fake(driver, 2, "nproc", "*) echo 1; exit;;")
    fake(driver, 2, "stat", '*"%%a * %%S"*) echo "4096 * 1024"; exit;;')
    fake(driver, 2, "dd", '*oflag=dsync*) echo "409600 bytes (410 kB) copied, 6 s, 68 kB/s" >&2; exit;;')
    cover(driver, 2, "/proc/meminfo", "MemTotal: 1000000 kB\\n")
    cover(driver, 2, "/proc/sys/fs/inotify/max_user_instances", "16\\n")
    cover(driver, 2, "/etc/machine-id", driver.on_host(3, "cat /etc/machine-id").strip() + "\\n")

    driver.on_host(3, "echo nameserver 127.0.0.1 >/etc/resolv.conf; ip link set eth0 mtu 1400")
    driver.on_host(3, "mount --bind /var/lib /var/lib; mount -o remount,bind,noexec /var/lib")
    driver.on_host(3, "echo 'HTTPS_PROXY=http://who:hush@127.0.0.1:9' >>/etc/environment; hostname NODE-3")
    driver.on_host(2, "ip route del default 2>/dev/null; :")
    driver.on_host(3, NO_MODULES)
    driver.on_host(3, "mount -t tmpfs none /proc/sys/net/netfilter")
    driver.on_host(3, "mkdir -p /etc/ufw; echo ENABLED=yes >/etc/ufw/ufw.conf")

    told = look(driver)

    names = [host.name for host in hosts.hosts]
    assert told[1, "ports-between"] == (
        "error", f"{names[1]}, {names[2]} do not reach its TCP 6443 (the API server): no answer"
    )  # fmt: skip
    assert told[2, "ports-between"] == (
        "error", f"{names[0]} does not reach its TCP 2379 (etcd): No route to host"
    )  # fmt: skip
    assert told[1, "address-unique"] == ("error", f"it has {third}, the address of {names[2]}")
    assert told[1, "leftovers"] == ("error", "an earlier cluster left /var/lib/rancher/k3s (of k3s)")
    assert told[1, "leftovers-network"] == (
        "warn", "an earlier pod network left interface cni0 and chains of iptables, such as KUBE-SERVICES"
    )  # fmt: skip
    assert told[1, "sysctls"] == (
        "error", "/etc/sysctl.d/99-hard.conf sets net.ipv4.ip_forward to 0 at each boot, and it must be 1"
    )  # fmt: skip
    assert told[1, "programs"] == ("error", "root's PATH has no conntrack")
    assert told[1, "container-runtime"][1].startswith("docker runs already")
    assert told[1, "firewall"] == ("warn", "firewalld is active")
    assert told[1, "wicked"][1].startswith("Wicked runs, and no file sets")
    assert told[3, "firewall"] == ("warn", "ufw is active")

    assert told[2, "os"] == ("error", "the host runs FreeBSD")
    assert told[2, "arch"] == ("error", "the manifest says amd64, the host is arm64")
    assert told[2, "cpu"] == ("error", "1 CPU, and a server needs 2")
    assert told[2, "memory"][1].startswith("976.6 MiB of memory, and a server needs")
    assert told[2, "disk-latency"][1].startswith("one small write takes 30 ms at /var/lib/etcd")
    assert told[2, "inotify"][1].startswith("fs.inotify.max_user_instances is 16, less than the kernel's own")
    assert told[2, "machine-id-unique"][1].endswith(f"is also that of {names[2]}: they were cloned")

    assert told[3, "resolv-conf"][1].startswith("/etc/resolv.conf names only 127.0.0.1")
    assert told[3, "mtu"] == (
        "warn", f"its MTU is 1400, and {names[0]}'s is 1500: large packets vanish between them"
    )  # fmt: skip
    assert told[3, "mounts"] == ("error", "/var/lib lies on /var/lib, which is mounted noexec")
    assert told[3, "modules"] == (
        "error", "the kernel has no nf_conntrack, neither built in nor to be loaded"
    )  # fmt: skip
    assert told[3, "hostname-form"][1].startswith("the hostname 'NODE-3' is no DNS name in lower case")
    assert told[2, "default-route"][0] == "warn"
    assert told[3, "names"] == (
        "warn", f"api.lab.example is {nobody[:-1]}1 here, and elsewhere {nobody}"
    )  # fmt: skip
    assert told[1, "endpoint"][1].startswith("api.lab.example does not answer at TCP 6443: ")
    assert told[3, "proxy"] == (
        "warn", "the proxy 127.0.0.1:9 does not answer: what asks it waits for ever"
    )  # fmt: skip
    assert "hush" not in told.finished.out
    assert told[3, "ports-between"][0] == told[3, "leftovers"][0] == told[1, "os"][0] == "ok"
    assert driver.on_host(1, "ls -A /var/lib/etcd /var/lib/.mk8s* 2>/dev/null; :") == ""


def test_a_virtual_address_must_be_free_and_near(hosts: Lab, tmp_path: Path) -> None:
    """The gateway's is somebody's; another network's is nowhere; an interface may be missing."""
    held = hosts.hosts[0].address.rpartition(".")[0] + ".1"
    looks = {}
    image = "ghcr.io/kube-vip/kube-vip:v0.6.4"
    for what, address, interface in (
        ("held", held, "eth0"), ("far", "192.0.2.9", "eth0"), ("gone", held, "eth7")
    ):  # fmt: skip
        driver = manifest_for(hosts, tmp_path / what, "vanilla", "v1.20.2")
        balancer = f"{{address: {address}, by: kube-vip, interface: {interface}, image: '{image}'}}"
        driver.add(f"endpoint: {balancer}")
        looks[what] = look(driver)

    assert looks["held"][1, "virtual-address"] == ("error", f"another machine has {held} already: it answers")
    assert looks["far"][2, "virtual-address"][1].startswith("192.0.2.9 is in no network of eth0 (10.")
    assert looks["gone"][1, "virtual-address"][1].startswith(
        f"there is no interface eth7 with an address, to hold {held}; there are lo, eth0"
    )


def test_sudo_that_says_no_refuses_the_run_with_the_right_remedy(lab: LabMaker, tmp_path: Path) -> None:
    """A rule that wants a terminal, no rule at all, and a password that is wrong are three things."""
    hosts = lab.fresh(1)
    driver = manifest_for(hosts, tmp_path, "vanilla", "v1.20.2", servers=1)

    driver.on_host(1, "echo 'Defaults:dev requiretty' >/etc/sudoers.d/tty")
    terminal = look(driver)
    driver.on_host(1, "rm /etc/sudoers.d/tty; echo 'dev ALL=(ALL) NOPASSWD: /bin/true' >/etc/sudoers.d/dev")
    nothing = look(driver)
    driver.on_host(1, "echo 'dev ALL=(ALL) ALL' >/etc/sudoers.d/dev")
    driver.add_ssh("sudo_password_env: WRONG_WORD")
    wrong = Told(
        driver.mk8s(
            "preflight", str(driver.manifest), "--output", "json", env={"WRONG_WORD": "no-such-word"}
        ),
        tuple(host.name for host in hosts.hosts),
    )
    refused = driver.run(env={"WRONG_WORD": "no-such-word"})

    assert terminal[1, "sudo"][1].startswith("sudo wants a terminal (requiretty)")
    assert nothing[1, "sudo"][0] == "error"
    assert wrong[1, "sudo"] == ("error", "sudo did not accept the password of dev")
    assert terminal[1, "reachable"][0] == "ok"
    assert refused.code == 1
    assert "sudo did not accept the password of dev" in refused.err
    assert not driver.records()


def test_what_forbids_rke2_its_work_is_told_with_the_lines_that_allow_it(hosts: Lab, tmp_path: Path) -> None:
    """Other managers of networks and programs, files that somebody left, a datastore that is not there."""
    driver = manifest_for(hosts, tmp_path, "rke2", "v1.33.4+rke2r1")
    gateway = hosts.hosts[0].address.rpartition(".")[0] + ".1"
    driver.add(f"datastore: {{endpoint: 'https://{gateway}:1'}}")
    run_units(driver, 1, "NetworkManager", "nm-cloud-setup", "fapolicyd", "k3s")
    driver.on_host(2, "mkdir -p /etc/rancher/rke2/config.yaml.d")
    driver.on_host(2, "echo 'cluster-cidr: 10.99.0.0/16' >/etc/rancher/rke2/config.yaml.d/99-old.yaml")
    driver.on_host(3, "iptables -A INPUT -p udp --dport 8472 -j DROP")
    driver.on_host(3, NO_MODULES)
    driver.on_host(
        3, "mkdir -p /sys/module/apparmor/parameters; echo Y >/sys/module/apparmor/parameters/enabled"
    )
    cover(driver, 3, "/proc/meminfo", "MemTotal: 1000000 kB\\n")
    fake(driver, 3, "stat", '*"%%a * %%S"*) echo "1024 * 1024"; exit;;')
    if driver.on_host(2, "ls /sys/fs/cgroup/cgroup.controllers 2>/dev/null; :"):
        cover(driver, 2, "/sys/fs/cgroup/cgroup.controllers", "cpuset cpu pids\\n")
    else:
        cover(driver, 2, "/proc/cgroups", "cpu 1 1 1\\ncpuset 2 1 1\\npids 3 1 1\\nmemory 4 1 0\\n")

    told = look(driver)

    assert told[1, "network-manager"][1].startswith("NetworkManager runs and does not leave flannel*, cali*")
    assert told[1, "nm-cloud-setup"] == (
        "error", "nm-cloud-setup is enabled: the service of v1.33.4+rke2r1 refuses to start beside it"
    )  # fmt: skip
    assert told[1, "fapolicyd"][1].startswith(
        "fapolicyd runs, and no rule of it lets programs below /var/lib/rancher/rke2/, /opt/cni/"
    )
    assert told[1, "leftovers"] == ("error", "an earlier cluster left k3s.service (of k3s)")
    assert told[2, "drop-ins"][1].endswith("/etc/rancher/rke2/config.yaml.d/99-old.yaml (cluster-cidr)")
    assert told[2, "server-keys"][0] == "error"
    assert "cluster-cidr (as in 99-old.yaml" in told[2, "server-keys"][1]
    assert told[1, "datastore"] == (
        "error", f"the datastore does not answer at {gateway}:1 (nothing listens there)"
    )  # fmt: skip
    assert told[3, "datastore"][0] == "ok"
    assert told[3, "ports-between"][0] == "warn"
    assert told[3, "ports-between"][1].endswith("do not reach its UDP 8472 (canal's VXLAN): no answer")
    assert told[2, "cgroup-controllers"] == (
        "error", "the kernel has no cgroup controller memory: the kubelet does not start without"
    )  # fmt: skip
    assert told[3, "apparmor"][1].endswith("apparmor_parser is not there: containers may not start")
    assert told[3, "sizing"] == (
        "warn", "976.6 MiB, and 4.0 GiB are advised for an agent of this cluster"
    )  # fmt: skip
    assert told[3, "free-share"][1].startswith("0 % of the disk at /var/lib/rancher/rke2 will be free")
    assert told[0, "release-files"][1].startswith(f"not in {tmp_path}: ")
    assert told[3, "network-modules"][1].startswith("the kernel has no ")
