"""What a check is, what it may look at, and how it is registered.

A check is one function. Three decorators say what it is given, and make the findings of it:

- `of_each_host`: one host -> what is wrong with it, or None;
- `of_all_hosts`: every host that answered -> what is wrong, by the node's name;
- `of_the_release`: the release's files here -> what is wrong with them.

To add one: write it where its kind stands (`checks` lists the modules), describe it in docs/preflight.md,
and name the test that provokes it in tests/mk8s/preflight/test_provoked.py (tests hold all together).
Nothing here touches a node or a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Requirements
from mk8s.preflight.found import Found, Reached
from mk8s.release import Inspection
from mk8s.tables import HEALTHY, PENDING

__all__ = [
    "CHECKS",
    "RELEASE",
    "Among",
    "Check",
    "Finding",
    "Host",
    "Level",
    "ReleaseView",
    "Scene",
    "Trouble",
    "of_all_hosts",
    "of_each_host",
    "of_the_release",
]

Level: TypeAlias = Literal["ok", "warn", "error"]
RELEASE = ""  # in the place of a node's name; a node may be called anything else
Among: TypeAlias = Literal["every", "unfinished", "bare"]
"""Whom a check looks at: every host that answered, those not healthy yet, or those that no run began."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong. An error refuses a run unless its check is waived."""

    message: str
    remedy: str
    level: Level = "error"
    evidence: str = ""  # what was seen, where the message does not say it


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says of one node, or of the release (`node` is then `RELEASE`)."""

    check: str
    node: str
    level: Level
    message: str = ""
    remedy: str = ""
    evidence: str = ""
    waived: bool = False

    @property
    def refuses(self) -> bool:
        return self.level == "error" and not self.waived


@dataclass(frozen=True, slots=True)
class Host:
    """A node that answered."""

    node: Node
    found: Found
    wants: Requirements
    state: str = PENDING  # by the journal
    to_stage: int = 0  # bytes of the release that this node will be sent at most
    reached: Reached | None = None  # None: it was not asked what it sees of the others


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """The release as it lies here. `tags`: the images that its archives hold; None: not known."""

    inspection: Inspection
    tags: tuple[str, ...] | None
    version_faults: tuple[str, ...] = ()
    smoke_image: str = ""
    cut: tuple[str, ...] = ()  # archives of images that end too early
    applied: tuple[tuple[str, str], ...] = ()  # files of the manifest's `manifests`: name, text


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that checks may look at."""

    cluster: Cluster
    hosts: tuple[Host, ...] = ()
    unasked: Mapping[str, str] = field(default_factory=dict)  # node -> why it gave no answer
    unasked_remedies: Mapping[str, str] = field(default_factory=dict)  # where more is known than silence
    refused: Mapping[str, Trouble] = field(default_factory=dict)  # node -> why nobody may become root there
    wants: Mapping[str, Requirements] = field(default_factory=dict)  # of every node, asked or not
    release: ReleaseView | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A registered check. `firm`: why it cannot be waived; empty where it can."""

    name: str
    title: str
    run: Callable[[Scene], list[Finding]]
    firm: str = ""


CHECKS: dict[str, Check] = {}
"""Every check by its name, in the order in which they are told."""

OfHost: TypeAlias = Callable[[Host, Scene], Trouble | None]
OfHosts: TypeAlias = Callable[[Scene], Mapping[str, Trouble]]
OfRelease: TypeAlias = Callable[[ReleaseView, Scene], Iterable[Trouble]]


def of_each_host(
    name: str, title: str, *, among: Among = "unfinished", firm: str = ""
) -> Callable[[OfHost], OfHost]:
    """Decorator: a check that looks at one host at a time."""

    def register(judge: OfHost) -> OfHost:
        def run(scene: Scene) -> list[Finding]:
            looked_at = [host for host in scene.hosts if _is_among(host, among)]
            return [_finding(name, host.node.name, judge(host, scene)) for host in looked_at]

        CHECKS[name] = Check(name, title, run, firm)
        return judge

    return register


def of_all_hosts(name: str, title: str, *, firm: str = "") -> Callable[[OfHosts], OfHosts]:
    """Decorator: a check that compares all hosts that answered."""

    def register(judge: OfHosts) -> OfHosts:
        def run(scene: Scene) -> list[Finding]:
            troubles = judge(scene)
            return [_finding(name, host.node.name, troubles.get(host.node.name)) for host in scene.hosts]

        CHECKS[name] = Check(name, title, run, firm)
        return judge

    return register


def of_the_release(name: str, title: str, *, firm: str = "") -> Callable[[OfRelease], OfRelease]:
    """Decorator: a check of the files here. It may find several troubles."""

    def register(judge: OfRelease) -> OfRelease:
        def run(scene: Scene) -> list[Finding]:
            if scene.release is None:
                return []
            troubles: list[Trouble | None] = list(judge(scene.release, scene))
            return [_finding(name, RELEASE, trouble) for trouble in troubles or [None]]

        CHECKS[name] = Check(name, title, run, firm)
        return judge

    return register


def _is_among(host: Host, among: Among) -> bool:
    return among == "every" or host.state == PENDING or (among == "unfinished" and host.state != HEALTHY)


def _finding(check: str, node: str, trouble: Trouble | None) -> Finding:
    if trouble is None:
        return Finding(check, node, "ok")
    return Finding(check, node, trouble.level, trouble.message, trouble.remedy, trouble.evidence)
