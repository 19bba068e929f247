"""The walls between the rooms (ARCHITECTURE.md): imports go only through the doors."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"machines", "transports", "mk8s", "tests", "benchmarks"}
MAY_IMPORT = {
    "machines": {"transitions", "trio", "anyio", "msgspec", "yaml"},
    "transports": {"ssh2", "anyio", "trio", "msgspec", "cryptography"},
    "mk8s": {
        *("machines", "transports"),
        *("anyio", "trio", "cryptography", "cyclonedx", "httpx", "msgspec", "packageurl", "yaml", "rich"),
    },
}
PRIVATE_TRIO = ROOT / "machines" / "simulation" / "clock.py"


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, relative ones resolved."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            yield ".".join(part for part in (base, node.module) if part)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_its_doors_allow(room: str) -> None:
    """Standard library, itself, and the libraries and rooms that its row in the table names."""
    allowed = MAY_IMPORT[room] | {room} | set(sys.stdlib_module_names)
    trespasses = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imported(path)
        if name.split(".")[0] not in allowed
    ]
    assert trespasses == []


def test_every_room_has_modules_to_check() -> None:
    """The test above means something only while the rooms are where it looks."""
    assert all(len(modules(room)) > 5 for room in MAY_IMPORT)


def test_specs_are_data() -> None:
    """specs/ imports nothing, because it holds no code."""
    assert list((ROOT / "specs").rglob("*.py")) == []


def test_only_one_module_knows_the_private_names_of_trio() -> None:
    """Everything else would break unseen when trio changes them."""
    knowing = [
        path
        for room in MAY_IMPORT
        for path in modules(room)
        if "trio._" in path.read_text() or "_ALLOW_DETERMINISTIC_SCHEDULING" in path.read_text()
    ]
    assert knowing == [PRIVATE_TRIO]
