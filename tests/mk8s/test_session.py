"""mk8s.session: what a real run stands in, put together without a node: token, keys, words, states."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from machines import FileJournal
from mk8s.distros.base import Distro, load_distro
from mk8s.errors import Mk8sError
from mk8s.needs import Authority, Certificate, Need, Random, pretend
from mk8s.project import Project, load_project
from mk8s.rollout import Surroundings
from mk8s.session import expiring_soon, open_journal, real_rollout, states_in
from mk8s.state import StateFolder
from tests.mk8s.cli.recorded import as_real, keep, manifest_in, run_of
from tests.mk8s.examples import cluster

CA = Authority("ca", "ca")
NEEDS: list[Need] = [CA, Certificate("leaf", "ca", "leaf", client=True, days=3), Random("word", "hex-32")]


class Needing:
    """A distro that needs these, and no token of ours."""

    def __init__(self, needs: Sequence[Need]) -> None:
        self._needs = list(needs)
        self._inner = load_distro("rke2")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def needs(self, _cluster: object) -> list[Need]:
        return self._needs

    def needs_token(self, _cluster: object) -> bool:
        return False


def project(folder: Path, needs: Sequence[Need] | None = NEEDS) -> Project:
    distro = load_distro("rke2") if needs is None else cast(Distro, Needing(needs))
    return Project(folder / "cluster.yaml", cluster(servers=1, agents=1), distro, (), "text")


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder.open(tmp_path / "cluster.yaml", "test")


@pytest.fixture
def journal(state: StateFolder) -> Iterator[FileJournal]:
    with open_journal(state) as opened:
        yield opened


def around(
    state: StateFolder, journal: FileJournal, needs: Sequence[Need] | None = NEEDS, *, make: bool = True
) -> Surroundings:
    return real_rollout(project(state.folder, needs), state, journal, {}, make=make).around


def names(state: StateFolder) -> set[str]:
    return {path.name for path in state.folder.iterdir()} - {"journal"}


def test_a_run_has_everything_that_was_needed_and_so_has_the_next(
    state: StateFolder, journal: FileJournal
) -> None:
    """The same, made once; a token that nobody needs is not made."""
    first = around(state, journal)
    assert set(first.kept.pairs) == {"ca", "leaf"}
    assert first.token == ""
    assert around(state, journal).kept.pairs == first.kept.pairs
    assert names(state) == {"kept.json", "pki"}


def test_a_distro_that_needs_nothing_leaves_only_its_token(state: StateFolder, journal: FileJournal) -> None:
    """As before there was anything to keep."""
    assert len(around(state, journal, None).token) == 64
    assert names(state) == {"secrets.json"}


def test_who_only_asks_makes_no_key(state: StateFolder, journal: FileJournal) -> None:
    """What is not there is pretended; what is there is used."""
    seen = around(state, journal, make=False)
    assert seen.kept.pairs == pretend(NEEDS).pairs
    assert names(state) == set()
    made = around(state, journal)
    assert around(state, journal, make=False).kept.pairs == made.kept.pairs


def test_who_only_asks_makes_no_token(state: StateFolder, journal: FileJournal) -> None:
    """One is pretended; what a run made is used."""
    assert len(around(state, journal, None, make=False).token) == 64
    assert names(state) == set()
    made = around(state, journal, None)
    assert around(state, journal, None, make=False).token == made.token


def test_what_a_simulation_says_was_given_no_node_has(tmp_path: Path) -> None:
    """Its journal may lie in the folder of a cluster that has no token yet; that of a run misses its own."""
    path = manifest_in(tmp_path)
    project = load_project(path)
    simulated = run_of(path).records
    keep(path, simulated)
    with open_journal(project.state()) as journal:
        assert real_rollout(project, project.state(), journal, {}, make=False).around.token
    keep(path, as_real(simulated))
    with open_journal(project.state()) as journal, pytest.raises(Mk8sError, match=r"secrets\.json is gone"):
        real_rollout(project, project.state(), journal, {}, make=False)


def test_no_secret_of_what_was_kept_is_shown(state: StateFolder, journal: FileJournal) -> None:
    """Words by their value, keys by their form; certificates are for everybody."""
    made = around(state, journal)
    pair = made.kept.pairs["leaf"]
    text = f"{made.kept.words['word']} {pair.private.decode()}{pair.public.decode()}"
    assert made.redact(text) == f"*** ***\n{pair.public.decode()}"


def test_the_secret_half_of_a_bootstrap_token_is_hidden_too(state: StateFolder, journal: FileJournal) -> None:
    """As it stands in the cluster, in a Secret: apart from the other half, which is no secret, in base64."""
    made = around(state, journal, [Random("token", "bootstrap-token")])
    name, _, secret = made.kept.words["token"].partition(".")
    text = f"{name} {secret} {b64encode(secret.encode()).decode()}"
    shown = made.redact(text)
    assert shown.startswith(f"{name} *** ***")
    assert secret not in shown


def test_the_transcript_shows_no_key(state: StateFolder, journal: FileJournal) -> None:
    """Whatever a command's description came to say."""
    made = around(state, journal)
    assert made.transcript
    made.transcript({"description": made.kept.pairs["ca"].private.decode() + made.kept.words["word"]})
    assert state.transcript.read_text() == '{"description": "***\\n***"}\n'


def test_keys_that_are_gone_after_a_node_was_given_some_are_not_made_again(
    state: StateFolder, journal: FileJournal
) -> None:
    """The journal says whether one was: they are written when it is bootstrapped."""
    around(state, journal)
    state.kept.unlink()
    assert around(state, journal).kept.words  # nobody has anything yet
    state.kept.unlink()
    journal.append(0.0, "intent", node="srv-1", edge="bootstrap", attempt=1)
    with pytest.raises(Mk8sError, match=r"kept\.json is gone"):
        around(state, journal)


def test_nodes_that_no_run_has_begun_with_are_pending(state: StateFolder, journal: FileJournal) -> None:
    """Each node of the manifest has a state."""
    assert states_in(journal, project(state.folder).cluster) == {"srv-1": "pending", "agent-1": "pending"}


def test_what_expires_within_a_month_is_told(state: StateFolder, journal: FileJournal) -> None:
    """And nothing where nothing is kept, or all of it lasts."""
    here = project(state.folder)
    assert expiring_soon(here, state) == ""
    around(state, journal)
    assert expiring_soon(here, state).startswith("the certificate leaf expires on ")
    lasting = replace(here, distro=cast(Distro, Needing([CA])))
    assert expiring_soon(lasting, state) == ""
