"""A machine from text: every fault of the text, the form and the meaning in one `MachineError`.

A document with mistakes in its form is still checked as far as it is sound: its edges, states and
signals are read one by one, and those that can be read are looked at. Only the checks that follow
the edges through the whole machine wait until the form is right; on a part they would be wrong.

Begin reading at `parse_machine`.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any, TypeVar

from machines.checks import Parts, Problem, check, check_parts
from machines.documents import Document, Path, parse_document, show_path
from machines.errors import DocumentError, Fault, MachineError
from machines.forms import read_form
from machines.registry import Registry
from machines.spec import EdgeSpec, MachineSpec, SignalSpec, StateSpec

__all__ = ["load_machine", "parse_machine"]

T = TypeVar("T")


def load_machine(path: FilePath | str, registry: Registry | None = None) -> MachineSpec:
    """Read a machine from a file. Raises MachineError with every fault, OSError when it cannot be read."""
    return parse_machine(FilePath(path).read_bytes(), str(path), registry)


def parse_machine(text: bytes | str, file: str, registry: Registry | None = None) -> MachineSpec:
    """Read a machine from text. `file` is used in messages only.

    With a registry, the names of actions, guards, probes and undos must stand in it. Raises
    MachineError with every fault, sorted by position.
    """
    try:
        document = parse_document(text, file)
    except DocumentError as error:
        raise MachineError(error.faults) from None
    spec, faults = read_form(document, MachineSpec)
    problems = check(spec, registry) if spec is not None else check_parts(_parts(document), registry)
    told = {fault.path for fault in faults}  # a name that the form refuses is not told again
    found = [_fault(document, problem) for problem in problems]
    faults += [fault for fault in found if fault.path not in told]
    if spec is None or faults:
        raise MachineError(sorted(faults, key=lambda fault: (fault.line, fault.column)))
    return spec


def _fault(document: Document, problem: Problem) -> Fault:
    line, column = document.mark(problem.path)
    return Fault(document.file, line, column, show_path(problem.path), problem.message, problem.hint)


def _parts(document: Document) -> Parts:
    """What is sound of a document whose form is not."""
    value: Any = document.value if isinstance(document.value, dict) else {}
    edges = value.get("edges")
    initial = value.get("initial")
    states = _section(document, value, "states", StateSpec)
    return Parts(
        edges=_edges(document, edges if isinstance(edges, list) and states else []),
        states=states,
        signals=_section(document, value, "signals", SignalSpec) if states else {},
        limits=_section(document, value, "limits", int),
        budgets=_section(document, value, "budgets", str),
        initial=initial if isinstance(initial, str) and states else None,
    )


def _section(document: Document, value: Any, key: str, form: type[T]) -> dict[str, T | None]:
    section = value.get(key)
    names = section if isinstance(section, dict) else {}
    return {name: _sound(document, form, (key, name)) for name in names}


def _edges(document: Document, edges: list[Any]) -> dict[int, EdgeSpec]:
    read = {index: _sound(document, EdgeSpec, ("edges", index)) for index in range(len(edges))}
    return {index: edge for index, edge in read.items() if edge is not None}


def _sound(document: Document, form: type[T], path: Path) -> T | None:
    return read_form(document, form, path=path)[0]
