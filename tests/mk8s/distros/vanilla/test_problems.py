"""The catalogue of etcd's and Kubernetes' words: every entry recognises what its program really says."""

from __future__ import annotations

import pytest

from mk8s.problems import Problem, load_catalogue

VANILLA = load_catalogue("vanilla")


@pytest.mark.parametrize("problem", VANILLA.problems, ids=lambda problem: problem.id)
def test_every_entry_recognises_its_own_example(problem: Problem) -> None:
    """A pattern that does not match what the program writes, or that an earlier one hides, is no use."""
    text = f"[preflight] Running pre-flight checks\n{problem.example}\nTo see the stack trace, use --v=5"

    finding = VANILLA.find(text)

    assert finding is not None
    assert finding.problem.id == problem.id


@pytest.mark.parametrize("problem", VANILLA.problems, ids=lambda problem: problem.id)
def test_every_lineage_is_most_specific_first(problem: Problem) -> None:
    """`etcd.learner` before `etcd`, so that tables can match either."""
    assert problem.lineage[0].split(".")[0] in problem.lineage
