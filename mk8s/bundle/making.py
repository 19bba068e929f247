"""From a manifest and its release to a bundle, every step verified, and the same bytes each time.

Nothing that differs from run to run goes in: no time (but SOURCE_DATE_EPOCH's, where that is set), no
path of this machine, no name of its user. Begin reading at `make_bundle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from mk8s.bundle.contents import host_needs, images_in_archives, named_files, release_members
from mk8s.bundle.describing import hosts_in_words
from mk8s.bundle.files import growing
from mk8s.bundle.head import Head
from mk8s.bundle.index import (
    BOM,
    MANIFEST,
    README,
    SUMS,
    BundleError,
    Index,
    Member,
    encode,
    entry_of,
    in_order,
    read_index,
    sums_text,
)
from mk8s.bundle.signing import NAMESPACE, sign
from mk8s.bundle.template import secrets_of
from mk8s.bundle.writing import contents_of, write_bundle
from mk8s.project import Listing
from mk8s.release import Inspection
from mk8s.version import VERSION
from transports.base import Bytes

__all__ = ["Parts", "default_name", "index_members", "make_bundle", "our_parts", "signature_beside"]

EPOCH = "SOURCE_DATE_EPOCH"


class Bom(Protocol):
    """Makes the bill of materials; `images`: path in the bundle -> names of the images in that archive."""

    def __call__(self, draft: Index, *, images: Mapping[str, Sequence[str]]) -> bytes: ...


class Template(Protocol):
    """Makes the manifest that travels; `files`: paths in it -> where they are in the bundle."""

    def __call__(
        self, text: str, secrets: Sequence[str], *, files: Mapping[str, str], name: str
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What is put beside the release: mk8s itself, the bill of materials, the manifest without secrets."""

    runtime: Callable[[], Iterable[Member]]
    machine: Callable[[], str]  # what mk8s itself needs there, for people
    bom: Bom
    template: Template


def our_parts(wheels: Path | None = None) -> Parts:
    """The product's own. `wheels`: a folder with mk8s' libraries for another Python or machine."""
    from mk8s.bundle.bom import bom_json
    from mk8s.bundle.runtime import runtime_members, target_words
    from mk8s.bundle.template import manifest_template

    return Parts(
        partial(runtime_members, wheels),
        partial(target_words, wheels),
        partial(bom_json, wheels=wheels),
        manifest_template,
    )


def default_name(listing: Listing) -> str:
    """``NAME-VERSION.mk8s.tar``."""
    return f"{listing.cluster.name}-{listing.cluster.version}.mk8s.tar"


def signature_beside(bundle: Path) -> Path:
    """Where a copy of the signature lies: handy where tar is not at hand to take it out."""
    return bundle.with_name(bundle.name + ".sig")


def make_bundle(
    listing: Listing,
    release: Inspection,
    path: Path,
    parts: Parts,
    *,
    key: Path | None = None,
    with_mk8s: bool = True,
    environment: Mapping[str, str],
    progress: Callable[[Head], Callable[[int], None]],
) -> Head:
    """Write the bundle to `path`, from a release that was found whole. On a BundleError nothing is there.

    `progress` is given the head before the first byte, and gives what is told of each byte.
    """
    members = _members(listing, release, parts, with_mk8s=with_mk8s)
    bom = partial(parts.bom, images=images_in_archives(members))
    machine = parts.machine() if with_mk8s else ""
    index, all_members = index_members(_draft(listing, environment), members, bom, machine)
    content = encode(index)
    read_index(content)  # what we would refuse to read is never written
    head = Head(content, index, sign(content, key) if key else b"")
    write_bundle(path, head, contents_of(head.carried, all_members), spent=progress(head))
    _write_beside(path, head.signature)
    return head


def index_members(
    draft: Index, members: Sequence[Member], bom: Callable[[Index], bytes], machine: str
) -> tuple[Index, list[Member]]:
    """The index of these members, and all of them with the three files that are made from it."""
    ordered = in_order(members)
    draft = _with(draft, ordered)
    text = readme(draft, machine)
    ordered = in_order([*ordered, Member(BOM, Bytes(bom(draft))), Member(README, Bytes(text))])
    sums = sums_text(map(entry_of, ordered))
    ordered = in_order([*ordered, Member(SUMS, Bytes(sums))])
    return _with(draft, ordered), ordered


def readme(index: Index, machine: str) -> bytes:
    """What whoever finds the file on a stick should know. `machine`: what the mk8s in it needs, if one is."""
    program = "./mk8s/mk8s" if machine else "mk8s"
    needs = f"\nThe mk8s of this bundle needs {machine}.\n" if machine else ""
    hosts = "\n".join(hosts_in_words(index))
    return f"""\
All that makes the cluster {index.cluster}: {index.distro} {index.version} for {", ".join(index.arches)}.
Made by mk8s {index.mk8s}. It was packed where there is a network, for a place where there is none.

With mk8s, which verifies everything before it puts anything in place:

  mk8s bundle verify FILE.mk8s.tar
  mk8s bundle unpack FILE.mk8s.tar FOLDER

By hand, in a new folder:

  tar -xf FILE.mk8s.tar
  sha256sum -c --quiet SHA256SUMS
  grep "$(sha256sum SHA256SUMS | cut -c1-64)" bundle.json
  ssh-keygen -Y verify -f ALLOWED_SIGNERS -I NAME@PLACE -n {NAMESPACE} -s bundle.json.sig < bundle.json

The second line checks every file, the third that the list is the one that was signed, the fourth, where
there is a bundle.json.sig, who signed it. ALLOWED_SIGNERS is yours: a line "NAME@PLACE ssh-ed25519 AAAA...".

Then put your secrets into cluster.yaml, and:

  {program} preflight cluster.yaml
  {program} run cluster.yaml
{needs}
{hosts}
""".encode()


def _members(listing: Listing, release: Inspection, parts: Parts, *, with_mk8s: bool) -> list[Member]:
    files, renamed = named_files(listing)
    secrets = secrets_of(listing.text, listing.cluster, listing.catalogue)
    manifest = parts.template(listing.text, secrets, files=renamed, name=listing.cluster.name)
    return [
        *release_members(listing, release.files),
        *files,
        Member(MANIFEST, Bytes(manifest)),
        *(parts.runtime() if with_mk8s else ()),
    ]


def _draft(listing: Listing, environment: Mapping[str, str]) -> Index:
    cluster = listing.cluster
    return Index(
        kind="mk8s-bundle",
        format=1,
        cluster=cluster.name,
        distro=cluster.distro,
        version=cluster.version,
        arches=tuple(sorted({node.arch for node in cluster.nodes})),
        mk8s=VERSION,
        created=_time(environment.get(EPOCH, "")),
        hosts=host_needs(cluster),
    )


def _time(epoch: str) -> str:
    """The time that reproducible builds are given; none where there is none."""
    if not epoch:
        return ""
    try:
        return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        raise BundleError(
            f"{EPOCH}={epoch!a} is no time", remedy="give seconds since 1970, or leave it out"
        ) from error


def _with(index: Index, members: Iterable[Member]) -> Index:
    return msgspec.structs.replace(index, members=tuple(map(entry_of, members)))


def _write_beside(path: Path, signature: bytes) -> None:
    """A copy of the signature; an old one must not stay beside a bundle that it is not of."""
    beside = signature_beside(path)
    if not signature:
        beside.unlink(missing_ok=True)
        return
    with growing(beside, len(signature)) as stream:
        stream.write(signature)
