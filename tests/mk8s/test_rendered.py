"""mk8s.rendered: what goes onto the nodes is kept for people to read, without its secrets."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, cast

import pytest

from machines import MemoryJournal
from mk8s.distros.base import Distro, Situation, load_distro
from mk8s.rehearsal import nominal_release
from mk8s.rendered import keep_rendered
from mk8s.rollout import Rollout, Surroundings
from mk8s.secrets import HIDDEN, Secrets
from mk8s.state import StateFolder
from mk8s.steps import Step, WriteFile
from tests.mk8s.examples import cluster

KEY = b"-----BEGIN PRIVATE KEY-----\nQUJDREVG\n-----END PRIVATE KEY-----\n"
RKE2 = load_distro("rke2")


class Writing:
    """A distro that writes these files."""

    def __init__(self, *steps: WriteFile) -> None:
        self._steps = list(steps)

    def __getattr__(self, name: str) -> Any:
        return getattr(RKE2, name)

    def bootstrap(self, _s: Situation) -> list[Step]:
        return [*self._steps]


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder.open(tmp_path / "cluster.yaml", "test")


def rendered(state: StateFolder, distro: Distro) -> dict[str, str]:
    """What is kept, by paths below the folder `rendered`."""
    secrets = Secrets(state.folder)
    group = cluster(servers=1, agents=1)
    around = Surroundings(
        transports={},
        journal=MemoryJournal(),
        release=nominal_release(group, RKE2),
        token=secrets.token(),
        keep_kubeconfig=lambda _text: None,
        redact=secrets.redact,
    )
    keep_rendered(Rollout(group, distro, around), state)
    top = state.folder / "rendered"
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


def written(path: str, content: bytes, *, secret: bool = True) -> WriteFile:
    return WriteFile(f"write {path}", PurePosixPath(path), content, 0o600, secret)


def of_server(state: StateFolder, *steps: WriteFile) -> dict[str, str]:
    found = rendered(state, cast(Distro, Writing(*steps)))
    return {name.removeprefix("srv-1/"): text for name, text in found.items() if name.startswith("srv-1/")}


def test_each_nodes_config_is_kept_for_its_owner_alone_and_without_the_token(state: StateFolder) -> None:
    """As it is sent otherwise; one folder a node."""
    assert rendered(state, RKE2) == {
        "srv-1/config.yaml": f'# added by mk8s\ntoken: "{HIDDEN}"\n',
        "agent-1/config.yaml": f'# added by mk8s\nserver: "https://10.0.0.1:9345"\ntoken: "{HIDDEN}"\n',
    }
    modes = {path.stat().st_mode & 0o777 for path in state.rendered("srv-1").iterdir()}
    assert modes == {0o600}


def test_a_file_that_is_a_private_key_is_left_out(state: StateFolder) -> None:
    """There is nothing to read in it."""
    assert of_server(state, written("/etc/ca.key", KEY), written("/etc/ca.crt", b"certificate")) == {
        "ca.crt": "certificate"
    }


def test_a_private_key_within_a_file_is_hidden(state: StateFolder) -> None:
    """Also where the driver forgot to call the file a secret."""
    kubeconfig = b"user:\n  client-key-data: QUJDREVG\n" + KEY
    for secret in (True, False):
        found = of_server(state, written("/etc/admin.conf", kubeconfig, secret=secret))
        assert found == {"admin.conf": f"user:\n  client-key-data: {HIDDEN}\n{HIDDEN}\n"}


def test_a_secret_that_is_no_text_is_left_out(state: StateFolder) -> None:
    """It may be a key in another form; what is no secret is kept as well as it can be."""
    binary = written("/etc/key.der", b"\xff\xfe")
    assert of_server(state, binary, written("/etc/logo", b"a\xff", secret=False)) == {"logo": "a\ufffd"}


def test_files_of_one_name_are_kept_by_their_whole_paths(state: StateFolder) -> None:
    """Neither hides the other."""
    files = [written("/etc/k/ca.crt", b"one"), written("/etc/k/etcd/ca.crt", b"two"), written("/x/b", b"b")]
    assert of_server(state, *files) == {"etc/k/ca.crt": "one", "etc/k/etcd/ca.crt": "two", "b": "b"}


def test_what_is_there_already_is_not_written_again(state: StateFolder) -> None:
    """A large cluster has thousands of such files."""
    of_server(state, written("/etc/b", b"b"))
    before = (state.rendered("srv-1") / "b").stat().st_ino
    of_server(state, written("/etc/b", b"b"))
    assert (state.rendered("srv-1") / "b").stat().st_ino == before
    assert of_server(state, written("/etc/b", b"c")) == {"b": "c"}
