"""No model keeps its time to itself: every command and every part of a life has a declared duration."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mk8s import modelled, parts_model, unit_models
from mk8s.distros.common import model as common
from mk8s.distros.k0s import durations as k0s_durations
from mk8s.distros.k0s import model as k0s
from mk8s.distros.k3s import model as k3s
from mk8s.distros.kubeadm import durations as kubeadm_durations
from mk8s.distros.kubeadm import model as kubeadm
from mk8s.distros.rancher import model as rancher
from mk8s.distros.rke2 import model as rke2
from mk8s.distros.upstream import model as upstream
from mk8s.distros.vanilla import model as vanilla
from mk8s.endpoints import model as endpoints
from mk8s.fanout import model as fanout
from mk8s.kube import model as kube
from mk8s.preflight import modelled as preflight
from transports.simulated import QUICK, SimulatedNetwork, Span

ROOT = Path(__file__).resolve().parents[2]


def _engine(name: str, own: Mapping[str, object]) -> set[str]:
    return {f"{name}.{operation}" for operation in {*rancher.HANDLED, *own}}


ROOMS: Mapping[str, tuple[set[str], Mapping[str, Span]]] = {
    "the system's": ({*modelled.OS_HANDLERS}, modelled.DURATIONS),
    "parts of files": ({*parts_model.PART_HANDLERS}, parts_model.PART_DURATIONS),
    "units": ({*unit_models.UNIT_HANDLERS}, unit_models.UNIT_DURATIONS),
    "packages": ({*common.HANDLED}, common.DURATIONS),
    "endpoints": ({*endpoints.HANDLED}, endpoints.DURATIONS),
    "from node to node": ({*fanout.fan_out_handlers(SimulatedNetwork())}, fanout.FAN_OUT_DURATIONS),
    "questions to a cluster": ({*kube.HANDLED}, kube.DURATIONS),
    "preflight": ({*preflight.GATHER_HANDLERS}, preflight.GATHER_DURATIONS),
    "rke2": (_engine("rke2", rke2.OWN), rke2.DURATIONS),
    "k3s": (_engine("k3s", k3s.OWN), k3s.DURATIONS),
    "k0s": ({*k0s.HANDLED}, k0s_durations.DURATIONS),
    "kubeadm": ({*kubeadm.HANDLED}, kubeadm_durations.DURATIONS),
    "vanilla": ({*vanilla.HANDLED}, vanilla.DURATIONS),
    "upstream": ({*upstream.HANDLED}, upstream.DURATIONS),
}

MODELS = sorted(
    path
    for pattern in ("**/*model*.py", "**/world.py", "distros/vanilla/services.py", "kube/etcd.py")
    for path in (ROOT / "mk8s").glob(pattern)
)


@pytest.mark.parametrize(("handled", "durations"), ROOMS.values(), ids=ROOMS)
def test_every_command_with_a_model_has_a_duration(handled: set[str], durations: Mapping[str, Span]) -> None:
    """A new one without would silently take next to nothing."""
    assert sorted(handled - set(durations)) == []


@pytest.mark.parametrize("durations", [found for _, found in ROOMS.values()], ids=ROOMS)
def test_a_duration_is_a_stretch_of_time(durations: Mapping[str, Span]) -> None:
    """From the quickest to the slowest, with a rate that moves something."""
    odd = {name: span for name, span in durations.items() if not 0 <= span.low <= span.high or span.rate <= 0}
    assert odd == {}


@pytest.mark.parametrize(("handled", "durations"), ROOMS.values(), ids=ROOMS)
def test_no_duration_is_left_over_from_a_command_that_is_gone(
    handled: set[str], durations: Mapping[str, Span]
) -> None:
    """A name with a dot is an operation; shared ones of other rooms may stand beside."""
    shared = {name for names, _ in ROOMS.values() for name in names} | {*modelled.GREETED}
    assert sorted(name for name in durations if "." in name and name not in handled | shared) == []


@pytest.mark.parametrize("path", MODELS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_model_has_seconds_of_its_own(path: Path) -> None:
    """No sleep, no number to wait for, no chance beside the pace's: each would escape what was learnt."""
    assert list(_findings(ast.parse(path.read_text()))) == []


def test_a_look_that_nobody_speaks_of_is_quick() -> None:
    """So a whole rehearsal rests on declared names, never on this."""
    assert SimulatedNetwork().pace.span("never.heard-of") is QUICK


@pytest.mark.parametrize(
    "source",
    ["yield 3.0", "yield 2 * PAUSE", "yield PAUSE", "await anyio.sleep(4)", "yield chance.uniform(1, 2)"],
)
def test_seconds_in_a_model_are_found(source: str) -> None:
    """The test above is no empty one."""
    assert list(_findings(ast.parse(f"async def life():\n    {source}\n"))) != []


def _findings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Yield) and node.value is not None and not _is_drawn(node.value):
            yield f"line {node.lineno}: yields {ast.unparse(node.value)}"
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".sleep", ".uniform", ".random")):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def _is_drawn(value: ast.expr) -> bool:
    """A draw from the pace; a back-off that doubles; or no seconds at all."""
    named: Callable[[str], bool] = ast.unparse(value).startswith
    return named("host.seconds(") or named("self._takes(") or named("Shown(") or ast.unparse(value) == "pause"
