"""What every verb says of a manifest that its distro cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.errors import ManifestError
from mk8s.project import load_project

MANIFEST = """\
distro: k3s
version: v1.33.4+k3s1
swap: allow
config: {all: {profile: cis}, servers: {cni: cilium}}
nodes:
  - {address: 10.0.0.1, role: server, primary: true}
  - {address: 10.0.0.2, role: server}
  - {address: 10.0.0.3, role: agent}
"""


def test_a_fault_of_a_shared_key_is_told_once(tmp_path: Path) -> None:
    """A manifest of hundreds of nodes would bury its two mistakes in hundreds of lines."""
    path = tmp_path / "cluster.yaml"
    path.write_text(MANIFEST)

    with pytest.raises(ManifestError) as refused:
        load_project(path)

    swap, cni, profile = str(refused.value).splitlines()[1:]
    assert swap.startswith("  swap: has no meaning for k3s; ")
    assert cni.startswith("  nodes.10-0-0-1.config.cni: K3s has no such setting; ")
    assert cni.endswith(" (and 1 more node)")
    assert profile.startswith("  nodes.10-0-0-1.config.profile: K3s has no such setting; ")
    assert profile.endswith(" (and 2 more nodes)")
