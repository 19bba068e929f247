"""Which cgroup hierarchies a machine has."""

from __future__ import annotations

from pathlib import Path

from mk8s.lab.cgroups import Hierarchy, members, parse_hierarchies

HYBRID = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,nodev,noexec,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,release_agent=/lib/systemd/agent,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime,nsdelegate 0 0
cgroup /var/lib/other/cpu cgroup rw,relatime,cpu 0 0
"""
UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n"


def test_a_hybrid_machine_has_one_hierarchy_a_mount() -> None:
    """Options that name no controller are left out: the kernel would refuse them in a second mount."""
    assert parse_hierarchies(HYBRID) == (
        Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), 1, "cpu,cpuacct"),
        Hierarchy(Path("/sys/fs/cgroup/systemd"), 1, "name=systemd"),
        Hierarchy(Path("/sys/fs/cgroup/unified"), 2),
    )


def test_hosts_mount_a_hybrid_hierarchy_where_the_machine_has_it() -> None:
    assert [found.inside for found in parse_hierarchies(HYBRID)] == ["cpu,cpuacct", "systemd", "unified"]


def test_a_pure_v2_machine_has_one_and_hosts_mount_it_at_the_top() -> None:
    (only,) = parse_hierarchies(UNIFIED)
    assert (only.version, only.inside) == (2, ".")


def test_a_machine_without_cgroups_has_none() -> None:
    assert parse_hierarchies("proc /proc proc rw 0 0\n") == ()


def test_members_are_those_of_a_group_and_of_all_below_it(tmp_path: Path) -> None:
    """A host's services live in groups that its systemd made."""
    (tmp_path / "system.slice").mkdir()
    (tmp_path / "cgroup.procs").write_text("1\n")
    (tmp_path / "system.slice/cgroup.procs").write_text("2\n3\n")
    assert members([tmp_path, tmp_path / "gone"]) == {1, 2, 3}
