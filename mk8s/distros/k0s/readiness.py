"""What k0s' answers mean. Pure judges.

k0s' unit is active as soon as its process runs, which says nothing. So the process itself is asked
(`answers_as`), then its API server, etcd's list of members and the Node object, each where it counts.

Begin reading at `answers_as`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from mk8s.distros.k0s.versions import parse_version
from mk8s.kube.judges import node_is_ready
from mk8s.kube.views import orderly
from mk8s.problems import load_catalogue
from mk8s.steps import Judge, Verdict
from mk8s.units import LONGEST_REASON, UnitView
from transports.base import Outcome

__all__ = [
    "answers_as",
    "config_is_valid",
    "has_member",
    "is_version",
    "kubelet_version",
    "no_other_is_joining",
    "node_is_there",
    "read_members",
    "read_progress",
]

PROGRESS = ("joined", "joining", "new")
BUSY = ("etcd.busy", "etcd.learner", "etcd")
JOINING_REMEDY = (
    "wait for it, or bring its host back; one that is gone for good: "
    "`k0s etcd leave --peer-address ITS-ADDRESS` on another controller"
)


# The program


def is_version(version: str) -> Judge:
    """Of `ask_version`: exactly this one. What is installed stays what it is, so anything else is final."""

    def judge(outcome: Outcome) -> Verdict:
        if outcome.ok and outcome.text == version:
            return Verdict(True, version)
        said = outcome.text if outcome.ok else outcome.complaint
        return Verdict(
            False,
            f"k0s on the host says {said[:LONGEST_REASON]!r}, not {version}",
            ("artifact.version", "artifact"),
            f"put k0s {version} on the host, or write its version into the manifest",
            True,
        )

    return judge


def config_is_valid(outcome: Outcome) -> Verdict:
    """Of `validate_config`: k0s takes it. The same config stays wrong, so that is final."""
    if outcome.ok:
        return Verdict(True, "k0s takes it")
    lines = outcome.stderr.decode("utf-8", "replace").strip().splitlines() or [outcome.complaint]
    return Verdict(
        False,
        f"k0s refuses its config: {'; '.join(line.strip() for line in lines)[-2 * LONGEST_REASON :]}",
        ("config.field", "config"),
        "correct `config` in the manifest; k0s' documentation of its configuration has every key",
        True,
    )


# The process


def answers_as(role: str, *, pods: bool, version: str = "", enabled: bool = False) -> Judge:
    """Of `ask_status`: k0s answers, in this role, with a worker in it or not, and in this version.

    A unit that keeps failing ends the wait. `enabled`: only if a reboot starts it again.
    """

    def judge(outcome: Outcome) -> Verdict:
        view = UnitView.of(outcome)
        trouble = view.trouble(load_catalogue("k0s"))
        if trouble:
            return trouble
        status = _status(view.answer) if outcome.ok and view.is_active else None
        if status is None:
            said = view.last_words or "it does not answer yet"
            return Verdict(False, f"{view.words}; {said}"[:LONGEST_REASON])
        wrong = _wrong(status, role, pods, version)
        if wrong:
            return Verdict(False, wrong)
        if enabled and view.properties.get("UnitFileState") != "enabled":
            return Verdict(False, "it answers, but a reboot would not start it")
        return Verdict(True, f"it answers as {status.get('Role', role)}")

    return judge


def _status(answer: str) -> Mapping[str, object] | None:
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _wrong(status: Mapping[str, object], role: str, pods: bool, version: str) -> str:
    """What the process is that it should not be; empty when all is as wanted."""
    is_role = str(status.get("Role", ""))
    if is_role.partition("+")[0] != role:
        return f"it runs as {is_role or 'nothing'}, not as {role}"
    works = bool(status.get("Workloads", pods))
    if works != pods:
        return "it runs a worker, and should not" if works else "it runs no worker, and should"
    if version and status.get("Version") != version:
        return f"it runs {status.get('Version') or 'an unknown version'}, not {version}"
    return ""


def read_progress(outcome: Outcome) -> str:
    """For `Distro.lookups`. Raises ValueError."""
    if outcome.text not in PROGRESS:
        raise ValueError(f"{outcome.text[:40]!r} says nothing of how far it is")
    return outcome.text


# etcd


@orderly
def read_members(outcome: Outcome) -> dict[str, str]:
    """The answer of `ask_members`: name -> peer URL. Raises ValueError."""
    members = json.loads(outcome.stdout)["members"]
    return {str(name): str(url) for name, url in members.items()}


def has_member(name: str, peer: str) -> Judge:
    """Of `ask_members`: this node is one of them. Without a majority of etcd's votes there is no answer."""

    def judge(outcome: Outcome) -> Verdict:
        members = _members(outcome)
        if isinstance(members, str):
            return Verdict(False, members)
        if name in members or (peer and peer in members.values()):
            return Verdict(True, f"etcd has {name} among {len(members)} members")
        return Verdict(False, f"etcd has no member {name}: it has {', '.join(sorted(members)) or 'none'}")

    return judge


def no_other_is_joining(peer: str) -> Judge:
    """Of `ask_members`, before a join: nobody else is on the way. One that has never run has no name yet.

    It gives up at once, so that other servers may try meanwhile.
    """

    def judge(outcome: Outcome) -> Verdict:
        members = _members(outcome)
        if isinstance(members, str):
            return Verdict(False, members)
        waiting = members.get("", peer)
        if waiting == peer:
            return Verdict(True, "no other controller is joining")
        return Verdict(
            False, f"another controller is still joining: the one at {waiting}", BUSY, JOINING_REMEDY
        )

    return judge


def _members(outcome: Outcome) -> dict[str, str] | str:
    if not outcome.ok:
        return outcome.complaint[:LONGEST_REASON]
    try:
        return read_members(outcome)
    except ValueError as error:
        return str(error)


# The Node


def kubelet_version(version: str) -> str:
    """How a kubelet of this release calls itself: ``v1.33.4+k0s``. Empty for what is no release."""
    release = parse_version(version)
    return f"v1.{release.minor}.{release.patch}+k0s" if release else ""


def node_is_there(name: str, *, ready: bool, version: str = "") -> Judge:
    """Of `kube.get_node` and `ask_own_node`."""
    return node_is_ready(name, ready=ready, version=version)
