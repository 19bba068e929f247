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
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from mk8s import units
from mk8s.distros.rke2.tokens import redact
from mk8s.problems import Catalogue, load_catalogue
from mk8s.steps import Judge, Verdict
from mk8s.units import LONGEST_REASON
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

TRUTHS = ("true", "True")


class UnitView(units.UnitView):
    """What systemd says of RKE2's unit, and what RKE2 said itself."""

    __slots__ = ()
    serious = re.compile(r"level=(fatal|error)|^(FATA|ERRO)\b|\b(fatal|panic):", re.IGNORECASE)
    reinstall = "install again: `mk8s run` after removing what is left with rke2-uninstall.sh"

    @classmethod
    def without(cls, secrets: Sequence[str], outcome: Outcome) -> units.UnitView:
        """Read the output of the `rke2.unit`, `rke2.readyz` and `rke2.ping` commands."""
        text = redact(outcome.stdout.decode("utf-8", "replace"), list(secrets))
        return cls.of(replace(outcome, stdout=text.encode()))

    def trouble(self, catalogue: Catalogue) -> Verdict | None:
        if self.properties.get("Result") == "exec-condition":
            return Verdict(
                False,
                "the unit refused to start: the other RKE2 service runs on this host",
                ("unit.refused", "unit"),
                "stop it, or correct the node's role in the manifest",
                True,
            )
        return super().trouble(catalogue)


def unit_is_active(secrets: Sequence[str], *, enabled: bool = False) -> Judge:
    """Met when systemd calls the unit active; with `enabled`, only if a reboot starts it again."""
    return units.is_active(load_catalogue("rke2"), enabled=enabled, read=partial(UnitView.without, secrets))


def answers(word: str, secrets: Sequence[str]) -> Judge:
    """Met when the endpoint answers with `word`. A unit that keeps failing ends the wait."""

    def judge(outcome: Outcome) -> Verdict:
        view = UnitView.without(secrets, outcome)
        if outcome.ok and view.answer == word:
            return Verdict(True, word)
        trouble = view.trouble(load_catalogue("rke2"))
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
