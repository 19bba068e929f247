"""mk8s.forecast.beside: a prediction from a process of its own, and what a run hears of it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from machines.framing import frame
from mk8s.forecast import beside
from mk8s.forecast.beside import Asked, Foreteller, Prediction, foretell
from mk8s.forecast.sources import Sources
from mk8s.project import load_project
from mk8s.rehearsal import Conditions, rehearse
from tests.mk8s.forecast import works
from tests.mk8s.forecast.works import PATIENCE, TOLD, dies, heard, never_ends, raises, says

MANIFEST = """distro: rke2
version: v1.33.4+rke2r1
nodes:
  - {address: 10.0.0.1, user: ops, role: server, primary: true}
  - {address: 10.0.0.2, user: ops, role: agent}
"""


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """Two nodes, and a profile in which the first server takes its time."""
    (tmp_path / "cluster.yaml").write_text(MANIFEST)
    profile = tmp_path / "site.json"
    profile.write_text('{"durations": {"rke2:primary-first-start": {"low": 500, "high": 600}}}')
    return Asked(tmp_path / "cluster.yaml", Sources(profile=profile))


def alone(asked: Asked, then: str) -> str:
    """What a process prints that begins a prediction, as its first process of all, and then does this."""
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from mk8s.forecast.sources import Sources\n"
        "from mk8s.forecast.beside import Asked, Foreteller\n"
        f"from {works.__name__} import heard, never_ends, tells_of_interrupts\n"
        f"asked = Asked(Path({str(asked.manifest)!r}), Sources())\n{then}\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_answer_is_told_once_and_kept(asked: Asked) -> None:
    """Its process is gone then."""
    with Foreteller(asked, says) as foreteller:
        assert heard(foreteller) == TOLD
        assert foreteller.news() is None
    assert foreteller.prediction == TOLD


def test_what_goes_wrong_is_an_answer_in_words(asked: Asked) -> None:
    """The run goes on."""
    with Foreteller(asked, raises) as foreteller:
        news = heard(foreteller)
    assert isinstance(news, str)
    assert "nothing can be learnt there" in news
    assert foreteller.prediction is None


def test_a_process_that_dies_is_an_answer_in_words(asked: Asked) -> None:
    """Of too little memory, say."""
    with Foreteller(asked, dies) as foreteller:
        assert heard(foreteller) == "its process ended"


def test_a_run_that_ends_first_ends_it(asked: Asked) -> None:
    """Nobody waits for it, and nothing is left behind."""
    with Foreteller(asked, never_ends) as foreteller:
        assert foreteller.news() is None
    assert foreteller.news() is None


def test_ctrl_c_is_the_runs_alone(asked: Asked) -> None:
    """It reaches every process of a terminal; this one has nothing to say of it."""
    then = "with Foreteller(asked, tells_of_interrupts) as foreteller: print(heard(foreteller))"
    assert alone(asked, then) == "True\n"


def test_it_ends_with_a_run_that_was_killed(asked: Asked) -> None:
    """Whoever reads that run's output would wait for it: longer than this test does."""
    then = "with Foreteller(asked, never_ends): print('killed', flush=True); os.kill(os.getpid(), 9)"
    assert alone(asked, then) == "killed\n"


def test_without_a_question_there_is_no_process() -> None:
    """Nor an answer."""
    with Foreteller(None, dies) as foreteller:
        assert foreteller.news() is None


def test_it_is_what_a_plan_would_say(asked: Asked) -> None:
    """By the profile, and with what it rests on."""
    told = foretell(asked)
    assert isinstance(told, Prediction)
    assert 500 < told.low <= told.middle <= told.high < 900
    assert told.rests_on.startswith("durations: 1 given, ")


def test_a_run_that_goes_on_is_predicted_from_there(asked: Asked) -> None:
    """Its seconds are those that are left."""
    project = load_project(asked.manifest, keys=False)
    records = rehearse(Conditions(project.cluster, project.distro)).records
    half = b"".join(map(frame, records[: len(records) * 2 // 3]))

    whole, rest = foretell(asked), foretell(replace(asked, past=half))

    assert isinstance(whole, Prediction)
    assert isinstance(rest, Prediction)
    assert rest.high < whole.low


def test_more_nodes_than_can_be_rehearsed_beside_a_run_are_left_to_a_plan(asked: Asked) -> None:
    """It would take minutes of this machine."""
    more = (
        f"  - {{address: 10.1.{n // 200}.{n % 200 + 1}, user: ops, role: agent}}\n"
        for n in range(beside.MOST_NODES)
    )
    asked.manifest.write_text(MANIFEST + "".join(more))
    assert "mk8s plan predicts it" in str(foretell(asked))


@pytest.mark.parametrize(
    ("sources", "extra", "says_anything"),
    [
        (Sources(), "", False),
        (Sources(learn=(Path("earlier"),)), "", True),
        (Sources(profile=Path("site.json")), "", True),
        (Sources(), "simulation: {uplink: 9MB/s}\n", True),
    ],
)
def test_the_models_defaults_alone_are_no_reason_to_predict(
    tmp_path: Path, sources: Sources, extra: str, says_anything: bool
) -> None:
    """They are orders of magnitude."""
    manifest = tmp_path / "cluster.yaml"
    manifest.write_text(extra + MANIFEST)
    assert sources.say_anything(load_project(manifest, keys=False).cluster) is says_anything
