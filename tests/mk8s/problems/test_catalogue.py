"""The catalogues against a corpus: each entry fires on what its program said, and on nothing else in it.

`corpus/recorded.yaml` has messages of problems beside the entries' own examples; ``corpus/<part>.txt`` has
ordinary lines, word for word or but for names, that look like trouble and are none: waiting for what
another node still has to do is a normal state.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mk8s.problems import Problem, load_catalogue
from mk8s.resources import spec_path

CORPUS = Path(__file__).parent / "corpus"
PROGRAMS = ("rke2", "k3s", "k0s", "kubeadm", "vanilla")
CATALOGUES = {program: load_catalogue(program) for program in PROGRAMS}
RECORDED: list[dict[str, Any]] = msgspec.yaml.decode((CORPUS / "recorded.yaml").read_bytes())
IN_A_LOG = "level=info msg=starting\n{}\nlevel=info msg=waiting"
BEHIND_A_CHECK = "[preflight] Running pre-flight checks\n{}\nTo see the stack trace, use --v=5"
AROUND = {
    "rke2": IN_A_LOG,
    "k3s": IN_A_LOG,
    "k0s": IN_A_LOG,
    "kubeadm": BEHIND_A_CHECK,
    "vanilla": BEHIND_A_CHECK,
}
RETRIED = ("etcd.learner", "connection", "unit", "exit", "integrity", "timeout")
"""Classes that the tables of machines try again."""

ENTRIES = [
    pytest.param(program, problem, id=f"{program}-{problem.id}")
    for program, catalogue in CATALOGUES.items()
    for problem in catalogue.problems
]


def harmless(program: str) -> list[str]:
    """The ordinary lines of the parts that this program has."""
    document = msgspec.yaml.decode(spec_path("problems", f"{program}.yaml").read_bytes())
    files = [CORPUS / f"{name}.txt" for name in (program, *document["include"])]
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return [line for line in lines if not line.startswith("#")]


def recorded(program: str) -> list[tuple[str, str]]:
    """(message, the problem that it is)."""
    of_entries = [(problem.example, problem.id) for problem in CATALOGUES[program].problems]
    return of_entries + [(one["text"], one["problem"]) for one in RECORDED if program in one["programs"]]


def found(program: str, message: str) -> str | None:
    finding = CATALOGUES[program].find(message)
    return finding.problem.id if finding else None


@pytest.mark.parametrize(("program", "problem"), ENTRIES)
def test_an_entry_recognises_its_own_example_among_what_else_is_said(program: str, problem: Problem) -> None:
    """A pattern that does not match what the program writes, or that an earlier one hides, is no use."""
    assert found(program, AROUND[program].format(problem.example)) == problem.id


@pytest.mark.parametrize(("program", "problem"), ENTRIES)
def test_an_entry_fires_on_its_own_messages_and_on_nothing_else(program: str, problem: Problem) -> None:
    """An entry that hides another, or takes an ordinary line for trouble, would send people the wrong way."""
    messages = recorded(program) + [(line, None) for line in harmless(program)]

    fired = [message for message, _ in messages if found(program, message) == problem.id]

    assert fired == [message for message, expected in messages if expected == problem.id]
    assert fired


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_ordinary_line_is_taken_for_trouble(program: str) -> None:
    lines = harmless(program)

    assert [line for line in lines if found(program, line)] == []
    assert len(lines) > 40


@pytest.mark.parametrize("one", RECORDED, ids=lambda one: one["problem"])
def test_a_recorded_message_is_recognised_where_its_program_speaks(one: dict[str, Any]) -> None:
    assert [found(program, one["text"]) for program in one["programs"]] == [one["problem"]] * len(
        one["programs"]
    )


@pytest.mark.parametrize(("program", "problem"), ENTRIES)
def test_an_entry_is_written_so_that_tables_and_people_can_use_it(program: str, problem: Problem) -> None:
    """Most specific class first; no word of another program; no full stop; a source that can be looked up."""
    assert problem.lineage[0].split(".")[0] in problem.lineage
    said = " ".join((problem.cause, problem.remedy, problem.example, problem.pattern))
    assert "@{" not in said
    assert not problem.cause.endswith(".")
    assert re.search(
        r"#\d|/|\.md|errno|Go |GNU|curl|kubectl|mk8s|systemd|systemctl|SQL|etcdctl", problem.source
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_troubles_of_joining_etcd_are_passing_ones(program: str) -> None:
    """Another server joins, or a member starts: the tables wait for that and try again."""
    ids = ("etcd-learner", "etcd-unhealthy", "etcd-busy", "etcd-learner-behind")
    known = {problem.id: problem for problem in CATALOGUES[program].problems}

    assert all(set(known[name].lineage) & set(RETRIED) and not known[name].final for name in ids)


def test_what_is_said_alike_is_known_alike() -> None:
    """RKE2 and K3s share an engine: what one says of it the other says, with its own name and port."""
    engine = msgspec.yaml.decode(spec_path("problems", "parts", "engine.yaml").read_bytes())["problems"]

    for program, port in (("rke2", "9345"), ("k3s", "6443")):
        known = {problem.id: problem for problem in CATALOGUES[program].problems}
        assert {entry["id"] for entry in engine} <= set(known)
        assert port in known["first-contact"].remedy
        assert f"/var/lib/rancher/{program}/" in known["token-refused"].remedy
