"""Is the cluster well? The distro's named conditions, all asked at once, told in their order, with evidence.

Laws:

1. It changes nothing on any node.
2. A node that does not answer costs its patience once; what can be known without it is still said.
3. Nothing is silent: what is awaited is said when it changes, and why something is not met in its own words.

It knows no distro and prints nothing. Begin reading at `Examination.look`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import anyio

from machines import ActionError, History, Life
from machines.words import one_line
from mk8s.binding import Binding
from mk8s.cluster import Cluster
from mk8s.distros.base import Condition, Question, Situation
from mk8s.kube.conditions import A_SERVER
from mk8s.steps import Verdict
from mk8s.units import MISSING

__all__ = [
    "Examination",
    "Finding",
    "bare_nodes",
    "findings_as_data",
    "findings_as_text",
    "without_names",
]

PATIENCE = 30.0  # seconds for one answer of one node
AT_ONCE = 4  # questions on one host; each is a kubectl, and servers have work to do
PAUSE = 2.0  # seconds between two looks
NAMED = 6  # nodes with the same answer that are all named
SILENT = "look whether the machine is up and the way to it is open"
TOLD_ABOVE = Verdict(False, "does not answer")
STAGING = "stage"  # the one edge of the node machine with an action that installs nothing
NOTHING_ASKED = "this distro names no conditions"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at a condition came to."""

    title: str
    met: bool
    evidence: str
    remedy: str = ""


class _Answer(NamedTuple):
    """What one question came to."""

    verdict: Verdict
    by: str = ""  # the node that spoke of itself; empty: it spoke of the cluster, or not at all
    could: bool = False  # the node could say what it was asked


@dataclass
class Examination:
    """Asks one cluster, again and again if wanted. `patience`: seconds for each answer.

    `bare`: what to do about nodes on which nothing was ever installed, see `bare_nodes`. Nothing is there of
    what a distro's own remedies may speak of, such as its uninstaller. It holds of those that say themselves
    that a unit is not installed: whoever asks without the journal has every node for bare.
    """

    binding: Binding
    patience: float = PATIENCE
    bare: Mapping[str, str] = field(default_factory=dict)
    _silent: dict[str, Verdict] = field(default_factory=dict)  # nodes that did not answer in this look
    _absent: set[str] = field(default_factory=set)  # nodes without a unit that they should have
    _room: dict[str, anyio.CapacityLimiter] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        return self.binding.cluster

    async def look(self) -> list[Finding]:
        """Every condition, as it is now, in the distro's order."""
        self._silent, self._absent = {}, set()
        self._room = {node.name: anyio.CapacityLimiter(AT_ONCE) for node in self.cluster.nodes}
        async with anyio.create_task_group() as tasks:
            for node in self.cluster.nodes:
                tasks.start_soon(self._knock, node.name)
        conditions = self.binding.distro.conditions(self._situations())
        verdicts = self._tell_silence_once(await self._ask_all(conditions))
        found = [_finding(known, verdicts[place]) for place, known in enumerate(conditions)]
        return found or [Finding("health", False, NOTHING_ASKED)]

    def _situations(self) -> list[Situation]:
        """Of every node; of a silent one nothing is known but its place."""
        known = self.binding
        shared = (known.release, known.token, known.kept, known.images)
        return [
            Situation(self.cluster, node, known.facts.get(node.name), *shared) for node in self.cluster.nodes
        ]

    async def wait(self, seconds: float, tell: Callable[[str], None]) -> list[Finding]:
        """Look until all is well or the time is over; `tell` what changes. The last look's findings."""
        said: dict[str, str] = {}
        found: list[Finding] = []
        with anyio.move_on_after(seconds):
            while True:
                found = await self.look()
                for words in _news(found, said):
                    tell(words)
                if all(finding.met for finding in found):
                    return found
                await anyio.sleep(PAUSE)
        return found or await self.look()

    async def _knock(self, name: str) -> None:
        """Learn whether a node answers at all, and what it is."""
        verdict = Verdict(False, f"no answer within {self.patience:g} s", remedy=SILENT)
        with anyio.move_on_after(self.patience):
            try:
                self.binding.facts.pop(name, None)
                await self.binding.facts_of(name)
                return
            except ActionError as error:
                verdict = _refusal(error)
        self._silent[name] = verdict

    async def _ask_all(self, conditions: Sequence[Condition]) -> list[list[Verdict]]:
        answers = [[_Answer(Verdict(False))] * len(condition.questions) for condition in conditions]

        async def ask(place: int, number: int, question: Question) -> None:
            answers[place][number] = await self._answer(question)

        async with anyio.create_task_group() as tasks:
            for place, condition in enumerate(conditions):
                for number, question in enumerate(condition.questions):
                    tasks.start_soon(ask, place, number, question)
        return [[self._hinted(answer) for answer in row] for row in answers]

    def _hinted(self, answer: _Answer) -> Verdict:
        """With the remedy of a bare node, where the one that was asked is known to be one by now."""
        verdict, bare = answer.verdict, self.bare.get(answer.by, "")
        return replace(verdict, remedy=bare) if bare and answer.by in self._absent else verdict

    def _tell_silence_once(self, verdicts: Sequence[Sequence[Verdict]]) -> list[list[Verdict]]:
        """Why a node is silent is told by the first condition that asks it, in full; the others name it.

        Where that is as with a node before it, up to their names and addresses, that node is named instead.
        """
        whose, first = {verdict: name for name, verdict in self._silent.items()}, dict[str, Verdict]()
        told = set[Verdict]()
        shorter = []
        for answers in verdicts:
            shorter.append(
                [TOLD_ABOVE if answer in told else self._alike(answer, whose, first) for answer in answers]
            )
            told |= whose.keys() & set(answers)
        return shorter

    def _alike(self, answer: Verdict, whose: Mapping[Verdict, str], first: dict[str, Verdict]) -> Verdict:
        """The answer, or the node with the same one. `first` is brought up to date: words to their first."""
        name = whose.get(answer)
        if name is None:
            return answer
        node = next(node for node in self.cluster.nodes if node.name == name)
        before = first.setdefault(without_names(answer.reason, (node.name, node.address)), answer)
        return answer if before == answer else replace(answer, reason=f"the same as {whose[before]}")

    async def _answer(self, question: Question) -> _Answer:
        """A node's own answer, or the first server's that can give one."""
        if question.on != A_SERVER:
            return await self._ask(question.on or self.cluster.primary.name, question)
        first: _Answer | None = None
        for server in self.cluster.servers:
            answer = await self._ask(server.name, question)
            if answer.could:
                return answer
            first = first or (None if server.name in self._silent else answer)
        return first or _Answer(Verdict(False, "no server answers", remedy=SILENT))

    async def _ask(self, name: str, question: Question) -> _Answer:
        """What follows from what the node says, or does not."""
        if name in self._silent:
            return _Answer(self._silent[name])
        verdict = Verdict(False, f"no answer within {self.patience:g} s", remedy=SILENT)
        async with self._room[name]:
            with anyio.move_on_after(self.patience):
                try:
                    outcome = await self.binding.executor.ask(name, question.command)
                    verdict = question.judge(outcome)
                    if verdict.lineage == MISSING:
                        self._absent.add(name)
                    reason = self.binding.executor.redact(verdict.reason)
                    by = "" if question.on == A_SERVER and outcome.ok else name
                    return _Answer(replace(verdict, reason=reason), by, outcome.ok)
                except ActionError as error:
                    verdict = _refusal(error)
        return _Answer(verdict)


def bare_nodes(cluster: Cluster, history: History | None) -> dict[str, str]:
    """Nodes on which no run has begun to install anything, by the journal, and what to do about each.

    One that was staged has the release's files, and nothing else. `history`: None before the first run.
    """
    lives = history.lives if history is not None else {}
    known = {node.name: lives.get(node.name) for node in cluster.nodes}
    return {name: _bare(name, life) for name, life in known.items() if not _was_installed(life)}


def _was_installed(life: Life | None) -> bool:
    """Whether any run was on the edge that installs, or on one behind it."""
    flights = filter(None, map(life.table.in_flight, life.reached)) if life is not None else ()
    return any(edge != STAGING for _, edge in flights)


def _bare(name: str, life: Life | None) -> str:
    if life is None or life.table.outcome(life.state) is None:
        return f"nothing was installed on {name} from here yet: `mk8s run` does it"
    return (
        f"nothing was installed on {name}, which is {life.state}: `mk8s explain` says why; mend that, and "
        "`mk8s run` goes on with it"
    )


def without_names(words: str, names: Sequence[str]) -> str:
    """What two nodes have in common of what is said of each."""
    for name in names:
        words = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", "…", words)
    return words


def _refusal(error: ActionError) -> Verdict:
    return Verdict(False, str(error), remedy=error.failure.remedy)


def _finding(condition: Condition, verdicts: Sequence[Verdict]) -> Finding:
    """All met: what was seen. Else: only what is not, and the first remedy."""
    met = all(verdict.met for verdict in verdicts)
    told = [
        (question.title.rstrip(": "), verdict)
        for question, verdict in zip(condition.questions, verdicts, strict=True)
        if met or not verdict.met
    ]
    remedy = next((verdict.remedy for _, verdict in told if verdict.remedy and not met), "")
    return Finding(condition.title, met, _evidence(told), remedy)


def _evidence(told: Sequence[tuple[str, Verdict]]) -> str:
    """The same words of many nodes are told once."""
    groups: dict[str, list[str]] = {}
    for name, verdict in told:
        groups.setdefault(verdict.reason or ("yes" if verdict.met else "not yet"), []).append(name)
    return "; ".join(
        reason
        if reason.startswith((f"{names[0]} (", f"{names[0]}: "))
        else f"{_named(names)}{reason}"  # says its name itself
        for reason, names in groups.items()
    )


def _named(names: Sequence[str]) -> str:
    known = [name for name in names if name]
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return f"{', '.join(known[:NAMED])}{more}: " if known else ""


def _news(found: Sequence[Finding], said: dict[str, str]) -> list[str]:
    """What is different from the last look, for people; `said` is brought up to date."""
    words = {finding.title: "ok" if finding.met else f"waiting: {finding.evidence}" for finding in found}
    news = [f"{title}: {text}" for title, text in words.items() if said.get(title) != text]
    said.update(words)
    return news


def findings_as_data(found: Sequence[Finding]) -> dict[str, object]:
    """For programs."""
    return {
        "healthy": all(finding.met for finding in found),
        "conditions": [
            {
                "condition": finding.title,
                "met": finding.met,
                "evidence": finding.evidence,
                "remedy": finding.remedy,
            }
            for finding in found
        ],
    }


def findings_as_text(found: Sequence[Finding]) -> str:
    """For people: a line a condition, its remedy below where it is not met. No node's words make a line."""
    width = max(len(finding.title) for finding in found)
    lines = []
    for finding in found:
        mark = "ok  " if finding.met else "FAIL"
        lines.append(f"{mark}  {finding.title.ljust(width)}  {one_line(finding.evidence)}".rstrip())
        if finding.remedy:
            lines.append(f"      hint: {one_line(finding.remedy)}")
    return "\n".join(lines)
