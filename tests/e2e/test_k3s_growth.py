"""A single K3s server on SQLite becomes the first of three, on real hosts, with its stand-in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mk8s.lab.manifest_writer import DEFAULT_VERSIONS
from tests.e2e.distro_runs import whole
from tests.e2e.driving import drive, stand_in
from tests.e2e.labs import LabMaker

pytestmark = pytest.mark.e2e

STATE = "cd /var/lib/rancher/k3s/server/db; ls -d state.db etcd 2>/dev/null; true"


@pytest.fixture
def k3s() -> Path:
    return stand_in(DEFAULT_VERSIONS["k3s"])


def test_its_state_moves_into_etcd_before_the_others_join(lab: LabMaker, k3s: Path, tmp_path: Path) -> None:
    """One cluster from the beginning to the end; the run that adds servers does it all."""
    driver = drive(lab.fresh(3), tmp_path, k3s, distro="k3s", servers=3)
    three = driver.manifest.read_text()
    head, *nodes = three.split("  - address:")
    alone = f"{head}  - address:{nodes[0]}"
    driver.manifest.write_text(re.sub(r"(?m)^(    config: \|)$", r"\1\n      cluster-init: false", alone))
    whole(driver, driver.run())
    before = driver.on_host(1, STATE).split()

    driver.manifest.write_text(three)
    grown = driver.run()

    whole(driver, grown)
    assert (before, driver.on_host(1, STATE).split()) == (["state.db"], ["etcd"])
    events = driver.events(1, 2, 3)
    assert [events.count(what) for what in ("cluster-init", "converted", "join-promoted")] == [1, 1, 2]
    assert "move the state from SQLite into etcd" in grown.err
