"""What a unit said last, for people: the few lines of a journal that help, without noise and secrets. Pure.

Laws:

1. The line that was recognised stands first; the others stand as they were said, the last one last.
2. A line that was said more than once, but for its numbers, stands once, with its count.
3. At most `LINES` lines and `LONGEST` characters, however long the journal's own lines are.
4. No secret that can be known by its form comes through.

It knows how logrus, klog, zap and k0s write a line, and how systemd speaks of a unit; no distro and no
catalogue. Begin reading at `useful_lines`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mk8s.secret_forms import HIDDEN, without_secrets

__all__ = ["FATAL", "MARK", "SERIOUS", "SYSTEMD", "as_evidence", "plain_words", "useful_lines"]

LINES = 8
LONGEST = 1500  # characters of all lines together
WIDEST = 300  # characters of one line
MARK = "\n    | "  # stands before each of these lines in a message

SYSTEMD = re.compile(
    r"^(\S+\.(service|socket): |(Start|Stopp|Reload)(ed|ing) |Failed to start |Finished |Deactivated )"
)
SERIOUS = re.compile(
    r'^[FE]\d{4} |"level":"(fatal|error|panic)"|level=(fatal|error|panic)|^(FATA|ERRO|PANI)\b'
    r"|\b(fatal|panic|error): ",
    re.IGNORECASE,
)
FATAL = re.compile(
    r'^F\d{4} |"level":"(fatal|panic)"|level=(fatal|panic)|^(FATA|PANI)\b|^(panic|fatal|error): ', re.I
)
CALM = re.compile(r'^I\d{4} |"level":"(info|debug)"|level=(info|debug|trace)|^(INFO|DEBU|TRAC)\b')

KLOG = re.compile(r"^(?P<level>[IWEF])\d{4} [\d:.]+\s+\d+ [\w.-]+:\d+\] (?P<text>.*)$")
LOGRUS = re.compile(
    r'^(?:time="[^"]*" )?level=(?P<level>\w+) msg=(?P<text>"(?:[^"\\]|\\.)*"?|\S+)(?P<rest>.*)$'
)
SHORT = re.compile(r"^(?P<level>INFO|WARN|ERRO|FATA|DEBU|PANI)\[[^\]]*\] (?P<text>.*)$")
CLOCK = re.compile(r"^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S*\s+")
LEVELS = {"I": "", "W": "warning", "E": "error", "F": "fatal"} | {
    "INFO": "",
    "WARN": "warning",
    "ERRO": "error",
    "FATA": "fatal",
    "DEBU": "",
    "PANI": "panic",
}
PART = re.compile(r"\bcomponent=\S+ .*\bstream=")
ERROR = re.compile(r'\berror=("(?:[^"\\]|\\.)*"|\S+)')
BACKSLASH = re.compile(r"\\(.)")
NUMBERS = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+(\.\d+)*")


class _Said(NamedTuple):
    text: str
    is_serious: bool
    times: int = 1


def useful_lines(journal: Sequence[str], known: str = "", serious: re.Pattern[str] = SERIOUS) -> list[str]:
    """The last lines that help; `known`, the line that was recognised, first. Without secrets."""
    # all at once: what is secret may have more than one line
    lines = [line for raw in without_secrets("\n".join(journal)).splitlines() if (line := _unwrapped(raw))]
    first = plain_words(known) if known else ""
    said = [
        one for one in _folded(lines, serious) or _last_calm(lines) if one.text not in ("", HIDDEN, first)
    ]
    chosen = _chosen(said, LINES - bool(first))
    return _within([first] if first else [], [_shown(one) for one in chosen])


def as_evidence(lines: Iterable[str]) -> str:
    """To be put behind a message: each line on one of its own, marked as somebody else's words."""
    return "".join(MARK + line for line in lines)


def plain_words(line: str) -> str:
    """One line of a journal without its clock, its place in the code and its secrets: ``fatal: no room``."""
    text = without_secrets(_bare(_unwrapped(line)))
    return " ".join(text.splitlines())[:WIDEST]  # JSON may hold ends of lines


def _folded(lines: Iterable[str], serious: re.Pattern[str]) -> list[_Said]:
    """Each once, at the place where it was said last."""
    found: dict[str, _Said] = {}
    for line in lines:
        grave = bool(serious.search(line))
        if SYSTEMD.search(line) or (CALM.search(line) and not grave):
            continue
        text = plain_words(line)
        key = NUMBERS.sub("#", text)
        before = found.pop(key, None)
        found[key] = _Said(text, grave, before.times + 1 if before else 1)
    return list(found.values())


def _last_calm(lines: Sequence[str]) -> list[_Said]:
    """The end of a journal that holds nothing but information; of systemd's words only if it must be."""
    said = [line for line in lines if not SYSTEMD.search(line)] or lines
    return [_Said(plain_words(line), False) for line in said[-3:]]


def _chosen(said: Sequence[_Said], most: int) -> list[_Said]:
    """The last ones; where there are too many, the serious ones before the others."""
    by_weight = sorted(range(len(said)), key=lambda at: (not said[at].is_serious, -at))
    return [said[at] for at in sorted(by_weight[:most])]


def _shown(one: _Said) -> str:
    return f"{one.text} ({one.times} times)" if one.times > 1 else one.text


def _within(first: list[str], others: list[str]) -> list[str]:
    """As many as there is room for: the oldest go first, the recognised one never."""
    while others and sum(map(len, first + others)) > LONGEST:
        others = others[1:]
    return first + others


def _unwrapped(line: str) -> str:
    """What a part of k0s said itself: k0s writes it as information of its own, named after the part."""
    line = line.strip()
    match = LOGRUS.match(line)
    return _unquoted(match["text"]) if match and PART.search(match["rest"]) else line


def _unquoted(text: str) -> str:
    return BACKSLASH.sub(r"\1", text[1:].removesuffix('"')) if text.startswith('"') else text


def _bare(line: str) -> str:
    if line.startswith("{"):
        return _of_zap(line)
    if match := LOGRUS.match(line):
        return _of_logrus(match)
    if match := KLOG.match(line) or SHORT.match(line):
        return _with_level(match["level"], match["text"])
    return CLOCK.sub("", line)


def _of_zap(line: str) -> str:
    """etcd's form: one JSON object a line."""
    try:
        data = json.loads(line)
        text, error = str(data["msg"]), data.get("error", "")
    except (ValueError, TypeError, KeyError, AttributeError):
        return line
    return _with_level(str(data.get("level", "")), f"{text}: {error}" if error else text)


def _of_logrus(match: re.Match[str]) -> str:
    """K3s', RKE2's, k0s' and containerd's form."""
    text, error = _unquoted(match["text"]), ERROR.search(match["rest"])
    if error:
        text = f"{text}: {_unquoted(error[1])}"
    return _with_level(match["level"], text)


def _with_level(level: str, text: str) -> str:
    word = LEVELS.get(level, "" if level in ("info", "debug", "trace") else level)
    return f"{word}: {text}" if word else text
