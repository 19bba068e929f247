"""The schema, the documentation, the examples and the structs speak of the same keys."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from machines.documents import parse_document
from mk8s.manifest.schema import EDGE_NAMES, json_schema, key_paths, schema_text
from mk8s.resources import spec_path

CHOSEN_BY_USERS = {
    "artifacts": "<id>",
    "policy.edges": "<edge>",
    "registries.mirrors": "<registry>",
    "registries.access": "<host>",
}
DOCS = Path(__file__).resolve().parents[3] / "docs" / "manifest.md"


def test_the_json_schema_in_specs_is_current() -> None:
    """After a change of the structs it is written anew; the module says how."""
    assert spec_path("manifest.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_documentation_explains_every_key_and_no_other() -> None:
    """One row of a table each."""
    rows = re.findall(r"^\| `([^`]+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted(key_paths())


def test_the_examples_with_every_key_have_every_key() -> None:
    """Whoever looks for a key's place finds it there: RKE2's keys in one, the others in the other."""
    shown: set[str] = set()
    for name in ("every-key.yaml", "kubeadm-ha.yaml", "k0s.yaml", "agents-only.yaml"):
        text = spec_path("clusters", name).read_text(encoding="utf-8")
        shown |= set(_paths_of(parse_document(text, "x").value, ""))

    assert set(key_paths()) - shown == set()


def _paths_of(value: object, above: str) -> list[str]:
    if isinstance(value, list):
        return [path for item in value for path in _paths_of(item, f"{above}[]")]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for key, item in value.items():
        name = CHOSEN_BY_USERS.get(above, str(key))
        path = f"{above}.{name}" if above else name
        found += [path, *_paths_of(item, path)]
    return found


def test_every_key_has_words() -> None:
    """Editors show them."""
    for name, struct in json_schema()["$defs"].items():
        assert struct["description"], name
        for key, about in struct["properties"].items():
            refers = "$ref" in str(about) and "description" not in about
            assert refers or about["description"].endswith("."), f"{name}.{key}"


def test_the_edges_are_those_of_the_node_machine_that_do_something() -> None:
    """In its order."""
    machine = yaml.safe_load(spec_path("machines", "node.yaml").read_text(encoding="utf-8"))

    assert [edge["name"] for edge in machine["edges"] if "do" in edge] == list(EDGE_NAMES)
