"""The bill of materials of a bundle: CycloneDX 1.6, as JSON, made with the standard's own library.

It lists what is in the bundle (release files with their hashes, the container images in them, the other
files, mk8s and each Python library), what the hosts must have themselves, and what the machine that mk8s
runs on there must have. What is not in the bundle carries the property `mk8s:included` = `false`.

Laws:

1. The same bundle gives the same bytes: no clock, no random number; the serial number is made from the
   content.
2. A package URL stands only where it is right: a file of a GitHub release, a file with a known address, a
   container image, a Python library. None for mk8s itself.

Begin reading at `bom_json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6

from mk8s.bundle import bom_hosts, bom_parts
from mk8s.bundle.bom_parts import property_of
from mk8s.bundle.index import BOM, README, RUNTIME, SUMS, Index, encode
from mk8s.bundle.installed import Shipped
from mk8s.bundle.needed import environment, plain_name, read_requirement
from mk8s.bundle.runtime import shipped, target
from mk8s.bundle.target import Target

__all__ = ["bom_json"]

SPACE = UUID("5c8a1c2e-8d0c-5f43-9a55-6d6b38736264")  # of our serial numbers; chosen once, never changed
NO_PARTS = frozenset([README, SUMS, BOM])  # they speak of the others
NO_IMAGES: Mapping[str, Sequence[str]] = {}


def bom_json(
    draft: Index, *, images: Mapping[str, Sequence[str]] = NO_IMAGES, wheels: Path | None = None
) -> bytes:
    """The bill of materials for these members.

    `images`: member's path -> names of the container images that its archive holds, where they are known.
    The libraries are those of the mk8s that runs now or of `wheels`, as `runtime_members` takes them, if the
    members hold an mk8s at all.
    """
    root = _root(draft)
    files = [
        bom_parts.file_component(draft, entry, images.get(entry.path, ()))
        for entry in draft.members
        if entry.path not in NO_PARTS and not entry.path.startswith(RUNTIME)
    ]
    has_mk8s = any(entry.path.startswith(RUNTIME) for entry in draft.members)
    own = shipped(wheels) if has_mk8s else ()
    there = target(wheels) if has_mk8s else None
    libraries = {plain_name(one.name): bom_parts.library(one) for one in own}
    needs = [*bom_hosts.hosts(draft), *bom_hosts.operator(there)]
    bom = Bom(
        serial_number=uuid5(SPACE, encode(draft).decode()),
        components=[*files, *libraries.values(), *needs],
        metadata=BomMetaData(
            component=root,
            tools=ToolRepository(components=[bom_parts.tool(draft.mk8s)]),
            timestamp=_time(draft.created),
        ),
    )
    bom.register_dependency(
        root, [*files, *needs, *(libraries[name] for name in libraries if name == "mk8s")]
    )
    if there:
        _relate(bom, own, libraries, there)
    return _written(bom, timed=bool(draft.created))


def _root(draft: Index) -> Component:
    return Component(
        name=draft.cluster,
        version=draft.version,
        type=ComponentType.APPLICATION,
        bom_ref="bundle",
        description=f"A bundle with all that makes the cluster: {draft.distro} {draft.version}",
        properties=[
            property_of("distro", draft.distro),
            *(property_of("arch", arch) for arch in draft.arches),
        ],
    )


def _relate(bom: Bom, own: Sequence[Shipped], libraries: Mapping[str, Component], there: Target) -> None:
    """Each library needs what its metadata asks for."""
    for one in own:
        needs = [libraries[name] for name in _direct(one, there)]
        bom.register_dependency(libraries[plain_name(one.name)], needs)


def _direct(one: Shipped, there: Target) -> list[str]:
    variables = environment(there.python, there.machine)
    asked = [read_requirement(text) for text in one.requires]
    return sorted({each.name for each in asked if each.applies(variables, frozenset())})


def _time(created: str) -> datetime:
    """The library wants a time in any case; one that nobody gave is taken out again."""
    return datetime.fromisoformat(created or "1970-01-01T00:00:00+00:00")


def _written(bom: Bom, *, timed: bool) -> bytes:
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    if not timed:
        document["metadata"].pop("timestamp")
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"
