"""Names of container images, taken apart by the rules that every container runtime follows. Pure.

``nginx`` is ``docker.io/library/nginx:latest``: a first part with a dot, a colon or the word localhost is
a registry, any other name lies at Docker Hub. A name may have a tag, a digest or both; the digest wins.

Source of the rules: the OCI distribution specification, and the reference grammar of Docker's distribution.
Begin reading at `parse_reference`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from machines.words import shown

__all__ = ["DIGEST", "Reference", "component_of", "parse_reference"]

HUB, HUB_FOLDER = "docker.io", "library"
HUB_ADDRESS = "registry-1.docker.io"  # where Docker Hub answers; its name alone is only a name
HUB_OTHER_NAMES = frozenset({"index.docker.io", HUB_ADDRESS})
LONGEST_REPOSITORY = 255  # characters, with the registry
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REGISTRY = re.compile(r"([a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?")
PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Reference:
    """One image's name, whole. `asked` is how the user or the distro wrote it."""

    registry: str  # host[:port]
    repository: str
    tag: str  # empty only where there is a digest
    digest: str  # sha256:… or empty
    asked: str

    @property
    def address(self) -> str:
        """The host[:port] that answers for the registry."""
        return HUB_ADDRESS if self.registry == HUB else self.registry

    @property
    def version(self) -> str:
        """What a registry is asked for: the digest where there is one, else the tag."""
        return self.digest or self.tag

    @property
    def asked_by_tag(self) -> str:
        """As it was asked for, with its tag and without a digest; empty where it has a digest alone."""
        asked, _, _ = self.asked.partition("@")
        return asked if asked.endswith(f":{self.tag}") else f"{asked}:{self.tag}" if self.tag else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The whole names under which a container runtime looks it up: by tag, by digest or by both."""
        base = f"{self.registry}/{self.repository}"
        tagged = (f"{base}:{self.tag}",) if self.tag else ()
        return (*tagged, f"{base}@{self.digest}") if self.digest else tagged


def parse_reference(text: str) -> Reference:
    """A name taken apart. Raises ValueError with words for one that no registry could serve."""
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise ValueError(f"{shown(text)}: after the @ stands no sha256 digest")
    head, tag = _split_tag(rest)
    registry, repository = _split_registry(head)
    parts = repository.split("/")
    if not all(PART.fullmatch(part) for part in parts) or len(head) > LONGEST_REPOSITORY:
        raise ValueError(f"{shown(text)} is not the name of an image, such as registry.k8s.io/pause:3.10")
    if not REGISTRY.fullmatch(registry):
        raise ValueError(f"{shown(text)}: {shown(registry)} is not the address of a registry")
    if tag is not None and not TAG.fullmatch(tag):
        raise ValueError(f"{shown(text)}: {shown(tag)} is not a tag")
    return Reference(registry, repository, tag or ("" if digest else "latest"), digest, text)


def component_of(image: str) -> str:
    """The last part of the name, without tag and digest: ``k8s.gcr.io/pause:3.2`` -> ``pause``."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon after the last slash begins the tag; one before it a port."""
    folder, slash, last = text.rpartition("/")
    name, colon, tag = last.partition(":")
    return f"{folder}{slash}{name}", tag if colon else None


def _split_registry(head: str) -> tuple[str, str]:
    first, slash, rest = head.partition("/")
    if not slash or not (any(sign in first for sign in ".:") or first == "localhost"):
        registry, repository = HUB, head
    else:
        registry, repository = first, rest
    if registry in HUB_OTHER_NAMES:
        registry = HUB
    if registry == HUB and "/" not in repository:
        repository = f"{HUB_FOLDER}/{repository}"
    return registry, repository
