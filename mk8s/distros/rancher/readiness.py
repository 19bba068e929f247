"""What the answers mean: is the unit up, is the API ready, is the node a member? Pure judges.

A judge looks at one answer and says met, not yet (and why), or never (with the class of the failure).
"Never" comes from a unit that keeps failing, or from a message that the catalogue calls final; an agent
that is refused, for example, does not exit but says so for ever.

Begin reading at `unit_is_active` and `node_is_member`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from mk8s import units
from mk8s.distros.rancher.engine import Engine
from mk8s.distros.rancher.roles import ETCD
from mk8s.distros.rancher.tokens import redact
from mk8s.problems import Catalogue, load_catalogue
from mk8s.steps import Judge, Verdict
from mk8s.units import LONGEST_REASON
from transports.base import Outcome

__all__ = [
    "IS_VOTER",
    "NodeView",
    "UnitView",
    "answers",
    "etcd_is_healthy",
    "is_version",
    "no_other_is_joining",
    "node_is_member",
    "unit_is_active",
    "unit_is_installed",
]

T = TypeVar("T")

IS_VOTER = "EtcdIsVoter"  # a condition that the engine keeps on etcd nodes: False while it is a learner

TRUTHS = ("true", "True")


class UnitView(units.UnitView):
    """What systemd says of the engine's unit, and what the engine said itself."""

    __slots__ = ()
    reinstall = "install again: `mk8s run` after removing what is left with the engine's uninstall script"

    @classmethod
    def without(cls, secrets: Sequence[str], outcome: Outcome) -> units.UnitView:
        """Read the output of the commands that ask a unit, without these secrets."""
        text = redact(outcome.stdout.decode("utf-8", "replace"), list(secrets))
        return cls.of(replace(outcome, stdout=text.encode()))

    def trouble(self, catalogue: Catalogue) -> Verdict | None:
        if self.properties.get("Result") == "exec-condition":
            return Verdict(
                False,
                "the unit refused to start: the service of the other role runs on this host",
                ("unit.refused", "unit"),
                "stop it, or correct the node's role in the manifest",
                True,
            )
        return super().trouble(catalogue)


def unit_is_active(engine: Engine, secrets: Sequence[str], *, enabled: bool = False) -> Judge:
    """Met when systemd calls the unit active; with `enabled`, only if a reboot starts it again."""
    catalogue = load_catalogue(engine.name)
    return units.is_active(catalogue, enabled=enabled, read=partial(UnitView.without, secrets))


def unit_is_installed(unit: str) -> Judge:
    """Met when systemd has the unit. Not met is for good: nobody is going to install it."""

    def judge(outcome: Outcome) -> Verdict:
        if UnitView.of(outcome).properties.get("LoadState") == "loaded":
            return Verdict(True, f"{unit} is installed")
        remedy = "install the release on the host first, or leave `artifacts_mode: preinstalled` out"
        return Verdict(False, f"{unit} is not installed", ("check.preinstalled", "check"), remedy, True)

    return judge


def is_version(version: str) -> Judge:
    """Met when the program names exactly this version. Not met is for good."""

    def judge(outcome: Outcome) -> Verdict:
        said = outcome.text.splitlines()[0] if outcome.ok and outcome.text else ""
        if version in said.split():
            return Verdict(True, said)
        problem = (
            f"the host has {said!r}, not {version}"
            if said and said != "absent"
            else f"the host has no {version}"
        )
        remedy = "install this version on the host, or write the one that it has as `version`"
        return Verdict(False, problem, ("check.preinstalled", "check"), remedy, True)

    return judge


def answers(engine: Engine, word: str, secrets: Sequence[str]) -> Judge:
    """Met when the endpoint answers with `word`. A unit that keeps failing ends the wait."""
    return _answer(engine, secrets, lambda said: said == word, word)


def etcd_is_healthy(engine: Engine, secrets: Sequence[str]) -> Judge:
    """Met when this host's member of etcd calls itself healthy: it has a leader then."""
    return _answer(engine, secrets, _says_healthy, "etcd is healthy")


def _says_healthy(said: str) -> bool:
    try:
        return str(json.loads(said)["health"]) in TRUTHS
    except (ValueError, KeyError, TypeError):
        return False


def _answer(engine: Engine, secrets: Sequence[str], good: Callable[[str], bool], evidence: str) -> Judge:
    def judge(outcome: Outcome) -> Verdict:
        view = UnitView.without(secrets, outcome)
        if outcome.ok and good(view.answer):
            return Verdict(True, evidence)
        catalogue = load_catalogue(engine.name)
        trouble = view.trouble(catalogue) or units.refused(catalogue, outcome)
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
        if not any(view.has(ETCD) for view in views):
            reason = "the first server has no etcd yet"
            return Verdict(
                False, reason, ("etcd.learner", "etcd"), "run again once it has moved its state there"
            )
        if not busy:
            return Verdict(True, "no other server is joining")
        return Verdict(
            False,
            f"another server is still joining: {', '.join(busy)}",
            ("etcd.learner", "etcd"),
            "wait for it, or bring it back; a server that is gone for good: `kubectl delete node NAME`",
        )

    return judge


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
