"""The bill of materials: right by the standard's schema, the same each time, and complete."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from mk8s.bundle.bom import bom_json
from mk8s.bundle.index import Details, HostNeeds, Index, Member, entry_of, in_order
from mk8s.bundle.needed import plain_name
from mk8s.bundle.runtime import runtime_members, shipped, target
from transports.base import Bytes

ROOT = Path(__file__).parents[3]
GITHUB = "https://github.com/rancher/rke2/releases/download/v1.28.3%2Brke2r2/rke2.linux-amd64.tar.gz"
BINARY = Details(
    id="binary",
    purpose="RKE2 itself",
    destination="/usr/local/bin/rke2",
    arch="amd64",
    roles=("primary", "server"),
    url=GITHUB,
)
SERVER = HostNeeds(
    roles=("server",),
    programs=("iptables", "mount"),
    modules=("br_netfilter",),
    ports=("6443 (the API server)",),
    memory=1_700_000_000,
    cpus=2,
)
AGENT = HostNeeds(roles=("agent",), programs=("mount",))


def members(*more: Member, own: bool = False) -> list[Member]:
    given = [
        Member("artifacts/rke2.linux-amd64.tar.gz", Bytes(b"binary"), details=(BINARY,)),
        Member("cluster.yaml", Bytes(b"distro: rke2\n")),
        *more,
        *(runtime_members() if own else ()),
    ]
    return in_order(given)


def index(
    *more: Member, own: bool = False, created: str = "", hosts: Sequence[HostNeeds] = (SERVER, AGENT)
) -> Index:
    return Index(
        kind="mk8s-bundle",
        format=1,
        cluster="production",
        distro="rke2",
        version="v1.28.3+rke2r2",
        arches=("amd64",),
        mk8s="0.1.0",
        created=created,
        hosts=tuple(hosts),
        members=tuple(entry_of(member) for member in members(*more, own=own)),
    )


def bill(draft: Index, images: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bom_json(draft, images=images or {}))
    return found


def component(document: Mapping[str, Any], reference: str) -> dict[str, Any]:
    (found,) = (one for one in document["components"] if one["bom-ref"] == reference)
    return dict(found)


def facts(one: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in one["properties"]:
        found.setdefault(entry["name"].removeprefix("mk8s:"), []).append(entry["value"])
    return found


def faults_by_schema(content: bytes) -> object:
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode())


@pytest.mark.parametrize("created", ["", "2026-01-02T03:04:05Z"])
@pytest.mark.parametrize("own", [False, True])
def test_it_follows_the_schema(created: str, own: bool) -> None:
    """CycloneDX 1.6, strictly; with and without an mk8s in it, with and without a time."""
    archive = Member("artifacts/images.tar", Bytes(b"images"))
    draft = index(archive, own=own, created=created)
    content = bom_json(draft, images={archive.path: ["registry.k8s.io/pause:3.10", "not A name!"]})
    assert faults_by_schema(content) is None


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)


@settings(max_examples=25, deadline=None)  # the first call reads the schema
@given(url=WORDS, name=WORDS, purpose=WORDS, images=st.lists(WORDS, max_size=3))
def test_it_follows_the_schema_whatever_a_manifest_says(
    url: str, name: str, purpose: str, images: list[str]
) -> None:
    """Addresses, ids and image names are foreign words."""
    more = Member(
        "artifacts/thing",
        Bytes(b"?"),
        details=(Details(id=name, purpose=purpose, url=f"https://{url}", images=tuple(images)),),
    )
    assert faults_by_schema(bom_json(index(more))) is None


def test_two_builds_have_the_same_bytes() -> None:
    """In other processes with other hash seeds: no clock and no order of a set is in it."""
    draft = index(own=True)
    code = (
        "import sys, msgspec\nfrom mk8s.bundle.bom import bom_json\nfrom mk8s.bundle.index import Index\n"
        "sys.stdout.buffer.write(bom_json(msgspec.json.decode(sys.stdin.buffer.read(), type=Index)))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=msgspec.json.encode(draft),
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


def test_it_says_no_time_unless_one_was_given() -> None:
    """SOURCE_DATE_EPOCH's, which the index has."""
    assert "timestamp" not in bill(index())["metadata"]
    assert bill(index(created="2026-01-02T03:04:05Z"))["metadata"]["timestamp"] == "2026-01-02T03:04:05+00:00"


def test_the_serial_number_is_that_of_the_content() -> None:
    """Another content, another number; the same, the same."""
    numbers = {bill(index())["serialNumber"], bill(index())["serialNumber"]}
    assert len(numbers) == 1
    assert bill(index(Member("artifacts/more", Bytes(b"x"))))["serialNumber"] not in numbers


def test_every_member_is_in_it_with_its_hash() -> None:
    """All but mk8s' own files, which its libraries stand for, and the files that speak of the others."""
    draft = index(Member("files/00-a.yaml", Bytes(b"a")), Member("README.txt", Bytes(b"r")), own=True)
    document = bill(draft)
    listed = {one["bom-ref"]: one["hashes"] for one in document["components"] if "hashes" in one}
    expected = {
        entry.path: [{"alg": "SHA-256", "content": entry.sha256}]
        for entry in draft.members
        if not entry.path.startswith(("mk8s/", "README.txt"))
    }
    assert listed == expected


def test_a_release_file_says_what_it_is_and_where_it_came_from() -> None:
    """Its purpose, its place on a node, who needs it, its address and its package URL."""
    found = component(bill(index()), "artifacts/rke2.linux-amd64.tar.gz")
    assert (found["name"], found["version"]) == ("rke2.linux-amd64.tar.gz", "v1.28.3+rke2r2")
    assert found["description"] == "RKE2 itself"
    digest = found["hashes"][0]["content"]
    assert found["purl"] == (
        f"pkg:github/rancher/rke2@v1.28.3%2Brke2r2?checksum=sha256:{digest}&file_name=rke2.linux-amd64.tar.gz"
    )
    assert found["externalReferences"] == [{"type": "distribution", "url": GITHUB}]
    assert facts(found) == {
        "arch": ["amd64"],
        "destination": ["/usr/local/bin/rke2"],
        "id": ["binary"],
        "path": ["artifacts/rke2.linux-amd64.tar.gz"],
        "role": ["primary", "server"],
        "size": ["6"],
    }


@pytest.mark.parametrize(
    ("url", "purl"),
    [
        (
            "https://dl.k8s.io/v1.30.0/bin/linux/amd64/kubeadm",
            "pkg:generic/kubeadm@v1.28.3%2Brke2r2?checksum=",
        ),
        ("https://github.com/a/b/archive/x.tgz", "pkg:generic/x.tgz@"),
        ("file:///srv/kubeadm", None),
        ("", None),
    ],
)
def test_a_package_url_stands_only_where_it_is_right(url: str, purl: str | None) -> None:
    """What lies on somebody's disk has no address."""
    more = Member("artifacts/it", Bytes(b"it"), details=(Details(id="it", url=url),))
    found = str(component(bill(index(more)), "artifacts/it").get("purl"))
    assert found.startswith(purl or "None")


def test_a_login_in_an_address_is_not_told() -> None:
    """A bill of materials is handed around."""
    url = "https://me:hush-hush@mirror.example.org/kubeadm"
    more = Member("artifacts/kubeadm", Bytes(b"it"), details=(Details(id="kubeadm", url=url),))
    content = bom_json(index(more))
    assert b"hush-hush" not in content
    assert b"https://mirror.example.org/kubeadm" in content


def test_the_images_of_an_archive_are_parts_of_it() -> None:
    """Whole names, tags or digests, and package URLs; from the archive, or from what it was made of."""
    digest = f"sha256:{'a' * 64}"
    read = Member("artifacts/images.tar", Bytes(b"1"))
    made = Member("artifacts/made.tar", Bytes(b"2"), details=(Details(id="made", images=("nginx",)),))
    document = bill(index(read, made), {read.path: ["registry.k8s.io/pause:3.10", f"quay.io/a/b@{digest}"]})
    parts = component(document, read.path)["components"]
    assert [(one["type"], one["name"], one["version"], one["purl"]) for one in parts] == [
        ("container", "quay.io/a/b", digest, f"pkg:oci/b@{digest}?repository_url=quay.io/a/b"),
        (
            "container",
            "registry.k8s.io/pause",
            "3.10",
            "pkg:oci/pause?repository_url=registry.k8s.io/pause&tag=3.10",
        ),
    ]
    assert [one["name"] for one in component(document, made.path)["components"]] == [
        "docker.io/library/nginx"
    ]


def test_an_archive_that_nobody_can_look_into_says_so() -> None:
    """zstd: no list of images must not look like an empty one."""
    unread = Member("artifacts/i.tar.zst", Bytes(b"1"), details=(Details(id="images"),))
    assert facts(component(bill(index(unread)), unread.path))["images"] == ["not known"]
    read = bill(index(unread), {unread.path: ["nginx:1"]})
    assert "images" not in facts(component(read, unread.path))


def test_mk8s_and_every_library_are_in_it() -> None:
    """With version, licence and package URL; mk8s itself has none, for nobody publishes it there."""
    document = bill(index(own=True))
    for one in shipped():
        found = component(document, f"python:{plain_name(one.name)}")
        assert (found["name"], found["version"]) == (one.name, one.version)
        assert found["licenses"], one.name
        expected = None if one.name == "mk8s" else f"pkg:pypi/{plain_name(one.name)}@{one.version}"
        assert found.get("purl") == expected


def test_libraries_are_in_it_only_where_they_travel() -> None:
    """A bundle may be made without an mk8s in it."""
    references = {one["bom-ref"] for one in bill(index())["components"]}
    assert not [reference for reference in references if reference.startswith("python:")]
    assert "operator:CPython" not in references


def test_who_needs_whom_is_told() -> None:
    """The bundle needs everything, httpx needs httpcore."""
    document = bill(index(own=True))
    needs = {one["ref"]: one.get("dependsOn", []) for one in document["dependencies"]}
    listed = {one["bom-ref"] for one in document["components"]}
    reached, waiting = set[str](), ["bundle"]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += needs.get(one, [])
    assert listed <= reached
    assert "python:httpcore" in needs["python:httpx"]


def test_what_the_hosts_must_have_is_told_by_role() -> None:
    """Memory, processors, kernel modules and ports of an operating system; programs with their roles."""
    document = bill(index())
    system = component(document, "host:0")
    assert (system["type"], system["scope"]) == ("operating-system", "required")
    assert facts(system) == {
        "host-requirement": ["operating-system"],
        "included": ["false"],
        "on": ["host"],
        "role": ["server"],
        "memory-bytes": ["1700000000"],
        "cpus": ["2"],
        "kernel-module": ["br_netfilter"],
        "free-tcp-port": ["6443 (the API server)"],
    }
    assert facts(component(document, "host:iptables"))["role"] == ["server"]
    assert facts(component(document, "host:mount"))["role"] == ["agent", "server"]


def test_what_mk8s_needs_of_every_host_is_told_for_every_distro() -> None:
    """Also for one whose driver is not built yet."""
    document = bill(index(hosts=()))
    for name in ("systemd", "sshd", "sh", "coreutils", "tar"):
        assert facts(component(document, f"host:{name}"))["included"] == ["false"]
    assert component(document, "host:0")["type"] == "operating-system"


def test_what_the_machine_of_mk8s_must_have_is_told() -> None:
    """Python's minor version, the C library, and what verifies a bundle without mk8s."""
    document = bill(index(own=True))
    python = component(document, "operator:CPython")
    assert python["version"] == target().minor
    assert target().words in python["description"]
    assert component(document, "operator:glibc")["version"] == target().libc
    assert component(document, "operator:ssh-keygen")["scope"] == "required"
