"""From a manifest to a bundle: the same bytes each time, no secret, and nothing that changed meanwhile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.bundle.head import Head
from mk8s.bundle.index import BundleError, Index, Member
from mk8s.bundle.making import Parts, default_name, make_bundle
from mk8s.bundle.opening import opened, read_head
from mk8s.bundle.template import manifest_template
from mk8s.project import Listing, load_listing
from mk8s.release import check_release
from transports.base import Bytes

MANIFEST = """\
name: prod
distro: rke2
version: v1.33.4+rke2r1
arch: amd64
airgap: true
artifacts_dir: ../release
nodes:
  - address: 192.0.2.11
    user: ops
    role: server
    primary: true
    config: "token: swordfish-and-chips"  # swordfish-and-chips
  - {address: 192.0.2.21, user: ops, role: agent}
"""
RELEASE = {
    "rke2.linux-amd64.tar.gz": b"rke2" * 1000,
    "rke2-images.linux-amd64.tar.zst": bytes(range(256)) * 9000,
}


def release_in(folder: Path, files: Mapping[str, bytes] = RELEASE) -> None:
    folder.mkdir(parents=True)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    for name, content in {**files, "sha256sum-amd64.txt": sums.encode()}.items():
        (folder / name).write_bytes(content)


def site(folder: Path, manifest: str = MANIFEST) -> Listing:
    """A manifest in a folder and its release beside it."""
    release_in(folder / "release")
    (folder / "site").mkdir()
    (folder / "site/cluster.yaml").write_text(manifest)
    return load_listing(folder / "site/cluster.yaml")


def small_runtime() -> Iterable[Member]:
    return [Member("mk8s/mk8s", Bytes(b"#!/bin/sh\n"), executable=True), Member("mk8s/lib/a.py", Bytes(b""))]


def named_bom(draft: Index, *, images: Mapping[str, Sequence[str]]) -> bytes:
    """The paths that the draft has: the real one is tested apart."""
    return "\n".join(entry.path for entry in draft.members).encode()


PARTS = Parts(small_runtime, lambda: "a machine", named_bom, manifest_template)


def create(
    listing: Listing, path: Path, *, environment: Mapping[str, str] | None = None, with_mk8s: bool = True
) -> Head:
    return make_bundle(
        listing,
        check_release(listing.cluster, listing.catalogue),
        path,
        PARTS,
        environment=environment or {},
        progress=lambda head: lambda count: None,
        with_mk8s=with_mk8s,
    )


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """Other folders, times, owners' masks and orders on the disk are not in it."""
    first = create(site(tmp_path / "one"), tmp_path / "1.mk8s.tar")
    old = os.umask(0o077)
    try:
        there = tmp_path / "another/place"
        listing = site(there)
    finally:
        os.umask(old)
    for number, path in enumerate(sorted((there / "release").iterdir(), reverse=True)):
        path.rename(path.with_name("moved"))
        path.with_name("moved").rename(path)
        os.utime(path, (number * 1e8, number * 1e8))
    second = create(listing, tmp_path / "2.mk8s.tar")
    assert first.digest == second.digest
    assert (tmp_path / "1.mk8s.tar").read_bytes() == (tmp_path / "2.mk8s.tar").read_bytes()


def test_what_was_made_is_what_the_strict_reader_takes(tmp_path: Path) -> None:
    """In the order of the classes, with the release's own hashes, and nothing else."""
    made = create(site(tmp_path), tmp_path / "b.mk8s.tar")
    with opened(tmp_path / "b.mk8s.tar", "verifying") as reader:
        head = reader.verify()
    assert head == made
    assert [entry.path for entry in head.index.members] == [
        "README.txt",
        "SHA256SUMS",
        "sbom.cdx.json",
        "cluster.yaml",
        "mk8s/lib/a.py",
        "mk8s/mk8s",
        "artifacts/rke2-images.linux-amd64.tar.zst",
        "artifacts/rke2.linux-amd64.tar.gz",
        "artifacts/sha256sum-amd64.txt",
    ]
    images = head.index.entry("artifacts/rke2-images.linux-amd64.tar.zst")
    assert images is not None
    assert images.sha256 == hashlib.sha256(RELEASE["rke2-images.linux-amd64.tar.zst"]).hexdigest()
    assert [one.id for one in images.details] == ["images"]


def test_the_index_says_what_hosts_must_have(tmp_path: Path) -> None:
    """By role, as the driver asks for it."""
    head = create(site(tmp_path), tmp_path / "b")
    assert [needs.roles for needs in head.index.hosts] == [("server",), ("agent",)]
    assert any(port.startswith("9345 ") for port in head.index.hosts[0].ports)


def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    """Neither as a value nor in a comment."""
    create(site(tmp_path), tmp_path / "b")
    assert b"swordfish" not in (tmp_path / "b").read_bytes()


def test_no_path_or_name_of_this_machine_is_in_the_file(tmp_path: Path) -> None:
    """What is packed at home tells nothing of home."""
    create(site(tmp_path), tmp_path / "b")
    assert str(tmp_path).encode() not in (tmp_path / "b").read_bytes()


def test_mk8s_itself_may_stay_out(tmp_path: Path) -> None:
    head = create(site(tmp_path), tmp_path / "b", with_mk8s=False)
    assert [entry.path for entry in head.index.members if entry.path.startswith("mk8s/")] == []


def test_time_is_only_what_reproducible_builds_are_given(tmp_path: Path) -> None:
    """SOURCE_DATE_EPOCH, or none; one that is no time is refused."""
    listing = site(tmp_path)
    assert create(listing, tmp_path / "b").index.created == ""
    dated = create(listing, tmp_path / "b", environment={"SOURCE_DATE_EPOCH": "1700000000"})
    assert dated.index.created == "2023-11-14T22:13:20Z"
    with pytest.raises(BundleError, match="is no time"):
        create(listing, tmp_path / "b", environment={"SOURCE_DATE_EPOCH": "yesterday"})


@pytest.mark.parametrize("change", [b"", b"rke3" * 1000, b"rke2" * 1001])
def test_a_file_that_changes_meanwhile_stops_it(change: bytes, tmp_path: Path) -> None:
    """Between the check and the writing: shorter, other, or longer. Nothing is left."""
    listing = site(tmp_path)
    release = check_release(listing.cluster, listing.catalogue)
    (tmp_path / "release/rke2.linux-amd64.tar.gz").write_bytes(change)
    made = tmp_path / "made"
    made.mkdir()
    with pytest.raises(BundleError, match="has changed while"):
        make_bundle(
            listing,
            release,
            made / "b",
            PARTS,
            environment={},
            progress=lambda head: lambda count: None,
        )
    assert list(made.iterdir()) == []


def test_recorded_hashes_travel(tmp_path: Path) -> None:
    """Where no publisher says what a file hashes to, the check after the gap needs our record."""
    listing = site(tmp_path)
    (tmp_path / "release/mk8s-hashes.txt").write_text("recorded\n")
    head = create(listing, tmp_path / "b")
    assert head.index.entry("artifacts/mk8s-hashes.txt") is not None


def test_files_that_the_manifest_names_travel(tmp_path: Path) -> None:
    """Each under a name of its own, and the manifest in the bundle names them there."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one/net work.yaml").write_text("kind: A\n")
    (tmp_path / "net work.yaml").write_text("kind: B\n")
    (tmp_path / "cluster.yaml").write_text(
        "name: prod\ndistro: kubeadm\nversion: v1.33.4\narch: amd64\nairgap: true\n"
        "network: {cni: none}\nmanifests: [one/net work.yaml, ./net work.yaml]\n"
        "nodes:\n  - {address: 192.0.2.11, user: ops, role: server, primary: true}\n"
    )
    listing = load_listing(tmp_path / "cluster.yaml")
    folder = listing.cluster.artifacts_dir
    release_in(
        folder,
        {item.file: b"x" for item in listing.catalogue.artifacts(listing.cluster) if "/" not in item.file},
    )
    head = create(listing, tmp_path / "b")
    named = [entry.path for entry in head.index.members if entry.path.startswith("files/")]
    assert named == ["files/00-net-work.yaml", "files/01-net-work.yaml"]
    with opened(tmp_path / "b", "reading") as reader:
        contents = {entry.path: b"".join(content) for entry, content in reader.members()}
    assert contents["files/01-net-work.yaml"] == b"kind: B\n"
    assert b"manifests: [files/00-net-work.yaml, files/01-net-work.yaml]" in contents["cluster.yaml"]


def test_certificates_of_registries_travel_and_keys_stay(tmp_path: Path) -> None:
    """Nodes need the first; the second open them."""
    manifest = MANIFEST + (
        "ssh: {key_path: id_ops, known_hosts: hosts}\n"
        "registries:\n  mirrors: {docker.io: {endpoints: ['https://mirror.example:5000']}}\n"
        "  access: {'mirror.example:5000': {ca_file: ../ca.pem}}\n"
    )
    (tmp_path / "ca.pem").write_text("certificate\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/id_ops").write_text("key\n")
    release_in(tmp_path / "release")
    (tmp_path / "site/cluster.yaml").write_text(manifest)
    create(load_listing(tmp_path / "site/cluster.yaml"), tmp_path / "b")
    with opened(tmp_path / "b", "reading") as reader:
        contents = {entry.path: b"".join(content) for entry, content in reader.members()}
    assert [path for path in contents if path.startswith("files/")] == ["files/00-ca.pem"]
    assert b"{ca_file: files/00-ca.pem}" in contents["cluster.yaml"]
    assert b"key\n" not in contents.values()


def test_the_bill_of_materials_knows_all_but_itself(tmp_path: Path) -> None:
    """It is made from the index, before the three files that are made from it."""
    create(site(tmp_path), tmp_path / "b")
    with opened(tmp_path / "b", "reading") as reader:
        contents = {entry.path: b"".join(content) for entry, content in reader.members()}
    assert contents["sbom.cdx.json"].decode().splitlines()[0] == "cluster.yaml"


def test_a_member_that_no_bundle_may_have_is_refused_at_home(tmp_path: Path) -> None:
    """Not first where nobody can do anything about it."""
    parts = replace(PARTS, runtime=lambda: [Member("mk8s/../evil", Bytes(b""))])
    listing = site(tmp_path)
    release = check_release(listing.cluster, listing.catalogue)
    with pytest.raises(BundleError, match="cannot be put into a bundle"):
        make_bundle(
            listing, release, tmp_path / "b", parts, environment={}, progress=lambda head: lambda count: None
        )


def test_the_name_says_what_it_is(tmp_path: Path) -> None:
    assert default_name(site(tmp_path)) == "prod-v1.33.4+rke2r1.mk8s.tar"


def test_the_head_can_be_read_alone(tmp_path: Path) -> None:
    """`inspect` does not wait for gigabytes."""
    made = create(site(tmp_path), tmp_path / "b")
    assert read_head(tmp_path / "b") == made
