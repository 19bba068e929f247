"""Each check, provoked: its level and its exact words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from mk8s.cluster import Registries, RegistryMirror
from mk8s.preflight.base import RELEASE
from mk8s.preflight.checks import ALL, findings, waiver_faults
from mk8s.preflight.found import Moment, Mount, Swap
from mk8s.preflight.remains import OWN_WAIVED
from tests.mk8s.preflight.scenes import CLUSTER, GIB, host, own, release, scene, the_trouble, troubles

DOCS = Path(__file__).resolve().parents[3] / "docs" / "preflight.md"
OFF = frozenset({"rw", "noexec"})


def test_sound_hosts_and_a_whole_release_pass_every_check() -> None:
    """And each check had something to look at, so the tests below mean something."""
    seen = scene(host(), host("n2", "agent"), release=release(smoke="k8s.gcr.io/pause:3.2"))
    assert troubles(seen) == []
    assert {finding.check for finding in findings(seen)} == set(ALL)


@pytest.mark.parametrize(
    ("check", "level", "found", "message"),
    [
        ("arch", "error", {"arch": "arm64"}, "the manifest says amd64, the host is arm64"),
        (
            "systemd", "error", {"systemd": False},
            "systemd does not run on the host, and it starts the cluster's services",
        ),
        (
            "ports", "error", {"listening": frozenset({22, 6443}), "listeners": ((6443, "nc (pid 7)"),)},
            "port taken: TCP 6443 (kube-apiserver) by nc (pid 7)",
        ),
        (
            "ports", "error", {"listening": frozenset({10250, 6443})},
            "ports taken: TCP 6443 (kube-apiserver), TCP 10250 (kubelet)",
        ),
        (
            "leftovers", "error", {"leftovers": ("/etc/kubernetes", "/var/lib/etcd")},
            "an earlier cluster left /etc/kubernetes, /var/lib/etcd",
        ),
        (
            "swap", "error", {"swaps": (Swap("/dev/sda2", 2 * GIB),)},
            "swap is on: /dev/sda2 (2.0 GiB); the kubelet refuses to start",
        ),
        (
            "modules", "error", {"missing_modules": ("br_netfilter",)},
            "the kernel has no br_netfilter, neither built in nor to be loaded",
        ),
        ("programs", "error", {"missing_programs": ("conntrack", "ip")}, "root's PATH has no conntrack, ip"),
        ("memory", "error", {"memory": GIB}, "1.0 GiB of memory, and a server needs 2.0 GiB"),
        ("cpu", "error", {"cpus": 1}, "1 CPU, and a server needs 2"),
        (
            "disk", "error", {"free": GIB // 2},
            "512.0 MiB free at /var/lib: 1.0 GiB are sent, about 3.0 GiB when unpacked",
        ),
        (
            "disk", "warn", {"free": 2 * GIB},
            "2.0 GiB free at /var/lib: 1.0 GiB are sent, about 3.0 GiB when unpacked",
        ),
        (
            "mounts", "error",
            {"mounts": (Mount(PurePosixPath("/"), frozenset({"rw"})), Mount(PurePosixPath("/var"), OFF))},
            "/var/lib lies on /var, which is mounted noexec",
        ),
        (
            "default-route", "warn", {"route": ""},
            "no default route (IPv4): some components find the node's own address by it",
        ),
        (
            "node-ip", "error", {"owned": (own("lo", "127.0.0.1/8"), own("eth0", "192.168.1.5/24"))},
            "the host has no 10.0.0.1, by which the others are to reach it; it has 192.168.1.5",
        ),
        ("firewall", "warn", {"firewalls": ("ufw",)}, "ufw is active"),
        ("firewall", "warn", {"firewalls": ("firewalld", "ufw")}, "firewalld and ufw are active"),
        ("selinux", "warn", {"selinux": True}, "SELinux is enforcing"),
        (
            "apparmor", "warn", {"apparmor_without_parser": True},
            "the kernel has AppArmor on, and apparmor_parser is not there: containers may not start",
        ),
        (
            "resolv-conf", "warn", {"nameservers": ("127.0.0.53",)},
            "/etc/resolv.conf names only 127.0.0.53, which is another place inside a pod",
        ),
        (
            "hostname-form", "warn", {"hostname": "Node_1"},
            "the hostname 'Node_1' is no DNS name in lower case, as names of nodes are",
        ),
        (
            "clock", "error", {"moment": Moment(100.0, 101.0, 401.0)},
            "its clock is 300.0 s ahead of the one here: certificates and etcd need them alike",
        ),
        (
            "clock", "warn", {"moment": Moment(100.0, 101.0, 97.5)},
            "its clock is 2.5 s behind the one here: certificates and etcd need them alike",
        ),
    ],
)  # fmt: skip
def test_a_host_that_is_not_sound_is_told(
    check: str, level: str, found: dict[str, Any], message: str
) -> None:
    """By the check's name, with the level, the words and something to do about it."""
    finding = the_trouble(scene(host(**found), host("n2", "agent")))
    assert (finding.check, finding.node, finding.level, finding.message) == (check, "n1", level, message)
    assert finding.remedy


@pytest.mark.parametrize(
    ("check", "level", "value", "message"),
    [
        ("hostname-unique", "error", {"hostname": "n1"}, "its hostname 'n1' is also that of n1"),
        (
            "machine-id-unique", "error", {"machine_id": "n1-id"},
            "its machine-id n1-id is also that of n1: they were cloned",
        ),
        ("mac-unique", "error", {"mac": "02:00:n1"}, "its MAC address 02:00:n1 is also that of n1"),
        (
            "product-uuid-unique", "warn", {"product_uuid": "n1-uuid"},
            "its product UUID n1-uuid is also that of n1",
        ),
    ],
)  # fmt: skip
def test_doubles_are_told_on_both_hosts(check: str, level: str, value: dict[str, Any], message: str) -> None:
    """Also where one of them is healthy since long: the new one must not be its double."""
    first, second = troubles(scene(host(state="healthy"), host("n2", "agent", **value)))
    assert {first.check, second.check} == {check}
    assert (first.node, second.node, second.level, second.message) == ("n1", "n2", level, message)


def test_hosts_that_told_no_machine_id_are_no_doubles() -> None:
    """What was not seen is not judged."""
    nothing: Mapping[str, Any] = {"machine_id": "", "product_uuid": "", "mac": "", "moment": None}
    assert troubles(scene(host(**nothing), host("n2", "agent", **nothing))) == []


def test_where_every_clock_is_off_the_one_here_may_be_wrong() -> None:
    """The remedy points to this machine."""
    late = Moment(100.0, 100.2, 400.0)
    first, second = troubles(scene(host(moment=late), host("n2", "agent", moment=late)))
    assert (
        first.remedy
        == second.remedy
        == ("every node's is off: set the clock of this machine, if it is the wrong one")
    )


@pytest.mark.parametrize("after", [100.1, 130.0])
def test_a_clock_inside_the_time_of_asking_may_be_right(after: float) -> None:
    """A slow answer proves no skew, however long it took."""
    assert Moment(100.0, after, 100.05).skew == 0.0


@pytest.mark.parametrize(("clock", "skew"), [(99.0, 0.0), (98.0, -1.0), (102.0, 1.5)])
def test_a_clock_in_whole_seconds_gets_the_benefit_of_one(clock: float, skew: float) -> None:
    """busybox's date knows no nanoseconds: 99 may be 99.999."""
    assert Moment(100.0, 100.5, clock, coarse=True).skew == skew


@pytest.mark.parametrize("state", ["staged", "running", "failed", "healthy"])
def test_a_node_that_a_run_has_begun_may_have_its_own_ports_and_files(state: str) -> None:
    """They are what the run put there."""
    own = host(state=state, listening=frozenset({6443}), leftovers=("/etc/kubernetes",), free=0)
    assert troubles(scene(own)) == []


def test_a_healthy_node_is_not_measured_again() -> None:
    """A run that adds nodes is not refused for an old one that has done well."""
    assert troubles(scene(host(state="healthy", cpus=1, memory=1, swaps=(Swap("/swap", 1),)))) == []


@pytest.mark.parametrize("policy", ["disable", "allow"])
def test_swap_is_fine_where_the_manifest_says_what_becomes_of_it(policy: Any) -> None:
    about = replace(CLUSTER, swap=policy)
    assert troubles(scene(host(swaps=(Swap("/swap", 1),)), about=about)) == []


def test_swap_is_fine_for_a_distro_that_runs_with_it() -> None:
    spared = replace(host(swaps=(Swap("/swap", 1),)), wants=replace(host().wants, swap_off=False))
    assert troubles(scene(spared)) == []


@pytest.mark.parametrize(
    ("version", "cgroup", "refused"),
    [
        ("v1.34.9", "tmpfs", False),
        ("v1.35.0", "tmpfs", True),
        ("v1.36.1+rke2r1", "tmpfs", True),
        ("v1.36.1", "cgroup2fs", False),
        ("v1.36.1", "", False),
        ("latest", "tmpfs", False),
    ],
)
def test_cgroup_version_1_is_refused_from_kubernetes_1_35_on(
    version: str, cgroup: str, refused: bool
) -> None:
    about = replace(CLUSTER, version=version)
    told = [f.message for f in troubles(scene(host(cgroup=cgroup), about=about))]
    words = f"cgroup version 1, and the kubelet of {version} refuses to start on it"
    assert told == ([words] if refused else [])


@pytest.mark.parametrize(
    "found",
    [
        {"mounts": (Mount(PurePosixPath("/var"), OFF), Mount(PurePosixPath("/var/lib"), frozenset({"rw"})))},
        {"mounts": (Mount(PurePosixPath("/"), OFF), Mount(PurePosixPath("/"), frozenset({"rw"})))},
        {"mounts": ()},
        {"nameservers": ()},
        {"nameservers": ("127.0.0.53",), "resolved": True},
        {"nameservers": ("127.0.0.53", "10.0.0.1")},
        {"memory": None, "cpus": None, "free": None},
    ],
)  # fmt: skip
def test_what_only_looks_like_trouble_passes(found: dict[str, Any]) -> None:
    """The mount that counts is the last one at the longest path; one good server is enough."""
    assert troubles(scene(host(**found))) == []


@pytest.mark.parametrize(
    ("check", "level", "view", "message"),
    [
        (
            "release-files", "error", release(missing=("kubelet-linux-amd64  (the kubelet)", "x  (y)")),
            "not in /nowhere: kubelet-linux-amd64  (the kubelet); x  (y)",
        ),
        (
            "release-files", "error", release(unreadable=("/r/kubelet: cannot be read: Permission denied",)),
            "/r/kubelet: cannot be read: Permission denied",
        ),
        (
            "release-checksums", "error", release(wrong=("/r/k: its sha256 is 00…, and should be 11…",)),
            "/r/k: its sha256 is 00…, and should be 11…",
        ),
        (
            "release-checksums", "warn", release(unchecked=("kubelet-linux-amd64", "runc.amd64")),
            "a damaged file would not be noticed: no hash is known of kubelet-linux-amd64, runc.amd64",
        ),
        (
            "release-images", "error", release(("k8s.gcr.io/kube-proxy:v1.20.2",)),
            "the release's images lack pause",
        ),
        (
            "release-images", "warn", release(smoke="registry.local/busybox:1.35"),
            "the release's images lack registry.local/busybox:1.35, which `mk8s smoke` starts",
        ),
        (
            "release-images", "warn", release(None),
            "what the archives of images hold cannot be told: only tar and tar.gz are looked into",
        ),
        (
            "release-versions", "error",
            release(("pause:3.2", "a/kube-proxy:v1.20.2"), "kubelet is not v1.20.2: it seems to be v1.20.3"),
            "kubelet is not v1.20.2: it seems to be v1.20.3",
        ),
    ],
)  # fmt: skip
def test_a_release_that_is_not_whole_is_told(check: str, level: str, view: Any, message: str) -> None:
    finding = the_trouble(scene(release=view))
    assert (finding.check, finding.node, finding.level, finding.message) == (check, RELEASE, level, message)
    assert finding.remedy


def test_an_image_of_another_version_is_told_as_missing_and_as_skewed() -> None:
    """Both checks have something to say: what is not there, and what is there in its place."""
    missing, skewed = troubles(scene(release=release(("a/pause:3.2", "a/kube-proxy:v1.20.15"))))
    assert (missing.check, missing.message) == (
        "release-images",
        "the release's images lack kube-proxy:v1.20.2",
    )
    assert skewed.check == "release-versions"
    assert skewed.message == "images of another version than v1.20.2: a/kube-proxy:v1.20.15"


def test_an_older_image_beside_the_right_one_does_no_harm() -> None:
    tags = ("a/pause:3.2", "a/kube-proxy:v1.20.2", "a/kube-proxy:v1.19.1")
    assert troubles(scene(release=release(tags))) == []


def test_a_node_that_gave_no_answer_has_failed_no_check() -> None:
    """It is told, and the run may begin without it."""
    finding = the_trouble(scene(host(), unasked={"n2": "no answer within 20 s"}))
    assert (finding.check, finding.node, finding.level) == ("reachable", "n2", "warn")
    assert finding.message == "not asked: no answer within 20 s"
    assert finding.remedy.startswith("look whether the machine is up")


def test_a_node_that_was_not_asked_has_the_remedy_of_what_kept_it_from_answering() -> None:
    """A machine that shows a strange host key is up: looking whether it is helps nobody."""
    strange = scene(
        host(), unasked={"n2": "a host key that is not known"}, unasked_remedies={"n2": "mk8s trust"}
    )
    assert the_trouble(strange).remedy == "mk8s trust"


def test_a_waived_check_is_told_and_refuses_nothing() -> None:
    about = replace(CLUSTER, waived=frozenset({"swap"}))
    finding = the_trouble(scene(host(swaps=(Swap("/swap", 1),)), about=about))
    assert (finding.level, finding.waived, finding.refuses) == ("error", True, False)


def test_the_checks_that_a_lost_journal_waives_can_be_waived() -> None:
    """Whoever is told to write them is not refused then."""
    text = OWN_WAIVED.strip("`")
    assert waiver_faults(yaml.safe_load(text)["checks"]["waive"]) == []


def test_names_that_cannot_be_waived_are_told_with_the_reason() -> None:
    assert waiver_faults(["swap", "swop", "arch"]) == [
        "checks.waive: arch cannot be waived: the stage edge refuses such a host as well",
        "checks.waive: there is no check 'swop'; did you mean 'swap'?",
    ]


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_check_is_described(name: str) -> None:
    """docs/preflight.md has a row for it."""
    assert f"| `{name}` |" in DOCS.read_text()


def test_an_archive_of_images_that_ends_too_early_is_told_by_name() -> None:
    finding = the_trouble(scene(host(), release=release(cut=("images-linux-amd64.tar",))))
    assert (finding.check, finding.level) == ("release-images", "error")
    assert finding.message == "images-linux-amd64.tar ends in the middle: it was not copied whole"


def test_what_an_air_gap_would_fetch_from_outside_is_told() -> None:
    """As an error where the host is the Internet's for certain."""
    mirrors = {"docker.io": RegistryMirror(("https://registry-1.docker.io",))}
    about = replace(CLUSTER, registries=Registries(mirrors=mirrors))
    found = troubles(scene(about=about, release=release()))
    assert {finding.check for finding in found} == {"egress"}
    assert "registry-1.docker.io" in found[0].message
    assert found[0].remedy
