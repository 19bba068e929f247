"""mk8s.nominal: a release that nobody has yet is as large as a real one, about."""

from __future__ import annotations

import pytest

from mk8s.conformance import Subject
from mk8s.distros.base import load_distro
from mk8s.nominal import nominal_size
from mk8s.rehearsal import nominal_release

MIB = 1 << 20


@pytest.mark.parametrize(
    ("distro", "version", "low", "high"),
    [
        ("rke2", "v1.33.4+rke2r1", 800, 1000),
        ("k3s", "v1.33.4+k3s1", 230, 280),
        ("k0s", "v1.33.4+k0s.0", 500, 600),
        ("kubeadm", "v1.31.2", 700, 1000),
        ("vanilla", "v1.31.2", 500, 800),
    ],
)
def test_a_release_has_its_distros_size(distro: str, version: str, low: int, high: int) -> None:
    """Every driver's own ids are known: none of its large files is taken for a small one."""
    subject = Subject(load_distro(distro), version)
    release = nominal_release(subject.cluster(3, 2), subject.distro)
    assert low * MIB < sum(file.size for file in release.values()) < high * MIB


@pytest.mark.parametrize("item", ["images", "images-core", "images:arm64"])
def test_parts_of_a_kind_count_as_the_kind(item: str) -> None:
    assert nominal_size("rke2", item) == 850 * MIB


def test_what_nobody_knows_is_small() -> None:
    assert nominal_size("rke2", "checksums") == nominal_size("other", "manifest-1") == 64 << 10
