"""Each rule can be broken: a driver with just that mistake is found out by it, in plain words."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, cast

import pytest

from machines import ActionError
from mk8s.cluster import Cluster, Node
from mk8s.commands import unit_is_enabled
from mk8s.conformance import RULES, Subject
from mk8s.distros.base import ArtifactItem, Condition, Distro, Lookup, Question, Requirements, Situation
from mk8s.distros.phases import Phases, Shown
from mk8s.steps import Run, Step, Verdict, WriteFile
from tests.mk8s.conformance.solo import EXAMPLE, Solo, solo_module
from transports.base import Command, Outcome
from transports.simulated import ServiceModel, SimulatedHost, SimulatedNetwork, SimulatedService

VERSION = "v1.33.4+solo1"
COUNT = itertools.count()
MET = Question("met", Command(operation="solo.ready", description="ask solo", args=("solo.service",)),
               lambda _outcome: Verdict(True))  # fmt: skip


class BadName(Solo):
    name = "Solo Two"


class FaultsAll(Solo):
    def faults(self, cluster: Cluster) -> list[str]:
        return ["version: never good; give up"]


class FaultsNothing(Solo):
    def faults(self, cluster: Cluster) -> list[str]:
        return []


class Mumbles(Solo):
    def faults(self, cluster: Cluster) -> list[str]:
        return [] if "solo" in cluster.version else ["wrong"]


class SameId(Solo):
    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        return [*super().artifacts(cluster)] * 2  # type: ignore[misc]


class Moody(Solo):
    def stage(self, s: Situation) -> list[Step]:
        command = Command(operation="solo.ready", description=f"look {next(COUNT)}")
        return [Run("look", command), *super().stage(s)]  # type: ignore[misc]


class Untitled(Solo):
    def stage(self, s: Situation) -> list[Step]:
        return [replace(step, title="") for step in super().stage(s)]  # type: ignore[misc]


class Chatty(Solo):
    def bootstrap(self, s: Situation) -> list[Step]:
        command = Command(operation="solo.ready", description="join", args=("--token", s.token))
        return [Run("join", command), *super().bootstrap(s)]  # type: ignore[misc]


class Open(Solo):
    def bootstrap(self, s: Situation) -> list[Step]:
        steps = super().bootstrap(s)  # type: ignore[misc]
        return [replace(step, mode=0o644) if isinstance(step, WriteFile) else step for step in steps]


class WildPorts(Solo):
    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return Requirements(ports={99999: "solo"})


class Hasty(Solo):
    def pacing(self, cluster: Cluster) -> Mapping[str, int]:
        return {"joins": 0}


class Alarmed(Solo):
    def classify(self, outcome: Outcome, command: Command) -> ActionError | None:
        return ActionError("disk.full", "disk")


class Brittle(Solo):
    def is_healthy(self, s: Situation) -> list[Question]:
        def judge(outcome: Outcome) -> Verdict:
            return Verdict(bool(json.loads(outcome.stdout)))

        return [replace(question, judge=judge) for question in super().is_healthy(s)]


class Gullible(Solo):
    def lookups(self, s: Situation) -> list[Lookup]:
        ask = Command(operation="solo.ready", description="ask solo", args=("solo.service",))
        return [Lookup("x", "ask", ask, lambda outcome: outcome.text, on=s.cluster.primary.name)]


class Unmodelled(Solo):
    def start(self, s: Situation) -> list[Step]:
        command = Command(operation="solo.dance", description="dance")
        return [Run("dance", command), *super().start(s)]


class Timeless(Solo):
    """A command with a model, and no duration."""

    def stop_unit(self, s: Situation) -> list[Step]:
        command = Command(operation="solo.rest", description="rest")
        return [Run("rest", command), *super().stop_unit(s)]

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        super().model(host, network, cluster)  # type: ignore[misc]
        host.handles("solo.rest")(rest)


async def rest(_host: SimulatedHost, _command: Command) -> Outcome:
    return Outcome(status=0)


class Undeclared(Solo):
    """A part of its service's life that nobody declared."""

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        super().model(host, network, cluster)  # type: ignore[misc]
        host.service_models[self.unit] = ServiceModel(slow_life)


def slow_life(host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
    yield host.seconds("solo:yawn")
    yield from solo_module.life(host, service)


class Boasting(Solo):
    def phases(self) -> Phases:
        return Phases((Shown("solo:start", "join-agent", "agent", ("solo sings",)),))


class Drifting(Solo):
    def bootstrap(self, s: Situation) -> list[Step]:
        path = PurePosixPath("/etc/solo/when")
        return [*super().bootstrap(s), WriteFile("note", path, str(next(COUNT)).encode())]  # type: ignore[misc]


class Sure(Solo):
    def has_joined(self, s: Situation) -> list[Question]:
        return [MET]


class Backwards(Solo):
    """Starts first, and writes then what is to be read."""

    def start(self, s: Situation) -> list[Step]:
        token = WriteFile("write the token", solo_module.TOKEN, s.token.encode(), mode=0o600, secret=True)
        return [*super().start(s), token]


class Eager(Solo):
    """Starts as soon as it is installed."""

    def bootstrap(self, s: Situation) -> list[Step]:
        return [*super().bootstrap(s), *(step for step in super().start(s) if isinstance(step, Run))]  # type: ignore[misc]


class Careless(Solo):
    """Starts, and looks no further."""

    def start(self, s: Situation) -> list[Step]:
        return [step for step in super().start(s) if isinstance(step, Run)]


class Serving(Solo):
    """Its agents serve as its servers do."""

    def requirements(self, node: Node, cluster: Cluster) -> Requirements:
        return Requirements(ports={6443: "solo"} if node.is_server else {})

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        super().model(host, network, cluster)  # type: ignore[misc]
        host.service_models[self.unit] = ServiceModel(serving_life)


def serving_life(host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
    host.listening[6443] = "solo"
    yield from solo_module.life(host, service)


class OnlyDisables(Solo):
    """And questions that no stopped service meets, or the rule of old would do."""

    def stop_unit(self, s: Situation) -> list[Step]:
        return super().stop_unit(s)[:1]

    def has_joined(self, s: Situation) -> list[Question]:
        enabled = Question("enabled", unit_is_enabled(self.unit), lambda outcome: Verdict(outcome.ok))
        return [*super().has_joined(s), enabled]


class OnlyStops(Solo):
    def stop_unit(self, s: Situation) -> list[Step]:
        return super().stop_unit(s)[1:]


class NoConditions(Solo):
    def conditions(self, situations: Any) -> list[Condition]:
        return []


class Trusting(Solo):
    def rewrite_kubeconfig(self, text: str, cluster: Cluster) -> str:
        return text


MORE: list[tuple[str, Solo]] = [
    ("stop-can-be-repeated", OnlyDisables()),
    ("stop-can-be-repeated", OnlyStops()),
]
BROKEN: dict[str, Solo] = {
    "name": BadName(),
    "sound-clusters": FaultsAll(),
    "wrong-version": FaultsNothing(),
    "fault-form": Mumbles(),
    "artifacts": SameId(),
    "same-input": Moody(),
    "spoken-steps": Untitled(),
    "files-first": Backwards(),
    "hidden-secrets": Chatty(),
    "private-files": Open(),
    "requirements": WildPorts(),
    "pacing": Hasty(),
    "harmless-words": Alarmed(),
    "odd-answers": Brittle(),
    "lookups": Gullible(),
    "modelled-commands": Timeless(),
    "becomes-healthy": Unmodelled(),
    "declared-durations": Undeclared(),
    "shown-phases": Boasting(),
    "repeated-steps": Drifting(),
    "questions-tell": Sure(),
    "starts-in-time": Eager(),
    "joined-when-done": Careless(),
    "agents-serve-nothing": Serving(),
    "stop-can-be-repeated": Sure(),
    "conditions": NoConditions(),
    "kubeconfig": Trusting(),
    "survives-faults": Unmodelled(),
}
NEVER_ALONE = {"one-journal", "questions-change-nothing"}
"""What breaks these breaks the simulation itself first: a driver is given neither chance nor a clock."""


@pytest.mark.parametrize(("name", "driver"), [*BROKEN.items(), *MORE])
def test_a_driver_with_the_mistake_is_found_out(name: str, driver: Solo) -> None:
    """By the rule that names it."""
    (rule,) = [rule for rule in RULES if rule.name == name]
    assert rule.broken_by(Subject(cast("Distro", driver), VERSION)) != []


def test_every_rule_has_its_mistake() -> None:
    """A rule that nothing can break says nothing."""
    assert {rule.name for rule in RULES} == {*BROKEN, *NEVER_ALONE}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed as pip does it, beside nothing else."""
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for file in ("pyproject.toml", "mk8s_solo.py"):
        (source / file).write_bytes((EXAMPLE / file).read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True)
    return target


def test_another_partys_driver_is_found_by_its_entry_point(installed: Path, tmp_path: Path) -> None:
    """Installed beside mk8s it is as good as ours: validated, simulated, checked."""
    manifest = tmp_path / "cluster.yaml"
    manifest.write_text(
        f"distro: solo\nversion: {VERSION}\nnodes:\n"
        "  - {address: 10.0.0.1, role: server, primary: true, user: root}\n"
        "  - {address: 10.0.0.2, role: agent, user: root}\n"
    )

    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "solo").write_bytes(b"solo")

    validated = mk8s(installed, "validate", str(manifest))
    simulated = mk8s(installed, "simulate", str(manifest))
    checked = mk8s(installed, "tools", "check-driver", "solo", VERSION)

    assert validated.returncode == 0, validated.stderr
    assert "2 of 2 nodes healthy" in simulated.stderr
    assert (checked.returncode, f"all {len(RULES)} rules are kept" in checked.stderr) == (0, True)


def test_a_driver_that_is_not_there_is_named() -> None:
    """With those that are."""
    done = mk8s(Path("/nowhere"), "tools", "check-driver", "solox", VERSION)
    assert (done.returncode, "'solox' is not known" in done.stderr) == (2, True)


def mk8s(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "mk8s", *words]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_page_has_every_rule() -> None:
    """Name and words, in their order."""
    page = (EXAMPLE.parents[1] / "drivers.md").read_text()
    rows = [f"| `{rule.name}` | {rule.title} |" for rule in RULES]
    assert page.endswith("\n".join(rows) + "\n")


def test_the_example_is_as_short_as_the_page_says() -> None:
    """Under a hundred lines."""
    assert len((EXAMPLE / "mk8s_solo.py").read_text().splitlines()) < 100
