"""Systemd units that run from files which mk8s wrote: start one, leave a running one alone, ask how it is.

Laws:

1. A unit that runs with the files as they are is never restarted; one whose files have changed is. A record
   of those files is kept on the host, below `RECORDS`.
2. The moment of a start is noted, so that nobody takes an older complaint in the journal for today's.
3. Each operation here has a model in `mk8s.unit_models`; a test holds the two together.

What the answers mean is said by `UnitView`; the words of foreign programs come from a driver's catalogue.
This module knows no transport that is open, no clock and no distro. Begin reading at `run_unit`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from typing import ClassVar

from mk8s.last_words import FATAL, SERIOUS, SYSTEMD, as_evidence, plain_words, useful_lines
from mk8s.problems import Catalogue, Finding
from mk8s.steps import Judge, Verdict
from transports.base import Command, Outcome

__all__ = [
    "ANSWER",
    "JOURNAL",
    "LINES_OF_JOURNAL",
    "LONGEST_REASON",
    "MISSING",
    "NOW",
    "RECORDS",
    "STATE",
    "UnitView",
    "answers",
    "ask_unit",
    "ask_unit_and",
    "is_active",
    "refused",
    "run_unit",
    "unit_runs",
]

RECORDS = PurePosixPath("/var/lib/mk8s/started")  # unit -> a hash over the files that it was started with
JOURNAL = "--- journal"
ANSWER = "--- answer"
LINES_OF_JOURNAL = 60
LONGEST_REASON = 240  # characters of a journal line that people are shown
MISSING = ("unit.missing", "unit")  # lineage of the failure that systemd does not have the unit
MOST_RESTARTS = 3  # one or two happen while something that a unit needs is still coming up
COUNT = re.compile(r"[0-9]{1,9}")
RESTART_LINE = re.compile(r"schedul\w+ restart", re.IGNORECASE)
# Programs are hundreds of megabytes and only ever replaced as a whole, so for them the inode will do.
PRINT = """\
print_of() {
  for file; do
    size=$(stat -L -c %s -- "$file" 2>/dev/null) || { echo "absent $file"; continue; }
    if [ "$size" -lt 1048576 ]; then sha256sum <"$file"; else stat -L -c '%s %Y %i' -- "$file"; fi
  done | sha256sum
}
property() { systemctl show -p "$2" -- "$1" | { IFS= read -r line; printf '%s' "${line#*=}"; }; }
"""

# The moment of a start, so that nobody takes an older complaint in the journal for today's: to the fraction,
# for a unit that keeps failing may have failed within this very second. Without %N there is no fraction.
NOW = r"date +%s.%N | sed 's/\.[^0-9]*$//'"

RUNS = f"""\
{PRINT}
unit=$1; shift
case $(property "$unit" ActiveState) in active|activating|reloading) ;; *) exit 1;; esac
[ "$(property "$unit" SubState)" != auto-restart ] || exit 1
[ "$(print_of "$@")" = "$(cat "{RECORDS}/$unit" 2>/dev/null)" ]
"""

RUN = f"""\
set -eu
{PRINT}
unit=$1; shift
mkdir -p {RECORDS} /run/mk8s
print=$(print_of "$@")
systemctl daemon-reload
{NOW} > "/run/mk8s/$unit.since"
systemctl reset-failed "$unit" 2>/dev/null || :
systemctl restart --no-block "$unit"
printf '%s\\n' "$print" > "{RECORDS}/$unit.new"
mv -f "{RECORDS}/$unit.new" "{RECORDS}/$unit"
"""

# For scripts that ask more: `state UNIT` prints what `UnitView` reads; after a line ANSWER comes their own.
STATE = f"""\
state() {{
  systemctl show "$1" -p LoadState -p UnitFileState -p ActiveState -p SubState -p Result -p NRestarts
  systemctl is-active --quiet "$1" && return
  since=$(cat "/run/mk8s/$1.since" 2>/dev/null) || since=
  echo '{JOURNAL}'
  journalctl -u "$1" ${{since:+"--since=@$since"}} -n {LINES_OF_JOURNAL} -o cat --no-pager 2>/dev/null
}}
"""

ASK = f"""\
{STATE}
state "$1"
exit 0
"""

ASK_AND = f"""\
{STATE}
state "$1"
shift
echo '{ANSWER}'
exec "$@"
"""


def unit_runs(unit: str, files: Sequence[PurePosixPath]) -> Command:
    """Whether the unit runs, or comes up, with these files as they are now. The check of `run_unit`."""
    return Command(
        operation="unit.runs",
        description=f"does {unit} run with its files as they are?",
        script=RUNS,
        args=(unit, *map(str, files)),
    )


def run_unit(unit: str, files: Sequence[PurePosixPath]) -> Command:
    """Start the unit, or start it anew, and come back at once. `files`: all that it is made of and reads."""
    return Command(
        operation="unit.run",
        description=f"start {unit} and do not wait for it",
        script=RUN,
        args=(unit, *map(str, files)),
    )


def ask_unit(unit: str) -> Command:
    """The unit's state and, unless it is active, what it said since it was started."""
    return Command(operation="unit.ask", description=f"look at {unit}", script=ASK, args=(unit,))


def ask_unit_and(operation: str, description: str, unit: str, *words: str) -> Command:
    """The same, and then the answer of a program that asks it. The exit status is that program's."""
    return Command(operation=operation, description=description, script=ASK_AND, args=(unit, *words))


@dataclass(frozen=True, slots=True)
class UnitView:
    """What systemd says of a unit, and what the unit said itself. A driver's own view may know more words."""

    serious: ClassVar[re.Pattern[str]] = SERIOUS  # lines that give a reason
    reinstall: ClassVar[str] = "run again: bootstrap writes its file"

    properties: Mapping[str, str]
    journal: tuple[str, ...] = ()
    answer: str = ""

    @classmethod
    def of(cls, outcome: Outcome) -> UnitView:
        """Read the output of `ask_unit` and `ask_unit_and`."""
        text = outcome.stdout.decode("utf-8", "replace")
        rest, _, answer = text.partition(f"{ANSWER}\n")
        state, _, journal = rest.partition(f"{JOURNAL}\n")
        properties = dict(line.split("=", 1) for line in state.splitlines() if "=" in line)
        return cls(properties, tuple(journal.splitlines()), answer.strip())

    @property
    def is_active(self) -> bool:
        return self.properties.get("ActiveState") == "active"

    @property
    def restarts(self) -> int:
        """How often systemd started it again; counted from the journal where systemd is too old to say."""
        said = self.properties.get("NRestarts", "")
        if COUNT.fullmatch(said):
            return int(said)
        return sum(bool(RESTART_LINE.search(line)) for line in self.journal)

    @property
    def keeps_failing(self) -> bool:
        return self.properties.get("ActiveState") == "failed" or self.restarts > MOST_RESTARTS

    @property
    def words(self) -> str:
        """For people: ``activating (auto-restart, restarted 2 times)``."""
        state, sub = self.properties.get("ActiveState", "unknown"), self.properties.get("SubState", "")
        more = [sub] if sub and sub != state else []
        if self.restarts:
            more.append(f"restarted {self.restarts} time{'s' if self.restarts > 1 else ''}")
        return f"{state} ({', '.join(more)})" if more else state

    @property
    def last_line(self) -> str:
        """The most useful line of the journal: the last serious one, or just the last."""
        lines = [line.strip() for line in self.journal if line.strip()]
        said = [line for line in lines if not SYSTEMD.search(line)] or lines  # systemd tells no reasons
        serious = [line for line in said if self.serious.search(line)]
        return (serious or said or [""])[-1]

    @property
    def last_words(self) -> str:
        """The same for people."""
        return plain_words(self.last_line)[:LONGEST_REASON]

    def evidence(self, known: str) -> str:
        """What else the unit said, to stand behind a message that holds the line `known`."""
        return as_evidence(useful_lines(self.journal, known, self.serious)[1:])

    def trouble(self, catalogue: Catalogue) -> Verdict | None:
        """A verdict of "never" where there is no point in waiting on."""
        if self.properties.get("LoadState") == "not-found":
            return Verdict(False, "the unit is not installed", MISSING, self.reinstall, True)
        if self.is_active:
            return None
        finding = catalogue.find("\n".join(self.journal))
        if finding and (finding.problem.final or (self.keeps_failing and not self._said_worse(finding))):
            return self._known(finding)
        if self.keeps_failing:
            reason = f"the unit keeps failing, {self.words}: {self.last_words}{self.evidence(self.last_line)}"
            remedy = "read `journalctl -u` of the unit on the host"
            return Verdict(False, reason, ("unit.failed", "unit"), remedy)
        return None

    def _said_worse(self, finding: Finding) -> bool:
        """Whether unknown last words of the unit came after a trouble that may pass: they are the reason."""
        since = takewhile(lambda line: line.strip() != finding.line, reversed(self.journal))
        return not FATAL.search(finding.line) and any(FATAL.search(line.strip()) for line in since)

    def _known(self, finding: Finding) -> Verdict:
        """Never, or not now: what was recognised, and what else the unit said."""
        known, reason = finding.problem, finding.message + self.evidence(finding.line)
        return Verdict(False, reason, known.lineage, known.remedy, known.final)


def is_active(
    catalogue: Catalogue, *, enabled: bool = False, read: Callable[[Outcome], UnitView] = UnitView.of
) -> Judge:
    """Met when systemd calls the unit active; with `enabled`, only if a reboot starts it again."""

    def judge(outcome: Outcome) -> Verdict:
        view = read(outcome)
        trouble = view.trouble(catalogue)
        if trouble:
            return trouble
        if not view.is_active:
            return Verdict(False, " ".join(filter(None, (f"{view.words}:", view.last_words))).rstrip(":"))
        if enabled and view.properties.get("UnitFileState") != "enabled":
            return Verdict(False, "active, but a reboot would not start it")
        return Verdict(True, "active")

    return judge


def answers(catalogue: Catalogue, word: str = "") -> Judge:
    """Met when its port answers, with the line `word` if there is one. A unit that keeps failing ends it."""

    def judge(outcome: Outcome) -> Verdict:
        view = UnitView.of(outcome)
        if outcome.ok and view.is_active and (not word or word in view.answer.splitlines()):
            return Verdict(True, word or "it answers")
        trouble = view.trouble(catalogue) or refused(catalogue, outcome)
        if trouble:
            return trouble
        said = view.answer.splitlines()[-1:] or [outcome.complaint if outcome.stderr else "no answer yet"]
        return Verdict(False, f"{view.words}; {view.last_words or said[0][:LONGEST_REASON]}")

    return judge


def refused(catalogue: Catalogue, outcome: Outcome) -> Verdict | None:
    """A verdict of "never" where the program that asked was told, on stderr, what no waiting mends."""
    finding = catalogue.find(outcome.stderr.decode("utf-8", "replace"))
    if finding is None or not finding.problem.final:
        return None
    known = finding.problem
    return Verdict(False, finding.message, known.lineage, known.remedy, True)
