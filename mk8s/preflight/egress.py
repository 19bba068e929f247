"""The check of an air gap: what the manifest would have nodes fetch from outside. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mk8s.preflight.base import ReleaseView, Scene, Trouble, of_the_release
from mk8s.registries.egress import egress_faults

__all__ = ["egress"]


@of_the_release("egress", "with `airgap: true`, nodes fetch nothing from outside")
def egress(release: ReleaseView, scene: Scene) -> Iterator[Trouble]:
    for found in egress_faults(scene.cluster, release.applied, release.tags):
        yield Trouble(str(found), found.remedy, level="error" if found.certain else "warn")
