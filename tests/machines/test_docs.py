"""docs/machines.md says what the code does: every key, and examples that run."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from machines.loading import parse_machine
from machines.registry import Registry
from machines.spec import Catch, EdgeSpec, MachineSpec, Retry, SignalSpec, StateSpec
from machines.table import Table

PAGE = (Path(__file__).parents[2] / "docs" / "machines.md").read_text(encoding="utf-8")
SECTIONS: dict[type[msgspec.Struct], str] = {
    MachineSpec: "## The machine\n",
    StateSpec: "### A state\n",
    SignalSpec: "### A signal\n",
    EdgeSpec: "### An edge\n",
    Retry: "### A retry clause\n",
    Catch: "### A catch clause\n",
}


def section(heading: str) -> str:
    _, found, rest = PAGE.partition(heading)
    assert found, f"docs/machines.md has no section {heading!r}"
    return re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("form", SECTIONS, ids=lambda form: str(form.__name__))
def test_every_key_is_explained_and_no_other(form: type[msgspec.Struct]) -> None:
    """The rows of the section's table are the keys of the struct, in its order."""
    rows = re.findall(r"^\| `(\w+)` \|", section(SECTIONS[form]), re.MULTILINE)
    assert rows == [field.encode_name for field in msgspec.structs.fields(form)]


def test_the_example_is_a_sound_machine() -> None:
    """What a reader copies must load."""
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    registry = Registry()

    async def turn_key(_context: object) -> None:
        """Nothing to do."""

    registry.actions["turn_key"] = turn_key
    spec = parse_machine(example, "door.yaml", registry)
    assert Table(spec, registry.guards).states == {"closed", "closed~unlock", "open", "broken"}


def test_the_defaults_are_those_of_the_code() -> None:
    """A default that changes must change here too."""
    defaults = Retry(match=["*"])
    assert (defaults.delay, defaults.backoff, defaults.max_delay) == (1.0, 2.0, 60.0)
    page = section(SECTIONS[Retry])
    assert "`1s` where left out" in page
    assert "`2` where left out" in page
    assert "`1m` where left out" in page
    assert f"`{SignalSpec(role=['x'], state='y').at_least}` where left out" in section(SECTIONS[SignalSpec])


@pytest.mark.parametrize(
    "literal",
    ["outcome", "limit_scope", "jitter"],
)
def test_every_choice_of_a_key_is_named(literal: str) -> None:
    """Where only some words may stand, the page says which."""
    forms = [form for form in SECTIONS if literal in form.__struct_fields__]
    choices = re.findall(r"'([a-z]+)'", str(forms[0].__annotations__[literal]).replace('"', "'"))
    assert len(choices) >= 2
    assert all(f"`{choice}`" in section(SECTIONS[forms[0]]) for choice in choices)
