"""Every driver keeps every rule: ours, and the example of another party's."""

from __future__ import annotations

from typing import cast

import pytest

from mk8s.conformance import RULES, Rule, Subject
from mk8s.distros.base import Distro, distro_names, load_distro
from tests.mk8s.conformance.solo import Solo

SUBJECTS = {
    "k0s": Subject(load_distro("k0s"), "v1.33.4+k0s.0"),
    "k3s": Subject(load_distro("k3s"), "v1.33.4+k3s1"),
    "kubeadm": Subject(load_distro("kubeadm"), "v1.31.2"),
    "rke2": Subject(load_distro("rke2"), "v1.33.4+rke2r1"),
    "vanilla": Subject(load_distro("vanilla"), "v1.31.2"),
    "solo": Subject(cast("Distro", Solo()), "v1.33.4+solo1"),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("distro", SUBJECTS)
def test_the_driver_keeps_the_rule(distro: str, rule: Rule) -> None:
    """The rule's own words are its title."""
    assert rule.broken_by(SUBJECTS[distro]) == [], rule.title


def test_no_driver_of_ours_is_left_out() -> None:
    """A new one has to stand here."""
    assert {*distro_names()} <= {*SUBJECTS}
