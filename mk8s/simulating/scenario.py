"""Scenarios: what goes wrong in a simulation, as a file that a person writes, and what should come of it.

    scenario: server-dies-after-joining
    title: a joined server loses its power for ten minutes
    faults:
      - node: server[1]
        what: power-off
        when: {edge: join-server, is: done}
        for: 10m
    expect:
      nodes: {"*": healthy}

Read strictly, as manifests are: every mistake is told with line, column and a hint. `Scenario` is the file;
`mk8s.simulating.casting` says what it means in one manifest. docs/simulation.md explains every key.

Begin reading at `ScenarioForm`, then `load_scenario`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from machines import DocumentError, Fault, parse_document, read_form, show_path
from machines.documents import Document, Value
from machines.documents import Path as Place
from machines.forms import SCALARS
from machines.simulation import FAULT_KINDS, FaultKind
from machines.words import did_you_mean, nearest
from mk8s.amounts import counted
from mk8s.errors import UsageError
from mk8s.manifest.mistaken import A_SCENARIO, BEGINNING, mistaken_for
from mk8s.manifest.schema import EDGE_NAMES
from mk8s.manifest.values import rate as bytes_per_second
from mk8s.resources import spec_path
from mk8s.simulating.happenings import WHATS, MomentIs, What
from mk8s.simulating.selecting import EXAMPLES, selector_fault

__all__ = [
    "SUFFIX",
    "ExpectForm",
    "FaultForm",
    "NodeOutcome",
    "RatesForm",
    "ScenarioForm",
    "WhenForm",
    "load_scenario",
    "parse_scenario",
    "shipped_scenarios",
]

SUFFIX = ".yaml"
FOLDER = "scenarios"
MOST_RATE = 1.0
OPERATORS: tuple[What, ...] = ("slow-uplink", "uplink-down")  # they concern no node
SLOW: tuple[What, ...] = ("slow-uplink", "slow-link")
EXAMPLE = "such as file.put, rke2.* or *"

NodeOutcome: TypeAlias = Literal["healthy", "failed", "quarantined", "rolled-back", "blocked"]
Duration: TypeAlias = Annotated[float, Meta(extra={"unit": "duration"})]
Rate: TypeAlias = Annotated[int, Meta(extra={"unit": "rate"})]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common ground of the forms: immutable, and no unknown key is ever ignored."""


class WhenForm(Form, frozen=True, kw_only=True, rename={"is_": "is"}):
    """An edge of a node begins, is done or fails, the first time."""

    edge: str
    is_: MomentIs = "begun"
    node: str | None = None  # the fault's own, when it is left out


class FaultForm(Form, frozen=True, kw_only=True, rename={"for_": "for"}):
    """One fault: of an operation (`operation`), or at a moment (`at`, `when`)."""

    what: Literal[FaultKind, What]
    node: str | None = None
    operation: str | None = None
    attempt: Annotated[int, Meta(ge=1)] | Literal["every"] | None = None
    fraction: Share | None = None
    at: Duration | None = None
    when: WhenForm | None = None
    after: Duration | None = None
    for_: Duration | None = None
    rate: Rate | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None


class RatesForm(Form, frozen=True, kw_only=True):
    """Faults by chance: of each kind, per operation."""

    kinds: dict[FaultKind, Share]
    node: str = "*"
    operation: str = "*"


class ExpectForm(Form, frozen=True, kw_only=True):
    """What should come of it. The last entry that selects a node counts."""

    nodes: dict[str, NodeOutcome | list[NodeOutcome]] = {}
    within: Duration | None = None


class ScenarioForm(Form, frozen=True, kw_only=True):
    """A scenario file."""

    scenario: str
    title: str = ""
    about: str = ""
    seed: int | None = None
    nodes: list[str] | None = None  # the run has these alone
    faults: list[FaultForm] = []
    rates: list[RatesForm] = []
    expect: ExpectForm | None = None


def load_scenario(name: str) -> ScenarioForm:
    """A shipped scenario by its name, or anybody's by the path of its file.

    Raises UsageError with every mistake in it, or when there is none of that name.
    """
    if "/" not in name and not name.endswith((SUFFIX, ".yml")):
        shipped = shipped_scenarios()
        if name not in shipped and not Path(name).exists():
            near = nearest(name, shipped)
            hint = f"did you mean {near!r}? " if near else ""
            hint += f"There are {', '.join(shipped)}; a file of your own is named by its path"
            raise UsageError(f"no scenario {name!r} is shipped", remedy=hint)
        return _read(shipped.get(name, Path(name)))
    return _read(Path(name))


def shipped_scenarios() -> Mapping[str, Path]:
    """Every scenario that comes with mk8s, by name."""
    folder = spec_path(FOLDER)
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def _read(path: Path) -> ScenarioForm:
    remedy = f"name a scenario's file, or one of those that are shipped: {', '.join(shipped_scenarios())}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", remedy=remedy) from error
    try:
        return parse_scenario(data, str(path))
    except DocumentError as error:
        mistaken = mistaken_for(data[:BEGINNING], str(path))
        if mistaken and mistaken.what != A_SCENARIO:
            raise UsageError(f"{path} is no scenario: it is {mistaken.what}", remedy=remedy) from error
        count = counted(len(error.faults), "mistake")
        raise UsageError("\n".join([f"{path}: {count}; nothing was simulated", str(error)])) from error


def parse_scenario(data: bytes | str, file: str) -> ScenarioForm:
    """Raises DocumentError with every mistake."""
    document = parse_document(data, file)
    form, faults = read_form(document, ScenarioForm, scalars={**SCALARS, "rate": _rate})
    if form is not None:
        faults = [document_fault(document, *found) for found in _faults(form)]
    if form is None or faults:
        raise DocumentError(sorted(faults, key=lambda fault: (fault.line, fault.column)))
    return form


def document_fault(document: Document, path: Place, message: str, hint: str) -> Fault:
    """A mistake at its place in the file."""
    return Fault(document.file, *document.mark(path), show_path(path), message, hint)


def _rate(value: Value) -> int:
    try:
        return bytes_per_second(str(value))
    except ValueError:
        raise ValueError("a rate such as 20MB/s, 500KiB/s or 100Mbit/s") from None


# -- what a form alone cannot say -------------------------------------------------------------------

Found: TypeAlias = tuple[Place, str, str]  # where, what, what to do


def _faults(form: ScenarioForm) -> Iterator[Found]:
    for index, selector in enumerate(form.nodes or ()):
        yield from _selector(("nodes", index), selector)
    for index, fault in enumerate(form.faults):
        yield from _fault_faults(("faults", index), fault)
    for index, rates in enumerate(form.rates):
        yield from _selector(("rates", index, "node"), rates.node)
        if sum(rates.kinds.values()) > MOST_RATE:
            yield ("rates", index, "kinds"), "together these chances are more than 1", "lower them"
    for selector in form.expect.nodes if form.expect else ():
        yield from _selector(("expect", "nodes", selector), selector)


def _selector(path: Place, selector: str) -> Iterator[Found]:
    wrong = selector_fault(selector)
    if wrong:
        yield path, wrong, f"write {EXAMPLES}"


def _fault_faults(path: Place, fault: FaultForm) -> Iterator[Found]:
    yield from _node_faults(path, fault)
    if fault.operation is not None:
        yield from _operation_faults(path, fault)
    elif fault.what not in WHATS:
        yield path, f"{fault.what} meets an operation, and none is named", f"add `operation:`, {EXAMPLE}"
    else:
        yield from _moment_faults(path, fault)


def _node_faults(path: Place, fault: FaultForm) -> Iterator[Found]:
    if fault.what in OPERATORS:
        if fault.node is not None:
            yield (*path, "node"), f"{fault.what} is of the operator's link, and no node's", "remove it"
    elif fault.node is None:
        yield path, "the key 'node' is missing", f"write {EXAMPLES}"
    else:
        yield from _selector((*path, "node"), fault.node)


def _operation_faults(path: Place, fault: FaultForm) -> Iterator[Found]:
    if fault.what not in FAULT_KINDS:
        yield (*path, "operation"), f"{fault.what} has a moment, and meets no operation", "use `at` or `when`"
    for key in ("at", "when", "after", "for", "rate", "port"):
        if getattr(fault, "for_" if key == "for" else key) is not None:
            hint = "remove it, or remove `operation:`"
            yield (*path, key), f"{key!r} is of faults at a moment; this one meets an operation", hint


def _moment_faults(path: Place, fault: FaultForm) -> Iterator[Found]:
    for key, value in (("attempt", fault.attempt), ("fraction", fault.fraction)):
        if value is not None:
            yield (*path, key), f"{key!r} is of faults that meet an operation", f"add `operation:`, {EXAMPLE}"
    if (fault.at is None) == (fault.when is None):
        hint = "write `at: 4m` or `when: {edge: join-server, is: begun}`"
        yield path, "it needs a moment: either `at` or `when`", hint
    if fault.after is not None and fault.when is None:
        yield (*path, "after"), "'after' counts from `when`, which is missing", "write `at`"
    if fault.what == "reboot" and fault.for_ is not None:
        hint = "use power-off for a host that is off for some time"
        yield (*path, "for"), "a reboot takes as long as the host boots", hint
    if (fault.rate is not None) != (fault.what in SLOW):
        needs = "needs a `rate`" if fault.what in SLOW else "has no `rate`"
        yield path, f"{fault.what} {needs}", "slow-link and slow-uplink have one, such as 2MB/s"
    if (fault.port is not None) != (fault.what == "port-taken"):
        yield path, "`port` belongs to port-taken, and to nothing else", "such as 6443"
    if fault.when is not None:
        yield from _when_faults((*path, "when"), fault, fault.when)


def _when_faults(path: Place, fault: FaultForm, when: WhenForm) -> Iterator[Found]:
    if when.edge not in EDGE_NAMES:
        yield (*path, "edge"), f"there is no edge {when.edge!r}", did_you_mean(when.edge, EDGE_NAMES)
    if when.node is not None:
        yield from _selector((*path, "node"), when.node)
    elif fault.node is None:
        yield path, "the key 'node' is missing", "say whose edge it is: write `node:`"
