"""No check without a test that provokes it: on a real host of a lab where that can be, else modelled."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import pytest

from mk8s.preflight.checks import ALL

ROOT = Path(__file__).resolve().parents[3]
E2E, HOSTS = "tests/e2e/test_preflight.py", "tests/e2e/test_preflight_hosts.py"
SOME = f"{HOSTS}::test_what_is_wrong_with_a_host_is_told_whatever_it_is"
RKE2 = f"{HOSTS}::test_what_forbids_rke2_its_work_is_told_with_the_lines_that_allow_it"
RUN = f"{E2E}::test_a_run_tells_all_that_is_wrong_at_once_and_changes_nothing"

ON_REAL_HOSTS = {
    "reachable": f"{E2E}::test_what_is_waived_is_told_and_refuses_nothing",
    "sudo": f"{HOSTS}::test_sudo_that_says_no_refuses_the_run_with_the_right_remedy",
    "virtual-address": f"{HOSTS}::test_a_virtual_address_must_be_free_and_near",
    **dict.fromkeys(
        (
            "swap", "ports", "clock", "hostname-unique", "release-images", "release-versions",
            "release-checksums",
        ),
        RUN,
    ),
    **dict.fromkeys(
        (
            "address-unique", "arch", "container-runtime", "cpu", "default-route", "disk-latency", "endpoint",
            "firewall", "hostname-form", "inotify", "leftovers", "leftovers-network", "machine-id-unique",
            "memory", "modules", "mounts", "mtu", "names", "os", "ports-between", "programs", "proxy",
            "resolv-conf", "sysctls", "wicked",
        ),
        SOME,
    ),
    **dict.fromkeys(
        (
            "apparmor", "cgroup-controllers", "datastore", "drop-ins", "fapolicyd", "free-share",
            "network-manager", "network-modules", "nm-cloud-setup", "release-files", "server-keys", "sizing",
        ),
        RKE2,
    ),
}  # fmt: skip
CHECKS = "tests/mk8s/preflight/test_checks.py"
ONE = f"{CHECKS}::test_a_host_that_is_not_sound_is_told"
SYSTEM = "tests/mk8s/preflight/test_system.py::test_a_host_that_is_not_sound_is_told"
MODELLED = {
    "systemd": ONE,  # a host of a lab that lost systemd would be none any more
    "disk": ONE,  # would need the whole release
    "node-ip": ONE,
    "selinux": SYSTEM,  # /sys/fs has no place for it where the kernel has none
    "kernel": SYSTEM,
    "users": SYSTEM,  # no built-in driver asks: they make their users and parameters themselves
    "kernel-settings": SYSTEM,
    "cgroup": f"{CHECKS}::test_cgroup_version_1_is_refused_from_kubernetes_1_35_on",
    "mac-unique": f"{CHECKS}::test_doubles_are_told_on_both_hosts",  # such hosts would not be reached
    "product-uuid-unique": f"{CHECKS}::test_doubles_are_told_on_both_hosts",
    "egress": f"{CHECKS}::test_what_an_air_gap_would_fetch_from_outside_is_told",
}
"""Those that a lab's hosts cannot be brought to, and why."""


@lru_cache(maxsize=8)
def sources_of(file: str) -> dict[str, str]:
    """The source of each test of a file, with what stands above it, by name."""
    text = (ROOT / file).read_text()
    return {
        node.name: "\n".join(
            text.splitlines()[
                min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1 : node.end_lineno
            ]
        )
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("check", sorted(ALL))
def test_every_check_has_a_test_that_provokes_it(check: str) -> None:
    """By name, in that very test."""
    file, _, name = {**MODELLED, **ON_REAL_HOSTS}[check].partition("::")
    assert check in sources_of(file)[name]


def test_no_check_is_listed_that_is_none() -> None:
    """And none twice."""
    assert {*ON_REAL_HOSTS, *MODELLED} == set(ALL)
    assert not set(ON_REAL_HOSTS) & set(MODELLED)
