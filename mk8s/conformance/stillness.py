"""Rules that need no host: what a driver says, held against what it promises. Pure.

Each is a function from a subject to what breaks the rule, in words; nothing means that it is kept.
Begin reading anywhere: the function's first line is the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from machines.loading import load_machine
from mk8s.conformance.subjects import TOKEN, Subject, commands_of, words_of
from mk8s.distros.base import Question
from mk8s.resources import spec_path
from mk8s.steps import Run, Upload, WriteFile
from transports.base import Outcome

__all__: list[str] = []

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
OPERATION = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
NONSENSE = "nonsense-that-is-no-release"
PRIVATE = 0o077


def name(subject: Subject) -> Iterator[str]:
    """It has a plain name, by which manifests ask for it."""
    if not NAME.fullmatch(subject.distro.name):
        yield f"{subject.distro.name!r} is no lower-case word"


def sound_clusters(subject: Subject) -> Iterator[str]:
    """It finds nothing wrong with an ordinary cluster of its version."""
    for what, cluster in subject.clusters():
        for fault in subject.distro.faults(cluster):
            yield f"{what}: {fault}"


def wrong_version(subject: Subject) -> Iterator[str]:
    """It refuses a version that is none, and does not raise."""
    wrong = Subject(subject.distro, NONSENSE, subject.adapt)
    if not subject.distro.faults(wrong.cluster(1, 0)):
        yield f"version {NONSENSE!r} has no fault"


def fault_form(subject: Subject) -> Iterator[str]:
    """A fault names its place, what is wrong and a way out: ``path: message; hint``."""
    wrong = Subject(subject.distro, NONSENSE, subject.adapt)
    for fault in subject.distro.faults(wrong.cluster(1, 0)):
        if not re.fullmatch(r"[^\s:]+: .+; .+", fault, re.DOTALL):
            yield f"not of that form: {fault!r}"


def artifacts(subject: Subject) -> Iterator[str]:
    """Its files have ids of their own, plain names, and roles."""
    for what, cluster in subject.clusters():
        items = subject.distro.artifacts(cluster)
        ids = [item.id for item in items]
        yield from (
            f"{what}: id {one!r} is there twice" for one in sorted({i for i in ids if ids.count(i) > 1})
        )
        for item in items:
            if PurePosixPath(item.file).name != item.file:
                yield f"{what}: {item.id}: {item.file!r} is no plain file name"
            if not item.roles or not item.purpose:
                yield f"{what}: {item.id}: without roles or a purpose"


def same_input(subject: Subject) -> Iterator[str]:
    """The same input gives the same steps."""
    for what, s in subject.situations():
        first, second = subject.steps(s), subject.steps(s)
        for edge, steps in first.items():
            same = [(words_of(step), _content(step)) for step in steps]
            if same != [(words_of(step), _content(step)) for step in second[edge]]:
                yield f"{what}: {edge} differs from one call to the next"


def _content(step: object) -> bytes:
    return step.content if isinstance(step, WriteFile) else b""


def spoken_steps(subject: Subject) -> Iterator[str]:
    """Every step has a title, every command one line that describes it, a time limit and a name."""
    for what, s in subject.situations():
        for edge, steps in subject.steps(s).items():
            for step in steps:
                where = f"{what}: {edge}: {step.title!r}"
                if not step.title.strip() or "\n" in step.title:
                    yield f"{where}: no title of one line"
                for command in commands_of(step):
                    if not OPERATION.fullmatch(command.operation):
                        yield f"{where}: operation {command.operation!r} is no name such as mine.start"
                    if not command.description or "\n" in command.description or command.timeout <= 0:
                        yield f"{where}: {command.operation} has no one-line description, or no time limit"


def files_first(subject: Subject) -> Iterator[str]:
    """No step writes a file that a command before it on that edge has named: it was started without it."""
    for what, s in subject.situations():
        for edge, steps in subject.steps(s).items():
            named: set[str] = set()
            for step in steps:
                if isinstance(step, WriteFile | Upload) and str(step.target) in named:
                    yield f"{what}: {edge}: {step.target} is written behind a command that names it"
                named |= {word for command in commands_of(step) for word in command.args}


def hidden_secrets(subject: Subject) -> Iterator[str]:
    """No secret stands in a title, a description, a script, an argument or a variable."""
    for what, s in subject.situations():
        secrets = {TOKEN, *(word for word in s.kept.words.values() if word.startswith("pretended-"))}
        secrets |= {s.learned[known.name] for known in subject.distro.lookups(s) if known.secret}
        for edge, steps in subject.steps(s).items():
            seen = "\0".join(word for step in steps for word in words_of(step))
            if any(secret in seen for secret in secrets):
                yield f"{what}: {edge}: a secret can be seen"


def private_files(subject: Subject) -> Iterator[str]:
    """A file that holds the join token is marked secret, and is its owner's alone."""
    for what, s in subject.situations():
        for edge, steps in subject.steps(s).items():
            for step in steps:
                holds = isinstance(step, WriteFile) and TOKEN.encode() in step.content
                if isinstance(step, WriteFile) and holds and (not step.secret or step.mode & PRIVATE):
                    yield f"{what}: {edge}: {step.target} holds the token, mode {step.mode:04o}"


def requirements(subject: Subject) -> Iterator[str]:
    """What it asks of a host makes sense: ports, paths, sizes."""
    for _, cluster in subject.clusters():
        for node in cluster.nodes:
            wants = subject.distro.requirements(node, cluster)
            bad = [port for port in wants.ports if not 0 < port < 1 << 16]
            if bad or wants.memory < 0 or wants.cpus < 0:
                yield f"{node.name}: ports {bad}, memory {wants.memory}, cpus {wants.cpus}"
            yield from (f"{node.name}: {path} is not absolute" for path in wants.leftovers if path[:1] != "/")


def pacing(subject: Subject) -> Iterator[str]:
    """It paces with limits that the node machine has, and lets at least one through."""
    known = load_machine(spec_path("machines", "node.yaml"), None).limits
    for what, cluster in subject.clusters():
        for limit, value in subject.distro.pacing(cluster).items():
            if limit not in known or value < 1:
                yield f"{what}: {limit} = {value}; there are {', '.join(sorted(known))}"


def harmless_words(subject: Subject) -> Iterator[str]:
    """It does not call an ordinary failure by the name of a known problem."""
    for what, s in subject.situations():
        for steps in subject.steps(s).values():
            for command in (
                command for step in steps if isinstance(step, Run) for command in commands_of(step)
            ):
                found = subject.distro.classify(Outcome(status=1, stderr=b"x: y: no reason given\n"), command)
                if found is not None:
                    yield f"{what}: {command.operation}: {found}"


def odd_answers(subject: Subject) -> Iterator[str]:
    """A question meets empty, cut and foreign answers with 'not met', and never raises."""
    answers = [
        Outcome(status=0), Outcome(status=1), Outcome(status=255, stderr=b"\xff\xfe"),
        Outcome(status=0, stdout=b'{"items":'), Outcome(status=0, stdout=b"[]"),
        Outcome(status=0, stdout=b"null"),
    ]  # fmt: skip
    for what, s in subject.situations():
        for question in (*subject.distro.has_joined(s), *subject.distro.is_healthy(s)):
            yield from _answered(f"{what}: {question.title!r}", question, answers)


def _answered(where: str, question: Question, answers: list[Outcome]) -> Iterator[str]:
    for outcome in answers:
        try:
            verdict = question.judge(outcome)
        except Exception as error:
            yield f"{where}: raises {type(error).__name__} for {outcome.stdout!r}, status {outcome.status}"
            continue
        if not outcome.ok and outcome.stderr and verdict.met:
            yield f"{where}: is met by a failed command"


def lookups(subject: Subject) -> Iterator[str]:
    """What it looks up refuses an answer that makes no sense with ValueError, or hands none of it on."""
    for what, s in subject.situations():
        for lookup in subject.distro.lookups(s):
            try:
                found = lookup.read(Outcome(status=0, stdout=b"\x00 no such thing \xff\n"))
            except ValueError:
                continue
            if not found.isprintable() or "no such thing" in found:
                yield f"{what}: {lookup.title!r} takes anything for an answer"
