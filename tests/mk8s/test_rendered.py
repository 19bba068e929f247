"""mk8s.rendered: what goes onto the nodes is kept for people to read, without its secrets."""

from __future__ import annotations

from pathlib import Path

from machines import MemoryJournal
from mk8s.distros.base import load_distro
from mk8s.rehearsal import nominal_release
from mk8s.rendered import keep_rendered
from mk8s.rollout import Rollout, Surroundings
from mk8s.secrets import HIDDEN, Secrets
from mk8s.state import StateFolder
from tests.mk8s.examples import cluster


def test_each_nodes_config_is_kept_for_its_owner_alone_and_without_the_token(tmp_path: Path) -> None:
    """As it is sent otherwise; one folder a node."""
    state = StateFolder.open(tmp_path / "cluster.yaml", "test")
    secrets = Secrets(state.folder)
    group, distro = cluster(servers=1, agents=1), load_distro("rke2")
    around = Surroundings(
        transports={},
        journal=MemoryJournal(),
        release=nominal_release(group, distro),
        token=secrets.token(),
        keep_kubeconfig=lambda _text: None,
        redact=secrets.redact,
    )

    keep_rendered(Rollout(group, distro, around), state)

    kept = {name: state.rendered(name) / "config.yaml" for name in ("srv-1", "agent-1")}
    assert {name: path.read_text() for name, path in kept.items()} == {
        "srv-1": f'# added by mk8s\ntoken: "{HIDDEN}"\n',
        "agent-1": f'# added by mk8s\nserver: "https://10.0.0.1:9345"\ntoken: "{HIDDEN}"\n',
    }
    assert {path.stat().st_mode & 0o777 for path in kept.values()} == {0o600}
