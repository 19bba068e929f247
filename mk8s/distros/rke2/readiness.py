"""What the answers mean: is the unit up, is the API ready, is the node a member? Pure judges.

A judge looks at one answer and says met, not yet (and why), or never (with the class of the failure).
"Never" comes from a unit that keeps failing, or from a message that the catalogue calls final; an agent
that is refused, for example, does not exit but says so for ever.

Begin reading at `unit_is_active` and `node_is_member`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mk8s.distros.rke2.commands import ANSWER, JOURNAL
from mk8s.distros.rke2.tokens import redact
from mk8s.problems import Finding, load_catalogue
from mk8s.steps import Judge, Verdict
from transports.base import Outcome

__all__ = [
    "CONTROL_PLANE",
    "ETCD",
    "NodeView",
    "UnitView",
    "answers",
    "nm_cloud_setup_is_off",
    "no_other_is_joining",
    "node_is_member",
    "unit_is_active",
]

T = TypeVar("T")

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
ETCD = "node-role.kubernetes.io/etcd"
IS_VOTER = "EtcdIsVoter"  # a condition that the engine keeps on etcd nodes: False while it is a learner

MOST_RESTARTS = 3  # systemd waits 5 s between two; one or two happen while a first server is busy
TRUTHS = ("true", "True")
SERIOUS = re.compile(r"level=(fatal|error)|^(FATA|ERRO)\b|\b(fatal|panic):", re.IGNORECASE)
RESTART_LINE = re.compile(r"schedul\w+ restart", re.IGNORECASE)
REINSTALL = "install again: `mk8s run` after removing what is left with rke2-uninstall.sh"
LONGEST_REASON = 240  # characters of a journal line that people are shown


@dataclass(frozen=True, slots=True)
class UnitView:
    """What systemd says of a unit, and what the unit said itself."""

    properties: Mapping[str, str]
    journal: tuple[str, ...] = ()
    answer: str = ""

    @classmethod
    def of(cls, outcome: Outcome, secrets: Sequence[str]) -> UnitView:
        """Read the output of the `rke2.unit`, `rke2.readyz` and `rke2.ping` commands."""
        text = redact(outcome.stdout.decode("utf-8", "replace"), list(secrets))
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
        return int(said) if said.isdigit() else sum(bool(RESTART_LINE.search(line)) for line in self.journal)

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
    def last_words(self) -> str:
        """The most useful line of the journal: the last serious one, or just the last."""
        said = [line.strip() for line in self.journal if line.strip()]
        serious = [line for line in said if SERIOUS.search(line)]
        return (serious or said or [""])[-1][:LONGEST_REASON]

    def trouble(self) -> Verdict | None:
        """A verdict of "never" where there is no point in waiting on."""
        if self.properties.get("LoadState") == "not-found":
            return Verdict(False, "the unit is not installed", ("unit.missing", "unit"), REINSTALL, True)
        if self.properties.get("Result") == "exec-condition":
            return Verdict(
                False,
                "the unit refused to start: the other RKE2 service runs on this host",
                ("unit.refused", "unit"),
                "stop it, or correct the node's role in the manifest",
                True,
            )
        if self.is_active:
            return None
        finding = load_catalogue("rke2").find("\n".join(self.journal))
        if finding and (finding.problem.final or self.keeps_failing):
            return _never(finding)
        if self.keeps_failing:
            reason = f"the unit keeps failing, {self.words}: {self.last_words}"
            return Verdict(
                False, reason, ("unit.failed", "unit"), "read `journalctl -u` of the unit on the host"
            )
        return None


def _never(finding: Finding) -> Verdict:
    known = finding.problem
    return Verdict(False, finding.message[: 2 * LONGEST_REASON], known.lineage, known.remedy, known.final)


def unit_is_active(secrets: Sequence[str], *, enabled: bool = False) -> Judge:
    """Met when systemd calls the unit active; with `enabled`, only if a reboot starts it again."""

    def judge(outcome: Outcome) -> Verdict:
        view = UnitView.of(outcome, secrets)
        trouble = view.trouble()
        if trouble:
            return trouble
        if not view.is_active:
            return Verdict(False, " ".join(filter(None, (f"{view.words}:", view.last_words))).rstrip(":"))
        if enabled and view.properties.get("UnitFileState") != "enabled":
            return Verdict(False, "active, but a reboot would not start it")
        return Verdict(True, "active")

    return judge


def answers(word: str, secrets: Sequence[str]) -> Judge:
    """Met when the endpoint answers with `word`. A unit that keeps failing ends the wait."""

    def judge(outcome: Outcome) -> Verdict:
        view = UnitView.of(outcome, secrets)
        if outcome.ok and view.answer == word:
            return Verdict(True, word)
        trouble = view.trouble()
        if trouble:
            return trouble
        said = view.answer.splitlines()[-1:] or [outcome.complaint if outcome.stderr else "no answer yet"]
        return Verdict(False, f"{view.words}; {redact(said[0], list(secrets))[:LONGEST_REASON]}")

    return judge


@dataclass(frozen=True, slots=True)
class NodeView:
    """What mk8s reads of a Node object."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)  # type -> status
    reasons: Mapping[str, str] = field(default_factory=dict)  # type -> message
    version: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> NodeView:
        """Raises KeyError or TypeError for something that is no Node."""
        metadata, status = data["metadata"], data.get("status", {})
        conditions = status.get("conditions", [])
        return cls(
            name=metadata["name"],
            labels=metadata.get("labels", {}),
            conditions={known["type"]: known["status"] for known in conditions},
            reasons={known["type"]: known.get("message", "") for known in conditions},
            version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        )

    @property
    def is_ready(self) -> bool:
        return self.conditions.get("Ready") == "True"

    @property
    def is_learner(self) -> bool:
        return self.conditions.get(IS_VOTER) == "False"

    def has(self, label: str) -> bool:
        return self.labels.get(label) in TRUTHS

    def lacks(self, roles: Sequence[str], ready: bool, version: str) -> Iterator[str]:
        """Everything that is still missing, in words."""
        for role in roles:
            if not self.has(role):
                yield f"has no label {role}"
        if ETCD in roles and self.is_learner:
            yield "is still a learner in etcd"
        if ready and not self.is_ready:
            yield f"is not Ready: {self.reasons.get('Ready') or 'no condition yet'}"[:LONGEST_REASON]
        if version and self.version != version:
            yield f"runs {self.version or 'an unknown version'}, not {version}"


def node_is_member(name: str, roles: Sequence[str], *, ready: bool, version: str = "") -> Judge:
    """Met when the cluster has the node with these role labels and, if asked, Ready and in this version."""

    def judge(outcome: Outcome) -> Verdict:
        view = _node(outcome)
        if isinstance(view, str):
            return Verdict(False, f"node {name}: {view}")
        missing = list(view.lacks(roles, ready, version))
        if missing:
            return Verdict(False, f"node {name} {'; '.join(missing)}")
        return Verdict(True, f"node {name} is {'Ready' if ready else 'registered'}")

    return judge


def no_other_is_joining(name: str, *, ready: bool) -> Judge:
    """Met when every other etcd member is a full one. Not met is a failure: the join is tried again later."""

    def judge(outcome: Outcome) -> Verdict:
        views = _nodes(outcome)
        if isinstance(views, str):
            return Verdict(False, views)
        busy = [
            view.name
            for view in views
            if view.has(ETCD) and view.name != name and (view.is_learner or (ready and not view.is_ready))
        ]
        if not busy:
            return Verdict(True, "no other server is joining")
        return Verdict(
            False,
            f"another server is still joining: {', '.join(busy)}",
            ("etcd.learner", "etcd"),
            "wait for it, or bring it back; a server that is gone for good: `kubectl delete node NAME`",
        )

    return judge


def nm_cloud_setup_is_off(outcome: Outcome) -> Verdict:
    """This release's unit fails to start while nm-cloud-setup is enabled."""
    if outcome.text not in {"enabled", "enabled-runtime"}:
        return Verdict(True, "nm-cloud-setup is off")
    return Verdict(
        False,
        "nm-cloud-setup is enabled, and this release of RKE2 does not start beside it",
        ("check.nm-cloud-setup", "check"),
        "run `systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer` and reboot the host",
        True,
    )


def _node(outcome: Outcome) -> NodeView | str:
    if not outcome.ok:
        return "not registered yet" if b"NotFound" in outcome.stderr else outcome.complaint
    return _read(outcome, NodeView.of)


def _nodes(outcome: Outcome) -> list[NodeView] | str:
    if not outcome.ok:
        return outcome.complaint
    return _read(outcome, lambda data: [NodeView.of(item) for item in data["items"]])


def _read(outcome: Outcome, read: Callable[[Any], T]) -> T | str:
    try:
        return read(json.loads(outcome.stdout))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "kubectl did not answer with a Node object"
