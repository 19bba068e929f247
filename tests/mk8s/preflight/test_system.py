"""The checks of kernels, services and remains, provoked: their levels and their exact words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from mk8s.cluster import ArtifactSource
from mk8s.preflight.found import Mount, Setting
from tests.mk8s.preflight.scenes import CLUSTER, GIB, host, scene, the_trouble, troubles, units, wanting

FORWARD = "net.ipv4.ip_forward"
CALICO = ("flannel*", "cali*")


@pytest.mark.parametrize(
    ("check", "level", "wants", "found", "message"),
    [
        ("os", "error", {}, {"system": "FreeBSD"}, "the host runs FreeBSD"),
        (
            "kernel", "warn", {"kernel": (3, 10)}, {"kernel": "2.6.32-754.el6"},
            "the kernel is 2.6.32-754.el6, and rke2 wants 3.10 at least",
        ),
        (
            "network-modules", "warn", {}, {"missing_modules": ("vxlan",)},
            "the kernel has no vxlan, which the pod network is made with",
        ),
        (
            "programs", "warn", {}, {"missing_programs": ("iptables",)},
            "root's PATH has no iptables, which some features need",
        ),
        (
            "cgroup-controllers", "error", {}, {"controllers": frozenset({"cpu", "cpuset", "pids"})},
            "the kernel has no cgroup controller memory: the kubelet does not start without",
        ),
        (
            "sysctls", "error", {}, {"settings": {FORWARD: Setting(FORWARD, "0", settable=False)}},
            "net.ipv4.ip_forward is 0, must be 1, and cannot be set",
        ),
        (
            "sysctls", "warn", {}, {"setting_files": (("/etc/sysctl.d/10-a.conf", f"{FORWARD} = 0"),)},
            "/etc/sysctl.d/10-a.conf sets net.ipv4.ip_forward to 0 at each boot, and it must be 1",
        ),
        (
            "sysctls", "error", {"sysctl_file": "90-mk8s.conf"},
            {"setting_files": (("/etc/sysctl.d/99-a.conf", f"{FORWARD}=0"),)},
            "/etc/sysctl.d/99-a.conf sets net.ipv4.ip_forward to 0 at each boot, and it must be 1",
        ),
        (
            "kernel-settings", "error", {"held_sysctls": ("kernel.panic=10", "vm.panic_on_oom=0")},
            {"settings": {"kernel.panic": Setting("kernel.panic", "0", settable=True)}},
            "kernel.panic is 0, not 10: with its CIS profile the service refuses to start",
        ),
        (
            "inotify", "warn", {}, {"inotify_instances": 64, "inotify_watches": 100},
            "fs.inotify.max_user_instances is 64 and fs.inotify.max_user_watches is 100, less than the "
            "kernel's own default: pods fail with 'too many open files'",
        ),
        (
            "users", "error", {}, {"missing_users": ("etcd",)},
            "there is no user etcd: with its CIS profile the service refuses to start",
        ),
        (
            "network-manager", "warn", {"unmanaged": CALICO},
            {"units": units("NetworkManager active enabled"), "unmanaged": ("interface-name:cali*",)},
            "NetworkManager runs and does not leave flannel* alone: it takes routes away",
        ),
        (
            "nm-cloud-setup", "error", {"nm_cloud_setup": "refuses"},
            {"units": units("nm-cloud-setup inactive enabled")},
            "nm-cloud-setup is enabled: the service of v1.20.2 refuses to start beside it",
        ),
        (
            "nm-cloud-setup", "warn", {"nm_cloud_setup": "harms"},
            {"units": units("nm-cloud-setup.timer active enabled")},
            "nm-cloud-setup is enabled: it takes the pod network's routes away",
        ),
        (
            "wicked", "warn", {}, {"units": units("wickedd active enabled")},
            "Wicked runs, and no file sets net.ipv4.conf.all.forwarding: it turns forwarding off when it "
            "reloads",
        ),
        (
            "fapolicyd", "warn", {"trusted_dirs": ("/var/lib/rancher/", "/opt/cni/")},
            {"units": units("fapolicyd active enabled"), "trusted": ("/opt/cni/",)},
            "fapolicyd runs, and no rule of it lets programs below /var/lib/rancher/ run",
        ),
        (
            "selinux", "warn", {"policy_packages": ("rke2-selinux",)},
            {"selinux": True, "missing_packages": ("rke2-selinux",)},
            "SELinux is enforcing, and rke2-selinux is not installed",
        ),
        (
            "leftovers", "error", {},
            {
                "leftovers": ("/var/lib/rancher/k3s", "/etc/kubernetes/pki"),
                "units": units(
                    "k3s inactive enabled", "kubelet active disabled", "rke2-server active enabled"
                ),
            },
            "an earlier cluster left /var/lib/rancher/k3s (of k3s), /etc/kubernetes/pki (of kubeadm), "
            "k3s.service (of k3s), kubelet.service (of kubeadm)",
        ),
        (
            "leftovers-network", "warn", {}, {"interfaces": ("cni0", "flannel.1"), "chains": (":KUBE-SVC",)},
            "an earlier pod network left interfaces cni0, flannel.1 and chains of iptables, such as KUBE-SVC",
        ),
        (
            "container-runtime", "warn", {},
            {"units": units("docker active enabled", "containerd active enabled")},
            "docker and containerd run already: Docker drops traffic that is forwarded, and pods' is; its "
            "containerd has a configuration of its own",
        ),
        ("ports", "error", {}, {"listening_udp": frozenset({8472})}, "port taken: UDP 8472 (VXLAN)"),
        (
            "sizing", "warn", {"advised_memory": 8 * GIB, "advised_cpus": 8}, {},
            "4.0 GiB and 4 CPU, and 8.0 GiB and 8 are advised for a server of this cluster",
        ),
        (
            "free-share", "warn", {"free_share": 0.15}, {"free": 6 * GIB, "total": 40 * GIB},
            "7 % of the disk at /var/lib will be free, and the kubelet throws pods out below 15%",
        ),
        (
            "resolv-conf", "warn", {}, {"resolved": True, "upstream": ("127.0.0.1",)},
            "/run/systemd/resolve/resolv.conf names only 127.0.0.1, which is another place inside a pod",
        ),
    ],
)  # fmt: skip
def test_a_host_that_is_not_sound_is_told(
    check: str, level: str, wants: Mapping[str, Any], found: Mapping[str, Any], message: str
) -> None:
    """By the check's name, with the level, the words and something to do about it."""
    finding = the_trouble(scene(wanting(host(**found), **wants), host("n2", "agent")))
    assert (finding.check, finding.node, finding.level, finding.message) == (check, "n1", level, message)
    assert finding.remedy


@pytest.mark.parametrize(
    ("wants", "found"),
    [
        ({"kernel": (3, 10)}, {"kernel": "3.10.0-1160"}),
        ({"kernel": (3, 10)}, {"kernel": "odd"}),
        ({}, {"controllers": frozenset({"cpu", "cpuset", "memory", "pids", "io"})}),
        ({}, {"settings": {FORWARD: Setting(FORWARD, "0", settable=True)}}),
        ({}, {"settings": {FORWARD: Setting(FORWARD, "1", settable=False)}}),
        ({}, {"setting_files": ((("/etc/sysctl.d/10-a.conf"), f"{FORWARD}=1"),)}),
        (
            {"sysctl_file": "90-mk8s.conf"},
            {"setting_files": (("/etc/sysctl.d/50-a.conf", f"{FORWARD}=0"),)},
        ),
        (
            {},
            {
                "setting_files": (
                    ("/etc/sysctl.d/50-a.conf", f"{FORWARD}=1"),
                    ("/usr/lib/sysctl.d/50-a.conf", f"{FORWARD}=0"),
                    ("/usr/lib/sysctl.d/10-b.conf", f"{FORWARD}=0"),
                )
            },
        ),
        ({}, {"inotify_instances": 128, "inotify_watches": 8192}),
        ({"unmanaged": CALICO}, {"units": units("NetworkManager inactive disabled")}),
        (
            {"unmanaged": CALICO},
            {
                "units": units("NetworkManager active enabled"),
                "unmanaged": ("interface-name:cali*;flannel*",),
            },
        ),
        ({}, {"units": units("nm-cloud-setup inactive enabled")}),
        ({"nm_cloud_setup": "refuses"}, {"units": units("nm-cloud-setup inactive disabled")}),
        (
            {},
            {
                "units": units("wickedd active enabled"),
                "setting_files": (("/etc/sysctl.conf", "net.ipv4.conf.all.forwarding = 1"),),
            },
        ),
        (
            {"trusted_dirs": ("/opt/cni/",)},
            {"units": units("fapolicyd active enabled"), "trusted": ("/opt/cni/",)},
        ),
        ({"policy_packages": ("rke2-selinux",)}, {"selinux": True}),
        ({}, {"leftovers": ("/var/lib/rancher/rke2",), "units": units("kubelet inactive disabled")}),
        ({}, {"units": units("containerd active enabled")}),
        ({"advised_memory": 4 * GIB}, {"memory": int(3.8 * GIB)}),
        ({"free_share": 0.15}, {"free": 30 * GIB, "total": 40 * GIB}),
    ],
)  # fmt: skip
def test_what_only_looks_like_trouble_passes(wants: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Other files win, rules are there, a distro does not mind, or the machine shows a little less."""
    assert troubles(scene(wanting(host(**found), **wants))) == []


@pytest.mark.parametrize(
    ("kernel", "version", "told"), [("5.4.0", "v1.35.0", True), ("5.4.0", "v1.34.0", False)]
)
def test_where_cgroup_version_2_is_needed_the_kernel_must_know_it_well(
    kernel: str, version: str, told: bool
) -> None:
    about = replace(CLUSTER, version=version)
    found = troubles(scene(host(kernel=kernel, cgroup="cgroup2fs"), about=about))
    words = "the kernel is 5.4.0, and cgroup version 2 wants 5.8 at least"
    assert [finding.message for finding in found] == ([words] if told else [])


def test_a_policy_that_the_manifest_brings_is_as_good_as_installed() -> None:
    """Its packages are installed before the distro."""
    about = replace(CLUSTER, artifacts={"packages-selinux": ArtifactSource()})
    seen = wanting(host(selinux=True, missing_packages=("rke2-selinux",)), policy_packages=("rke2-selinux",))
    assert troubles(scene(seen, about=about)) == []


def test_the_remedy_for_network_manager_is_the_file_itself() -> None:
    """Ready to be written: both patterns, also the one that is known already."""
    seen = wanting(host(units=units("NetworkManager active enabled")), unmanaged=CALICO)
    assert (
        "`unmanaged-devices=interface-name:flannel*;interface-name:cali*` to "
        "/etc/NetworkManager/conf.d/mk8s.conf" in the_trouble(scene(seen)).remedy
    )


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla"])
def test_kubeadm_and_vanilla_share_their_paths(distro: str) -> None:
    """What one leaves is the other's own: its driver names what would be in its way."""
    seen = host(leftovers=("/etc/kubernetes/pki", "/etc/k0s"), units=units("kubelet active enabled"))
    finding = the_trouble(scene(seen, about=replace(CLUSTER, distro=distro)))
    assert finding.message == "an earlier cluster left /etc/k0s (of k0s)"
    assert "`k0s stop; k0s reset`" in finding.remedy


def test_what_may_be_this_very_cluster_is_not_to_be_uninstalled() -> None:
    """Where the journal is lost, the hosts look as after an earlier cluster of the same distro."""
    own, mixed = ("/etc/kubernetes", "/var/lib/etcd"), ("/etc/kubernetes", "/var/lib/rancher/k3s")
    assert "uninstall nothing if it is this very cluster" in the_trouble(scene(host(leftovers=own))).remedy
    assert "uninstall nothing" not in the_trouble(scene(host(leftovers=mixed))).remedy


@pytest.mark.parametrize("distro", ["kubeadm", "vanilla"])
def test_a_containerd_that_runs_is_in_the_way_of_those_who_bring_it(distro: str) -> None:
    seen = host(units=units("containerd active enabled"))
    assert the_trouble(scene(seen, about=replace(CLUSTER, distro=distro))).check == "container-runtime"


@pytest.mark.parametrize("way", ["set `kubelet-arg: fail-cgroupv1=false`", "use a worker profile"])
def test_each_distro_has_its_own_way_to_stay_on_cgroup_version_1(way: str) -> None:
    seen = wanting(host(cgroup="tmpfs"), cgroup_v1_way=way)
    finding = the_trouble(scene(seen, about=replace(CLUSTER, version="v1.35.0")))
    assert finding.remedy.endswith(f"or waive this check and {way}")


def test_every_folder_that_programs_run_from_is_looked_at() -> None:
    """A file system of its own for /usr/local may be read-only where /var/lib is not."""
    mounts = (
        Mount(PurePosixPath("/"), frozenset({"rw"})),
        Mount(PurePosixPath("/usr/local"), frozenset({"ro"})),
        Mount(PurePosixPath("/data"), frozenset({"rw", "noexec"})),
    )
    seen = wanting(host(mounts=mounts), data_dir="/data/k0s", program_dirs=("/usr/local/bin",))
    assert the_trouble(scene(seen)).message == (
        "/data/k0s lies on /data, which is mounted noexec; "
        "/usr/local/bin lies on /usr/local, which is mounted ro"
    )
