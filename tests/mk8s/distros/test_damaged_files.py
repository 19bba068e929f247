"""What was damaged on a node after it was staged is never installed: every driver of ours hashes it again."""

from __future__ import annotations

from functools import partial

import pytest

from machines import ActionError
from mk8s.cluster import Cluster
from mk8s.commands import unpack_tar
from mk8s.conformance import Subject
from mk8s.conformance.lives import Life, live
from mk8s.distros.base import Distro, Situation, load_distro
from mk8s.distros.rke2.driver import Rke2
from mk8s.steps import Run, Step, Upload
from tests.mk8s.distros.labs import VERSIONS
from transports.simulated import SimulatedHost, SimulatedNetwork

BUNDLE = "rke2.linux-amd64.tar.gz"


class OnTrust(Rke2):
    """Unpacks whatever lies there under the name of the bundle."""

    def bootstrap(self, s: Situation) -> list[Step]:
        ((_, bundle), *_) = self.parts(s)
        return [Run("unpack the bundle", unpack_tar(bundle, bundle.parent / "out"))]

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        super().model(host, network, cluster)
        host.archives[BUNDLE] = lambda _host, _prefix: None


def accepted(distro: Distro) -> list[str]:
    """The files that a first server, or an agent, installed although they were damaged."""
    subject = Subject(distro, VERSIONS[distro.name])
    found: dict[str, None] = {}
    for place in (0, -1):
        for number in range(len(uploads(distro, subject, place))):
            damaged = partial(_damaged, place=place, number=number)
            found |= dict.fromkeys(live(subject, subject.cluster(1, 1), damaged))
    return [*found]


def uploads(distro: Distro, subject: Subject, place: int) -> list[Upload]:
    cluster = subject.cluster(1, 1)
    steps = distro.stage(subject.situation(cluster, cluster.nodes[place]))
    return [step for step in steps if isinstance(step, Upload)]


async def _damaged(life: Life, place: int, number: int) -> list[str]:
    """Stage everything, damage one file, and install."""
    distro, node = life.rollout.binding.distro, life.cluster.nodes[place]
    s = await life.rollout.binding.situation_of(node.name)
    staged = distro.stage(s)
    await life.do(node, staged)
    target = [step.target for step in staged if isinstance(step, Upload)][number]
    life.host(node).disk.write(target, b"damaged")
    try:
        await life.do(node, distro.bootstrap(s))
    except ActionError:
        return []
    return [target.name]


@pytest.mark.parametrize("distro", VERSIONS)
def test_a_file_that_was_damaged_since_it_was_staged_ends_the_installation(distro: str) -> None:
    """Each of them, on a first server and on an agent."""
    assert accepted(load_distro(distro)) == []


def test_a_driver_that_trusts_what_lies_there_is_found_out() -> None:
    """Or the test above would show nothing."""
    assert BUNDLE in accepted(OnTrust())
