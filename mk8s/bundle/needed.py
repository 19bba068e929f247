"""What Python distributions ask for: requirements and their markers, read from metadata. Pure.

As much of PEP 508 as metadata holds: name, extras, marker. Versions are not judged: what is installed
was chosen by the installer. A marker that cannot be read counts as met: too much is better than too little.

Begin reading at `read_requirement`, then `Requirement.applies`.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Requirement", "environment", "plain_name", "read_requirement"]

_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*"
    r"(?:\[(?P<extras>[^\]]*)\])?[^;]*(?:;(?P<marker>.*))?",
    re.DOTALL,
)
_VERSION = re.compile(r"\d+(?:\.\d+)*(?:\.\*)?")
_COMPARISONS: Mapping[type[ast.cmpop], Callable[..., bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a distribution asks for. `name` is plain: see `plain_name`."""

    name: str
    extras: frozenset[str]
    marker: str

    def applies(self, environment: Mapping[str, str], extras: frozenset[str]) -> bool:
        """Whether it is asked for there, by a distribution that was asked for with these extras."""
        wanted = extras or frozenset([""])
        return not self.marker or any(_is_met(self.marker, {**environment, "extra": one}) for one in wanted)


def plain_name(name: str) -> str:
    """The name that all spellings of one distribution share: ``ssh2-python`` for ``SSH2_python``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirement(text: str) -> Requirement:
    """One `Requires-Dist`. Raises ValueError for what is none."""
    found = _REQUIREMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no requirement")
    extras = (found["extras"] or "").split(",")
    named = frozenset(plain_name(extra.strip()) for extra in extras if extra.strip())
    return Requirement(plain_name(found["name"]), named, (found["marker"] or "").strip())


def environment(python: tuple[int, int], machine: str) -> dict[str, str]:
    """The variables of markers for CPython on Linux. The patch release is taken as 0: a bundle is for all."""
    minor = f"{python[0]}.{python[1]}"
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{minor}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{minor}.0",
        "python_version": minor,
        "sys_platform": "linux",
    }


def _is_met(marker: str, variables: Mapping[str, str]) -> bool:
    """A marker is written as a comparison of Python, so Python's own parser reads it; nothing is executed."""
    try:
        return _value(ast.parse(marker, mode="eval").body, variables)
    except (SyntaxError, ValueError, KeyError, RecursionError):
        return True


def _value(node: ast.expr, variables: Mapping[str, str]) -> bool:
    if isinstance(node, ast.BoolOp):
        parts = [_value(part, variables) for part in node.values]
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = _text(node.left, variables), _text(node.comparators[0], variables)
        return _compared(left, node.ops[0], right)
    raise ValueError(ast.dump(node))


def _text(node: ast.expr, variables: Mapping[str, str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return variables[node.id]
    raise ValueError(ast.dump(node))


def _compared(left: str, comparison: ast.cmpop, right: str) -> bool:
    if isinstance(comparison, ast.In | ast.NotIn):
        return (left in right) == isinstance(comparison, ast.In)
    compare = _COMPARISONS[type(comparison)]
    if not (_VERSION.fullmatch(left) and _VERSION.fullmatch(right)):
        return compare(left, right)
    if right.endswith(".*"):
        return compare(left.startswith(right[:-1]) or left == right[:-2], True)
    return compare(_numbers(left), _numbers(right))


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and not numbers[-1]:  # 3.11 and 3.11.0 are one version
        numbers.pop()
    return tuple(numbers)
