"""The catalogue of kubeadm's words: every entry recognises what its program really says."""

from __future__ import annotations

import pytest

from mk8s.distros.kubeadm.readiness import kubeadm_is_done
from mk8s.last_words import MARK
from mk8s.problems import Problem, load_catalogue
from tests.mk8s.distros.situations import outcome

KUBEADM = load_catalogue("kubeadm")


@pytest.mark.parametrize("problem", KUBEADM.problems, ids=lambda problem: problem.id)
def test_every_entry_recognises_its_own_example(problem: Problem) -> None:
    """A pattern that does not match what the program writes, or that an earlier one hides, is no use."""
    text = f"[preflight] Running pre-flight checks\n{problem.example}\nTo see the stack trace, use --v=5"

    finding = KUBEADM.find(text)

    assert finding is not None
    assert finding.problem.id == problem.id


@pytest.mark.parametrize("problem", KUBEADM.problems, ids=lambda problem: problem.id)
def test_every_lineage_is_most_specific_first(problem: Problem) -> None:
    """`etcd.learner` before `etcd`, so that tables can match either."""
    assert problem.lineage[0].split(".")[0] in problem.lineage


def test_what_else_kubeadm_said_stands_behind_what_was_recognised() -> None:
    """Without the advice that it prints after every failure."""
    asked = outcome(
        "ActiveState=failed\nprogress=half\n--- journal\n"
        "[certs] Generating certificates\n\t[ERROR Swap]: running with swap on is not supported\n"
        "To see the stack trace of this error execute with --v=5 or higher\n"
    )

    verdict = kubeadm_is_done(asked)

    assert verdict.lineage == ("check.swap", "check")
    assert verdict.reason.split(MARK)[1:] == ["[certs] Generating certificates"]
