"""Which labs run on a machine, and that its kernel's settings come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.lab.errors import UnfitError
from mk8s.lab.register import Register, conntrack_limit

INSTANCES, PANIC = "fs/inotify/max_user_instances", "kernel/panic"
CONNTRACK = "net/netfilter/nf_conntrack_max"
FIRST, SECOND = Path("/labs/one"), Path("/labs/two")


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A kernel with two settings: one too small for many systemds, one that kubelets change."""
    for name, value in ((INSTANCES, 128), (PANIC, 1)):
        path = tmp_path / "sys" / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{value}\n")
    return tmp_path / "sys"


@pytest.fixture
def register(tmp_path: Path, settings: Path) -> Register:
    return Register(tmp_path / "run", settings)


def read(settings: Path) -> tuple[int, int]:
    return int((settings / INSTANCES).read_text()), int((settings / PANIC).read_text())


def test_a_setting_that_is_too_small_is_raised_for_a_lab(register: Register, settings: Path) -> None:
    register.enter("one", FIRST)
    assert read(settings) == (8192, 1)


def test_the_last_lab_to_leave_restores_what_the_first_one_found(register: Register, settings: Path) -> None:
    """Not what the second one found: by then the settings were changed."""
    register.enter("one", FIRST)
    register.enter("two", SECOND)
    (settings / PANIC).write_text("10\n")

    register.leave("one")
    assert read(settings) == (8192, 10)
    register.leave("two")
    assert read(settings) == (128, 1)


def test_nothing_is_left_after_the_last_lab(register: Register, tmp_path: Path) -> None:
    register.enter("one", FIRST)
    register.leave("one")
    assert not (tmp_path / "run").exists()


def test_leaving_without_having_entered_is_no_error(register: Register, settings: Path) -> None:
    """`down` may be repeated."""
    register.leave("one")
    assert read(settings) == (128, 1)


def test_a_name_belongs_to_one_folder(register: Register) -> None:
    """Interfaces and cgroups have it in their names."""
    register.enter("one", FIRST)
    with pytest.raises(UnfitError, match="/labs/one"):
        register.enter("one", SECOND)
    assert register.owner("one") == FIRST


def test_entering_again_is_no_error(register: Register) -> None:
    register.enter("one", FIRST)
    register.enter("one", FIRST)
    assert register.names() == ["one"]


@pytest.mark.parametrize("before", [65_536, 262_144])
def test_connection_tracking_is_exactly_what_kube_proxy_wants(
    tmp_path: Path, settings: Path, before: int
) -> None:
    """Inside a host it may not write it, and v1.20 writes unless it is equal: a larger one is no help."""
    path = settings / CONNTRACK
    path.parent.mkdir(parents=True)
    path.write_text(f"{before}\n")
    register = Register(tmp_path / "run", settings, cores=2)

    register.enter("one", FIRST)
    assert int(path.read_text()) == 131_072
    register.leave("one")
    assert int(path.read_text()) == before


def test_a_kernel_without_connection_tracking_gets_no_setting_of_it(
    register: Register, settings: Path
) -> None:
    register.enter("one", FIRST)
    assert not (settings / CONNTRACK).exists()


@pytest.mark.parametrize(("cores", "limit"), [(1, 131_072), (4, 131_072), (5, 163_840)])
def test_kube_proxy_wants_so_many_for_each_core_and_a_least(cores: int, limit: int) -> None:
    """Its defaults: 32768 for each core, at least 131072."""
    assert conntrack_limit(cores) == limit
