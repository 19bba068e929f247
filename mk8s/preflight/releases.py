"""Checks of the release files that lie here. Pure: what was found in them came in with the scene."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from mk8s.preflight.base import ReleaseView, Scene, Trouble, of_the_release
from mk8s.release import FETCH_AGAIN, NAME_HASHES, PUT_THEM_THERE

__all__ = ["lacking"]

KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
NOT_KNOWN = Trouble(
    "what the archives of images hold cannot be told: only tar and tar.gz are looked into",
    "make sure that they hold every image of the release",
    level="warn",
)
NEVER_SENT = "without all of its files, each as its checksum says, a release is never sent"


@of_the_release("release-files", "the release's files are here", firm=NEVER_SENT)
def files(release: ReleaseView, scene: Scene) -> Iterator[Trouble]:
    if release.inspection.missing:
        yield Trouble(
            f"not in {scene.cluster.artifacts_dir}: " + "; ".join(release.inspection.missing), PUT_THEM_THERE
        )
    for fault in release.inspection.unreadable:
        yield Trouble(fault, "check its permissions")


@of_the_release("release-checksums", "the release's files are what their checksums say", firm=NEVER_SENT)
def checksums(release: ReleaseView, _scene: Scene) -> Iterator[Trouble]:
    for fault in release.inspection.wrong:
        yield Trouble(fault, FETCH_AGAIN)
    if unchecked := release.inspection.unchecked:
        yield Trouble(
            f"a damaged file would not be noticed: no hash is known of {', '.join(unchecked)}",
            NAME_HASHES,
            level="warn",
        )


@of_the_release("release-images", "the archives hold the images that nodes start with")
def images(release: ReleaseView, scene: Scene) -> Iterator[Trouble]:
    patterns = _patterns(scene)
    for name in release.cut:
        yield Trouble(f"{name} ends in the middle: it was not copied whole", FETCH_AGAIN)
    if release.tags is None:
        if patterns and not release.inspection.missing:
            yield NOT_KNOWN
        return
    missing = lacking(release.tags, patterns)
    if missing:
        yield Trouble(
            f"the release's images lack {', '.join(missing)}",
            "add them to the images archive, for example with `docker save` of all images together",
        )
    smoke = release.smoke_image
    if smoke and smoke not in release.tags:
        yield Trouble(
            f"the release's images lack {smoke}, which `mk8s smoke` starts",
            "add it to the archive, or name another as smoke_image in the manifest",
            level="warn",
        )


@of_the_release("release-versions", "programs and images are of the manifest's version")
def versions(release: ReleaseView, scene: Scene) -> Iterator[Trouble]:
    for fault in release.version_faults:
        yield Trouble(fault, f"take it from the release {scene.cluster.version}")
    other = _of_other_versions(release, scene)
    if other:
        yield Trouble(
            f"images of another version than {scene.cluster.version}: {', '.join(other)}",
            f"take them from the release {scene.cluster.version}",
        )


def lacking(tags: tuple[str, ...], patterns: tuple[str, ...]) -> list[str]:
    """The patterns that no image matches, without the stars around them."""
    return [
        pattern.lstrip("*/").removesuffix(":*")
        for pattern in patterns
        if not any(_matches(tag, pattern) for tag in tags)
    ]


def _matches(tag: str, pattern: str) -> bool:
    """A name without a registry is one of docker's own: it has a place for the pattern's slash, too."""
    return fnmatchcase(tag, pattern) or fnmatchcase(f"/{tag}", pattern)


def _patterns(scene: Scene) -> tuple[str, ...]:
    """What all nodes need, each once, in the driver's order. Known without asking any of them."""
    return tuple(dict.fromkeys(pattern for wants in scene.wants.values() for pattern in wants.images))


def _of_other_versions(release: ReleaseView, scene: Scene) -> list[str]:
    """Of those that are needed and lack the right version: an older one beside it does no harm."""
    missing = lacking(release.tags or (), _patterns(scene))
    parts = {pattern.partition(":")[0] for pattern in missing} & set(KUBERNETES)
    return [tag for tag in release.tags or () if tag.rpartition("/")[2].partition(":")[0] in parts]
